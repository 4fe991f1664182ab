"""What lies in a folder of runs."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rnn_cli.batch.progress import MetricsReader
from rnn_cli.batch.record import NAME, Record
from rnn_cli.errors import UsageError
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.run_lock import is_held

DEEPEST = 2
"""Levels below the folder that are looked at: runs/NAME, and runs/STUDY/NAME."""


@dataclass(frozen=True)
class ListedRun:
    """A run as it lies there.

    Attributes:
        name: its folder, as seen from the folder listed.
        state: finished, running, half (it was stopped or killed and can go on), pruned (given up by a search), not
            begun (a plan's run that was stopped before its first step), or failed.
        step, total_windows: updates done, and in all; None where it has not begun.
        valid, test: perplexities; None where there are none.
        in_part: whether they are of stretches of the texts, see `data.measured_tokens`.
        changed: when something was last written, in local time.
    """

    name: str
    state: str
    step: int | None
    total_windows: int | None
    valid: float | None
    test: float | None
    in_part: bool
    changed: datetime

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which knows no infinite perplexity."""
        valid = self.valid if self.valid is not None and math.isfinite(self.valid) else None
        return {**asdict(self), "valid": valid, "changed": self.changed.isoformat(" ", "seconds")}


def list_runs(folder: Path) -> list[ListedRun]:
    """The runs in a folder and in the studies in it, by name; the folder itself if it is a run.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """
    try:
        if _is_run(folder):
            return [_listed(folder, folder.parent)]
        return [_listed(run, folder) for run in _runs_in(folder, DEEPEST)]
    except FileNotFoundError:
        raise UsageError(f"{folder}: no such folder. Runs lie in runs/, or where --run-dir said.") from None
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot be read ({error.strerror}).") from error


def _runs_in(folder: Path, levels: int) -> Iterable[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if _is_run(path):
                yield path
            elif levels > 1:
                yield from _runs_in(path, levels - 1)


def _is_run(path: Path) -> bool:
    folder = RunFolder(path)
    return folder.metrics.exists() or folder.summary.exists() or Record.read(path) is not None


def _listed(path: Path, root: Path) -> ListedRun:
    folder = RunFolder(path)
    metrics = MetricsReader(folder.metrics)
    records = metrics.read()
    # Of a pair the first network's, as with the validation.
    tests = [
        record["perplexity"] for record in records if record["event"] == "test" and "network" not in record
    ]
    begun = metrics.progress.total_windows is not None
    files = [file for file in (folder.summary, folder.metrics, path) if file.exists()]
    return ListedRun(
        name=str(path.relative_to(root)),
        state=_state(path),
        step=metrics.progress.step if begun else None,
        total_windows=metrics.progress.total_windows,
        valid=metrics.progress.best,
        test=tests[-1] if tests else None,
        in_part=any("of_tokens" in record for record in records),
        changed=datetime.fromtimestamp(files[0].stat().st_mtime).astimezone(),
    )


def _state(path: Path) -> str:
    folder = RunFolder(path)
    if is_held(path):
        return "running"
    if folder.summary.exists():
        return "finished"
    record = Record.read(path)
    if record is not None and not _has_gone_on(path):
        if record.pruned:
            return "pruned"
        if record.reason and not (record.was_cut_off and folder.states()):
            return "failed"
    if folder.states():
        return "half"
    return "failed" if folder.metrics.exists() else "not begun"


def _has_gone_on(path: Path) -> bool:
    """Whether it has trained since its record was written, as by hand: how it ended before says nothing then."""
    metrics = RunFolder(path).metrics
    return metrics.exists() and metrics.stat().st_mtime_ns > (path / NAME).stat().st_mtime_ns
