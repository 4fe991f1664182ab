"""One step back through each cell, in NumPy: from ∂Loss/∂ the state after a step to ∂Loss/∂ what went into it.

The equations are those of `model.cells`, their derivatives those of the fast paths in `model.fused` and its
neighbours, for one text and one step at a time. T steps, E units of x_t, H of h_t, S of the state (see
`inference.cells`); what is after σ or tanh keeps the letter of its gate. A test holds them equal to autograd.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.activations import sigmoid
from rnn_cli.insight.slopes import SLOPES

Floats = npt.NDArray[np.float64]
StepBack = Callable[[int, Floats], tuple[Floats, Floats]]
"""t from 0, and ∂Loss/∂state_t, (S,), give ∂Loss/∂state_{t-1}, (S,), and ∂Loss/∂x_t, (E,)."""


def step_back(
    kind: str, weights: Mapping[str, npt.NDArray[Any]], x: Floats, states: Floats, activation: str | None
) -> StepBack:
    """How to go back one step through a layer that has read a text.

    Args:
        kind: the cell, as in `inference.cells.make_cell`.
        weights: of the layer, by their letters.
        x: x_1 .. x_T, (T, E).
        states: state_0 .. state_T, (T + 1, S).
        activation: the name of f, for cells that have one to choose.
    """
    precise = {name: weight.astype(np.float64) for name, weight in weights.items()}
    before = states[:-1]
    if kind in CHOSEN_F:
        return CHOSEN_F[kind](precise, x, before, str(activation))
    return GATED[kind](precise, x, before)


def elman(weights: Mapping[str, Floats], x: Floats, before: Floats, activation: str) -> StepBack:
    """a = W·[h_{t-1}, x_t] + b, h_t = f(a):  δ = ∂h_t ⊙ f'(a),  ∂h_{t-1} = W_hᵀ·δ,  ∂x_t = W_xᵀ·δ."""
    W, H = weights["W"], before.shape[1]
    slopes = SLOPES[activation](np.hstack([before, x]) @ W.T + weights["b"])  # f'(a_t), (T, H)

    def back(t: int, d_h: Floats) -> tuple[Floats, Floats]:
        d_h_and_x = (d_h * slopes[t]) @ W  # (H + E,)
        return d_h_and_x[:H], d_h_and_x[H:]

    return back


def indrnn(weights: Mapping[str, Floats], x: Floats, before: Floats, activation: str) -> StepBack:
    """a = W·x_t + u ⊙ h_{t-1} + b, h_t = f(a):  δ = ∂h_t ⊙ f'(a),  ∂h_{t-1} = u ⊙ δ,  ∂x_t = Wᵀ·δ."""
    W, u = weights["W"], weights["u"]
    slopes = SLOPES[activation](x @ W.T + u * before + weights["b"])  # f'(a_t), (T, H)

    def back(t: int, d_h: Floats) -> tuple[Floats, Floats]:
        delta = d_h * slopes[t]
        return u * delta, delta @ W

    return back


def gru(weights: Mapping[str, Floats], x: Floats, before: Floats) -> StepBack:
    """p = W_h·h_{t-1}, q = W_x·x_t + b, r = σ(p_r + q_r), z = σ(p_z + q_z), n = tanh(r ⊙ p_n + q_n),
    h_t = z ⊙ h_{t-1} + (1 - z) ⊙ n. With δ = ∂q and ε = ∂p:

        δ_n = ∂h_t ⊙ (1 - z) ⊙ (1 - n²),  δ_z = ∂h_t ⊙ (h_{t-1} - n) ⊙ z(1 - z),  δ_r = δ_n ⊙ p_n ⊙ r(1 - r)
        ε = [δ_r, δ_z, δ_n ⊙ r],  ∂h_{t-1} = z ⊙ ∂h_t + W_hᵀ·ε,  ∂x_t = W_xᵀ·δ
    """
    H = before.shape[1]
    W_h, W_x = weights["W"][:, :H], weights["W"][:, H:]
    p_r, p_z, p_n = np.split(before @ W_h.T, 3, axis=1)  # (T, H) each
    q_r, q_z, q_n = np.split(x @ W_x.T + weights["b"], 3, axis=1)
    r, z = sigmoid(p_r + q_r), sigmoid(p_z + q_z)
    n = np.tanh(r * p_n + q_n)

    def back(t: int, d_h: Floats) -> tuple[Floats, Floats]:
        d_n = d_h * (1 - z[t]) * (1 - n[t] ** 2)
        d_z = d_h * (before[t] - n[t]) * z[t] * (1 - z[t])
        d_r = d_n * p_n[t] * r[t] * (1 - r[t])
        d_before = z[t] * d_h + np.concatenate([d_r, d_z, d_n * r[t]]) @ W_h
        return d_before, np.concatenate([d_r, d_z, d_n]) @ W_x

    return back


def lstm(weights: Mapping[str, Floats], x: Floats, before: Floats) -> StepBack:
    """a = W·[h_{t-1}, x_t] + b, its rows i, f, g, o; s_t = σ(f) ⊙ s_{t-1} + σ(i) ⊙ tanh(g), h_t = σ(o) ⊙ tanh(s_t).
    The state is [h, s]. With δ = ∂a, and ∂s_t of the steps after it:

        ∂s_t += ∂h_t ⊙ o ⊙ (1 - tanh² s_t)
        δ = [∂s_t ⊙ g ⊙ i(1 - i), ∂s_t ⊙ s_{t-1} ⊙ f(1 - f), ∂s_t ⊙ i ⊙ (1 - g²), ∂h_t ⊙ tanh(s_t) ⊙ o(1 - o)]
        ∂h_{t-1} = W_hᵀ·δ,  ∂s_{t-1} = f ⊙ ∂s_t,  ∂x_t = W_xᵀ·δ
    """
    h, s = np.split(before, 2, axis=1)  # (T, H) each
    W, H = weights["W"], h.shape[1]
    a_i, a_f, a_g, a_o = np.split(np.hstack([h, x]) @ W.T + weights["b"], 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    shown = np.tanh(f * s + i * g)  # tanh(s_t)

    def back(t: int, d_state: Floats) -> tuple[Floats, Floats]:
        d_h, d_s = np.split(d_state, 2)
        d_s = d_s + d_h * o[t] * (1 - shown[t] ** 2)
        delta = [
            d_s * g[t] * i[t] * (1 - i[t]),
            d_s * s[t] * f[t] * (1 - f[t]),
            d_s * i[t] * (1 - g[t] ** 2),
            d_h * shown[t] * o[t] * (1 - o[t]),
        ]
        d_h_and_x = np.concatenate(delta) @ W  # (H + E,)
        return np.concatenate([d_h_and_x[:H], f[t] * d_s]), d_h_and_x[H:]

    return back


CHOSEN_F: dict[str, Callable[[Mapping[str, Floats], Floats, Floats, str], StepBack]] = {
    "elman": elman,
    "indrnn": indrnn,
}
"""The names are those of `inference.cells.WITH_ACTIVATION`."""

GATED: dict[str, Callable[[Mapping[str, Floats], Floats, Floats], StepBack]] = {"gru": gru, "lstm": lstm}
"""The names are those of `inference.cells.GATED`."""
