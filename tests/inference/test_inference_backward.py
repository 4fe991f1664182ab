"""The way back in NumPy against torch's autograd, and dynamic evaluation against a slow one with it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rnn_cli.errors import UsageError
from rnn_cli.inference.dynamic import DynamicNetwork
from rnn_cli.inference.engine import Engine
from rnn_cli.model.make_cell import make_cell
from rnn_cli.model_tensors import Tensors

VOCAB_SIZE, T = 9, 7
IDS = np.array([1, 4, 4, 2, 0, 8, 3])
TARGETS = np.array([4, 4, 2, 0, 8, 3, 3])
CELLS = [
    ("elman", "tanh"),
    ("elman", "gelu"),
    ("indrnn", "relu"),
    ("indrnn", "tanh"),
    ("gru", None),
    ("lstm", None),
    ("mogrifier", None),
]
MakeTensors = Callable[..., Tensors]


def make_engine(tensors: Tensors, cell: str, f: str | None, output: str, temperature: float) -> Engine:
    return Engine(
        tensors,
        num_layers=2,
        cell=cell,
        hidden_activation=f,
        output_activation=output,
        temperature=temperature,
    )


def autograd_step(
    tensors: Tensors, cell: str, f: str | None, output: str, temperature: float, state: list[np.ndarray]
) -> tuple[float, dict[str, np.ndarray]]:
    """The summed loss of IDS and its gradients, by torch."""
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in tensors.items()}
    x = weights["embedding"][torch.tensor(IDS)]  # (T, E)
    for layer in range(2):
        H = state[layer].shape[1] // (2 if cell in ("lstm", "mogrifier") else 1)
        one = make_cell(
            cell,
            input_size=x.shape[1],
            hidden_size=H,
            activation=f or "tanh",
            recurrent_init="uniform",
            memory_steps=None,
        )
        letters = {name: weights[f"cells.{layer}.{name}"] for name, _ in one.named_parameters()}
        s = torch.tensor(state[layer])
        hidden = []
        for x_t in x:
            s = torch.func.functional_call(one, letters, (x_t[None], s))
            hidden.append(s[0, :H])
        h = torch.stack(hidden)
        up = h
        if (gain := weights.get(f"norms.{layer}.gain")) is not None:
            up = torch.nn.functional.layer_norm(h, h.shape[1:], gain, weights[f"norms.{layer}.shift"])
        x = up + x if cell == "indrnn" and layer == 0 and h.shape == x.shape else up
    x = x @ weights["P"].T if "P" in weights else x
    V = weights.get("V", weights["embedding"])
    z = x @ V.T + weights["c"]
    log_g = torch.nn.functional.logsigmoid(z) if output == "sigmoid" else z
    log_probs = torch.log_softmax(log_g / temperature, dim=1)
    loss = -log_probs[torch.arange(T), torch.tensor(TARGETS)].sum()
    loss.backward()
    return float(loss.detach()), {name: w.grad.numpy() for name, w in weights.items() if w.grad is not None}


def learn_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every word learn, and decay at each step."""
    monkeypatch.setattr("rnn_cli.inference.dynamic.NEGLIGIBLE", 0.0)
    monkeypatch.setattr("rnn_cli.inference.dynamic.TOKENS_TO_DECAY", 1)


def check_step(tensors: Tensors, cell: str, f: str | None, output: str, temperature: float) -> None:
    """A step of dynamic evaluation is one of gradient descent by torch, and of decay."""
    engine = make_engine(tensors, cell, f, output, temperature)
    state = [0.3 * np.ones_like(layer) for layer in engine.initial_state(1)]
    rate, decay = 0.05, 0.01
    loss, gradients = autograd_step(tensors, cell, f, output, temperature, state)

    network = DynamicNetwork(engine, rate=rate, decay=decay)
    tapes, after = network.engine.record(IDS, state)
    log_probs = network.engine.log_probs(network.engine.top_of(tapes))
    network.learn(IDS, tapes, log_probs, TARGETS)

    assert -log_probs[np.arange(T), TARGETS].sum() == pytest.approx(loss, rel=1e-5)
    for name, before in tensors.items():
        learnt = before - rate * gradients[name]
        expected = learnt + (1 - (1 - decay) ** T) * (before - learnt)
        assert network.engine.weights[name] == pytest.approx(expected, abs=2e-5), name
        assert engine.weights[name] is before
    hidden, expected_after = engine.read(IDS[:, None], state)
    assert engine.top_of(tapes) == pytest.approx(hidden[:, 0], abs=1e-6)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(after, expected_after, strict=True))


@pytest.mark.parametrize(("cell", "f"), CELLS)
@pytest.mark.parametrize(
    ("tied", "output", "temperature"),
    [(False, "softmax", 1.0), (True, "softmax", 1.3), (False, "sigmoid", 0.8)],
)
def test_a_step_of_learning_is_that_of_autograd(
    make_tensors: MakeTensors,
    monkeypatch: pytest.MonkeyPatch,
    cell: str,
    f: str | None,
    tied: bool,
    output: str,
    temperature: float,
) -> None:
    learn_all(monkeypatch)
    tensors = make_tensors(VOCAB_SIZE, cell=cell, E=6, H=6, num_layers=2, scale=0.5, tied=tied)
    check_step(tensors, cell, f, output, temperature)


@pytest.mark.parametrize(("cell", "f"), CELLS)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("E", [5, 6])
def test_norms_and_a_projection_learn_as_by_autograd(
    make_tensors: MakeTensors,
    monkeypatch: pytest.MonkeyPatch,
    cell: str,
    f: str | None,
    output: str,
    E: int,
) -> None:
    learn_all(monkeypatch)
    tensors = make_tensors(VOCAB_SIZE, cell=cell, E=E, H=6, num_layers=2, scale=0.5, tied=True)
    if E < 6:
        tensors["P"] = np.linspace(-0.8, 0.9, 6 * E, dtype=np.float32).reshape(E, 6)
    for layer in range(2):
        tensors[f"norms.{layer}.gain"] = np.linspace(0.5, 1.5, 6, dtype=np.float32)
        tensors[f"norms.{layer}.shift"] = np.linspace(-0.3, 0.2, 6, dtype=np.float32)
    check_step(tensors, cell, f, output, 1.3)


def test_words_that_were_hardly_expected_keep_their_vectors(make_tensors: MakeTensors) -> None:
    tensors = make_tensors(VOCAB_SIZE, num_layers=2)
    tensors["c"][[5, 7]] = -40
    engine = make_engine(tensors, "elman", "tanh", "softmax", 1.0)
    network = DynamicNetwork(engine, rate=0.1, decay=0.0)
    tapes, _ = network.engine.record(IDS, engine.initial_state(1))
    network.learn(IDS, tapes, network.engine.log_probs(network.engine.top_of(tapes)), TARGETS)

    same = (network.engine.weights["V"] == tensors["V"]).all(axis=1)
    assert np.flatnonzero(same).tolist() == [5, 7]


def test_a_model_that_cannot_be_followed_back_is_one_clear_message(make_tensors: MakeTensors) -> None:
    tensors = make_tensors(VOCAB_SIZE, num_layers=2)
    engine = make_engine({**tensors, "more": tensors["c"]}, "elman", "tanh", "softmax", 1.0)
    with pytest.raises(UsageError) as error:
        DynamicNetwork(engine, rate=0.1, decay=0.0)

    assert str(error.value) == (
        "--dynamic cannot follow this model back (model.cell elman). It can follow elman, gru, lstm, mogrifier and "
        "indrnn. Leave it out."
    )
