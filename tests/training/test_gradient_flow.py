"""How far back an error reaches."""

from itertools import pairwise
from typing import cast

import numpy as np
import pytest
import torch

from rnn_cli.model.cells import ElmanCell
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.streams import Window
from rnn_cli.training.gradient_flow import gradient_by_lag

VOCAB, H, T = 6, 4, 5
WORDS = np.random.default_rng(0).integers(VOCAB, size=(T + 1, 3))


def make_model(num_layers: int = 1) -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(
        vocab_size=VOCAB, embedding_size=H, hidden_size=H, num_layers=num_layers, dropout=0.5
    )
    return model.double().train()


def window(mask: np.ndarray | None = None) -> Window:
    return Window(WORDS[:-1], WORDS[1:], mask, resets=True)


def test_it_is_the_change_of_the_last_loss_by_the_state_so_many_steps_before() -> None:
    model = make_model()
    found = gradient_by_lag(model, window(), "softmax")
    model.eval()

    def last_losses(lag: int, unit: int, change: float) -> torch.Tensor:
        state = model.initial_state(3)
        for t in range(T):
            hidden, state = model.unroll(torch.from_numpy(WORDS[t : t + 1]), state)
            if t == T - 1 - lag:
                state = [state[0] + change * torch.eye(H, dtype=torch.float64)[unit]]
                hidden = state[0][None]
        came = torch.from_numpy(WORDS[T])
        return -torch.log_softmax(model.logits(hidden[0]), 1).gather(1, came[:, None])[:, 0]

    with torch.no_grad():
        for lag in range(T):
            slopes = [
                (last_losses(lag, u, 1e-5) - last_losses(lag, u, -1e-5)) / 2e-5 for u in range(H)
            ]  # each (B,)
            expected = torch.stack(slopes).norm(dim=0).mean().item()
            assert found[lag] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_there_is_a_norm_for_each_step_of_the_window(num_layers: int) -> None:
    found = gradient_by_lag(make_model(num_layers), window(), "sigmoid")
    assert len(found) == T
    assert all(norm > 0 for norm in found)


def test_a_linear_recurrence_that_shrinks_by_half_a_step_lets_the_gradient_vanish_by_half_a_step() -> None:
    model = make_model()
    cell = cast(ElmanCell, model.cells[0])
    cell.f = lambda a: a
    with torch.no_grad():
        cell.W[:, :H] = 0.5 * torch.eye(H)
    found = gradient_by_lag(model, window(), "softmax")
    assert [late / early for early, late in pairwise(found)] == pytest.approx([0.5] * 4)


def test_only_streams_that_count_at_the_last_step_are_looked_at() -> None:
    mask = np.ones((T, 3), dtype=bool)
    mask[3:] = False
    mask[2, 1] = False
    model = make_model()
    chosen = Window(WORDS[:3, [0, 2]], WORDS[1:4, [0, 2]], None, resets=True)
    assert gradient_by_lag(model, window(mask), "softmax") == pytest.approx(
        gradient_by_lag(model, chosen, "softmax")
    )


def test_it_changes_nothing_in_the_training() -> None:
    model = make_model()
    random = torch.get_rng_state()
    gradient_by_lag(model, window(), "softmax")
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)
