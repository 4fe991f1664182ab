"""The rows of docs/results.md that `benchmarks/results.py` makes: a config each, and what is changed in it.

In the ablation every row is the first one with one thing changed.
"""

from dataclasses import dataclass

ABLATION_SHARE = 0.1
"""Of the training text, from its beginning. A tenth read twelve times is learnt by heart as the whole is when it is
read twenty times, in a fifteenth of the time."""

ABLATION_MEASURED = 0.25
"""Of the validation text, from its beginning."""

ABLATION = (
    "model.dropout=0.4",
    "training.max_epochs=12",
    "training.validate_every_epochs=12",
    "training.checkpoint_minutes=1",
)


@dataclass(frozen=True)
class Row:
    """A training whose figures stand in docs/results.md.

    Attributes:
        config: in the folder configs.
        changes: keys that differ from it, as for `--set`.
        shown: those of them that the row is about.
        share: how much of the training text is read, from its beginning.
        measured: how much of the validation text.
        tested: whether the test text is measured.
        seeds: a training each.
    """

    config: str
    changes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    share: float = 1.0
    measured: float = 1.0
    tested: bool = True
    seeds: tuple[int, ...] = (1,)


def _ablation(*changes: str) -> Row:
    return Row(
        "wikitext2_256.yaml", (*ABLATION, *changes), changes, ABLATION_SHARE, ABLATION_MEASURED, tested=False
    )


ABLATIONS = {
    "base": _ablation(),
    "no_dropout": _ablation("model.dropout=0"),
    "dropout_0.3": _ablation("model.dropout=0.3"),
    "dropout_0.5": _ablation("model.dropout=0.5"),
    "dropout_output": _ablation("model.dropout_output=0.6"),
    "dropout_input": _ablation("model.dropout_input=0.2"),
    "dropout_weights": _ablation("model.dropout_weights=0.3"),
    "dropout_weights_less": _ablation("model.dropout=0.3", "model.dropout_weights=0.2"),
    "dropout_embedding": _ablation("model.dropout_embedding=0.1"),
    "dropout_words": _ablation("model.dropout_words=0.1"),
    "activation_penalty": _ablation("training.activation_penalty=2"),
    "activation_penalty_0.3": _ablation("training.activation_penalty=0.3"),
    "change_penalty": _ablation("training.change_penalty=1"),
    "change_penalty_4": _ablation("training.change_penalty=4"),
    "identity": _ablation("model.recurrent_init=identity"),
    "identity_change_penalty": _ablation("model.recurrent_init=identity", "training.change_penalty=1"),
    "muon": _ablation("training.optimizer=muon"),
    "muon_change_penalty": _ablation("training.optimizer=muon", "training.change_penalty=2"),
    "random_windows": _ablation("training.random_windows=true"),
    "layer_norm": _ablation("model.layer_norm=true"),
    "projection": _ablation("model.hidden_size=400"),
    "weight_decay": _ablation("training.weight_decay=0.1"),
    "untied": _ablation("output.tie_embeddings=false"),
    "tables_by_adam": _ablation("training.table_learning_rate=null"),
    "tables_by_adagrad": _ablation("training.table_optimizer=adagrad", "training.table_learning_rate=0.12"),
    "two_layers": _ablation("model.num_layers=2"),
    "dropout_between": _ablation("model.num_layers=2", "model.dropout_between=0.2"),
    "two_layers_norm": _ablation("model.num_layers=2", "model.layer_norm=true"),
    "cosine": _ablation("training.schedule=cosine"),
    "constant": _ablation("training.schedule=constant"),
    # Without a validation on the way it would see no plateau, and be the row before.
    "plateau": _ablation("training.schedule=plateau", "training.validate_every_epochs=1"),
    "no_warmup": _ablation("training.warmup_steps=0"),
    "no_clipping": _ablation("training.max_grad_norm=null"),
    "averaging": _ablation("training.average_share=0.3"),
    "averaging_constant": _ablation("training.average_share=0.3", "training.schedule=constant"),
    "sgd": _ablation("training.optimizer=sgd", "training.learning_rate=0.2"),
    "sgd_averaging": _ablation(
        "training.optimizer=sgd", "training.learning_rate=0.2", "training.average_share=0.3"
    ),
}

ROWS = {
    "wikitext2": Row("wikitext2.yaml"),
    "wikitext2_256": Row("wikitext2_256.yaml"),
    "wikitext2_lstm": Row("wikitext2_lstm.yaml"),
    **{f"ablation.{name}": row for name, row in ABLATIONS.items()},
}
