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


def advice(history: History, config: Config, reason: str) -> str:
    """What the losses say, and what to change.

    Args:
        reason: why the training ended, as in `events.Ended`.
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
        return (
            f"It was not learning by heart when its time was up. More time helps most: {_more_time(config)}"
        )
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
    dropout = round(min(config.model.dropout + 0.1, 0.6), 2)
    smaller = _smaller(config)
    return (
        f"It learns by heart: {seen}. Try more dropout (--set model.dropout={dropout:g}), a smaller network "
        f"(--set model.hidden_size={smaller}{_tied(config, smaller)}) or more text."
    )


def _more_time(config: Config) -> str:
    minutes = config.training.max_minutes or 0
    return f"--budget {max(1, round(2 * minutes))}m for a text, training.max_minutes={2 * minutes:.3g} in a config"


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
