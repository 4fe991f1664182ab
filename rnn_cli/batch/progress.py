"""How far a training is, read from the metrics that it writes."""

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_NUMBERS = {
    "start": ("step", "total_windows"),
    "train": ("step", "tokens_per_s"),
    "validation": ("perplexity",),
    "test": ("perplexity",),
    "end": ("step",),
}
"""What is asked of each kind of record; others are of no use here."""
_COMPARED = 256  # bytes before what is new, by which a file is known again; records tell seconds and losses
_NEVER_NULL = {"step", "total_windows"}  # what is measured may be beyond all numbers


@dataclass
class Progress:
    """What the metrics of a training have told so far; None where they have not.

    Attributes:
        step, total_windows: updates done, and in all.
        tokens_per_s: at the last record.
        valid: the latest validation perplexity.
        best: the lowest.
        left_s: seconds that it will still take at the speed since it was first looked at.
    """

    step: int = 0
    total_windows: int | None = None
    tokens_per_s: float | None = None
    valid: float | None = None
    best: float | None = None
    left_s: float | None = None


class MetricsReader:
    """Reads what has come to a `metrics.jsonl` since it was last looked at, all of it when the file begins anew.

    `progress` is what has come of it so far; a file that begins anew, or was cut by a resume, makes a new one.
    """

    def __init__(self, path: Path) -> None:
        self.progress = Progress()
        self._path = path
        self._file_number = -1
        self._offset = 0
        self._read_last = b""
        self._first: tuple[float, int] | None = None

    def stamp(self) -> list[int] | None:
        """Which file it is and when it was written to, as JSON gives it back; None while there is none."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return [stat.st_ino, stat.st_mtime_ns]

    def read(self) -> list[dict[str, Any]]:
        """The new records, without what is damaged; `progress` holds what they come to."""
        records = self._new_records()
        for record in records:
            self._note(record)
        if records:
            self._expect()
        return records

    def _new_records(self) -> list[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                if not self._goes_on(file):
                    self._offset, self._read_last, self.progress = 0, b"", Progress()
                file.seek(self._offset)
                new = file.read()
        except OSError:  # not there yet
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._read_last = (self._read_last + whole)[-_COMPARED:]
        records = []
        for line in whole.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if _is_record(record):
                records.append(record)
        return records

    def _goes_on(self, file: IO[bytes]) -> bool:
        """Whether what was read last still stands there: a resume cuts the file, which soon is as long again."""
        number, before = self._file_number, self._read_last
        self._file_number = os.fstat(file.fileno()).st_ino
        file.seek(self._offset - len(before))
        return self._file_number == number and file.read(len(before)) == before

    def _note(self, record: dict[str, Any]) -> None:
        progress = self.progress
        match record.get("event"):
            case "start":
                progress.total_windows, progress.step = record["total_windows"], record["step"]
                self._first = None
            case "train":
                progress.step, progress.tokens_per_s = record["step"], record["tokens_per_s"]
            case "end":
                progress.step = record["step"]
            case "validation" if "network" not in record:  # of a pair the first network's
                progress.valid = record["perplexity"] if record["perplexity"] is not None else math.inf
                progress.best = min(progress.valid, math.inf if progress.best is None else progress.best)

    def _expect(self) -> None:
        """How long it will still take."""
        now, step = time.monotonic(), self.progress.step
        if self._first is None:
            self._first = now, step
        began, first = self._first
        if step > first and self.progress.total_windows:
            self.progress.left_s = (now - began) / (step - first) * (self.progress.total_windows - step)


def _is_record(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        return False
    return all(
        isinstance(found.get(key, ""), int | float) or (key not in _NEVER_NULL and found.get(key, "") is None)
        for key in _NUMBERS.get(found["event"], ())
    )
