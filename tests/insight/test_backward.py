"""The backward pass in NumPy against torch's autograd."""

import numpy as np
import pytest
import torch

from rnn_cli.inference.activations import ACTIVATIONS
from rnn_cli.inference.engine import Engine
from rnn_cli.insight.backward import back_through_time, loss_gradient, read
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model.losses import log_probs
from rnn_cli.text.streams import Window
from rnn_cli.training.gradient_flow import gradient_by_lag
from tests.insight.conftest import MakePair

CELLS = ["elman", "gru", "lstm", "mogrifier", "indrnn"]
IDS = [1, 4, 0, 8, 2, 2, 7]
TARGET = 3
RIVALS = np.array([5, 0, 6])


def by_hand(engine: Engine, among: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    reading = read(engine, IDS)
    found = back_through_time(engine, reading, loss_gradient(engine, reading.top[-1], TARGET, among=among))
    return found.states, found.inputs


def by_autograd(
    model: LanguageModel, output: str, among: np.ndarray | None, temperature: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """∂Loss_T/∂state_t of every layer after each word, and ∂Loss_T/∂x_t."""
    states = []
    state = model.initial_state(1)
    x = model.embedding.detach()[IDS].requires_grad_()  # (T, E)
    for x_t in x:
        below = x_t[None]
        after = []
        for layer, (cell, before) in enumerate(zip(model.layers(), state, strict=True)):
            after.append(cell(below, before))
            h = after[-1][:, : cell.hidden_size]
            up = model.going_up(layer, h)
            below = up + below if cell.skips and h.shape == below.shape else up
        state = after
        states.append(state)
    said = log_probs(model.logits(h)[0], output)
    said = torch.log_softmax(said / temperature, dim=0)
    loss = -said[TARGET] if among is None else torch.logsumexp(said[among], 0) - said[TARGET]
    flat = [s for state in states for s in state]
    gradients = torch.autograd.grad(loss, [x, *flat])
    return torch.cat(gradients[1:]).reshape(len(IDS), -1).numpy(), gradients[0].numpy()


def check(engine: Engine, model: LanguageModel, output: str, among: np.ndarray | None = None) -> None:
    expected_ones = by_autograd(model, output, among, engine.temperature)
    for found, expected in zip(by_hand(engine, among), expected_ones, strict=True):
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("hidden", sorted(ACTIVATIONS))
@pytest.mark.parametrize("cell", ["elman", "indrnn"])
def test_gradients_equal_autograd_for_every_activation(make_pair: MakePair, cell: str, hidden: str) -> None:
    check(*make_pair(cell=cell, hidden=hidden), "softmax")


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("among", [None, RIVALS], ids=["loss", "odds"])
def test_gradients_equal_autograd_for_every_cell_output_and_depth(
    make_pair: MakePair, cell: str, output: str, num_layers: int, among: np.ndarray | None
) -> None:
    check(*make_pair(cell=cell, output=output, num_layers=num_layers), output, among)


@pytest.mark.parametrize("cell", CELLS)
def test_with_tied_tables_v_is_the_embedding(make_pair: MakePair, cell: str) -> None:
    check(*make_pair(cell=cell, tied=True, num_layers=2), "softmax")  # E = H: a cell that skips does so twice


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_with_a_projection_v_reads_p_times_the_state(make_pair: MakePair, output: str) -> None:
    check(*make_pair(tied=True, projected=True, output=output), output, RIVALS)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("cell", CELLS)
def test_layer_norm_is_gone_back_through(make_pair: MakePair, cell: str, output: str) -> None:
    check(*make_pair(cell=cell, tied=True, num_layers=2, normed=True, output=output), output)


@pytest.mark.parametrize("among", [None, RIVALS], ids=["loss", "odds"])
def test_a_calibrated_model_is_followed_at_its_temperature(
    make_pair: MakePair, among: np.ndarray | None
) -> None:
    check(*make_pair(temperature=2.5), "softmax", among)


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_the_norms_are_those_that_a_training_records_by_lag(
    make_pair: MakePair, cell: str, num_layers: int
) -> None:
    engine, model = make_pair(cell=cell, num_layers=num_layers)
    states, _ = by_hand(engine, None)
    came = np.array([*IDS[1:], TARGET])
    window = Window(inputs=np.array(IDS)[:, None], targets=came[:, None], mask=None, resets=True)
    by_lag = gradient_by_lag(model, window, "softmax")
    np.testing.assert_allclose(np.linalg.norm(states, axis=1)[::-1], by_lag, rtol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_reading_keeps_what_the_engine_makes(make_pair: MakePair, cell: str) -> None:
    engine, _ = make_pair(cell=cell, num_layers=3)
    reading = read(engine, IDS)
    hidden, state = engine.read(np.array(IDS)[:, None], engine.initial_state(1))
    np.testing.assert_allclose(reading.top, hidden[:, 0], atol=1e-5)
    S = 12 if cell in ("lstm", "mogrifier") else 6
    states, inputs = [tape.states for tape in reading.tapes], [tape.inputs for tape in reading.tapes]
    assert [layer.shape for layer in states] == [(8, S)] * 3
    for kept, last in zip(states, state, strict=True):
        np.testing.assert_allclose(kept[-1], last[0], atol=1e-5)
    assert [layer.shape for layer in inputs] == [(7, 5), (7, 6), (7, 6)]
    first, second = (layer[1:, :6] for layer in states[:2])
    np.testing.assert_array_equal(inputs[1], first)
    np.testing.assert_array_equal(inputs[2], second + first if cell == "indrnn" else second)
