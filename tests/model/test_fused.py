"""The fast path against the plain one: the same values and the same gradients."""

import pytest
import torch

from rnn_cli.model.cells import ElmanCell
from rnn_cli.model.fused import DERIVATIVES, has_fast_path, read_window
from rnn_cli.model.language_model import step_by_step

T, B, E, H = 6, 3, 4, 5


def values_and_gradients(reader: object, activation: str, dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    cell = ElmanCell(input_size=E, hidden_size=H, activation=activation, recurrent_init="uniform").to(dtype)
    torch.nn.init.uniform_(cell.b)
    x = torch.randn(T, B, E, dtype=dtype, requires_grad=True)
    h_0 = torch.randn(B, H, dtype=dtype, requires_grad=True)
    hidden = reader(cell, x, h_0)  # type: ignore[operator]
    weights = torch.randn(T, B, H, dtype=dtype)
    (hidden * weights).sum().backward()
    gradients = [tensor.grad for tensor in (cell.W, cell.b, x, h_0)]
    return [hidden.detach(), *(g for g in gradients if g is not None)]


@pytest.mark.parametrize("activation", DERIVATIVES)
def test_the_hand_derived_backward_pass_equals_autograd(activation: str) -> None:
    slow = values_and_gradients(step_by_step, activation, torch.float64)
    fast = values_and_gradients(read_window, activation, torch.float64)
    assert len(slow) == len(fast) == 5
    for one, other in zip(slow, fast, strict=True):
        torch.testing.assert_close(other, one, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("activation", DERIVATIVES)
def test_bfloat16_products_stay_near_the_float32_ones(activation: str) -> None:
    def reader(cell: ElmanCell, x: torch.Tensor, h_0: torch.Tensor) -> torch.Tensor:
        return read_window(cell, x, h_0, product_dtype=torch.bfloat16)

    slow = values_and_gradients(step_by_step, activation, torch.float32)
    fast = values_and_gradients(reader, activation, torch.float32)
    for one, other in zip(slow, fast, strict=True):
        assert other.dtype == torch.float32
        assert ((other - one).norm() / one.norm()).item() < 0.03


def test_an_activation_without_a_derivative_from_its_value_has_no_fast_path() -> None:
    assert has_fast_path("tanh")
    assert not has_fast_path("gelu")
