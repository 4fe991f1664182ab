"""The check of gradients: right ones agree, wrong ones are found."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnn_cli.insight import gradient_check
from rnn_cli.insight.gradient_check import EXACT, FINITE, GradientCheck, check_gradients
from rnn_cli.insight.recurrence import WAYS_BACK
from rnn_cli.model.activations import DERIVATIVES
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.streams import Window

WORDS = np.array([[1, 4], [0, 5], [2, 2], [5, 1], [3, 0], [4, 3]])  # (T + 1, B)
MASK = np.array([[True, True]] * 3 + [[True, False]] * 2)


CELLS = ["elman", "gru", "lstm", "mogrifier", "indrnn"]


def make_model(
    *,
    cell: str = "elman",
    hidden: str = "tanh",
    num_layers: int = 1,
    tied: bool = False,
    scale: float = 0.8,
    E: int | None = None,
    normed: bool = False,
) -> LanguageModel:
    torch.manual_seed(3)
    model = LanguageModel(
        vocab_size=6,
        embedding_size=E or (4 if tied else 3),
        hidden_size=4,
        num_layers=num_layers,
        cell=cell,
        hidden_activation=hidden,
        tie_embeddings=tied,
        layer_norm=normed,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-scale, scale)
    return model


def check(
    model: LanguageModel,
    *,
    cell: str = "elman",
    hidden: str = "tanh",
    output: str = "softmax",
    mask: np.ndarray | None = None,
) -> GradientCheck:
    window = Window(inputs=WORDS[:-1], targets=WORDS[1:], mask=mask, resets=True)
    return check_gradients(model, window, cell=cell, hidden_activation=hidden, output_activation=output)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
@pytest.mark.parametrize("cell", CELLS)
def test_our_gradients_agree_with_autograd_and_finite_differences(
    cell: str, output: str, mask: np.ndarray | None
) -> None:
    found = check(make_model(cell=cell, num_layers=2), cell=cell, output=output, mask=mask)
    assert found.agrees
    letters = {"indrnn": ["W", "u", "b"], "mogrifier": ["W", "b", "L", "R"]}.get(cell, ["W", "b"])
    names = [f"cells.{layer}.{letter}" for layer in (0, 1) for letter in letters]
    assert [parameter.name for parameter in found.parameters] == ["embedding", "V", "c", *names]
    for parameter in found.parameters:
        assert parameter.largest > (1e-4 if parameter.name.endswith((".L", ".R")) else 1e-3)
        assert parameter.reference < 1e-12
        assert parameter.fast is not None
        assert parameter.fast < 1e-12
        assert parameter.finite_differences < 1e-6
        assert 0 < parameter.entries <= 16


@pytest.mark.parametrize("cell", CELLS)
def test_three_layers_of_one_size_and_tied_tables_agree(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_check, "ENTRIES", 4)
    found = check(make_model(cell=cell, num_layers=3, tied=True), cell=cell)  # indrnn skips twice
    assert found.agrees
    assert [recurrence.layer for recurrence in found.recurrences] == [1, 2, 3]


@pytest.mark.parametrize("hidden", ["relu", "gelu", "mish"])
def test_an_activation_is_checked_with_or_without_a_fast_path(hidden: str) -> None:
    found = check(make_model(hidden=hidden), hidden=hidden)
    assert found.agrees
    assert (found.parameters[0].fast is None) is (hidden not in DERIVATIVES)


def test_tied_tables_are_one_parameter() -> None:
    found = check(make_model(tied=True))
    assert found.agrees
    assert [parameter.name for parameter in found.parameters] == ["embedding", "c", "cells.0.W", "cells.0.b"]


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_projection_has_the_right_gradient(output: str) -> None:
    found = check(make_model(tied=True, E=3), output=output)
    assert found.agrees
    names = ["P", "embedding", "c", "cells.0.W", "cells.0.b"]
    assert sorted(parameter.name for parameter in found.parameters) == sorted(names)
    assert all(parameter.largest > 1e-3 for parameter in found.parameters)


@pytest.mark.parametrize("cell", CELLS)
def test_layer_norm_has_the_right_gradient(cell: str) -> None:
    found = check(make_model(cell=cell, num_layers=2, normed=True), cell=cell)
    assert found.agrees
    names = {parameter.name for parameter in found.parameters}
    assert {"norms.0.gain", "norms.0.shift", "norms.1.gain", "norms.1.shift"} <= names
    assert all(parameter.largest > 1e-4 for parameter in found.parameters)


def test_a_wrong_derivative_in_the_fast_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DERIVATIVES, "tanh", lambda h: 1 - h)
    found = check(make_model())
    wrong = {parameter.name: parameter.agrees for parameter in found.parameters}
    assert not found.agrees
    assert wrong == {"embedding": False, "V": True, "c": True, "cells.0.W": False, "cells.0.b": False}


def test_a_wrong_equation_in_the_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LanguageModel, "unroll", _reads_without_memory(LanguageModel.unroll))
    found = check(make_model())
    assert not found.agrees
    assert max(parameter.reference for parameter in found.parameters) > EXACT
    assert max(parameter.finite_differences for parameter in found.parameters) < FINITE


def _reads_without_memory(unroll: object) -> object:
    def read(self: LanguageModel, words: torch.Tensor, state: object, **options: object) -> object:
        hidden = [
            unroll(self, word[None], self.initial_state(words.shape[1]), **options)[0]  # type: ignore[operator]
            for word in words
        ]
        return torch.cat(hidden), state

    return read


def test_the_weights_stay_what_they_were() -> None:
    model = make_model()
    before = {name: p.detach().double().clone() for name, p in model.named_parameters()}
    check(model)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.detach(), before[name]), name


def test_what_was_found_is_json() -> None:
    found = check(make_model())
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(stored) == [
        "agrees", "cell", "steps", "streams", "loss", "parameters", "recurrences", "way_back",
    ]  # fmt: skip
    assert (stored["agrees"], stored["steps"], stored["streams"]) == (True, 5, 2)
    assert stored["parameters"][0]["shape"] == [6, 3]
    assert stored["way_back"] == WAYS_BACK["elman"]
    assert stored["recurrences"][0]["meaning"] == found.recurrences[0].meaning()
    assert not math.isnan(stored["loss"])
    assert not replace(found.parameters[0], finite_differences=2 * FINITE).agrees
