from typing import Any

import numpy as np
import pytest

from rnn_cli.errors import UsageError
from rnn_cli.inference.options import given_options, option_name


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("top", 0, "--top is 0; it has to be a whole number from 1 to 1,000."),
        ("top", 2.5, "--top is 2.5; it has to be a whole number from 1 to 1,000."),
        ("top", True, "--top is True; it has to be a whole number from 1 to 1,000."),
        ("max_words", -1, "--max-words is -1; it has to be a whole number from 1 to 1,000."),
        ("temperature", -0.5, "--temperature is -0.5; it has to be a number of at least 0."),
        ("temperature", float("nan"), "--temperature is nan; it has to be a number of at least 0."),
        ("temperature", float("inf"), "--temperature is inf; it has to be a number of at least 0."),
        ("top_k", 0, "--top-k is 0; it has to be a whole number of at least 1."),
        ("top_p", 2, "--top-p is 2; it has to be a number above 0 and at most 1."),
        ("top_p", 0.0, "--top-p is 0.0; it has to be a number above 0 and at most 1."),
        ("samples", 0, "--samples is 0; it has to be a whole number from 1 to 1,000."),
        ("top", 1001, "--top is 1001; it has to be a whole number from 1 to 1,000."),
        ("top", 10**12, "--top is 1000000000000; it has to be a whole number from 1 to 1,000."),
        pytest.param(
            "top",
            10**5000,
            "--top is a number of more than 40 digits; it has to be a whole number from 1 to 1,000.",
            id="5,000 digits",
        ),
        ("samples", 10**9, "--samples is 1000000000; it has to be a whole number from 1 to 1,000."),
        (
            "temperature",
            10**400,
            "--temperature is a number of more than 40 digits; it has to be a number of at least 0.",
        ),
        ("temperature", True, "--temperature is True; it has to be a number of at least 0."),
        ("top_p", 1j, "--top-p is 1j; it has to be a number above 0 and at most 1."),
        ("seed", -1, "--seed is -1; it has to be a whole number of at least 0."),
        ("seed", "x", "--seed is x; it has to be a whole number of at least 0."),
    ],
)
def test_what_is_out_of_range_is_refused_in_a_sentence(name: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError) as error:
        given_options(**{name: value})

    assert str(error.value) == message


def test_what_is_not_given_is_left_out() -> None:
    assert given_options(top=1, temperature=0, top_p=1, seed=None) == {"top": 1, "temperature": 0, "top_p": 1}


def test_numbers_of_numpy_are_numbers() -> None:
    given = {"top": np.int64(3), "temperature": np.float32(0.5), "seed": np.uint8(1)}

    assert given_options(**given) == given


def test_an_option_is_named_as_it_is_typed() -> None:
    assert option_name("max_words") == "--max-words"
