"""Prompts that no sentence is made of, and models whose numbers overflow: a completion or one clear message."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError
from rnn_cli.inference import CompletionResult, TrainedModel
from rnn_cli.model_file import ModelFile

MakeModelFile = Callable[..., ModelFile]
MakeModel = Callable[..., TrainedModel]

GREW = (
    "The model's numbers grew beyond all bounds while it read this text, so it cannot say what comes next. "
    "Give a shorter text, or train with model.hidden_activation tanh, which keeps them small."
)


def growing_model(
    make_model_file: MakeModelFile, *, kind: str = "word", growth: float = 30.0, scores: float = 1.0
) -> TrainedModel:
    """Each token makes its state `growth` times as large: by 30, after some 25 tokens it is beyond float32.

    `scores`: by which its V is multiplied.
    """
    model_file = make_model_file(kind=kind, max_size=290 if kind == "bpe" else None)
    config = {**model_file.config, "model": {**model_file.config["model"], "hidden_activation": "identity"}}
    W = np.full_like(model_file.tensors["cells.0.W"], growth / 6)  # 6 units
    V = np.float32(scores) * model_file.tensors["V"]
    tensors = {**model_file.tensors, "cells.0.W": W, "V": V}
    return TrainedModel.from_model_file(replace(model_file, config=config, tensors=tensors), name="growing")


@pytest.mark.parametrize(
    ("blank", "option"),
    [
        ("", {}),
        ("", {"samples": 2, "seed": 1}),
        ("", {"temperature": 0}),
        (" __", {}),
        (" __", {"choices": ["sushi", "pasta"]}),
        (" __", {"blank_words": (1, 2)}),
    ],
)
def test_a_state_that_overflows_is_one_message(
    make_model_file: MakeModelFile, option: dict[str, Any], blank: str
) -> None:
    with pytest.raises(ModelFileError) as error:
        growing_model(make_model_file).complete("sushi " * 100 + blank, **option)

    assert str(error.value) == GREW


def test_a_state_that_overflows_while_a_sentence_is_written_is_one_message(
    make_model_file: MakeModelFile,
) -> None:
    with pytest.raises(ModelFileError) as error:
        growing_model(make_model_file).complete("sushi", max_words=1000, samples=50, seed=1, temperature=1e9)

    assert str(error.value) == GREW


@pytest.mark.parametrize(
    ("kind", "growth", "scores", "longest"),
    [("word", 30, 1, 60), ("word", 30, 1e12, 60), ("char", 3, 1, 12), ("bpe", 3, 1, 6)],
)
def test_a_text_after_which_the_numbers_overflow_does_not_stop_the_others(
    make_model_file: MakeModelFile, kind: str, growth: float, scores: float, longest: int
) -> None:
    model = growing_model(make_model_file, kind=kind, growth=growth, scores=scores)
    failed = []
    for length in range(1, longest):  # there is none after which the whole batch fails
        first, second, third = model.predict(["My", "sushi " * length, "__ dish"])
        assert isinstance(first, CompletionResult)
        assert isinstance(third, CompletionResult)
        failed.append(isinstance(second, ModelFileError))

    assert failed == sorted(failed)
    assert 0 < sum(failed) < len(failed)
    assert str(second) == GREW


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e308, 0])
@pytest.mark.parametrize("kind", ["word", "char"])
def test_extreme_temperatures_draw_sentences(make_model: MakeModel, temperature: float, kind: str) -> None:
    (drawn,) = make_model(kind=kind).complete("My", temperature=temperature, seed=3, max_words=3).completions

    assert drawn.words
    assert -1e6 < drawn.log_prob < 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\t\n",
        "_",
        "_ _ _",
        "\0",
        "\x1b[2J",
        "\ud800",
        "\u202e\u2066",
        "\u0301\u0301",
        "<unk> <unk>",
        "zzz" * 99,
    ],
)
@pytest.mark.parametrize("blank", ["", "__", " __", "__.", "(__)"])
@pytest.mark.parametrize("kind", ["word", "char", "bpe"])
def test_odd_texts_are_completed(make_model: MakeModel, kind: str, text: str, blank: str) -> None:
    if text.endswith("_") and blank.startswith("__"):
        text += "."
    if blank.strip() == "__" and not text.strip():
        text = "."  # else nothing but a blank
    model = make_model(kind=kind, max_size=290 if kind == "bpe" else None)

    result = model.complete(text + blank, max_words=2)

    assert result.completions
    for completion in result.completions:
        assert -1e6 < completion.log_prob < 0
        assert completion.words
