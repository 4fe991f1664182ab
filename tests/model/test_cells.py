"""One step of each cell, against numbers worked out by hand, against NumPy and against torch's own cells."""

import math

import numpy as np
import pytest
import torch

from rnn_cli.config.schema import HIDDEN_ACTIVATIONS
from rnn_cli.model.activations import ACTIVATIONS
from rnn_cli.model.cells import MEMORY_INPUT_SCALE, Cell, ElmanCell, IndRNNCell
from rnn_cli.model.gated_cells import RANK, GRUCell, LSTMCell, MogrifierCell
from rnn_cli.model.make_cell import make_cell
from rnn_cli.model_tensors import CELLS, cell_shapes

E, H = 2, 3


def make_elman(**changes: object) -> ElmanCell:
    settings = {"input_size": E, "hidden_size": H, "activation": "tanh", "recurrent_init": "uniform"}
    return ElmanCell(**{**settings, **changes})  # type: ignore[arg-type]


def some_cell(kind: str, *, input_size: int = E, memory_steps: int | None = None) -> Cell:
    torch.manual_seed(0)
    cell = make_cell(
        kind,
        input_size=input_size,
        hidden_size=H,
        activation="relu",
        recurrent_init="identity",
        memory_steps=memory_steps,
    )
    torch.nn.init.uniform_(cell.b, -0.5, 0.5)
    return cell.double()


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_has_the_parameters_that_a_model_file_says(kind: str) -> None:
    shapes = {name: tuple(p.shape) for name, p in some_cell(kind).named_parameters()}
    assert shapes == cell_shapes(kind, E, H)


@pytest.mark.parametrize("kind", CELLS)
def test_state_comes_in_and_goes_out_and_is_not_changed(kind: str) -> None:
    cell = some_cell(kind)
    state = torch.randn(4, cell.state_size).double()
    before = state.clone()
    x_t = torch.randn(4, E).double()
    after = cell(x_t, state)
    assert after.shape == (4, cell.state_size)
    assert torch.equal(state, before)
    assert torch.equal(cell(x_t, state), after)


def test_a_cell_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no cell is called 'esn'"):
        some_cell("esn")


def test_one_step_is_the_equation_worked_out_by_hand() -> None:
    cell = make_elman(input_size=1, hidden_size=2, activation="identity")
    with torch.no_grad():
        cell.W.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        cell.b.copy_(torch.tensor([0.5, -0.5]))
    h = cell(torch.tensor([[10.0]]), torch.tensor([[1.0, -1.0]]))
    # [1, 2, 3] · [1, -1, 10] + 0.5 and [4, 5, 6] · [1, -1, 10] - 0.5
    assert h.tolist() == [[29.5, 58.5]]


def test_the_first_columns_of_w_read_the_state_and_the_last_the_input() -> None:
    cell = make_elman(activation="identity")
    with torch.no_grad():
        cell.W.zero_()
        cell.W[:, :3] = torch.eye(3)
    h = cell(torch.full((1, 2), 9.0), torch.tensor([[1.0, 2.0, 3.0]]))
    assert h.tolist() == [[1.0, 2.0, 3.0]]


def test_a_step_in_numpy_gives_the_same_numbers() -> None:
    torch.manual_seed(0)
    cell = make_elman().double()
    x, h = torch.randn(4, 2).double(), torch.randn(4, 3).double()
    W, b = cell.W.detach().numpy(), cell.b.detach().numpy()
    expected = np.tanh(np.concatenate([h.numpy(), x.numpy()], axis=1) @ W.T + b)
    np.testing.assert_allclose(cell(x, h).detach().numpy(), expected, atol=1e-15)


def test_every_activation_that_a_config_may_name_is_there_and_no_other() -> None:
    assert set(ACTIVATIONS) == set(HIDDEN_ACTIVATIONS)


