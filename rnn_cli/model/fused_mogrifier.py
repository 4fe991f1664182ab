"""The fast path through a window of a Mogrifier LSTM. See `fused`."""

from typing import Any

import torch
from torch import Tensor

from rnn_cli.model.fused_lstm import doubled_rows, step_back_into, step_into
from rnn_cli.model.gated_cells import ROUNDS, round_sizes, rounds_of


class MogrifierWindow(torch.autograd.Function):
    """v_0 = x_t, v_1 = h_{t-1}; five times z_r = R_rᵀ · v_{r+1}, p_r = 2σ(L_r · z_r), v_{r+2} = p_r ⊙ v_r; then

        a_t = W · [h, x] + b, its rows i, f, g, o:  s_t = σ(f) ⊙ s_{t-1} + σ(i) ⊙ tanh(g),  h_t = σ(o) ⊙ tanh(s_t)

    where x and h are what came of them, v_6 and v_5.

    Backward, from the last step to the first: δ_t = ∂Loss/∂a_t as in `fused_lstm`, [∂h, ∂x] = Wᵀ · δ_t, and with
    ε_r = ∂Loss/∂(L_r · z_r), from the last round to the first:

        ε_r = ∂v_{r+2} ⊙ v_r ⊙ p_r(1 - p_r / 2),  ζ_r = ∂Loss/∂z_r = L_rᵀ · ε_r
        ∂v_{r+1} += R_r · ζ_r,  ∂v_r = ∂v_{r+2} ⊙ p_r
        ∂h_{t-1} = ∂Loss/∂h_{t-1} directly + ∂v_1    ∂Loss/∂x_t = ∂v_0
        ∂Loss/∂W = Σ_t δ_t [h, x]ᵀ    ∂Loss/∂b = Σ_t δ_t    ∂Loss/∂L_r = Σ_t ε_r z_rᵀ    ∂Loss/∂R_r = Σ_t v_{r+1} ζ_rᵀ
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_0: Tensor,
        s_0: Tensor,
        W: Tensor,
        b: Tensor,
        L: Tensor,
        R: Tensor,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        """x (T, streams, E), h_0 and s_0 (streams, H) give h_1 .. h_T (T, streams, H) and s_T (streams, H)."""
        T, streams, E = x.shape
        H, K = h_0.shape[1], L.shape[1]
        doubled = doubled_rows(b)
        W_doubled, b_doubled = (W * doubled[:, None]).to(dtype), (b * doubled).view(4, H)
        rounds = rounds_of(L.to(dtype), R.to(dtype), E, H)
        hidden = torch.cat([h_0[None], h_0.new_empty(T, streams, H)])  # h_0 .. h_T
        factors = hidden.to(dtype)  # the same, as factors of products
        held = torch.cat([s_0[None], torch.empty_like(hidden[1:])])  # s_0 .. s_T
        shown = torch.empty_like(hidden[1:])  # tanh(s_t), (T, streams, H)
        gates = x.new_empty(T, streams, 4, H)
        product = factors.new_empty(streams, 4 * H)  # W · [h, x]
        h_and_x = factors.new_empty(T, streams, H + E)  # v_5 and v_6, as W reads them
        # By rounds, (T, streams, E) or (T, streams, H) in turn.
        v = [x.to(dtype), factors[:-1]]
        v += [factors.new_empty(T, streams, size) for size in round_sizes(E, H)[2:]]
        v += h_and_x.split([H, E], dim=2)  # type: ignore[no-untyped-call]
        p = [torch.empty_like(v_r) for v_r in v[:ROUNDS]]
        z = factors.new_empty(ROUNDS, T, streams, K)
        for t in range(T):
            for r, (L_r, R_r) in enumerate(rounds):
                torch.mm(v[r + 1][t], R_r, out=z[r, t])
                torch.mm(z[r, t], L_r.T, out=p[r][t]).sigmoid_().mul_(2)
                torch.mul(p[r][t], v[r][t], out=v[r + 2][t])
            torch.mm(h_and_x[t], W_doubled.T, out=product)
            torch.add(product.view(streams, 4, H), b_doubled, out=gates[t])
            step_into(hidden[t + 1], held[t + 1], shown[t], gates[t], held[t])
            if factors is not hidden:
                factors[t + 1].copy_(hidden[t + 1])
        ctx.save_for_backward(h_and_x, gates, held, shown, z, W.to(dtype), L.to(dtype), R.to(dtype), *v, *p)
        return hidden[1:], held[-1]

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor, d_s_T: Tensor) -> tuple[Tensor | None, ...]:
        """∂Loss/∂ of what went in, from ∂Loss/∂h_1 .. ∂h_T and ∂Loss/∂s_T."""
        h_and_x, gates, held, shown, z, W, L, R, *by_round = ctx.saved_tensors
        v, p = by_round[: ROUNDS + 2], by_round[ROUNDS + 2 :]
        T, streams, H = d_hidden.shape
        E, K = h_and_x.shape[2] - H, L.shape[1]
        rounds = rounds_of(L, R, E, H)
        precise = held.dtype
        # ∂v_{r+2} / ∂(L_r · z_r)
        slopes = [p_r * (1 - p_r.to(precise) / 2) * v_r for p_r, v_r in zip(p, v, strict=False)]
        delta = torch.empty_like(gates, dtype=W.dtype)
        epsilon = [torch.empty_like(p_r, dtype=W.dtype) for p_r in p]
        zeta = torch.empty_like(z)
        through_W = torch.empty_like(h_and_x[0])  # Wᵀ · δ_t, (streams, H + E)
        through_R = [torch.empty_like(v[r + 1][0]) for r in range(2)]  # R_r · ζ_r, of h and of x in turn
        d_x = torch.empty_like(v[0], dtype=precise)
        # ∂v_r of even r, which end as ∂x_t, and of odd r, which end as ∂h_{t-1}.
        d_v = [d_x[0], torch.zeros_like(d_s_T)]
        d_h, d_s, slope = torch.empty_like(d_s_T), d_s_T.clone(), torch.empty_like(gates[0])
        for t in reversed(range(T)):
            torch.add(d_hidden[t], d_v[1], out=d_h)
            step_back_into(delta[t], d_s, gates[t], held[t], shown[t], d_h, slope)
            torch.mm(delta[t].view(streams, 4 * H), W, out=through_W)
            d_v = [d_x[t].copy_(through_W[:, H:]), d_v[1].copy_(through_W[:, :H])]
            for r in reversed(range(ROUNDS)):
                d_scaled, d_reader = d_v[r % 2], d_v[1 - r % 2]
                L_r, R_r = rounds[r]
                torch.mul(d_scaled, slopes[r][t], out=epsilon[r][t])
                d_scaled.mul_(p[r][t])
                torch.mm(epsilon[r][t], L_r, out=zeta[r, t])
                d_reader.add_(torch.mm(zeta[r, t], R_r.T, out=through_R[r % 2]))
        d_flat = delta.view(T * streams, 4 * H)
        d_L = [epsilon[r].view(T * streams, -1).T @ z[r].view(T * streams, K) for r in range(ROUNDS)]
        d_R = [v[r + 1].reshape(T * streams, -1).T @ zeta[r].view(T * streams, K) for r in range(ROUNDS)]
        return (
            d_x,
            d_v[1],
            d_s,
            (d_flat.T @ h_and_x.view(T * streams, -1)).to(precise),
            d_flat.sum(0, dtype=precise),
            torch.cat(d_L).to(precise),
            torch.cat(d_R).to(precise),
            None,
        )
