"""What a study came to: the figures of every run, and their mean and spread over seeds."""

import csv
import io
import json
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnn_cli.batch.expansion import SEED, PlannedRun, labels
from rnn_cli.batch.figures import Figures, flattened, higher_is_better
from rnn_cli.batch.job import Outcome, State
from rnn_cli.batch.record import Record
from rnn_cli.batch.study import Next, Study, StudyRun
from rnn_cli.errors import RnnError
from rnn_cli.files import write_text
from rnn_cli.training.run_folder import RunFolder

LONGEST_OUTPUT = 1_000_000  # bytes of a command's output that are looked at for figures


@dataclass(frozen=True)
class RunResult:
    """How one run stands, and its figures where it is trained."""

    planned: PlannedRun
    folder: str
    outcome: Outcome
    figures: Figures

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "run": self.planned.name,
            "folder": self.folder,
            "state": self.outcome.state.value,
            "reason": self.outcome.reason,
            "config": self.planned.source,
            "choices": dict(self.planned.choices),
            "figures": self.figures,
        }


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only.

    Attributes:
        source: the config's name.
        choices: what they have in common, the seed left out.
        runs: how many of them have the metric.
        mean: of the metric; None where no run has it.
        spread: the standard deviation of the metric over seeds (n - 1); None for fewer than two runs.
    """

    source: str
    choices: Mapping[str, Any]
    runs: int
    mean: float | None
    spread: float | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "config": self.source,
            "choices": dict(self.choices),
            "runs": self.runs,
            "mean": self.mean,
            "spread": self.spread,
        }


@dataclass(frozen=True)
class Results:
    """The runs in the order of the plan, and the groups of seeds, the best first."""

    metric: str | None
    runs: Sequence[RunResult]
    groups: Sequence[Group]

    def count(self, state: State) -> int:
        """How many runs stand like this."""
        return sum(run.outcome.state is state for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        """For `results.json`."""
        return {
            "metric": self.metric,
            "groups": [group.to_dict() for group in self.groups],
            "runs": [run.to_dict() for run in self.runs],
        }

    def to_csv(self) -> str:
        """For `results.csv`: one row a run; the columns are what varies, then every figure that a run has."""
        return csv_of(self.runs)

    def write(self, folder: Path) -> None:
        """Write `results.csv` and `results.json`.

        Raises:
            RnnError: the folder cannot be written to.
        """
        write_results(folder, self.to_csv(), self.to_dict())

    def columns(self) -> list[tuple[str, str]]:
        """The headings of `rows`, and the side on which each column stands."""
        varied = list(self._labels().values())
        headings = [("config", "left")] if self._several_configs() or not varied else []
        headings += [(label, "right") for label in varied]
        measured = [(self.metric, "right"), ("±", "right")] if self.metric else []
        return [*headings, ("runs", "right"), *measured]

    def rows(self) -> list[list[str]]:
        """A table of the groups for a person."""
        shown_config = self._several_configs() or not self._labels()
        return [
            [
                *([group.source] if shown_config else []),
                *(cell(group.choices.get(key, "")) for key in self._labels()),
                str(group.runs),
                *([figure(group.mean), figure(group.spread)] if self.metric else []),
            ]
            for group in self.groups
        ]

    def _labels(self) -> dict[str, str]:
        return labels({key: None for group in self.groups for key in group.choices})

    def _several_configs(self) -> bool:
        return len({group.source for group in self.groups}) > 1


def gather(study: Study, outcomes: Mapping[str, Outcome]) -> Results:
    """Read the figures of every run that is trained, and bring runs that differ in their seed together."""
    metric = study.plan.metric
    runs = [
        RunResult(run.planned, str(run.path), outcomes[run.name], _figures(run, study, outcomes[run.name]))
        for run in study.runs
    ]
    by_group: dict[tuple[str, str], list[RunResult]] = {}
    for run in runs:
        by_group.setdefault(run.planned.apart_from_seed, []).append(run)
    groups = [_group(members, metric) for members in by_group.values()]
    sign = -1 if metric and higher_is_better(metric) else 1
    groups.sort(key=lambda group: math.inf if group.mean is None else sign * group.mean)
    return Results(metric, runs, groups)


def _figures(run: StudyRun, study: Study, outcome: Outcome) -> Figures:
    return {} if outcome.state is State.WAITING else figures_of(run, study.plan.after)


def figures_of(run: StudyRun, after: Collection[str]) -> Figures:
    """The summary's numbers, and those of each command that printed one JSON object, below its name."""
    if not RunFolder(run.path).summary.exists():
        return {}
    if run.next is Next.AGAIN:
        stored = Record.read(run.path)
        if run.record.exit_code is None or stored is None or stored.changes(run.record):
            return {}  # it has not begun, and what is there was trained before the plan changed
    figures = flattened(_json_object(RunFolder(run.path).summary))
    for name in after:
        if name in run.record.after:
            figures |= flattened(_json_object(run.output(name)), f"{name}.")
    return figures


def _json_object(path: Path) -> dict[str, Any]:
    """The one JSON object in a file; empty where the file holds something else."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(LONGEST_OUTPUT + 1).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _group(members: Sequence[RunResult], metric: str | None) -> Group:
    values = [run.figures[metric] for run in members if metric and metric in run.figures]
    first = members[0].planned
    return Group(
        first.source,
        {key: value for key, value in first.choices.items() if key != SEED},
        len(values) if metric else sum(bool(run.figures) for run in members),
        statistics.fmean(values) if values else None,
        statistics.stdev(values) if len(values) > 1 else None,
    )


def csv_of(runs: Sequence[RunResult]) -> str:
    """One row a run; the columns are what varies, then every figure that a run has."""
    keys = {key: None for run in runs for key in run.planned.choices}
    names = sorted({name for run in runs for name in run.figures})
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["run", "state", "config", *keys, *names])
    for run in runs:
        row = [run.planned.name, run.outcome.state.value, run.planned.source]
        row += [cell(run.planned.choices.get(key, "")) for key in keys]
        row += [str(run.figures.get(name, "")) for name in names]
        table.writerow(row)
    return text.getvalue()


def write_results(folder: Path, table: str, results: Mapping[str, Any]) -> None:
    """Write `results.csv` and `results.json`.

    Raises:
        RnnError: the folder cannot be written to.
    """
    try:
        write_text(folder / "results.csv", table, errors="backslashreplace")
        # In ASCII: the path of a run may hold bytes that are no UTF-8.
        write_text(folder / "results.json", json.dumps(results, indent=2) + "\n")
    except OSError as error:
        raise RnnError(
            f"{folder}: the results cannot be written ({error.strerror}). The runs keep their figures: make room or "
            "allow it, and start the plan again."
        ) from error


def figure(value: float | None) -> str:
    """A figure for a person: 131.90, 0.8123, 1.2e-05."""
    if value is None:
        return "-"
    return f"{value:,.2f}" if abs(value) >= 10 else f"{value:.4g}"


def cell(value: Any) -> str:
    """A value that varies, for a person and for a table."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