@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_an_activation_is_applied_to_each_unit(name: str) -> None:
    cell = make_elman(activation=name)
    with torch.no_grad():
        cell.W.copy_(torch.cat([torch.eye(3), torch.zeros(3, 2)], dim=1))
    before = torch.tensor([[-1.5, 0.25, 2.0]])
    torch.testing.assert_close(cell(torch.zeros(1, 2), before), ACTIVATIONS[name](before))


def test_an_identity_start_keeps_the_state_as_it_is() -> None:
    cell = make_elman(recurrent_init="identity", activation="relu")
    state = torch.tensor([[0.5, 0.0, 2.0]])
    assert cell(torch.zeros(1, 2), state).tolist() == state.tolist()


def test_an_orthogonal_start_has_all_singular_values_at_one() -> None:
    cell = make_elman(hidden_size=16, recurrent_init="orthogonal")
    singular_values = torch.linalg.svdvals(cell.W.detach()[:, :16])
    torch.testing.assert_close(singular_values, torch.ones(16), atol=1e-5, rtol=0)


def test_a_half_identity_start_has_a_slow_memory_and_a_half_that_sees_the_last_input_only() -> None:
    cell = make_elman(hidden_size=4, recurrent_init="half_identity", activation="identity")
    state = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert cell(torch.zeros(1, 2), state).tolist() == [[1.0, 2.0, 0.0, 0.0]]
    bound = math.sqrt(3 / 2)
    inputs = cell.W.detach()[:, 4:]
    assert bound < inputs[:2].abs().max() <= MEMORY_INPUT_SCALE * bound
    assert inputs[2:].abs().max() <= bound


def test_a_gru_is_torchs_own_with_its_second_bias_at_zero() -> None:
    cell = some_cell("gru", input_size=E)
    theirs = torch.nn.GRUCell(E, H).double()
    with torch.no_grad():
        theirs.weight_hh.copy_(cell.W[:, :H])
        theirs.weight_ih.copy_(cell.W[:, H:])
        theirs.bias_ih.copy_(cell.b)
        theirs.bias_hh.zero_()
    x_t, h = torch.randn(4, E).double(), torch.randn(4, H).double()
    torch.testing.assert_close(cell(x_t, h), theirs(x_t, h), atol=1e-15, rtol=0)


def test_an_lstm_is_torchs_own_with_its_second_bias_at_zero() -> None:
    cell = some_cell("lstm")
    theirs = torch.nn.LSTMCell(E, H).double()
    with torch.no_grad():
        theirs.weight_hh.copy_(cell.W[:, :H])
        theirs.weight_ih.copy_(cell.W[:, H:])
        theirs.bias_ih.copy_(cell.b)
        theirs.bias_hh.zero_()
    x_t, h, s = torch.randn(4, E).double(), torch.randn(4, H).double(), torch.randn(4, H).double()
    h_t, s_t = theirs(x_t, (h, s))
    torch.testing.assert_close(
        cell(x_t, torch.cat([h, s], dim=1)), torch.cat([h_t, s_t], dim=1), atol=1e-15, rtol=0
    )


def test_a_gru_whose_update_gate_is_open_keeps_its_state() -> None:
    cell = GRUCell(input_size=E, hidden_size=H)
    with torch.no_grad():
        cell.W.zero_()
        cell.b[H : 2 * H] = 100.0
    state = torch.tensor([[0.5, -1.0, 2.0]])
    assert cell(torch.ones(1, E), state).tolist() == state.tolist()


def test_an_lstm_starts_with_its_forget_gate_open_and_adds_what_it_lets_in() -> None:
    cell = LSTMCell(input_size=1, hidden_size=1)
    assert cell.b.tolist() == [0.0, 1.0, 0.0, 0.0]
    with torch.no_grad():
        cell.W.zero_()
        cell.b.copy_(torch.tensor([100.0, 100.0, 0.5, 0.0]))  # i and f open, o half open
    h_t, s_t = cell(torch.ones(1, 1), torch.tensor([[0.0, 2.0]]))[0].tolist()
    assert s_t == pytest.approx(2.0 + math.tanh(0.5))
    assert h_t == pytest.approx(0.5 * math.tanh(s_t))


