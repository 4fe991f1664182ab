"""Training against the peer: tokens per second, and how near the floor of its matrix products a step is.

    python -m benchmarks.training_speed [exact | sampled] [TURNS]

Ours and the peer take turns on the same words. `ratio` is the median over the turns, with its range; `floor` is how
many times as long as its bare matrix products our step takes. The sampled softmax draws 256 words a window and adds
those that came; its quality beside the exact one is in docs/performance.md.
"""

import sys
from typing import NamedTuple

import numpy as np

from benchmarks import floor, ours, peer
from benchmarks.measuring import print_table, take_turns

T = 35


class Row(NamedTuple):
    """What is measured; the bar is what the project promises for it, 0 for none."""

    vocab_size: int
    batch_size: int
    size: int
    bar: float


EXACT = [Row(10_000, 20, 200, 0), Row(10_000, 64, 256, 0), Row(33_278, 20, 200, 0), Row(33_278, 64, 256, 2.5)]
SAMPLED = [
    Row(10_000, 64, 256, 0),
    Row(33_278, 20, 200, 0),
    Row(33_278, 64, 256, 35),
    Row(250_000, 64, 256, 0),
]


def measure(row: Row, softmax: str, turns: int) -> list[str]:
    """One row of the table."""
    text = ours.random_text(vocab_size=row.vocab_size, batch_size=row.batch_size, bptt_steps=T)
    our_step, choice = ours.trainer(ours.config(size=row.size, softmax=softmax), text)
    peer_step = peer.trainer(text.some(), vocab_size=row.vocab_size, size=row.size)
    streams = row.batch_size // choice.taken.threads
    came = np.mean([len(np.unique(window.targets[:, :streams])) for window in text.some()])
    candidates = row.vocab_size if softmax == "exact" else int(came) + 256
    products = floor.products(
        choice.taken, batch_size=row.batch_size, bptt_steps=T, size=row.size, candidates=candidates
    )
    times = take_turns({"ours": our_step, "peer": peer_step, "floor": products}, turns=turns)
    ratio = times["peer"].ratio_to(times["ours"])
    over_floor = times["ours"].ratio_to(times["floor"])
    words = T * row.batch_size
    return [
        f"{softmax} {row.vocab_size:,} B {row.batch_size} H {row.size}",
        f"{choice.taken.engine} x{choice.taken.threads}",
        f"{words / times['peer'].median:,.0f}",
        f"{words / times['ours'].median:,.0f}",
        f"{ratio.median:.1f}",
        ratio.spread(1),
        f"{row.bar:g}" if row.bar else "",
        f"{over_floor.median:.2f}",
    ]


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    kinds = [word for word in arguments if word in ("exact", "sampled")] or ["exact", "sampled"]
    turns = next((int(word) for word in arguments if word.isdigit()), 7)
    rows = [measure(row, kind, turns) for kind in kinds for row in (EXACT if kind == "exact" else SAMPLED)]
    columns = ["softmax", "engine", "peer", "ours", "ratio", "range", "bar", "floor"]
    print_table("Training: tokens/s of the peer and ours", columns, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
