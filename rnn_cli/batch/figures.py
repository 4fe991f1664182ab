"""The figures of a run, each under a dotted name: valid.perplexity, questions.NAME.accuracy, elapsed_s."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from rnn_cli.config.nodes import dotted_keys
from rnn_cli.config.schema import Config
from rnn_cli.config.wording import closest, did_you_mean, shown
from rnn_cli.text.split import PartName, text_of_split

Figures = dict[str, float]

_ALWAYS = ("elapsed_s", "parameters", "steps")
_MEASURED = ("perplexity", "loss")
_MEASURED_ON: tuple[PartName, ...] = ("valid", "test")
_HIGHER_IS_BETTER = ("accuracy", "correct", "tokens_per_s")


def flattened(data: Mapping[str, Any], prefix: str = "") -> Figures:
    """The finite numbers in nested mappings, their keys joined by points; lists and texts are left out."""
    return {
        key: value
        for key, value in dotted_keys(data, prefix).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def higher_is_better(metric: str) -> bool:
    """Whether the larger figure is the better one, as of an accuracy, but not of a loss or a time."""
    return metric.rpartition(".")[2] in _HIGHER_IS_BETTER


def metric_problem(metric: str, configs: Iterable[Config], after: Collection[str]) -> str | None:
    """Why runs of these configs cannot be sorted by `metric`; None if they can.

    What a command that follows a training prints is not known before, so any name below its own is taken.
    """
    known: set[str] | None = None
    for config in configs:
        names = _figures_of(config)
        known = names if known is None else known & names
    known = known or set()
    if metric in known or any(metric.startswith(f"{name}.") for name in after):
        return None
    split = metric.partition(".")[0]
    if split in _MEASURED_ON and metric.partition(".")[2] in _MEASURED:
        return (
            f"found {shown(metric)}, which needs a text to measure on. Name one in data.{split} of every config, or "
            f"keep a part of data.train apart with data.split.{split}."
        )
    meant = closest(metric, sorted(known))
    return (
        f"found {shown(metric)}, allowed: {', '.join(sorted(known))}.{did_you_mean(meant and shown(meant))}"
    )


def is_measured(config: Config, split: PartName) -> bool:
    """Whether there is a text to measure on, one of its own or a part of the training text."""
    return text_of_split(config.data.model_dump(), split) is not None


def _figures_of(config: Config) -> set[str]:
    """What a summary of such a training will hold."""
    names = set(_ALWAYS)
    for split in _MEASURED_ON:
        if is_measured(config, split):
            names |= {f"{split}.{measured}" for measured in _MEASURED}
    return names | {f"questions.{name}.accuracy" for name in config.data.questions}