def test_a_mogrifier_whose_rounds_scale_by_one_is_an_lstm() -> None:
    cell, lstm = some_cell("mogrifier"), some_cell("lstm")
    with torch.no_grad():
        cell.get_parameter("L").zero_()  # 2σ(0) = 1
        lstm.W.copy_(cell.W)
        lstm.b.copy_(cell.b)
    x_t, state = torch.randn(4, E).double(), torch.randn(4, 2 * H).double()
    torch.testing.assert_close(cell(x_t, state), lstm(x_t, state), atol=1e-15, rtol=0)


def test_the_input_and_the_state_of_a_mogrifier_scale_each_other_in_turn_before_an_lstm_reads_them() -> None:
    cell, lstm = MogrifierCell(input_size=1, hidden_size=1), LSTMCell(input_size=1, hidden_size=1)
    M = [1.0, -0.5, 2.0, 0.25, -3.0]
    with torch.no_grad():
        cell.L.copy_(torch.tensor(M)[:, None])
        cell.R.fill_(1.0)
        lstm.W.copy_(cell.W)
    x, h = 0.7, -0.4
    for number, weight in enumerate(M):
        if number % 2 == 0:
            x *= 2 / (1 + math.exp(-weight * h))
        else:
            h *= 2 / (1 + math.exp(-weight * x))
    found = cell(torch.tensor([[0.7]]), torch.tensor([[-0.4, 0.3]]))
    torch.testing.assert_close(found, lstm(torch.tensor([[x]]), torch.tensor([[h, 0.3]])))


def test_the_rounds_of_a_large_mogrifier_have_a_rank_that_both_sides_of_the_program_know() -> None:
    shapes = cell_shapes("mogrifier", 100, 200)
    cell = MogrifierCell(input_size=100, hidden_size=200)
    assert {name: tuple(p.shape) for name, p in cell.named_parameters()} == shapes
    assert (shapes["L"], shapes["R"]) == ((700, RANK), (800, RANK))


@pytest.mark.parametrize("kind", ["gru", "lstm", "mogrifier"])
def test_each_gate_starts_orthogonal_on_the_side_of_the_state(kind: str) -> None:
    cell = some_cell(kind)
    for rows in torch.split(cell.W.detach(), H):
        torch.testing.assert_close(
            torch.linalg.svdvals(rows[:, :H]), torch.ones(H).double(), atol=1e-5, rtol=0
        )
        assert rows[:, H:].abs().max() <= math.sqrt(3 / E)


def test_a_unit_of_an_indrnn_remembers_itself_alone() -> None:
    cell = IndRNNCell(input_size=1, hidden_size=2)
    with torch.no_grad():
        cell.W.copy_(torch.tensor([[2.0], [-3.0]]))
        cell.u.copy_(torch.tensor([0.5, -1.0]))
        cell.b.copy_(torch.tensor([0.25, 0.0]))
    # 2 · 1 + 0.5 · 4 + 0.25, and -3 · 1 - 1 · 5 below zero
    assert cell(torch.tensor([[1.0]]), torch.tensor([[4.0, 5.0]])).tolist() == [[4.25, 0.0]]


@pytest.mark.parametrize(("memory_steps", "largest"), [(None, 1.0), (1, 2.0), (35, 2 ** (1 / 35))])
def test_the_weights_of_an_indrnn_start_and_stay_within_their_bounds(
    memory_steps: int | None, largest: float
) -> None:
    cell = IndRNNCell(input_size=1, hidden_size=1000, memory_steps=memory_steps)
    assert 0 <= cell.u.min() < 0.1 * largest
    assert 0.9 * largest < cell.u.max() <= largest
    with torch.no_grad():
        cell.u[:2] = torch.tensor([3.0, -3.0])
    kept = cell.u[2:].tolist()
    cell.constrain()
    assert cell.u[:2].tolist() == pytest.approx([largest, -largest])
    assert cell.u[2:].tolist() == kept
