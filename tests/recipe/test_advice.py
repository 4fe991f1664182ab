"""What to try next."""

from typing import Any

import pytest

from rnn_cli.config import Config
from rnn_cli.recipe.advice import advice
from rnn_cli.training.history import History


def config(units: int = 256, model: dict[str, Any] | None = None, **training: Any) -> Config:
    return Config.model_validate(
        {
            "data": {"train": "a"},
            "model": {"embedding_size": units, "hidden_size": units, "dropout": 0.3, **(model or {})},
            "output": {"tie_embeddings": True},
            "training": training,
        }
    )


def history(training: float, *validation: float) -> History:
    return History(
        training=tuple((step, training) for step in range(100, 2_100, 100)),
        validation=tuple((1_000 * number, loss) for number, loss in enumerate(validation, 1)),
    )


def test_a_validation_loss_that_rises_again_is_overfitting() -> None:
    assert advice(history(4.6, 5.0, 4.9, 5.1), config(), "stopped early") == (
        "It learns by heart: the validation loss has risen since step 2,000, whose model is kept. "
        "Try more dropout (--set model.dropout=0.4), a smaller network (--set model.hidden_size=168 "
        "--set model.embedding_size=168) or more text."
    )


def test_a_training_loss_far_below_the_validation_loss_is_overfitting_too() -> None:
    assert advice(history(4.5, 5.0, 4.9), config(), "time is up") == (
        "It learns by heart: the training loss lies 0.40 below the validation loss. "
        "Try more dropout (--set model.dropout=0.4), a smaller network (--set model.hidden_size=168 "
        "--set model.embedding_size=168) or more text."
    )


@pytest.mark.parametrize(
    ("model", "advised"),
    [
        (
            {"dropout": 0.0, "dropout_input": 0.3, "dropout_output": 0.5},
            "Try more dropout (--set model.dropout_input=0.4 --set model.dropout_output=0.6), a smaller",
        ),
        (
            {"dropout_output": 0.55},
            "Try more dropout (--set model.dropout=0.4 --set model.dropout_output=0.6), a smaller",
        ),
        (
            {"dropout_input": 0.2, "dropout_output": 0.7},
            "Try more dropout (--set model.dropout_input=0.3), a",
        ),
        (
            {"num_layers": 2, "dropout_input": 0.6, "dropout_output": 0.6},
            "Try more dropout (--set model.dropout=0.4), a smaller",
        ),
        ({"dropout": 0.8}, "Try a smaller network"),
    ],
)
def test_more_dropout_is_more_of_what_is_in_force(model: dict[str, Any], advised: str) -> None:
    assert advised in advice(history(4.5, 5.0, 4.9), config(model=model), "epochs done")


def test_a_training_that_ran_out_of_time_wants_more_of_it() -> None:
    went = history(4.9, 5.0, 4.9)
    assert advice(went, config(max_minutes=10), "time is up") == (
        "It was not learning by heart when its time was up. More time helps most: --set training.max_minutes=20"
    )
    # Reading the text took most of the budget.
    assert advice(went, config(max_minutes=0.4), "time is up", budget_s=90) == (
        "It was not learning by heart when its time was up. More time helps most: --budget 3m"
    )


def test_a_training_whose_losses_are_alike_has_room_for_more() -> None:
    assert advice(history(4.9, 5.0, 4.9), config(max_epochs=10), "epochs done") == (
        "It does not learn by heart: there is room for a larger network (--set model.hidden_size=384 "
        "--set model.embedding_size=384) or more epochs (--set training.max_epochs=20)."
    )


@pytest.mark.parametrize(("units", "smaller", "larger"), [(2, 1, 8), (5, 3, 8), (10, 6, 16), (16, 8, 24)])
def test_few_units_too_get_fewer_and_more(units: int, smaller: int, larger: int) -> None:
    overfits = advice(history(4.5, 5.0, 4.9), config(units), "epochs done")
    assert f"a smaller network (--set model.hidden_size={smaller} " in overfits
    underfits = advice(history(4.9, 5.0, 4.9), config(units), "epochs done")
    assert f"a larger network (--set model.hidden_size={larger} " in underfits


def test_without_a_validation_nothing_is_known() -> None:
    assert advice(history(1.0), config(), "epochs done") == (
        "Nothing tells how good the model is beyond its own text. A longer text helps most; "
        "or name one to measure on: --set data.valid=FILE"
    )
