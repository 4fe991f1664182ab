"""What a plan says of each choice: one line, and what the user asked for in its place."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["word", "char", "bpe"]

Settings = dict[str, dict[str, Any]]
"""A config, section by section, as plain data."""

PLAIN_KEYS = ("recurrent_init", "hidden_activation")
"""Keys of `model` that the cells with gates do not have."""

RATE_KEYS = ("learning_rate", "table_learning_rate", "table_optimizer", "schedule", "max_minutes")
"""Keys of `training` that say how fast a network learns, and until when."""

CELL_NAMES = {
    "elman": "Elman",
    "gru": "GRU",
    "lstm": "LSTM",
    "mogrifier": "Mogrifier LSTM",
    "indrnn": "IndRNN",
}

CELL_REASONS = {
    "elman": "the plain recurrent network: for gates the text, or the time, is too short",
    "mogrifier": "there is time for so many readings, and it learns the most from each",
    "lstm": "there is time for so many readings, and it goes on learning from them where a GRU no longer does",
    "gru": "its gates learn more in the same time than the plain network, which is model.cell=elman",
}

TABLE_RULES = {
    "sgd": "sgd learns rare words less by heart",
    "adagrad": "adagrad moves frequent words less and less",
}


@dataclass(frozen=True)
class Reason:
    """One line of the plan: what was decided, how, and why; and the keys of the config that it stands for."""

    what: str
    choice: str
    why: str
    keys: tuple[str, ...] = field(default=(), compare=False)

    def as_asked(self, asked: Container[str], values: Mapping[str, Any]) -> "Reason":
        """This line; or, where the user asked for one of its keys, what the config says of all of them.

        Args:
            asked: keys, "section.key".
            values: those of the config, by such keys.
        """
        if not any(key in asked for key in self.keys):
            return self
        said = {key.rpartition(".")[2]: values[key] for key in self.keys if key in values}
        choice = ", ".join(
            str(value) if name == self.what else f"{name} {value}" for name, value in said.items()
        )
        return Reason(self.what, choice, "as asked", self.keys)


@dataclass(frozen=True)
class Choices:
    """Settings, and the reasons for them."""

    settings: Settings
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Speed:
    """What a network of so many units was measured to train at."""

    units: int
    tokens_per_s: float
    engine: str
    threads: int


def network_reasons(
    settings: Settings,
    speed: Speed,
    tokens: int,
    vocab_size: int,
    epochs: float,
    training_s: float,
    enough: str,
) -> tuple[Reason, ...]:
    """The lines of the plan that tell of the network and its training.

    Args:
        tokens, vocab_size: of the training text.
        epochs: how often it will be read.
        training_s: the time that there is.
        enough: why it is not read more often where there is time left.
    """
    model, output, training = (settings[name] for name in ("model", "output", "training"))
    time_is_left = epochs * tokens < 0.99 * speed.tokens_per_s * training_s
    times = f"{epochs:.1f} times" if epochs < 10 else f"{epochs:.0f} times"
    threads = f"{speed.threads} thread{'' if speed.threads == 1 else 's'}"
    samples = output.get("samples")
    rule = training.get("table_optimizer")
    kept = ["W begins as the identity"] if "recurrent_init" in model else []
    kept += ["changes of h_t cost"] if "change_penalty" in training else []
    keys = ("model.recurrent_init", "training.change_penalty")
    memory = [Reason("memory", ", ".join(kept), "what was read fades slowly", keys)] if kept else []
    return (
        _cell_reason(model["cell"]),
        Reason(
            "network",
            f"{speed.units} units",
            f"{speed.tokens_per_s:,.0f} tokens/s here ({speed.engine}, {threads}): {tokens:,} tokens, read {times}"
            + (enough if time_is_left else ""),
        ),
        *memory,
        Reason(
            "dropout",
            f"{model['dropout']:g}" + (f", of W {of_w:g}" if (of_w := model.get("dropout_weights")) else ""),
            "hardly read twice, nothing is learnt by heart"
            if model["dropout"] == 0
            else f"for a text read {times}",
            ("model.dropout", *(["model.dropout_weights"] if "dropout_weights" in model else [])),
        ),
        Reason(
            "softmax",
            f"sampled, {samples} words" if samples else "exact",
            f"{vocab_size:,} in the vocabulary are " + ("too many to sum over" if samples else "few"),
            ("output.softmax", "output.samples", "model.output_activation"),
        ),
        Reason(
            "updates",
            f"{training['batch_size']} streams of {training['bptt_steps']} tokens",
            "far enough back for what a character depends on"
            if not output["tie_embeddings"]
            else "small, so that there are many",
            ("training.batch_size", "training.bptt_steps"),
        ),
        Reason(
            "learning rate",
            f"{training['learning_rate']:g}"
            + (f", of the table {training['table_learning_rate']:g} by {rule}" if rule else ""),
            "falls to 0 with the clock" + (f"; {TABLE_RULES[rule]}" if rule else ""),
            tuple(f"training.{key}" for key in RATE_KEYS),
        ),
    )


def _cell_reason(cell: str) -> Reason:
    own = PLAIN_KEYS if cell == "elman" else ()
    return Reason(
        "cell",
        CELL_NAMES[cell],
        CELL_REASONS.get(cell, "as asked"),
        tuple(f"model.{key}" for key in ("cell", *own)),
    )
