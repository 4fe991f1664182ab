"""What this room cannot follow is said."""

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.insight.cells import check_can_follow


def test_another_cell_than_the_plain_one_is_refused_in_a_sentence() -> None:
    check_can_follow({"cell": "elman"}, "rnn trace")
    with pytest.raises(UsageError) as caught:
        check_can_follow({"cell": "lstm"}, "rnn trace")
    assert str(caught.value) == (
        "rnn trace follows networks with model.cell elman, and this one has lstm. "
        "Give a model with that cell; rnn complete --why works for every cell."
    )


def test_layer_norm_is_refused_in_a_sentence() -> None:
    check_can_follow({"cell": "elman", "layer_norm": False}, "rnn trace")
    with pytest.raises(UsageError) as caught:
        check_can_follow({"cell": "elman", "layer_norm": True}, "rnn check-grad")
    assert str(caught.value) == (
        "rnn check-grad follows networks without model.layer_norm, and this one has it. "
        "Give a model without; rnn complete --why works for every network."
    )
