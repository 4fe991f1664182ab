"""How long a search has been worked on: by somebody, not how long since it began, nor by how many at once."""

import os
import platform
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study

NOTE_EVERY_S = 20.0
"""A process that is killed loses no more of its time than this."""

_PREFIX = "sitting of "

Span = tuple[float, float]
"""From when to when, in seconds since 1970."""


class Sittings:
    """Each process that works on a search notes from when to when in the search's journal.

    From when: by the wall clock, because the machines of a search share no other. How long: by a clock that nobody
    sets, and that stands still while the computer sleeps.
    """

    def __init__(self, study: "Study") -> None:
        self._study = study
        self._key = f"{_PREFIX}process {os.getpid()} on {platform.node()}, {uuid.uuid4()}"
        self._began = time.time()
        self._began_by_monotonic = self._noted = time.monotonic()

    def note(self, every_s: float = 0.0) -> None:
        """Note that this process still works on it, if that was not done in the last so many seconds."""
        now = time.monotonic()
        if now - self._noted >= every_s:
            self._noted = now
            self._study.set_user_attr(self._key, list(self._span()))

    def used_s(self) -> float:
        """Seconds in which somebody worked on it, this process until now."""
        spans = [tuple(span) for key, span in self._study.user_attrs.items() if key.startswith(_PREFIX)]
        return covered_s([*spans, self._span()])

    def _span(self) -> Span:
        return self._began, self._began + time.monotonic() - self._began_by_monotonic


def covered_s(spans: Iterable[Span]) -> float:
    """How long at least one of the spans lasted."""
    total, end = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, end))
        end = max(end, ended)
    return total
