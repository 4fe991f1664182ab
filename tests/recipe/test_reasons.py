"""What a plan says of a choice, and of what the user asked for in its place."""

from typing import Any

import pytest

from rnn_cli.recipe.choice import choose_network
from rnn_cli.recipe.reasons import Reason, Speed


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, Reason("updates", "32 streams of 35 tokens", "small")),
        ({"training.batch_size"}, Reason("updates", "batch_size 8, bptt_steps 35", "as asked")),
        ({"training.seed"}, Reason("updates", "32 streams of 35 tokens", "small")),
    ],
)
def test_a_line_of_the_plan_says_what_the_user_asked_for_in_its_place(asked: set[str], said: Reason) -> None:
    keys = ("training.batch_size", "training.bptt_steps")
    reason = Reason("updates", "32 streams of 35 tokens", "small", keys)
    values = {"training.batch_size": 8, "training.bptt_steps": 35, "training.seed": 3}
    assert reason.as_asked(asked, values) == said


def test_a_line_that_is_called_like_its_key_says_the_value_alone() -> None:
    reason = Reason("dropout", "0.2", "for a text read 6 times", ("model.dropout",))
    assert reason.as_asked({"model.dropout"}, {"model.dropout": 0.05}).choice == "0.05"


@pytest.mark.parametrize(
    ("cell", "asked", "said"),
    [
        ("gru", {"model.cell": "gru"}, {"cell": "gru"}),
        ("elman", {"model.recurrent_init": "orthogonal"}, {"cell": "elman, recurrent_init orthogonal"}),
        (
            "elman",
            {"model.output_activation": "sigmoid"},
            {"softmax": "auto, samples 2048, output_activation sigmoid"},
        ),
        (
            "elman",
            {"training.schedule": "constant"},
            {
                "learning rate": "learning_rate 0.002, table_learning_rate 0.12, table_optimizer adagrad, "
                "schedule constant, max_minutes 7.0"
            },
        ),
        ("elman", {}, {}),
    ],
)
def test_a_plan_of_what_was_asked_for_says_so(cell: str, asked: dict[str, Any], said: dict[str, str]) -> None:
    reasons = choose_network(
        kind="word",
        tokens=930_000,
        vocab_size=10_000,
        has_valid=True,
        speeds=[Speed(256, 28_000, "bfloat16", 1)],
        training_s=420.0,
        cell=cell,
    ).reasons
    values = {"model.cell": cell, "output.softmax": "auto", "output.samples": 2048}
    values |= {
        "training.learning_rate": 2e-3,
        "training.table_learning_rate": 0.12,
        "training.max_minutes": 7.0,
    }
    values |= {"training.table_optimizer": "adagrad", **asked}
    lines = [reason.as_asked(asked, values) for reason in reasons]
    found = {line.what: line.choice for line in lines if line.why == "as asked"}
    assert {what: found.get(what) for what in said} == said
    assert ("memory" in found) == ("model.recurrent_init" in asked)
