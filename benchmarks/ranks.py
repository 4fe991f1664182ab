"""Two processes that train together, beside one with two threads and one with one.

    torchrun --nproc-per-node 2 -m benchmarks.ranks [TURNS]

All three train the same network on the same streams. The first process trains alone, with one thread and with two,
while the second waits for a message; then both train together.
"""

import sys
import time
from collections.abc import Callable

from benchmarks import ours
from benchmarks.measuring import REST_S, Times, print_table
from rnn_cli.training.ranks import ALONE, Ranks

ROWS = [  # softmax, vocabulary, streams, units, engine
    ("exact", 50, 32, 64, "float32"),
    ("exact", 10_000, 64, 256, "bfloat16"),
    ("sampled", 10_000, 64, 256, "bfloat16"),
    ("sampled", 33_278, 64, 512, "bfloat16"),
]
BPTT_STEPS = 35
SECONDS = 0.5
"""A way is timed for so long in each turn."""

WARM_UP = 2


def measure(row: tuple[str, int, int, int, str], ranks: Ranks, turns: int) -> list[str]:
    """A row of the table: tokens/s in each way, and what two processes gain over one and over two threads."""
    softmax, vocab_size, batch_size, units, engine = row
    text = ours.random_text(vocab_size=vocab_size, batch_size=batch_size, bptt_steps=BPTT_STEPS)

    def trainer(threads: int, together: Ranks) -> Callable[[], None]:
        settings = ours.config(size=units, softmax=softmax, engine=engine, threads=threads)
        step, _ = ours.trainer(settings, text, together)
        return step

    ways = {"one": trainer(1, ALONE), "threads": trainer(2, ALONE), "processes": trainer(1, ranks)}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(WARM_UP + turns):
        for name, step in ways.items():
            ranks.sum(0)
            time.sleep(REST_S)
            if ranks.first or name == "processes":
                speed = batch_size * BPTT_STEPS * steps_per_s(step, ranks if name == "processes" else ALONE)
                if turn >= WARM_UP:
                    speeds[name].append(speed)
    if not ranks.first:
        return []
    one, threads, processes = (Times(tuple(speeds[name])) for name in ways)
    gain, over_threads = processes.ratio_to(one), processes.ratio_to(threads)
    return [
        f"{softmax}, {vocab_size:,} words, B {batch_size}, {units} units",
        f"{one.median:,.0f}",
        f"{threads.median:,.0f}",
        f"{processes.median:,.0f}",
        f"{gain.median:.2f}",
        gain.spread(),
        f"{over_threads.median:.2f}",
        over_threads.spread(),
    ]


def steps_per_s(step: Callable[[], None], ranks: Ranks) -> float:
    """Over some half a second, by the first rank's clock."""
    began, steps, seconds = time.perf_counter(), 0, 0.0
    while seconds < SECONDS:
        step()
        steps += 1
        seconds = ranks.of_first(time.perf_counter() - began)
    return steps / seconds


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
                "over one", "range", "over threads", "range",
            ],
            rows,
        )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
