"""The fast path of every cell against the plain one: the same values and the same gradients."""

import functools

import pytest
import torch

from rnn_cli.model.activations import DERIVATIVES
from rnn_cli.model.cells import Cell
from rnn_cli.model.fused import has_fast_path, read_window
from rnn_cli.model.language_model import WindowReader, step_by_step
from rnn_cli.model.make_cell import make_cell

T, B, E, H = 6, 3, 4, 5

WAYS = [
    *(("elman", activation) for activation in DERIVATIVES),
    *(("indrnn", activation) for activation in DERIVATIVES),
    ("gru", "tanh"),
    ("lstm", "tanh"),
    ("mogrifier", "tanh"),
]


def some_cell(kind: str, activation: str, dtype: torch.dtype) -> Cell:
    torch.manual_seed(0)
    cell = make_cell(
        kind,
        input_size=E,
        hidden_size=H,
        activation=activation,
        recurrent_init="uniform",
        memory_steps=None,
    ).to(dtype)
    torch.nn.init.uniform_(cell.b)
    return cell


def values_and_gradients(
    reader: WindowReader, kind: str, activation: str, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """What a window comes to, and the gradients of everything in it, by the hidden states and the last state."""
    cell = some_cell(kind, activation, dtype)
    x = torch.randn(T, B, E, dtype=dtype, requires_grad=True)
    state = torch.randn(B, cell.state_size, dtype=dtype, requires_grad=True)
    hidden, after = reader(cell, x, state)
    loss = (hidden * torch.randn_like(hidden)).sum() + (after * torch.randn_like(after)).sum()
    inputs = {"x": x, "state": state, **dict(cell.named_parameters())}
    gradients = torch.autograd.grad(loss, list(inputs.values()))
    return {"hidden": hidden.detach(), "after": after.detach(), **dict(zip(inputs, gradients, strict=True))}


@pytest.mark.parametrize(("kind", "activation"), WAYS)
def test_the_hand_derived_backward_pass_equals_autograd(kind: str, activation: str) -> None:
    slow = values_and_gradients(step_by_step, kind, activation, torch.float64)
    fast = values_and_gradients(read_window, kind, activation, torch.float64)
    for name, tensor in slow.items():
        torch.testing.assert_close(fast[name], tensor, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(("kind", "activation"), WAYS)
def test_bfloat16_products_stay_near_the_float32_ones(kind: str, activation: str) -> None:
    reader = functools.partial(read_window, product_dtype=torch.bfloat16)
    slow = values_and_gradients(step_by_step, kind, activation, torch.float32)
    fast = values_and_gradients(reader, kind, activation, torch.float32)
    for name, tensor in slow.items():
        assert fast[name].dtype == torch.float32
        assert ((fast[name] - tensor).norm() / tensor.norm()).item() < 0.03, name


@pytest.mark.parametrize("kind", ["elman", "indrnn"])
def test_a_cell_whose_derivative_is_not_told_by_its_value_is_read_step_by_step(kind: str) -> None:
    assert has_fast_path(some_cell(kind, "tanh", torch.float64))
    assert not has_fast_path(some_cell(kind, "gelu", torch.float64))
    slow = values_and_gradients(step_by_step, kind, "gelu", torch.float64)
    for name, tensor in values_and_gradients(read_window, kind, "gelu", torch.float64).items():
        assert torch.equal(tensor, slow[name]), name


def test_a_cell_that_nobody_wrote_a_window_for_is_refused() -> None:
    with pytest.raises(TypeError, match="no window is written for Cell"):
        read_window(
            Cell(input_size=E, hidden_size=H),
            torch.zeros(T, B, E),
            torch.zeros(B, H),
            product_dtype=torch.float32,
        )
