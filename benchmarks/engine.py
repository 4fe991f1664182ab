"""`engine: auto` beside the plain reference path: never slower by more than 3 %.

    python -m benchmarks.engine [TURNS]

Small and large networks and vocabularies; the two take turns on the same words. The reference path has torch's own
threads, one for every core, and once one thread: the faster of the two counts.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from benchmarks import ours
from benchmarks.measuring import print_table, take_turns
from rnn_cli.cores import usable_cores

BAR = 0.97


class Row(NamedTuple):
    """What is trained."""

    vocab_size: int
    batch_size: int
    size: int
    softmax: str


ROWS = [
    Row(50, 8, 16, "exact"),
    Row(50, 32, 64, "exact"),
    Row(1_000, 32, 128, "exact"),
    Row(10_000, 20, 200, "exact"),
    Row(10_000, 64, 256, "sampled"),
    Row(33_278, 32, 400, "sampled"),
]


def measure(row: Row, turns: int) -> list[str]:
    """One row of the table."""
    text = ours.random_text(vocab_size=row.vocab_size, batch_size=row.batch_size, bptt_steps=35)
    cores = usable_cores()
    auto, choice = ours.trainer(ours.config(size=row.size, softmax=row.softmax), text)
    inside = (
        choice.taken.threads if choice.taken.engine == "reference" else 1
    )  # else its workers have one each
    steps = {"auto": partial(_with_threads, inside, auto)}
    for threads in sorted({1, cores}):
        reference = ours.config(size=row.size, softmax=row.softmax, engine="reference", threads=threads)
        step, _ = ours.trainer(reference, text)
        steps[f"reference x{threads}"] = partial(_with_threads, threads, step)
    times = take_turns(steps, turns=turns)
    fastest = min((name for name in times if name != "auto"), key=lambda name: times[name].median)
    ratio = times[fastest].ratio_to(times["auto"])
    words = 35 * row.batch_size
    return [
        f"{row.softmax} {row.vocab_size:,} B {row.batch_size} H {row.size}",
        f"{choice.taken.engine} x{choice.taken.threads}",
        fastest,
        f"{words / times[fastest].median:,.0f}",
        f"{words / times['auto'].median:,.0f}",
        f"{ratio.median:.2f}",
        ratio.spread(),
        f"{BAR:g}",
    ]


def _with_threads(threads: int, step: Callable[[], object]) -> None:
    """A step with so many threads of torch's own, which are one number for the whole process."""
    torch.set_num_threads(threads)
    step()


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    turns = int(arguments[0]) if arguments else 15
    print_table(
        "engine: auto beside the reference path, tokens/s",
        ["softmax", "auto took", "reference", "its speed", "auto's", "ratio", "range", "bar"],
        [measure(row, turns) for row in ROWS],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
