"""The fast path through a window of a Mogrifier LSTM. See `fused`."""

from typing import Any

import torch
from torch import Tensor

from rnn_cli.model.fused_lstm import doubled_rows, step_back_into, step_into
from rnn_cli.model.gated_cells import ROUNDS, rounds_of


class MogrifierWindow(torch.autograd.Function):
    """v_0 = x_t, v_1 = h_{t-1}, v_{r+2} = p_r ⊙ v_r with p_r = 2σ(M_r · v_{r+1}), R rounds; then, as in `fused_lstm`,

        a_t = W · [h, x] + b, its rows i, f, g, o:  s_t = σ(f) ⊙ s_{t-1} + σ(i) ⊙ tanh(g),  h_t = σ(o) ⊙ tanh(s_t)

    where x and h are what came of them, v_{R+1} and v_R (R is odd).

    Backward, from the last step to the first: δ_t = ∂Loss/∂a_t as in `fused_lstm`, [∂h, ∂x] = Wᵀ · δ_t, and with
    ε_r = ∂Loss/∂(M_r · v_{r+1}), from the last round to the first:

        ε_r = ∂v_{r+2} ⊙ v_r ⊙ p_r(1 - p_r / 2),  ∂v_{r+1} += M_rᵀ · ε_r,  ∂v_r = ∂v_{r+2} ⊙ p_r
        ∂h_{t-1} = ∂Loss/∂h_{t-1} directly + ∂v_1    ∂Loss/∂x_t = ∂v_0
        ∂Loss/∂W = Σ_t δ_t [h, x]ᵀ    ∂Loss/∂b = Σ_t δ_t    ∂Loss/∂M_r = Σ_t ε_r v_{r+1}ᵀ
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_0: Tensor,
        s_0: Tensor,
        W: Tensor,
        b: Tensor,
        Q: Tensor,
        R: Tensor,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        """x (T, B, E), h_0 and s_0 (B, H) give h_1 .. h_T (T, B, H) and s_T (B, H)."""
        T, B, E = x.shape
        H = h_0.shape[1]
        doubled = doubled_rows(b)
        W_doubled, b_doubled = (W * doubled[:, None]).to(dtype), (b * doubled).view(4, H)
        M = [block.to(dtype) for block in rounds_of(Q, R)]
        hidden = torch.cat([h_0[None], h_0.new_empty(T, B, H)])  # (T + 1, B, H): h_0 .. h_T
        held = torch.cat([s_0[None], torch.empty_like(hidden[1:])])  # (T + 1, B, H): s_0 .. s_T
        shown = torch.empty_like(hidden[1:])  # tanh(s_t), (T, B, H)
        gates = x.new_empty(T, B, 4, H)
        # By rounds, each (T, B, E) or (T, B, H) in turn: v_r, p_r, and what products read, v_{r+1}.
        v = [x, hidden[:-1], *(x.new_empty(T, B, E if r % 2 == 0 else H) for r in range(ROUNDS))]
        p = [torch.empty_like(v_r) for v_r in v[:ROUNDS]]
        h_and_x = x.new_empty(T, B, H + E, dtype=dtype)  # v_R and v_{R+1}, as W reads them
        factors = [torch.empty_like(v_r, dtype=dtype) for v_r in v[1 : ROUNDS + 1]]
        products = [x.new_empty(B, size, dtype=dtype) for size in (E, H, 4 * H)]
        for t in range(T):
            factors[0][t].copy_(hidden[t])
            for r in range(ROUNDS):
                torch.mm(factors[r][t], M[r].T, out=products[r % 2])
                p[r][t].copy_(products[r % 2]).sigmoid_().mul_(2)
                torch.mul(p[r][t], v[r][t], out=v[r + 2][t])
                if r + 1 < ROUNDS:
                    factors[r + 1][t].copy_(v[r + 2][t])
            h_and_x[t, :, :H].copy_(v[ROUNDS][t])
            h_and_x[t, :, H:].copy_(v[ROUNDS + 1][t])
            torch.mm(h_and_x[t], W_doubled.T, out=products[2])
            torch.add(products[2].view(B, 4, H), b_doubled, out=gates[t])
            step_into(hidden[t + 1], held[t + 1], shown[t], gates[t], held[t])
        ctx.save_for_backward(h_and_x, gates, held, shown, W.to(dtype), *M, *v[:ROUNDS], *p, *factors)
        return hidden[1:], held[-1]

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor, d_s_T: Tensor) -> tuple[Tensor | None, ...]:
        """∂Loss/∂ of what went in, from ∂Loss/∂h_1 .. ∂h_T and ∂Loss/∂s_T."""
        h_and_x, gates, held, shown, W, *rounds = ctx.saved_tensors
        M, v, p, factors = (rounds[at : at + ROUNDS] for at in range(0, 4 * ROUNDS, ROUNDS))
        T, B, H = d_hidden.shape
        slopes = [
            (1 - p_r / 2).mul_(p_r).mul_(v_r) for p_r, v_r in zip(p, v, strict=True)
        ]  # ∂v_{r+2}/∂ of the sums
        delta = torch.empty_like(gates, dtype=W.dtype)
        epsilon = [torch.empty_like(p_r, dtype=W.dtype) for p_r in p]
        through_W = torch.empty_like(h_and_x[0])  # Wᵀ · δ_t, (B, H + E)
        through_M = [
            torch.empty_like(factors[r][0]) for r in range(2)
        ]  # M_rᵀ · ε_r, (B, H) and (B, E) in turn
        d_x = torch.empty_like(v[0])
        d_v = [
            d_x[0],
            torch.zeros_like(d_s_T),
        ]  # ∂v_r of even r, which end as ∂x_t, and of odd r, as ∂h_{t-1}
        d_h, d_s, slope = torch.empty_like(d_s_T), d_s_T.clone(), torch.empty_like(gates[0])
        for t in reversed(range(T)):
            torch.add(d_hidden[t], d_v[1], out=d_h)
            step_back_into(delta[t], d_s, gates[t], held[t], shown[t], d_h, slope)
            torch.mm(delta[t].view(B, 4 * H), W, out=through_W)
            d_v = [d_x[t].copy_(through_W[:, H:]), d_v[1].copy_(through_W[:, :H])]
            for r in reversed(range(ROUNDS)):
                d_scaled, d_reader = d_v[r % 2], d_v[1 - r % 2]
                torch.mul(d_scaled, slopes[r][t], out=epsilon[r][t])
                d_scaled.mul_(p[r][t])
                d_reader.add_(torch.mm(epsilon[r][t], M[r], out=through_M[r % 2]))
        d_flat = delta.view(T * B, 4 * H)
        d_M = [
            epsilon_r.view(T * B, -1).T @ factor.view(T * B, -1)
            for epsilon_r, factor in zip(epsilon, factors, strict=True)
        ]
        precise = held.dtype
        return (
            d_x,
            d_v[1],
            d_s,
            (d_flat.T @ h_and_x.view(T * B, -1)).to(precise),
            d_flat.sum(0, dtype=precise),
            torch.cat(d_M[0::2]).to(precise),
            torch.cat(d_M[1::2]).to(precise),
            None,
        )
