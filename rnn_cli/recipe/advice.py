"""What to try next: one or two sentences from how a training went."""

import math

from rnn_cli.config import Config
from rnn_cli.training.history import History

BY_HEART = 0.25
"""Nats that the training loss lies below the validation loss where the text is being learnt by heart. Dropout and
sampling raise the training loss, so that without overfitting it mostly lies above."""

TURNED = 0.02
"""Nats that the last validation lies above the best one where the turn is more than chance."""

RECENT = 10
"""Records of training whose mean is the training loss at the end."""

MOST_DROPOUT = 0.6
"""So much has been tried; more teaches too little."""


def advice(history: History, config: Config, reason: str, *, budget_s: float | None = None) -> str:
    """What the losses say, and what to change.

    Args:
        reason: why the training ended, as in `events.Ended`.
        budget_s: the time that a text was given; None: the config says how long.
    """
    best = history.best
    if best is None or not history.training:
        return (
            "Nothing tells how good the model is beyond its own text. A longer text helps most; "
            "or name one to measure on: --set data.valid=FILE"
        )
    recent = [loss for _, loss in history.training[-RECENT:]]
    gap = history.validation[-1][1] - sum(recent) / len(recent)
    turned = history.validation[-1][1] > best[1] + TURNED
    if turned or gap > BY_HEART:
        return _by_heart(config, best_step=best[0] if turned else None, gap=gap)
    if reason == "time is up":
        more = _more_time(config, budget_s)
        return f"It was not learning by heart when its time was up. More time helps most: {more}"
    return (
        f"It does not learn by heart: there is room for a larger network (--set model.hidden_size="
        f"{_larger(config)}{_tied(config, _larger(config))}) or more epochs "
        f"(--set training.max_epochs={2 * config.training.max_epochs})."
    )


def _by_heart(config: Config, *, best_step: int | None, gap: float) -> str:
    if best_step is not None:
        seen = f"the validation loss has risen since step {best_step:,}, whose model is kept"
    else:
        seen = f"the training loss lies {gap:.2f} below the validation loss"
    dropout = _more_dropout(config)
    smaller = _smaller(config)
    return (
        f"It learns by heart: {seen}. Try {f'more dropout ({dropout}), ' if dropout else ''}a smaller network "
        f"(--set model.hidden_size={smaller}{_tied(config, smaller)}) or more text."
    )


def _more_dropout(config: Config) -> str:
    """A tenth more for each key that is in force; nothing where they are at the most already."""
    model = config.model
    places = ["dropout_input", "dropout_output", *(["dropout_between"] if model.num_layers > 1 else [])]
    keys = {place if getattr(model, place) is not None else "dropout" for place in places}
    shares = {key: getattr(model, key) for key in sorted(keys)}
    return " ".join(
        f"--set model.{key}={round(min(share + 0.1, MOST_DROPOUT), 2):g}"
        for key, share in shares.items()
        if share < MOST_DROPOUT
    )


def _more_time(config: Config, budget_s: float | None) -> str:
    """Twice the time; of a budget, what reading the text took is in it as well."""
    if budget_s is not None:
        return f"--budget {math.ceil(2 * budget_s / 60)}m"
    return f"--set training.max_minutes={2 * (config.training.max_minutes or 0):.3g}"


def _larger(config: Config) -> int:
    """Half as many units again, up to the next multiple of 8."""
    return math.ceil(config.model.hidden_size * 3 / 2 / 8) * 8


def _smaller(config: Config) -> int:
    """Two thirds of the units, down to a multiple of 8 where there is one."""
    units = config.model.hidden_size * 2 // 3
    return units // 8 * 8 or max(1, units)


def _tied(config: Config, units: int) -> str:
    """Tied tables want embeddings of the same size."""
    return f" --set model.embedding_size={units}" if config.output.tie_embeddings else ""
