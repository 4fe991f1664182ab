"""What a search came to: every trial, the best first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnn_cli.batch.expansion import labels
from rnn_cli.batch.figures import Figures
from rnn_cli.batch.job import State
from rnn_cli.batch.progress import MetricsReader
from rnn_cli.batch.record import Digests
from rnn_cli.batch.results import RunResult, cell, csv_of, figure, figures_of, write_results
from rnn_cli.batch.search import Search, TrialSeen
from rnn_cli.batch.study import look_at_run
from rnn_cli.training.run_folder import RunFolder

MOST_ROWS = 20
"""Rows of the table for a person; the files have all."""


@dataclass(frozen=True)
class SearchResults:
    """The trials: those that were finished, the best first; then those that were pruned; then the others."""

    metric: str
    runs: Sequence[RunResult]

    def count(self, state: State) -> int:
        """How many trials stand like this."""
        return sum(run.outcome.state is state for run in self.runs)

    @property
    def best(self) -> RunResult | None:
        """The best that is finished and still has its folder."""
        return next((run for run in self.runs if run.outcome.state is State.FINISHED), None)

    @property
    def best_gone(self) -> RunResult | None:
        """The best of all, where its folder was removed."""
        first = next(iter(self.runs), None)
        return first if first is not None and first.outcome.state is State.GONE else None

    def to_dict(self) -> dict[str, Any]:
        """For `results.json`."""
        return {
            "metric": self.metric,
            "best": self.best and self.best.to_dict(),
            "runs": [run.to_dict() for run in self.runs],
        }

    def write(self, folder: Path) -> None:
        """Write `results.csv` and `results.json`.

        Raises:
            RnnError: the folder cannot be written to.
        """
        write_results(folder, csv_of(self.runs), self.to_dict())

    def columns(self) -> list[tuple[str, str]]:
        """The headings of `rows`, and the side on which each column stands."""
        config = [("config", "left")] if self._several_configs() else []
        varied = [(label, "right") for label in self._labels().values()]
        return [("trial", "left"), *config, *varied, (self.metric, "right"), ("state", "left")]

    def rows(self) -> list[list[str]]:
        """A table of the best trials for a person."""
        return [
            [
                run.planned.name.partition(",")[0].removeprefix("trial-"),
                *([run.planned.source] if self._several_configs() else []),
                *(cell(run.planned.choices[key]) for key in self._labels()),
                figure(run.figures.get(self.metric)),
                run.outcome.state.value,
            ]
            for run in self.runs[:MOST_ROWS]
        ]

    def _labels(self) -> dict[str, str]:
        return labels({key: None for run in self.runs for key in run.planned.choices})

    def _several_configs(self) -> bool:
        return len({run.planned.source for run in self.runs}) > 1


def gather_search(search: Search) -> SearchResults:
    """Read the figures of every trial, those of other processes too."""
    metric, digests = str(search.plan.metric), Digests()
    runs = [
        RunResult(seen.run, str(seen.path), seen.outcome, _figures(search, seen, digests))
        for seen in search.seen()
    ]
    return SearchResults(metric, runs)


def _figures(search: Search, seen: TrialSeen, digests: Digests) -> Figures:
    """Those of a finished trial, if only the metric in the journal; of a pruned one, its best validation."""
    if seen.outcome.state in (State.FINISHED, State.GONE):
        figures = figures_of(look_at_run(seen.run, seen.path, digests), search.plan.after)
        return figures if seen.value is None else figures | {str(search.plan.metric): seen.value}
    if seen.outcome.state is State.PRUNED:
        best = best_validation(seen.path)
        return {} if best is None else {"valid.loss": best[0], "valid.perplexity": best[1]}
    return {}


def best_validation(run: Path) -> tuple[float, float] | None:
    """The lowest loss among a training's validations, of a pair its first network's, and its perplexity; or None."""
    records = MetricsReader(RunFolder(run).metrics).read()
    measured = [
        (record["loss"], record["perplexity"])
        for record in records
        if record["event"] == "validation" and "network" not in record and record["loss"] is not None
    ]
    return min(measured, default=None)
