"""The fast path through a window: a cell's recurrence with its backward pass through time derived by hand.

The same equations as `language_model.step_by_step` with the cell; a test holds values and gradients equal. It is
faster because the products that do not wait for a state (W's input columns, and all of ∂Loss/∂W) are made for the
whole window at once, because every step writes into what is there already, and because products may be made in
bfloat16 where the CPU has such products. States, sums and weights stay float32.

Here is the Elman recurrence; the other cells are in `fused_gru`, `fused_lstm`, `fused_mogrifier` and `fused_indrnn`.
"""

from typing import Any

import torch
from torch import Tensor

from rnn_cli.model.activations import DERIVATIVES, INTO
from rnn_cli.model.cells import Cell, ElmanCell, IndRNNCell
from rnn_cli.model.fused_gru import GRUWindow
from rnn_cli.model.fused_indrnn import IndRNNWindow
from rnn_cli.model.fused_lstm import LSTMWindow
from rnn_cli.model.fused_mogrifier import MogrifierWindow
from rnn_cli.model.gated_cells import GRUCell, LSTMCell, MogrifierCell
from rnn_cli.model.language_model import step_by_step


def has_fast_path(cell: Cell) -> bool:
    """Whether there is a hand-derived pass through this cell: not if it takes f'(a), and f(a) does not tell it."""
    return not isinstance(cell, ElmanCell | IndRNNCell) or cell.activation in DERIVATIVES


def read_window(
    cell: Cell, x: Tensor, state: Tensor, *, product_dtype: torch.dtype | None = None
) -> tuple[Tensor, Tensor]:
    """See `language_model.WindowReader`. A cell that has no fast path is read step by step.

    Args:
        product_dtype: what matrix products are made in; bfloat16 keeps 8 bits of each factor. None: as the weights.
    """
    dtype = product_dtype or cell.W.dtype
    if not has_fast_path(cell):
        return step_by_step(cell, x, state)
    match cell:
        case MogrifierCell():
            h_0, s_0 = state.chunk(2, dim=1)  # (B, H) each
            hidden, s_T = MogrifierWindow.apply(x, h_0, s_0, cell.W, cell.b, cell.L, cell.R, dtype)  # type: ignore[no-untyped-call]
            return hidden, torch.cat([hidden[-1], s_T], dim=1)
        case LSTMCell():
            h_0, s_0 = state.chunk(2, dim=1)  # (B, H) each
            hidden, s_T = LSTMWindow.apply(x, h_0, s_0, cell.W, cell.b, dtype)  # type: ignore[no-untyped-call]
            return hidden, torch.cat([hidden[-1], s_T], dim=1)
        case GRUCell():
            hidden = GRUWindow.apply(x, state, cell.W, cell.b, dtype)  # type: ignore[no-untyped-call]
        case IndRNNCell():
            hidden = IndRNNWindow.apply(x, state, cell.W, cell.u, cell.b, cell.activation, dtype)  # type: ignore[no-untyped-call]
        case ElmanCell():
            hidden = ElmanWindow.apply(x, state, cell.W, cell.b, cell.activation, dtype)  # type: ignore[no-untyped-call]
        case _:
            raise TypeError(f"no window is written for {type(cell).__name__}")
    return hidden, hidden[-1]


class ElmanWindow(torch.autograd.Function):
    """a_t = W_h · h_{t-1} + W_x · x_t + b,  h_t = f(a_t), with W = [W_h, W_x].

    Backward, from the last step to the first, with δ_t = ∂Loss/∂a_t:

        δ_t = (∂Loss/∂h_t directly + W_hᵀ · δ_{t+1}) ⊙ f'(a_t)
        ∂Loss/∂W_h = Σ_t δ_t h_{t-1}ᵀ    ∂Loss/∂W_x = Σ_t δ_t x_tᵀ    ∂Loss/∂b = Σ_t δ_t    ∂Loss/∂x_t = W_xᵀ · δ_t
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h_0: Tensor, W: Tensor, b: Tensor, activation: str, dtype: torch.dtype
    ) -> Tensor:
        T, B, E = x.shape
        H = len(b)
        W_h, W_x = W[:, :H].to(dtype), W[:, H:].to(dtype)
        x_flat = x.reshape(T * B, E).to(dtype)
        a = ((x_flat @ W_x.T).to(b.dtype) + b).view(T, B, H)
        f = INTO[activation]
        hidden = torch.cat([h_0[None], torch.empty_like(a)])  # (T + 1, B, H): h_0 .. h_T
        factors = hidden.to(dtype)  # the same, as factors of products
        product = torch.empty_like(factors[0])  # W_h · h_{t-1}, (B, H)
        # Every step writes into what is there: making a small tensor takes as long as filling it.
        for a_t, h_prev, h_t, factor_t in zip(a, factors, hidden[1:], factors[1:], strict=False):
            torch.mm(h_prev, W_h.T, out=product)
            f(a_t.add_(product), h_t)
            if factors is not hidden:
                factor_t.copy_(h_t)
        ctx.save_for_backward(x_flat, hidden, factors, W_h, W_x)
        ctx.activation = activation
        return hidden[1:]

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None, None]:
        x_flat, hidden, factors, W_h, W_x = ctx.saved_tensors
        T, B, H = d_hidden.shape
        slope = DERIVATIVES[ctx.activation](hidden[1:])  # (T, B, H)
        delta = torch.empty_like(factors[1:])  # (T, B, H)
        from_later = torch.zeros_like(factors[0])  # W_hᵀ · δ_{t+1}, (B, H)
        d_h = torch.empty_like(hidden[0])  # (B, H)
        for t in reversed(range(T)):
            torch.add(d_hidden[t], from_later, out=d_h)
            torch.mul(d_h, slope[t], out=delta[t])
            torch.mm(delta[t], W_h, out=from_later)
        d_flat = delta.view(T * B, H)
        d_W = torch.cat([d_flat.T @ factors[:-1].reshape(T * B, H), d_flat.T @ x_flat], dim=1)
        d_x = (d_flat @ W_x).view(T, B, -1)
        # Accumulated and handed back in the precision of the weights.
        precise = hidden.dtype
        return (
            d_x.to(precise),
            from_later.to(precise),
            d_W.to(precise),
            d_flat.sum(0, dtype=precise),
            None,
            None,
        )
