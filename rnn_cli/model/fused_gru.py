"""The fast path through a window of the gated recurrent unit. See `fused`."""

from typing import Any

import torch
from torch import Tensor

from rnn_cli.model.activations import tanh_into


class GRUWindow(torch.autograd.Function):
    """p_t = W_h · h_{t-1} and q_t = W_x · x_t + b, their rows r, z, n, with W = [W_h, W_x]:

        r = σ(p_r + q_r),  z = σ(p_z + q_z),  n = tanh(r ⊙ p_n + q_n),  h_t = z ⊙ h_{t-1} + (1 - z) ⊙ n

    Backward, from the last step to the first, with δ_t = ∂Loss/∂q_t and ε_t = ∂Loss/∂p_t:

        ∂h_t = ∂Loss/∂h_t directly + z_{t+1} ⊙ ∂h_{t+1} + W_hᵀ · ε_{t+1}
        δ_n = ∂h_t ⊙ (1 - z) ⊙ (1 - n²),  δ_z = ∂h_t ⊙ (h_{t-1} - n) ⊙ z(1 - z),  δ_r = δ_n ⊙ p_n ⊙ r(1 - r)
        ε_t = [δ_r, δ_z, δ_n ⊙ r]
        ∂Loss/∂W_h = Σ_t ε_t h_{t-1}ᵀ    ∂Loss/∂W_x = Σ_t δ_t x_tᵀ    ∂Loss/∂b = Σ_t δ_t    ∂Loss/∂x_t = W_xᵀ · δ_t
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, h_0: Tensor, W: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
        """x (T, B, E) and h_0 (B, H) give h_1 .. h_T, (T, B, H)."""
        T, B, E = x.shape
        H = h_0.shape[1]
        W_h, W_x = W[:, :H].to(dtype), W[:, H:].to(dtype)
        x_flat = x.reshape(T * B, E).to(dtype)
        gates = ((x_flat @ W_x.T).to(b.dtype) + b).view(T, B, 3, H)  # q_t, then r, z, n
        hidden = torch.cat([h_0[None], h_0.new_empty(T, B, H)])  # (T + 1, B, H): h_0 .. h_T
        resets = torch.empty_like(hidden[1:])  # p_n, (T, B, H)
        factors = hidden.to(dtype)  # h_0 .. h_T as factors of products
        product = factors.new_empty(B, 3 * H)  # p_t
        p_rz, p_n = torch.split(product.view(B, 3, H), [2, 1], dim=1)
        for t in range(T):
            torch.mm(factors[t], W_h.T, out=product)
            resets[t] = p_n[:, 0]
            gates[t, :, :2].add_(p_rz).sigmoid_()
            r, z, n = gates[t].unbind(1)  # (B, H) each
            tanh_into(n.addcmul_(r, resets[t]), n)
            torch.sub(hidden[t], n, out=hidden[t + 1]).mul_(z).add_(n)
            if factors is not hidden:
                factors[t + 1].copy_(hidden[t + 1])
        ctx.save_for_backward(x_flat, hidden, factors, gates, resets, W_h, W_x)
        return hidden[1:]

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        """∂Loss/∂ of what went in, from ∂Loss/∂h_1 .. ∂h_T."""
        x_flat, hidden, factors, gates, resets, W_h, W_x = ctx.saved_tensors
        T, B, H = d_hidden.shape
        delta, epsilon = (factors.new_empty(T, B, 3, H) for _ in range(2))
        through_W = torch.zeros_like(factors[0])  # W_hᵀ · ε_{t+1}, (B, H)
        d_h = torch.zeros_like(hidden[0])  # z_{t+1} ⊙ ∂h_{t+1}, then ∂h_t
        d_n = torch.empty_like(d_h)
        for t in reversed(range(T)):
            r, z, n = gates[t].unbind(1)  # (B, H) each
            d_h.add_(through_W).add_(d_hidden[t])
            torch.mul(d_h, (1 - z).mul_(1 - n * n), out=d_n)
            torch.mul(d_h, (hidden[t] - n).mul_(z - z * z), out=epsilon[t, :, 1])
            torch.mul(d_n, (r - r * r).mul_(resets[t]), out=epsilon[t, :, 0])
            torch.mul(d_n, r, out=epsilon[t, :, 2])
            delta[t, :, 2] = d_n
            d_h.mul_(z)
            torch.mm(epsilon[t].view(B, 3 * H), W_h, out=through_W)
        delta[:, :, :2] = epsilon[:, :, :2]
        d_p, d_q = epsilon.view(T * B, 3 * H), delta.view(T * B, 3 * H)
        d_W = torch.cat([d_p.T @ factors[:-1].reshape(T * B, H), d_q.T @ x_flat], dim=1)
        precise = hidden.dtype
        return (
            (d_q @ W_x).view(T, B, -1).to(precise),
            d_h + through_W,
            d_W.to(precise),
            d_q.sum(0, dtype=precise),
            None,
        )
