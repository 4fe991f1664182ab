"""Two processes that train together, beside one with two threads and one with one.

    torchrun --nproc-per-node 2 -m benchmarks.ranks [TURNS]

All three train the same network on the same streams. The first process trains alone, with one thread and with two,
while the second waits for a message; then both train together. Besides tokens/s, which want a quiet machine, it shows
the CPU seconds of all processes over those of one thread: what working together costs.
"""

import sys
import time
from collections.abc import Callable

from benchmarks import ours
from benchmarks.measuring import REST_S, Times, print_table
from rnn_cli.training.device import CPU, has_bfloat16_products
from rnn_cli.training.ranks import ALONE, Ranks

FAST = "bfloat16" if has_bfloat16_products(CPU) else "float32"

ROWS = [  # softmax, vocabulary, streams, units, engine
    ("exact", 50, 32, 64, "float32"),
    ("exact", 10_000, 64, 256, FAST),
    ("sampled", 10_000, 64, 256, FAST),
    ("sampled", 33_278, 64, 512, FAST),
]
BPTT_STEPS = 35
SECONDS = 0.5
"""A way is timed for so long in each turn."""

WARM_UP = 2


def measure(row: tuple[str, int, int, int, str], ranks: Ranks, turns: int) -> list[str]:
    """A row of the table; nothing where this is not the first process."""
    softmax, vocab_size, batch_size, units, engine = row
    text = ours.random_text(vocab_size=vocab_size, batch_size=batch_size, bptt_steps=BPTT_STEPS)

    def trainer(threads: int, together: Ranks) -> Callable[[], None]:
        settings = ours.config(size=units, softmax=softmax, engine=engine, threads=threads)
        step, _ = ours.trainer(settings, text, together)
        return step

    ways = {
        "one thread": (trainer(1, ALONE), ALONE),
        "two threads": (trainer(2, ALONE), ALONE),
        "processes": (trainer(1, ranks), ranks),
    }
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(WARM_UP + turns):
        for name, (step, together) in ways.items():
            ranks.sum(0)  # each waits for the other
            time.sleep(REST_S)
            if ranks.first or together is ranks:
                step_s, step_cpu_s = times_of_a_step(step, together)
                if turn >= WARM_UP:
                    wall[name].append(step_s)
                    cpu[name].append(step_cpu_s)
    if not ranks.first:
        return []
    one, threads, processes = (Times(tuple(seconds)) for seconds in wall.values())
    gain, over_threads = one.ratio_to(processes), threads.ratio_to(processes)
    cost = Times(tuple(cpu["processes"])).ratio_to(Times(tuple(cpu["one thread"])))
    words = batch_size * BPTT_STEPS
    return [
        f"{softmax}, {vocab_size:,} words, B {batch_size}, {units} units",
        *(f"{words / times.median:,.0f}" for times in (one, threads, processes)),
        f"{gain.median:.2f}",
        gain.spread(),
        f"{over_threads.median:.2f}",
        over_threads.spread(),
        f"{cost.median:.2f}",
        cost.spread(),
    ]


def times_of_a_step(step: Callable[[], None], ranks: Ranks) -> tuple[float, float]:
    """Seconds by the first rank's clock and CPU seconds of all ranks, over some half a second."""
    began, cpu_before, steps, seconds = time.perf_counter(), time.process_time(), 0, 0.0
    while seconds < SECONDS:
        step()
        steps += 1
        seconds = ranks.of_first(time.perf_counter() - began)
    [cpu_s] = ranks.sum(time.process_time() - cpu_before)
    return seconds / steps, cpu_s / steps


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    ranks = Ranks.join()
    turns = int(arguments[0]) if arguments else 7
    rows = [measure(row, ranks, turns) for row in ROWS]
    if ranks.first:
        print_table(
            "Training, tokens/s",
            [
                "network", "one thread", "two threads", f"{ranks.count} processes",
                "over one", "range", "over threads", "range", "CPU over one", "range",
            ],
            rows,
        )  # fmt: skip
    ranks.leave()


if __name__ == "__main__":
    main(sys.argv[1:])
