"""The equation h_t = f(W · [h_{t-1}, x_t] + b), against numbers worked out by hand and against NumPy."""

import math

import numpy as np
import pytest
import torch

from rnn_cli.config.schema import HIDDEN_ACTIVATIONS
from rnn_cli.model.activations import ACTIVATIONS
from rnn_cli.model.cells import MEMORY_INPUT_SCALE, ElmanCell


def make_cell(**changes: object) -> ElmanCell:
    settings = {"input_size": 2, "hidden_size": 3, "activation": "tanh", "recurrent_init": "uniform"}
    return ElmanCell(**{**settings, **changes})  # type: ignore[arg-type]


def test_a_cell_has_exactly_two_parameters_w_and_b() -> None:
    shapes = {name: tuple(p.shape) for name, p in make_cell().named_parameters()}
    assert shapes == {"W": (3, 3 + 2), "b": (3,)}


def test_one_step_is_the_equation_worked_out_by_hand() -> None:
    cell = make_cell(input_size=1, hidden_size=2, activation="identity")
    with torch.no_grad():
        cell.W.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        cell.b.copy_(torch.tensor([0.5, -0.5]))
    h = cell(torch.tensor([[10.0]]), torch.tensor([[1.0, -1.0]]))
    # [1, 2, 3] · [1, -1, 10] + 0.5 and [4, 5, 6] · [1, -1, 10] - 0.5
    assert h.tolist() == [[29.5, 58.5]]


def test_the_first_columns_of_w_read_the_state_and_the_last_the_input() -> None:
    cell = make_cell(activation="identity")
    with torch.no_grad():
        cell.W.zero_()
        cell.W[:, :3] = torch.eye(3)
    h = cell(torch.full((1, 2), 9.0), torch.tensor([[1.0, 2.0, 3.0]]))
    assert h.tolist() == [[1.0, 2.0, 3.0]]


def test_a_step_in_numpy_gives_the_same_numbers() -> None:
    torch.manual_seed(0)
    cell = make_cell().double()
    x, h = torch.randn(4, 2).double(), torch.randn(4, 3).double()
    W, b = cell.W.detach().numpy(), cell.b.detach().numpy()
    expected = np.tanh(np.concatenate([h.numpy(), x.numpy()], axis=1) @ W.T + b)
    np.testing.assert_allclose(cell(x, h).detach().numpy(), expected, atol=1e-15)


def test_every_activation_that_a_config_may_name_is_there_and_no_other() -> None:
    assert set(ACTIVATIONS) == set(HIDDEN_ACTIVATIONS)


@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_an_activation_is_applied_to_each_unit(name: str) -> None:
    cell = make_cell(activation=name)
    with torch.no_grad():
        cell.W.copy_(torch.cat([torch.eye(3), torch.zeros(3, 2)], dim=1))
    before = torch.tensor([[-1.5, 0.25, 2.0]])
    torch.testing.assert_close(cell(torch.zeros(1, 2), before), ACTIVATIONS[name](before))


def test_an_identity_start_keeps_the_state_as_it_is() -> None:
    cell = make_cell(recurrent_init="identity", activation="relu")
    state = torch.tensor([[0.5, 0.0, 2.0]])
    assert cell(torch.zeros(1, 2), state).tolist() == state.tolist()


def test_an_orthogonal_start_has_all_singular_values_at_one() -> None:
    cell = make_cell(hidden_size=16, recurrent_init="orthogonal")
    singular_values = torch.linalg.svdvals(cell.W.detach()[:, :16])
    torch.testing.assert_close(singular_values, torch.ones(16), atol=1e-5, rtol=0)


def test_a_half_identity_start_has_a_slow_memory_and_a_half_that_sees_the_last_input_only() -> None:
    cell = make_cell(hidden_size=4, recurrent_init="half_identity", activation="identity")
    state = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert cell(torch.zeros(1, 2), state).tolist() == [[1.0, 2.0, 0.0, 0.0]]
    bound = math.sqrt(3 / 2)
    inputs = cell.W.detach()[:, 4:]
    assert bound < inputs[:2].abs().max() <= MEMORY_INPUT_SCALE * bound
    assert inputs[2:].abs().max() <= bound
