"""Timing things side by side, and printing what was found as a table.

The machines are shared and noisy. So what is compared takes turns within one run, and what counts is the median of
the ratios within a turn; the spread stands beside it.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rnn_cli.console import show_table

REST_S = 0.02
"""Torch's threads go on spinning for some milliseconds after the last product, and would slow whoever comes next."""


@dataclass(frozen=True)
class Times:
    """Seconds that something took in each turn."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    def ratio_to(self, other: "Times") -> "Times":
        """How many times as long as `other` it took, turn by turn."""
        return Times(tuple(a / b for a, b in zip(self.seconds, other.seconds, strict=True)))

    def spread(self, digits: int = 2) -> str:
        """The range, for a table."""
        return f"{min(self.seconds):,.{digits}f} to {max(self.seconds):,.{digits}f}"


def take_turns(
    steps: Mapping[str, Callable[[], object]],
    *,
    turns: int = 9,
    warm_up: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Times]:
    """Time each step `turns` times, one after the other in every turn; the first `warm_up` turns do not count.

    Args:
        clock: time.process_time counts CPU seconds, on which others who use the machine have little influence.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(warm_up + turns):
        for name, step in steps.items():
            time.sleep(REST_S)
            began = clock()
            step()
            if turn >= warm_up:
                seconds[name].append(clock() - began)
    return {name: Times(tuple(times)) for name, times in seconds.items()}


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column left, numbers right."""
    show_table([(columns[0], "left"), *((name, "right") for name in columns[1:])], rows, title=title)
