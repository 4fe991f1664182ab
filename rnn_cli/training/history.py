"""How a training went, read back from its metrics: the losses, and curves of them in characters."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Point = tuple[int, float]
"""A step, and a loss in nats per token."""

WIDTH, HEIGHT = 60, 10
TRAINING, VALIDATION = "·", "●"


@dataclass(frozen=True)
class History:
    """The losses of a training, in the order of its steps.

    Attributes:
        training: of the windows between two records, an estimate under dropout and where the softmax is sampled.
        validation: of the whole validation text.
    """

    training: tuple[Point, ...]
    validation: tuple[Point, ...]

    @property
    def best(self) -> Point | None:
        """The validation with the lowest loss."""
        return min(self.validation, key=lambda point: point[1], default=None)


def read_history(metrics: Path) -> History:
    """The losses in a `metrics.jsonl`, of a pair those of its first network; what is not finite is left out."""
    points: dict[str, list[Point]] = {"train": [], "validation": []}
    # Read line by line: splitlines would also cut at characters that JSON may hold in its texts, such as U+2028.
    with metrics.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            record = json.loads(line)
            if (
                "network" not in record
                and record["event"] in points
                and 0 < (record["perplexity"] or 0) < math.inf
            ):
                points[record["event"]].append((record["step"], math.log(record["perplexity"])))
    return History(tuple(points["train"]), tuple(points["validation"]))


def curves(history: History) -> list[str]:
    """The losses over the steps, lines of characters; none where there are fewer than two points to draw."""
    points = [*history.training, *history.validation]
    if len(points) < 2:
        return []
    last_step = max(step for step, _ in points)
    drawn = [
        *_columns(history.training, last_step, TRAINING),
        *_columns(history.validation, last_step, VALIDATION),
    ]
    low, high = min(loss for _, loss, _ in drawn), max(loss for _, loss, _ in drawn)
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    for column, loss, mark in drawn:
        rows[round((high - loss) / max(high - low, 1e-9) * (HEIGHT - 1))][column] = mark
    labels = [
        f"{high - (high - low) * row / (HEIGHT - 1):6.2f}" if row % 3 == 0 else " " * 6
        for row in range(HEIGHT)
    ]
    steps = f"step {last_step:,}"
    legend = f"{TRAINING} training" + (f"  {VALIDATION} validation" if history.validation else "")
    return [
        "loss (nats per token)",
        *(f"{label} │{''.join(row).rstrip()}" for label, row in zip(labels, rows, strict=True)),
        f"       └{'─' * WIDTH}",
        f"        {legend}{steps:>{WIDTH - len(legend)}}",
    ]


def _columns(points: Sequence[Point], last_step: int, mark: str) -> Iterator[tuple[int, float, str]]:
    """The mean loss of each column that has any, and the mark to draw it with."""
    columns: dict[int, list[float]] = {}
    for step, loss in points:
        columns.setdefault(min(WIDTH - 1, step * WIDTH // last_step), []).append(loss)
    for column, losses in columns.items():
        yield column, sum(losses) / len(losses), mark
