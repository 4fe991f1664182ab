"""Runs side by side: what was set differently, and what came of it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rnn_cli.errors import RnnError
from rnn_cli.inference import load
from rnn_cli.insight.prompts import Tried
from rnn_cli.insight.runs import Record, Run

NOT_THERE = "-"
OF_TOKENS = "it is over"


@dataclass(frozen=True)
class Reached:
    """When a run's validation perplexity was first as low as a level: seconds and tokens of training."""

    elapsed_s: float
    tokens: int


@dataclass(frozen=True)
class Level:
    """A perplexity, and when each run reached it; None where it never did."""

    perplexity: float
    runs: list[Reached | None]


@dataclass(frozen=True)
class Difference:
    """One thing in which runs differ, with what each of them has, in their order."""

    what: str
    runs: list[str]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; every list has one entry for each run, in the order of `names`.

    Attributes:
        config: the keys that differ.
        figures: what each run came to; ± is one standard error.
        levels: see `Level`.
        completions: the prompts to which the runs give different words, and these.
        prompts: how many prompts were tried.
    """

    names: list[str]
    config: list[Difference]
    figures: list[Difference]
    levels: list[Level]
    completions: list[Difference]
    prompts: int

    @property
    def caution(self) -> str | None:
        """What to bear in mind about the figures."""
        if all(row.what != OF_TOKENS for row in self.figures):
            return None
        return "Perplexities over different tokens cannot be compared; bits per character can (`rnn eval`)."

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(runs: Sequence[Run], *, perplexities: Sequence[float], prompts: Sequence[Tried]) -> Comparison:
    """Compare runs.

    Args:
        perplexities: the levels to find the times for; none: the best validation perplexity of each run.
        prompts: what to let the models complete.

    Raises:
        ModelFileError: a run has a model that cannot be used.
    """
    levels = sorted(set(perplexities or _best_levels(runs)), reverse=True)
    return Comparison(
        names=[run.name for run in runs],
        config=_config_differences(runs),
        figures=final_figures(runs),
        levels=[Level(level, [reached(run, level) for run in runs]) for level in levels],
        completions=_completions(runs, prompts),
        prompts=len(prompts),
    )


def reached(run: Run, perplexity: float) -> Reached | None:
    """When a validation of `run` first found a perplexity of at most `perplexity`."""
    for record in run.validations:
        if record["perplexity"] is not None and record["perplexity"] <= perplexity:
            return Reached(record["elapsed_s"], run.tokens(record["step"]))
    return None


def _best_levels(runs: Sequence[Run]) -> list[float]:
    """The best perplexity of each run, rounded up to three digits."""
    best = [float(run.best["perplexity"]) for run in runs if run.best is not None]
    return [_rounded_up(perplexity) for perplexity in best]


def _rounded_up(number: float) -> float:
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return float(f"{math.ceil(number / unit - 1e-9) * unit:.3g}")


def _config_differences(runs: Sequence[Run]) -> list[Difference]:
    keys = dict.fromkeys(key for run in runs for key in run.flat_config)
    rows = [Difference(key, [shown(run.flat_config.get(key, NOT_THERE)) for run in runs]) for key in keys]
    return [row for row in rows if len(set(row.runs)) > 1]


def shown(value: Any) -> str:
    """A value of a config as YAML would have it, a list without its brackets."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def final_figures(runs: Sequence[Run]) -> list[Difference]:
    """What runs came to, in words; ± is one standard error. What no run has is left out."""
    asked = dict.fromkeys(name for run in runs for name in _of_summary(run, "questions"))
    rows = [
        Difference("state", [_state(run) for run in runs]),
        Difference("parameters", [f"{run.start['parameters']:,}" for run in runs]),
        Difference("validation perplexity", [_perplexity(run.best) for run in runs]),
        *_different_tokens(runs),
        Difference("test perplexity", [_perplexity(_of_summary(run, "test") or None) for run in runs]),
        *(
            Difference(f"{name}, right", [_accuracy(_of_summary(run, "questions").get(name)) for run in runs])
            for name in asked
        ),
        Difference("seconds of training", [_seconds(run) for run in runs]),
        Difference("tokens/s, median", [_speed(run) for run in runs]),
        Difference("went wrong", [_rollbacks(run) for run in runs]),
    ]
    return [row for row in rows if set(row.runs) != {NOT_THERE}]


def _of_summary(run: Run, key: str) -> Record:
    return (run.summary or {}).get(key) or {}


def _state(run: Run) -> str:
    return "not finished" if run.summary is None else str(run.summary.get("reason", "finished"))


def _perplexity(record: Record | None) -> str:
    if record is None or record["perplexity"] is None:
        return NOT_THERE
    error = record.get("perplexity_standard_error")  # runs of earlier versions have none
    tokens, of_tokens = record.get("tokens"), record.get("of_tokens")
    return (
        f"{record['perplexity']:,.2f}"
        + ("" if error is None else f" ± {error:,.2f}")
        + ("" if tokens is None or of_tokens is None else f" ({tokens:,} of {of_tokens:,} tokens)")
    )


def _different_tokens(runs: Sequence[Run]) -> list[Difference]:
    """What the validation perplexities are over, where it is not the same for all runs."""
    row = Difference(OF_TOKENS, [_tokens(run.best) for run in runs])
    return [row] if len(set(row.runs) - {NOT_THERE}) > 1 else []


def _tokens(record: Record | None) -> str:
    if record is None or "unknown" not in record:  # runs of earlier versions say nothing of it
        return NOT_THERE
    return f"{record['tokens']:,} tokens, {record['unknown']:,} unknown"


def _accuracy(answered: Record | None) -> str:
    if answered is None:
        return NOT_THERE
    return f"{answered['accuracy']:.1%} ± {answered['standard_error']:.1%}"


def _seconds(run: Run) -> str:
    latest = [record["elapsed_s"] for record in (*run.train, *run.validations)]
    elapsed = (run.summary or {}).get("elapsed_s", max(latest, default=None))
    return NOT_THERE if elapsed is None else f"{elapsed:,.0f}"


def _speed(run: Run) -> str:
    speeds = [record["tokens_per_s"] for record in run.train]
    return f"{statistics.median(speeds):,.0f}" if speeds else NOT_THERE


def _rollbacks(run: Run) -> str:
    times = len((run.summary or {}).get("rollbacks") or [])
    return NOT_THERE if times == 0 else f"{times} time{'s' if times > 1 else ''}"


def _completions(runs: Sequence[Run], prompts: Sequence[Tried]) -> list[Difference]:
    texts = [prompt.text for prompt in prompts]
    columns = [_best_words(run, texts) for run in runs]
    rows = [Difference(text, list(words)) for text, *words in zip(texts, *columns, strict=True)]
    return [row for row in rows if len(set(row.runs)) > 1]


def _best_words(run: Run, texts: list[str]) -> list[str]:
    """What the model of a run says first to each text."""
    if not run.has_model or not texts:
        return [NOT_THERE] * len(texts)
    return [
        NOT_THERE
        if isinstance(result, RnnError) or not result.completions
        else " ".join(result.completions[0].words) or "(line ends)"
        for result in load(run.path).predict(texts, top=1)
    ]
