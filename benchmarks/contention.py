"""Training while another process keeps one of the cores busy, beside training alone.

    python -m benchmarks.contention [ROUNDS]

The busy process is a loop in Python, bound to one core. Three ways to train, each with and without it in turn: ours
as `engine: auto` chooses it on the quiet machine, ours with a worker for every core, and torch's own way, threads
inside each product (`engine: reference`).
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks import ours
from benchmarks.measuring import Times, print_table
from rnn_cli.cores import usable_cores

SECONDS = 2.0
BAR = 0.45


@contextmanager
def busy_core() -> Iterator[None]:
    """One process that never rests, bound to the last core that we may use."""
    core = max(os.sched_getaffinity(0))
    loop = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", loop])
    time.sleep(0.3)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def speed(step: Callable[[], None], words: int) -> float:
    """Tokens per second over about two seconds."""
    step()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        step()
        steps += 1
    return words * steps / (time.perf_counter() - began)


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    rounds = int(arguments[0]) if arguments else 3
    cores = usable_cores()
    text = ours.random_text(vocab_size=33_278, batch_size=64, bptt_steps=35)
    ways = {
        "engine: auto": ours.config(size=256, softmax="sampled"),
        f"a worker a core ({cores})": ours.config(size=256, softmax="sampled", threads=cores),
        f"reference, {cores} threads": ours.config(
            size=256, softmax="sampled", engine="reference", threads=cores
        ),
    }
    rows = []
    for name, settings in ways.items():
        step, choice = ours.trainer(settings, text)
        quiet, busy = [], []
        for _ in range(rounds):
            quiet.append(speed(step, 64 * 35))
            with busy_core():
                busy.append(speed(step, 64 * 35))
        shares = Times(tuple(b / q for b, q in zip(busy, quiet, strict=True)))
        rows.append(
            [
                name,
                f"{choice.taken.engine} x{choice.taken.threads}",
                f"{Times(tuple(quiet)).median:,.0f}",
                f"{Times(tuple(busy)).median:,.0f}",
                f"{shares.median:.2f}",
                shares.spread(),
                f"{BAR:g}" if name == "engine: auto" else "",
            ]
        )
    print_table(
        "Training beside a process that keeps one core busy, tokens/s",
        ["way", "engine", "alone", "beside it", "share", "range", "bar"],
        rows,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
