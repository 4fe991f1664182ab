"""The fast path through a window of long short-term memory. See `fused`."""

from typing import Any

import torch
from torch import Tensor

from rnn_cli.model.activations import tanh_into


class LSTMWindow(torch.autograd.Function):
    """a_t = W_h · h_{t-1} + W_x · x_t + b, its rows i, f, g, o, with W = [W_h, W_x]:

        s_t = σ(f) ⊙ s_{t-1} + σ(i) ⊙ tanh(g),  h_t = σ(o) ⊙ tanh(s_t)

    Backward, from the last step to the first, with δ_t = ∂Loss/∂a_t and i, f, g, o from here on after σ and tanh:

        ∂h_t = ∂Loss/∂h_t directly + W_hᵀ · δ_{t+1}
        ∂s_t = ∂h_t ⊙ o ⊙ (1 - tanh² s_t) + f_{t+1} ⊙ ∂s_{t+1}
        δ_t = [∂s_t ⊙ g ⊙ i(1 - i), ∂s_t ⊙ s_{t-1} ⊙ f(1 - f), ∂s_t ⊙ i ⊙ (1 - g²), ∂h_t ⊙ tanh(s_t) ⊙ o(1 - o)]
        ∂Loss/∂W_h = Σ_t δ_t h_{t-1}ᵀ    ∂Loss/∂W_x = Σ_t δ_t x_tᵀ    ∂Loss/∂b = Σ_t δ_t    ∂Loss/∂x_t = W_xᵀ · δ_t
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h_0: Tensor, s_0: Tensor, W: Tensor, b: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """x (T, B, E), h_0 and s_0 (B, H) give h_1 .. h_T (T, B, H) and s_T (B, H)."""
        T, B, E = x.shape
        H = h_0.shape[1]
        doubled = doubled_rows(b)
        W_h, W_x = W[:, :H].to(dtype), W[:, H:].to(dtype)
        W_h_doubled = (W[:, :H] * doubled[:, None]).to(dtype)
        x_flat = x.reshape(T * B, E).to(dtype)
        gates = (((x_flat @ W_x.T).to(b.dtype) + b) * doubled).view(T, B, 4, H)
        hidden = torch.cat([h_0[None], h_0.new_empty(T, B, H)])  # (T + 1, B, H): h_0 .. h_T
        held = torch.cat([s_0[None], torch.empty_like(hidden[1:])])  # (T + 1, B, H): s_0 .. s_T
        shown = torch.empty_like(hidden[1:])  # tanh(s_t), (T, B, H)
        factors = hidden.to(dtype)  # h_0 .. h_T as factors of products
        product = factors.new_empty(B, 4 * H)  # W_h · h_{t-1}
        for t in range(T):
            torch.mm(factors[t], W_h_doubled.T, out=product)
            gates[t].add_(product.view(B, 4, H))
            step_into(hidden[t + 1], held[t + 1], shown[t], gates[t], held[t])
            if factors is not hidden:
                factors[t + 1].copy_(hidden[t + 1])
        ctx.save_for_backward(x_flat, factors, gates, held, shown, W_h, W_x)
        return hidden[1:], held[-1]

    @staticmethod
    def backward(
        ctx: Any, d_hidden: Tensor, d_s_T: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, None]:
        """∂Loss/∂ of what went in, from ∂Loss/∂h_1 .. ∂h_T and ∂Loss/∂s_T."""
        x_flat, factors, gates, held, shown, W_h, W_x = ctx.saved_tensors
        T, B, H = d_hidden.shape
        delta = factors.new_empty(T, B, 4, H)
        from_later = torch.zeros_like(factors[0])  # W_hᵀ · δ_{t+1}, (B, H)
        d_h, d_s, slope = torch.empty_like(d_s_T), d_s_T.clone(), torch.empty_like(gates[0])
        for t in reversed(range(T)):
            torch.add(d_hidden[t], from_later, out=d_h)
            step_back_into(delta[t], d_s, gates[t], held[t], shown[t], d_h, slope)
            torch.mm(delta[t].view(B, 4 * H), W_h, out=from_later)
        d_flat = delta.view(T * B, 4 * H)
        d_W = torch.cat([d_flat.T @ factors[:-1].reshape(T * B, H), d_flat.T @ x_flat], dim=1)
        precise = held.dtype
        return (
            (d_flat @ W_x).view(T, B, -1).to(precise),
            from_later.to(precise),
            d_s,
            d_W.to(precise),
            d_flat.sum(0, dtype=precise),
            None,
        )


def doubled_rows(b: Tensor) -> Tensor:
    """Factors of the rows of W and b, (4H,): 2 for those of g, as tanh g = 2 σ(2g) - 1 makes all four one σ."""
    factors = torch.ones_like(b).view(4, -1)
    factors[2] = 2
    return factors.view(-1)


def step_into(h_t: Tensor, s_t: Tensor, shown: Tensor, gates: Tensor, s_prev: Tensor) -> None:
    """One step: write h_t, s_t and tanh(s_t), (B, H); the sums a_t, (B, 4, H), those of g doubled, become gates."""
    i, f, g, o = gates.sigmoid_().unbind(1)  # (B, H) each
    g.mul_(2).sub_(1)
    torch.mul(f, s_prev, out=s_t).addcmul_(i, g)
    torch.mul(o, tanh_into(s_t, shown), out=h_t)


def step_back_into(
    delta: Tensor, d_s: Tensor, gates: Tensor, s_prev: Tensor, shown: Tensor, d_h: Tensor, slope: Tensor
) -> None:
    """One step back: write δ_t, (B, 4, H), and turn ∂s_t as the step after it left it into ∂s_{t-1}, (B, H).

    Args:
        gates: i, f, g, o, (B, 4, H), as `step_into` left them.
        shown: tanh(s_t), (B, H).
        slope: room for the slopes, (B, 4, H).
    """
    i, f, g, o = gates.unbind(1)  # (B, H) each
    d_s.addcmul_(d_h * o, 1 - shown * shown)
    torch.addcmul(gates, gates, gates, value=-1, out=slope)  # σ' = σ - σ²
    slope_i, slope_f, slope_g, slope_o = slope.unbind(1)
    slope_i.mul_(g)
    slope_f.mul_(s_prev)
    torch.mul(g, g, out=slope_g).neg_().add_(1).mul_(i)
    slope_o.mul_(shown)
    torch.mul(slope[:, :3], d_s[:, None], out=delta[:, :3])
    torch.mul(slope_o, d_h, out=delta[:, 3])
    d_s.mul_(f)
