"""Which network a text gets in a given time: pure functions from facts to settings, each with its reason.

The numbers come from trials on WikiText-2, tinyshakespeare and a million words with a vocabulary of 10,000; see
docs/results.md.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rnn_cli.recipe.reasons import PLAIN_KEYS, Choices, Kind, Settings, Speed, network_reasons

SIZES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "word": ((128, 0, 0), (256, 100_000, 0), (400, 700_000, 12_000_000), (650, 1_500_000, 60_000_000)),
    "char": ((128, 0, 0), (256, 30_000, 0), (512, 500_000, 12_000_000), (1024, 3_000_000, 100_000_000)),
}
"""(units, tokens that the text needs to have, tokens that there must be time to read)."""

CHARACTERS_IN_A_WORD = 5

MANY_CHARACTERS = 500_000
"""So many are hardly learnt by heart: see Characters in docs/results.md."""

MOST_DROPOUT_BLIND = 0.2
"""A text too short to be measured on is there to be learnt by heart."""

GATES_FROM, GATES_READ = 500_000, 2_000_000
"""Tokens that a text needs to have, and that there must be time to read, for gates to pay. (In the same time, a
million words: 78 to 95; a fifth of that: 181 to 181; docs/results.md. Of the cells with gates the GRU is the fastest,
and no worse for so many updates as there is time for.)"""

PATIENT_READINGS = {"lstm": 30, "mogrifier": 45}
"""By 256 units of each cell, which are about 18 and 27 by the 400 that are then chosen. From there on the LSTM is
ahead of the GRU in the same time (35, an hour of WikiText-2 by one thread: 98.9 to 101.5; 23, twenty minutes of a
million words: level, 75.3 to 75.0). The Mogrifier's readings take twice as long, so that it is ahead where the LSTM
no longer learns from more: see Which cell in docs/results.md."""

GATED = ("gru", *PATIENT_READINGS)

FEW_READINGS, MANY_READINGS, MANY_READINGS_BY_GATES = 6.0, 20.0, 15.0
"""What is read less often than the first is hardly learnt by heart, and its words may move faster. For more readings
than the second adagrad has not been tried; with more than the third, cells with gates come further by sgd."""

DROPOUT_OF_W = 0.3
DROPOUT_OF_W_FROM = {"gru": MANY_READINGS, **dict.fromkeys(PATIENT_READINGS, MANY_READINGS_BY_GATES)}
"""Of cells with gates and many readings, as the runs had that did best (LSTMs of 13, 24 and 30 readings,
docs/results.md); of a GRU it costs 2 % after 16 readings by 256 units."""

ADAGRAD_FROM = 500_000
"""Tokens: a tenth of WikiText-2, 210,000, it learns by heart and ends 15 % behind sgd (docs/results.md)."""

MOST_WARMUP, WARMUP_SHARE = 100, 0.1
"""Updates in which the learning rate rises, and their largest share of all: it has to fall, too."""

MOST_EPOCHS = 40
LEAST_UPDATES = 1_500
"""A tiny text is read more often: a network needs some hundreds of updates to say anything at all."""


def sizes_to_try(kind: Kind, tokens: int) -> list[tuple[int, int]]:
    """Numbers of units fit for a text of so many tokens, smallest first, and the tokens that each wants to read."""
    fit = [
        (units, wanted)
        for units, least, wanted in SIZES["char" if kind == "char" else "word"]
        if tokens >= least
    ]
    at_once = [size for size in fit if size[1] == 0]
    return at_once[-1:] + fit[len(at_once) :]


def cells_to_try(kind: Kind, tokens: int, asked: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Cells fit for a text of so many tokens, the fastest first, and those that there must be time to read by the
    smallest network of each for it to be better than the one before.

    asked: keys of `model` that the user gives; some belong to the plain cell alone.
    """
    if "cell" in asked:
        return [(asked["cell"], 0)]
    if tokens < GATES_FROM or asked.keys() & set(PLAIN_KEYS):
        return [("elman", 0)]
    patient = {} if kind == "char" else PATIENT_READINGS
    return [("elman", 0), ("gru", GATES_READ), *((cell, times * tokens) for cell, times in patient.items())]


