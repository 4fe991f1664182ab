"""The fast path through a window of the independently recurrent network. See `fused`."""

from typing import Any

import torch
from torch import Tensor

from rnn_cli.model.activations import DERIVATIVES, INTO


class IndRNNWindow(torch.autograd.Function):
    """a_t = W · x_t + u ⊙ h_{t-1} + b,  h_t = f(a_t).

    Backward, from the last step to the first, with δ_t = ∂Loss/∂a_t:

        δ_t = (∂Loss/∂h_t directly + u ⊙ δ_{t+1}) ⊙ f'(a_t)
        ∂Loss/∂W = Σ_t δ_t x_tᵀ    ∂Loss/∂u = Σ_t δ_t ⊙ h_{t-1}    ∂Loss/∂b = Σ_t δ_t    ∂Loss/∂x_t = Wᵀ · δ_t
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_0: Tensor,
        W: Tensor,
        u: Tensor,
        b: Tensor,
        activation: str,
        dtype: torch.dtype,
    ) -> Tensor:
        """x (T, B, E) and h_0 (B, H) give h_1 .. h_T, (T, B, H)."""
        T, B, E = x.shape
        W_x = W.to(dtype)
        x_flat = x.reshape(T * B, E).to(dtype)
        a = ((x_flat @ W_x.T).to(b.dtype) + b).view(T, B, -1)  # (T, B, H)
        f = INTO[activation]
        hidden = torch.cat([h_0[None], torch.empty_like(a)])  # (T + 1, B, H): h_0 .. h_T
        for a_t, h_prev, h_t in zip(a, hidden, hidden[1:], strict=False):
            f(a_t.addcmul_(u, h_prev), h_t)
        ctx.save_for_backward(x_flat, hidden, W_x, u)
        ctx.activation = activation
        return hidden[1:]

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, None, None]:
        """∂Loss/∂ of what went in, from ∂Loss/∂h_1 .. ∂h_T."""
        x_flat, hidden, W_x, u = ctx.saved_tensors
        T, B, H = d_hidden.shape
        slope = DERIVATIVES[ctx.activation](hidden[1:])  # (T, B, H)
        delta = torch.empty_like(slope)
        from_later = torch.zeros_like(hidden[0])  # u ⊙ δ_{t+1}, (B, H)
        for t in reversed(range(T)):
            torch.add(d_hidden[t], from_later, out=delta[t]).mul_(slope[t])
            torch.mul(delta[t], u, out=from_later)
        d_flat = delta.view(T * B, H)
        d_a = d_flat.to(x_flat.dtype)
        precise = hidden.dtype
        return (
            (d_a @ W_x).view(T, B, -1).to(precise),
            from_later,
            (d_a.T @ x_flat).to(precise),
            (delta * hidden[:-1]).sum((0, 1)),
            d_flat.sum(0),
            None,
            None,
        )
