"""The numbers of what is added, as they are stored and said."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rnn_cli.errors import ModelFileError
from rnn_cli.inference import TrainedModel
from rnn_cli.inference.additions import Additions, Numbers
from rnn_cli.model_file import ModelFile, read_model_file, store_addition, write_model_file

MakeModelFile = Callable[..., ModelFile]
NUMBERS = Numbers(cache_weight=0.25, theta=0.5, window=100, ngram_weight=0.125, rate=0.004, fitted_on="v.txt")


def test_numbers_come_back_from_json() -> None:
    assert Numbers.from_dict(json.loads(json.dumps(NUMBERS.to_dict()))) == NUMBERS


def test_weights_that_rounding_put_above_the_most_are_read() -> None:
    for weights in (
        {"cache_weight": 0.9500000000000001, "ngram_weight": 0.0},
        {"cache_weight": 0.15, "ngram_weight": 0.8},
    ):
        stored = NUMBERS.to_dict() | weights
        assert Numbers.from_dict(stored).to_dict() == stored


def test_each_combination_has_its_own_numbers_in_the_model_file(
    make_model_file: MakeModelFile, tmp_path: Path
) -> None:
    file = make_model_file()
    write_model_file(tmp_path / "m", file)
    store_addition(tmp_path / "m", "cache", NUMBERS.to_dict())
    store_addition(tmp_path / "m", "dynamic", Numbers(rate=0.5, fitted_on="w.txt").to_dict())

    found = read_model_file(tmp_path / "m")
    model = TrainedModel.from_model_file(found, name="m")

    assert model.additions(cache=True).numbers == NUMBERS
    assert model.additions(dynamic=True).numbers.rate == 0.5
    assert model.additions(cache=True, dynamic=True).numbers.fitted_on is None
    assert replace(found, additions=None, tensors={}) == replace(file, tensors={})


def test_what_is_added_is_said_with_its_numbers() -> None:
    assert Additions(cache=True, dynamic=True, numbers=NUMBERS).terms() == (
        "added: a neural cache of 100 tokens (weight 0.25, theta 0.5), dynamic evaluation (rate 0.004, decay 0); "
        "fitted on v.txt"
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "theta",
            "x",
            "the fitted theta is 'x'; it has to be a number from 0 to 1e+06. Fit anew with --fit.",
        ),
        ("rate", -1.0, "the fitted rate is -1.0; it has to be a number from 0 to 1000. Fit anew with --fit."),
        ("decay", None, "the fitted decay is None; it has to be a number from 0 to 1. Fit anew with --fit."),
        ("window", 2.5, "the fitted window is 2.5; it has to be a whole number from 1. Fit anew with --fit."),
        ("ngram_weight", 0.9, "the fitted weights come to more than 0.95. Fit anew with --fit."),
    ],
)
def test_numbers_in_a_file_that_cannot_be_are_refused(
    make_model_file: MakeModelFile, key: str, value: object, message: str
) -> None:
    file = replace(make_model_file(), additions={"cache": {**NUMBERS.to_dict(), key: value}})
    with pytest.raises(ModelFileError) as error:
        TrainedModel.from_model_file(file, name="m")

    assert str(error.value) == f"m: {message}"