def choose_network(
    *,
    kind: Kind,
    tokens: int,
    vocab_size: int,
    has_valid: bool,
    speeds: list[Speed],
    training_s: float,
    cell: str,
    asked: Mapping[str, Any] = MappingProxyType({}),
) -> Choices:
    """Sizes, regularisation, softmax and schedule.

    Args:
        tokens: of the training text.
        speeds: of the sizes that were tried, smallest first.
        training_s: the time that there is, measuring included.
        cell: see `cells_to_try`.
        asked: keys of `training` that the user gives; how often the text is read, and the rule of the tables, count.
    """
    speed = _best_size(kind, tokens, speeds, training_s)
    readable = speed.tokens_per_s * training_s
    char = kind == "char"
    steps = 100 if char else 35
    batch = batch_for(tokens, steps)
    most = asked.get("max_epochs") or most_epochs(tokens, batch * steps)
    epochs = min(readable / tokens, most)
    dropout = dropout_for(epochs, tokens, char=char)
    if not has_valid:
        dropout = min(dropout, MOST_DROPOUT_BLIND)
    tied = not char
    softmax = softmax_for(vocab_size)
    settings: Settings = {
        "model": {
            "cell": cell,
            "embedding_size": speed.units if tied else min(speed.units, 128),
            "hidden_size": speed.units,
            "dropout": dropout,
            **({} if char or cell != "elman" else {"recurrent_init": "identity"}),
            **(
                {"dropout_weights": DROPOUT_OF_W}
                if not char and epochs >= DROPOUT_OF_W_FROM.get(cell, math.inf)
                else {}
            ),
        },
        "output": {"tie_embeddings": tied, **softmax},
        "training": {
            "batch_size": batch,
            "bptt_steps": steps,
            **rates_for(kind, speed.units, epochs, tokens, cell, asked.get("table_optimizer")),
            **({} if char else {"change_penalty": 1.0}),
            "schedule": "linear",
            "warmup_steps": min(MOST_WARMUP, round(WARMUP_SHARE * epochs * tokens / (batch * steps))),
            "max_epochs": max(1, math.ceil(min(1.5 * readable / tokens, most))),
            "max_minutes": float(f"{training_s / 60:.4g}"),
            "patience": 4 if has_valid else None,
            "engine": speed.engine,
            "threads": speed.threads,
            "log_every_windows": 20,
        },
    }
    enough = ", as asked" if "max_epochs" in asked else ", more would only be learnt by heart"
    return Choices(settings, network_reasons(settings, speed, tokens, vocab_size, epochs, training_s, enough))


def _best_size(kind: Kind, tokens: int, speeds: list[Speed], training_s: float) -> Speed:
    """The largest network that there is time for."""
    wanted = dict(sizes_to_try(kind, tokens))
    fit = [speed for speed in speeds if speed.tokens_per_s * training_s >= wanted.get(speed.units, 0)]
    return (fit or speeds[:1])[-1]


def most_epochs(tokens: int, window: int) -> int:
    """How often a text is read at most, in windows of so many tokens."""
    return max(MOST_EPOCHS, min(400, math.ceil(LEAST_UPDATES * window / tokens)))


def batch_for(tokens: int, steps: int) -> int:
    """Streams side by side: 32, fewer where a pass through the text would make no ten updates."""
    return min(32, max(4, tokens // (10 * steps)))


def dropout_for(epochs: float, tokens: int, *, char: bool = False) -> float:
    """The more often a text is read, the more of it is learnt by heart; a small one sooner.

    0.1 for 3 readings, 0.4 for 20, in twentieths; none for a text hardly read twice, a third for many characters.
    """
    if epochs < 1.5:
        return 0.0
    words = tokens // CHARACTERS_IN_A_WORD if char else tokens
    small = 0.1 if words < 200_000 else 0.0
    dropout = small + 0.1 + 0.3 * math.log(epochs / 3) / math.log(20 / 3)
    twentieths = round(20 * min(max(dropout, 0.0), 0.5))
    return (round(twentieths / 3) if char and tokens >= MANY_CHARACTERS else twentieths) / 20


def softmax_for(vocab_size: int) -> dict[str, Any]:
    """Over all words where they are few, else over some."""
    if vocab_size < 4_000:
        return {"softmax": "exact"}
    return {"softmax": "sampled", "samples": 256 if vocab_size < 20_000 else 512}


def rates_for(
    kind: Kind, units: int, epochs: float, tokens: int, cell: str, table_optimizer: str | None = None
) -> dict[str, Any]:
    """Learning rates: of AdamW for the cell, and for words of a rule of its own for their table.

    Args:
        table_optimizer: the rule that the user asks for, of characters as well; None: to be chosen.
    """
    rule = table_optimizer
    if rule is None and kind != "char":
        many = MANY_READINGS_BY_GATES if cell in GATED else MANY_READINGS
        rule = "adagrad" if epochs < many and tokens >= ADAGRAD_FROM else "sgd"
    tables: dict[str, Any] = {}
    if rule is not None:
        adagrad_rate = 0.3 if epochs < FEW_READINGS else 0.12
        tables = {"table_learning_rate": 15.0 if rule == "sgd" else adagrad_rate, "table_optimizer": rule}
    if kind == "char":
        return {"learning_rate": 3e-3 if units <= 256 else 2e-3, **tables}
    hasty = cell in GATED and not (cell in PATIENT_READINGS and epochs >= MANY_READINGS_BY_GATES)
    small, large = (4e-3, 3e-3) if hasty else (2e-3, 1.5e-3)
    return {"learning_rate": small if units <= 256 else large, **tables}
