"""The fast path through a window: the Elman recurrence with its backward pass through time derived by hand.

The same equations as `language_model.step_by_step` with `ElmanCell`; a test holds values and gradients equal.
It is faster because the products that do not wait for a state (W's input columns, and all of ∂Loss/∂W) are made
for the whole window at once, and because they may be made in bfloat16 where the CPU has such products. States,
sums and weights stay float32.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rnn_cli.model.cells import ElmanCell


def _tanh(a: Tensor, out: Tensor) -> Tensor:
    """tanh a = 2 σ(2a) - 1: torch's own tanh takes five times as long as its sigmoid."""
    return torch.sigmoid(torch.mul(a, 2, out=out), out=out).mul_(2).sub_(1)


INTO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": _tanh,
    "relu": lambda a, out: torch.clamp(a, min=0, out=out),
    "sigmoid": lambda a, out: torch.sigmoid(a, out=out),
    "identity": lambda a, out: out.copy_(a),
}
"""h = f(a), written into a tensor that is there already."""

DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).to(h.dtype),
    "sigmoid": lambda h: h * (1 - h),
    "identity": torch.ones_like,
}
"""f'(a) written in terms of h = f(a). Other activations cannot be read off their value: they take the slow path."""


def has_fast_path(activation: str) -> bool:
    """Whether this module knows the derivative of the activation."""
    return activation in DERIVATIVES


def read_window(
    cell: ElmanCell, x: Tensor, h_0: Tensor, *, product_dtype: torch.dtype | None = None
) -> Tensor:
    """Every hidden state of a window: x (T, B, E) and h_0 (B, H) give h_1 .. h_T, (T, B, H).

    Args:
        product_dtype: what matrix products are made in; bfloat16 keeps 8 bits of each factor. None: as the weights.
    """
    hidden: Tensor = _ElmanWindow.apply(
        x, h_0, cell.W, cell.b, cell.activation, product_dtype or cell.W.dtype
    )  # type: ignore[no-untyped-call]
    return hidden


class _ElmanWindow(torch.autograd.Function):
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
            if factor_t.data_ptr() != h_t.data_ptr():
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
