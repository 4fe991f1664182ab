"""The check of gradients: right ones agree, wrong ones are found."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnn_cli.insight import gradient_check
from rnn_cli.insight.gradient_check import EXACT, FINITE, GradientCheck, Recurrence, check_gradients
from rnn_cli.model.activations import DERIVATIVES
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.streams import Window

WORDS = np.array([[1, 4], [0, 5], [2, 2], [5, 1], [3, 0], [4, 3]])  # (T + 1, B)
MASK = np.array([[True, True]] * 3 + [[True, False]] * 2)


def make_model(
    *, hidden: str = "tanh", num_layers: int = 1, tied: bool = False, scale: float = 0.8, E: int | None = None
) -> LanguageModel:
    torch.manual_seed(3)
    model = LanguageModel(
        vocab_size=6,
        embedding_size=E or (4 if tied else 3),
        hidden_size=4,
        num_layers=num_layers,
        hidden_activation=hidden,
        tie_embeddings=tied,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-scale, scale)
    return model


def check(
    model: LanguageModel, *, hidden: str = "tanh", output: str = "softmax", mask: np.ndarray | None = None
) -> GradientCheck:
    window = Window(inputs=WORDS[:-1], targets=WORDS[1:], mask=mask, resets=True)
    return check_gradients(model, window, hidden_activation=hidden, output_activation=output)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_our_gradients_agree_with_autograd_and_finite_differences(
    output: str, mask: np.ndarray | None, num_layers: int
) -> None:
    found = check(make_model(num_layers=num_layers), output=output, mask=mask)
    assert found.agrees
    names = ["embedding", "V", "c", "cells.0.W", "cells.0.b", "cells.1.W", "cells.1.b"]
    assert [parameter.name for parameter in found.parameters] == names[: 3 + 2 * num_layers]
    for parameter in found.parameters:
        assert parameter.largest > 1e-3
        assert parameter.reference < 1e-12
        assert parameter.fast is not None
        assert parameter.fast < 1e-12
        assert parameter.finite_differences < 1e-6
        assert 0 < parameter.entries <= 16


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


def test_a_wrong_derivative_in_the_fast_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DERIVATIVES, "tanh", lambda h: 1 - h)
    found = check(make_model())
    wrong = {parameter.name: parameter.agrees for parameter in found.parameters}
    assert not found.agrees
    assert wrong == {"embedding": False, "V": True, "c": True, "cells.0.W": False, "cells.0.b": False}


def test_a_wrong_equation_in_the_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = LanguageModel.logits
    monkeypatch.setattr(LanguageModel, "unroll", _reads_without_memory(LanguageModel.unroll))
    found = check(make_model())
    assert right is LanguageModel.logits
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


def test_the_recurrent_part_has_the_radius_and_slope_that_it_was_given() -> None:
    model = make_model(hidden="identity")
    with torch.no_grad():
        model.cells[0].W[:, :4] = torch.tensor(  # type: ignore[operator]
            [[0.0, -0.9, 0, 0], [0.9, 0, 0, 0], [0, 0, 0.5, 3.0], [0, 0, 0, 0.5]]
        )
    (found,) = check(model, hidden="identity").recurrences
    assert found.spectral_radius == pytest.approx(0.9, abs=1e-6)
    assert found.mean_slope == 1


@pytest.mark.parametrize(("scale", "activation"), [(0.5, "identity"), (1.0, "identity"), (1.5, "tanh")])
def test_the_factor_of_a_step_back_is_that_of_real_gradients(
    scale: float, activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        gradient_check, "ENTRIES", 2
    )  # they are not what is looked at, and the window is long
    torch.manual_seed(1)
    model = make_model(hidden=activation)
    with torch.no_grad():
        W_h = scale * torch.linalg.qr(torch.randn(4, 4)).Q
        model.cells[0].W[:, :4] = W_h  # type: ignore[operator]
    words = np.random.default_rng(1).integers(6, size=(201, 2))
    window = Window(inputs=words[:-1], targets=words[1:], mask=None, resets=True)
    (found,) = check_gradients(
        model, window, hidden_activation=activation, output_activation="softmax"
    ).recurrences

    h = model.initial_state(2)[0].requires_grad_()
    states = [h]
    for word in torch.from_numpy(words[:-1]):
        states.append(model.cells[0](model.embedding[word], states[-1]))
    (first, middle) = torch.autograd.grad(states[-1].sum(), [states[0], states[100]])
    lengths = (first.norm(dim=1) / middle.norm(dim=1)).log() / 100
    assert found.factor == pytest.approx(math.exp(float(lengths.mean())), rel=0.03)
    if activation == "identity":
        assert found.factor == pytest.approx(scale, rel=1e-5)


@pytest.mark.parametrize(
    ("factor", "meaning"),
    [
        (0.5, "vanishes: a tenth is left after 3 steps"),
        (0.1, "vanishes: a tenth is left after 1 step"),
        (0.0, "vanishes at once: nothing is learnt from the step before"),
        (1.0, "keeps its size: times 1 in 100 steps"),
        (1.01, "keeps its size: times 2.7 in 100 steps"),
        (1.5, "explodes: tenfold after 6 steps, unless it is clipped"),
    ],
)
def test_the_way_back_is_put_into_words(factor: float, meaning: str) -> None:
    assert Recurrence(1, 1.0, 1.0, factor).meaning() == meaning


def test_what_was_found_is_json() -> None:
    found = check(make_model())
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(stored) == ["agrees", "steps", "streams", "loss", "parameters", "recurrences"]
    assert (stored["agrees"], stored["steps"], stored["streams"]) == (True, 5, 2)
    assert stored["parameters"][0]["shape"] == [6, 3]
    assert stored["recurrences"][0]["meaning"] == found.recurrences[0].meaning()
    assert not math.isnan(stored["loss"])
    assert not replace(found.parameters[0], finite_differences=2 * FINITE).agrees
