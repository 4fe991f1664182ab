"""The backward pass in NumPy against torch's autograd."""

import numpy as np
import pytest
import torch

from rnn_cli.inference.activations import ACTIVATIONS
from rnn_cli.inference.engine import Engine
from rnn_cli.insight.backward import back_through_time, loss_gradient, read
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model.losses import log_probs
from tests.insight.conftest import MakePair

IDS = [1, 4, 0, 8, 2, 2, 7]
TARGET = 3
RIVALS = np.array([5, 0, 6])


def by_hand(engine: Engine, among: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    reading = read(engine, IDS)
    found = back_through_time(engine, reading, loss_gradient(engine, reading.top[-1], TARGET, among=among))
    return found.states, found.inputs


def by_autograd(model: LanguageModel, output: str, among: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """∂Loss_T/∂h_t of the state after each word, all that comes later read from that state, and ∂Loss_T/∂x_t."""
    states = []
    state = model.initial_state(1)
    x = model.embedding.detach()[IDS].requires_grad_()  # (T, E)
    for x_t in x:
        below = x_t[None]
        after = []
        for cell, h in zip(model.cells, state, strict=True):
            below = cell(below, h)
            after.append(below)
        # A copy of its own is what the step hands on: the layers above it read the original.
        state = [h * 1.0 for h in after]
        states.append(state)
    said = log_probs(model.logits(state[-1])[0], output)
    loss = -said[TARGET] if among is None else torch.logsumexp(said[among], 0) - said[TARGET]
    flat = [h for state in states for h in state]
    gradients = torch.autograd.grad(loss, [x, *flat], allow_unused=True)
    kept = [torch.zeros_like(h) if g is None else g for g, h in zip(gradients[1:], flat, strict=True)]
    return torch.cat(kept).reshape(len(IDS), -1).numpy(), gradients[0].numpy()


def check(engine: Engine, model: LanguageModel, output: str, among: np.ndarray | None = None) -> None:
    for found, expected in zip(by_hand(engine, among), by_autograd(model, output, among), strict=True):
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("hidden", sorted(ACTIVATIONS))
def test_gradients_equal_autograd_for_every_activation(make_pair: MakePair, hidden: str) -> None:
    check(*make_pair(hidden=hidden), "softmax")


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("among", [None, RIVALS], ids=["loss", "odds"])
def test_gradients_equal_autograd_for_every_output_and_depth(
    make_pair: MakePair, output: str, num_layers: int, among: np.ndarray | None
) -> None:
    check(*make_pair(output=output, num_layers=num_layers), output, among)


def test_with_tied_tables_v_is_the_embedding(make_pair: MakePair) -> None:
    check(*make_pair(tied=True), "softmax")


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_with_a_projection_v_reads_p_times_the_state(make_pair: MakePair, output: str) -> None:
    check(*make_pair(tied=True, projected=True, output=output), output, RIVALS)


def test_reading_keeps_what_the_engine_makes(make_pair: MakePair) -> None:
    engine, _ = make_pair(num_layers=2)
    reading = read(engine, IDS)
    hidden, _ = engine.read(np.array(IDS)[:, None], engine.initial_state(1))
    np.testing.assert_allclose(reading.top, hidden[:, 0], atol=1e-6)
    assert [layer.shape for layer in reading.hidden] == [(8, 6), (8, 6)]
    assert [layer.shape for layer in reading.inputs] == [(7, 5), (7, 6)]
    np.testing.assert_array_equal(reading.inputs[1], reading.hidden[0][1:])
