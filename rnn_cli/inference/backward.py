"""From the losses of a window back through time, in NumPy: how the loss changes with all weights, inputs and states.

    δ_t = ∂Loss/∂a_t,    a_t the sums that a cell's activations are taken of

The same equations as in `model.fused` and the other `fused_` modules, for one text; tests hold them equal to torch's
autograd. The sums are made anew from the states and the inputs, so that nothing but these has to be kept while
reading. All is in the precision of the weights and the tape: dynamic evaluation learns in float32, the trace follows
in float64.

Source: P. J. Werbos, "Backpropagation Through Time: What It Does and How to Do It" (1990). T steps, E the inputs'
size, H hidden size, S columns of the state.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.activations import Activation, sigmoid
from rnn_cli.inference.cells import LayerTape, rounds_of
from rnn_cli.inference.engine import LAYER_NORM_EPSILON, weights_of
from rnn_cli.inference.slopes import SLOPES

Floats = npt.NDArray[Any]
Weights = Mapping[str, Floats]
Gradients = dict[str, Floats]
"""∂Loss/∂ of weights, by their names."""


@dataclass(frozen=True)
class LayerBack:
    """How the loss changes with what one layer is made of, read and remembered.

    Attributes:
        weights: by their letters, or by their names where the layers are many.
        inputs: ∂Loss/∂x_t, (T, E).
        states: ∂Loss/∂state_t after each step, (T, S), by way of all that comes after it.
    """

    weights: Gradients
    inputs: Floats
    states: Floats


Backward = Callable[[Weights, LayerTape, Floats], LayerBack]
"""From the weights, the tape, and ∂Loss/∂h_t as what stands above the layer hands it down, (T, H)."""


def backward_of(cell: str, hidden_activation: str | None) -> Backward | None:
    """The way back through a cell; None where it is not written here."""
    if cell in WITH_ACTIVATION and hidden_activation in SLOPES:
        slope, way = SLOPES[hidden_activation], WITH_ACTIVATION[cell]
        return lambda weights, tape, d_hidden: way(weights, tape, d_hidden, slope)
    return GATED.get(cell)


def back_through_layers(
    backward: Backward, weights: Weights, tapes: Sequence[LayerTape], d_hidden: Floats
) -> tuple[Gradients, Floats, list[Floats]]:
    """From the top layer down to the words.

    Args:
        backward: the way back through the cells.
        weights: of the network, by the names of the model file.
        tapes: of each layer, lowest first.
        d_hidden: ∂Loss/∂h_t of the top layer by way of what it predicts, (T, H).

    Returns:
        ∂Loss/∂ of the layers' weights by those names, norms below the top one included; ∂Loss/∂x_t of the lowest
        layer, (T, E); ∂Loss/∂state_t of each layer, lowest first, (T, S).
    """
    gradients: Gradients = {}
    states: list[Floats] = []
    d_above = np.empty(0)  # ∂Loss/∂x_t of the layer above
    for layer in reversed(range(len(tapes))):
        tape = tapes[layer]
        if layer + 1 < len(tapes):
            hidden = tape.states[1:, : tapes[layer + 1].inputs.shape[1]]
            d_hidden, of_norm = norm_backward(weights, layer, hidden, d_above)
            gradients |= of_norm
        back = backward(weights_of(layer, weights), tape, d_hidden)
        gradients |= {f"cells.{layer}.{letter}": gradient for letter, gradient in back.weights.items()}
        states.append(back.states)
        d_above = back.inputs + d_above if tape.skips else back.inputs
    return gradients, d_above, states[::-1]


def read_out_backward(
    weights: Weights, top: int, hidden: Floats, up: Floats, d_read: Floats
) -> tuple[Floats, Gradients]:
    """Through what stands between the top layer and V: its norm and P, where the model has them.

    Args:
        top: the number of the top layer.
        hidden: its h_t, (T, H).
        up: what its norm makes of them, (T, H).
        d_read: ∂Loss/∂ what V reads, (T, H), or with P (T, E).

    Returns:
        ∂Loss/∂h_t, (T, H), and ∂Loss/∂ of the weights in between.
    """
    P = weights.get("P")
    if P is None:
        return norm_backward(weights, top, hidden, d_read)
    d_hidden, gradients = norm_backward(weights, top, hidden, d_read @ P)
    return d_hidden, {"P": d_read.T @ up, **gradients}


def norm_backward(weights: Weights, layer: int, hidden: Floats, d_up: Floats) -> tuple[Floats, Gradients]:
    """∂Loss/∂h_t of a layer, (T, H), and of its norm's weights, from ∂Loss/∂ what goes up of it (`Engine.going_up`).

    y = (h - mean) / deviation:  ∂h = (∂y - mean(∂y) - y · mean(∂y ⊙ y)) / deviation, ∂y = gain ⊙ ∂up
    """
    gain = weights.get(f"norms.{layer}.gain")
    if gain is None:
        return d_up, {}
    centred = hidden - hidden.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    deviation = np.sqrt(variance + hidden.dtype.type(LAYER_NORM_EPSILON))
    y, d_y = centred / deviation, d_up * gain
    d_h = (d_y - d_y.mean(axis=-1, keepdims=True) - y * (d_y * y).mean(axis=-1, keepdims=True)) / deviation
    names = f"norms.{layer}.gain", f"norms.{layer}.shift"
    return d_h, dict(zip(names, ((d_up * y).sum(axis=0), d_up.sum(axis=0)), strict=True))


def elman_backward(weights: Weights, tape: LayerTape, d_hidden: Floats, slope: Activation) -> LayerBack:
    """a_t = W_h · h_{t-1} + W_x · x_t + b, h_t = f(a_t): δ_t = (∂h_t + W_hᵀ · δ_{t+1}) ⊙ f'(a_t)."""
    W, H = weights["W"], len(weights["b"])
    W_h = W[:, :H]
    h_and_x = np.concatenate([tape.states[:-1], tape.inputs], axis=1)  # (T, H + E)
    slopes = slope(h_and_x @ W.T + weights["b"])  # (T, H)
    delta, d_states = np.empty_like(d_hidden), np.empty_like(d_hidden)
    from_later = np.zeros_like(weights["b"])
    for t in reversed(range(len(delta))):
        d_states[t] = d_hidden[t] + from_later
        delta[t] = d_states[t] * slopes[t]
        from_later = delta[t] @ W_h
    return LayerBack({"W": delta.T @ h_and_x, "b": delta.sum(axis=0)}, delta @ W[:, H:], d_states)


def indrnn_backward(weights: Weights, tape: LayerTape, d_hidden: Floats, slope: Activation) -> LayerBack:
    """a_t = W · x_t + u ⊙ h_{t-1} + b, h_t = f(a_t): δ_t = (∂h_t + u ⊙ δ_{t+1}) ⊙ f'(a_t)."""
    W, u, b = (weights[name] for name in ("W", "u", "b"))
    h_prev = tape.states[:-1]  # (T, H)
    slopes = slope(tape.inputs @ W.T + u * h_prev + b)
    delta, d_states = np.empty_like(d_hidden), np.empty_like(d_hidden)
    from_later = np.zeros_like(u)
    for t in reversed(range(len(delta))):
        d_states[t] = d_hidden[t] + from_later
        delta[t] = d_states[t] * slopes[t]
        from_later = delta[t] * u
    gradients = {"W": delta.T @ tape.inputs, "u": (delta * h_prev).sum(axis=0), "b": delta.sum(axis=0)}
    return LayerBack(gradients, delta @ W, d_states)


def gru_backward(weights: Weights, tape: LayerTape, d_hidden: Floats) -> LayerBack:
    """p_t = W_h · h_{t-1}, q_t = W_x · x_t + b, rows r, z, n: h_t = z ⊙ h_{t-1} + (1 - z) ⊙ tanh(r ⊙ p_n + q_n).

    δ_t = ∂Loss/∂q_t and ε_t = ∂Loss/∂p_t, see `model.fused_gru`.
    """
    W, H = weights["W"], d_hidden.shape[1]
    W_h, W_x = W[:, :H], W[:, H:]
    h_prev = tape.states[:-1]  # (T, H)
    p_r, p_z, p_n = np.split(h_prev @ W_h.T, 3, axis=1)
    q_r, q_z, q_n = np.split(tape.inputs @ W_x.T + weights["b"], 3, axis=1)
    r, z = sigmoid(p_r + q_r), sigmoid(p_z + q_z)
    n = np.tanh(r * p_n + q_n)
    to_n = (1 - z) * (1 - n * n)  # ∂h_t/∂ of the sum of n
    to_z = (h_prev - n) * z * (1 - z)
    n_to_r = p_n * r * (1 - r)
    delta, epsilon = np.empty((2, len(d_hidden), 3 * H), d_hidden.dtype)
    d_states = np.empty_like(d_hidden)
    d_next = np.zeros(H, d_hidden.dtype)  # ∂Loss/∂h_t by way of the step after it
    for t in reversed(range(len(d_hidden))):
        d_h = d_states[t] = d_hidden[t] + d_next
        d_n = d_h * to_n[t]
        d_z = d_h * to_z[t]
        d_r = d_n * n_to_r[t]
        delta[t] = np.concatenate([d_r, d_z, d_n])
        epsilon[t] = np.concatenate([d_r, d_z, d_n * r[t]])
        d_next = d_h * z[t] + epsilon[t] @ W_h
    d_W = np.concatenate([epsilon.T @ h_prev, delta.T @ tape.inputs], axis=1)
    return LayerBack({"W": d_W, "b": delta.sum(axis=0)}, delta @ W_x, d_states)


def lstm_backward(weights: Weights, tape: LayerTape, d_hidden: Floats) -> LayerBack:
    """a_t = W · [h_{t-1}, x_t] + b, rows i, f, g, o: s_t = σ(f) ⊙ s_{t-1} + σ(i) ⊙ tanh(g), h_t = σ(o) ⊙ tanh(s_t).

    See `model.fused_lstm`. The state is [h_t, s_t]; ∂s_t in `states` does not count what goes by way of h_t, as the
    two are handed on beside each other.
    """
    H = d_hidden.shape[1]
    h_and_x = np.concatenate([tape.states[:-1, :H], tape.inputs], axis=1)  # (T, H + E)
    return _back_through_gates(weights, tape, h_and_x, d_hidden)


def mogrifier_backward(weights: Weights, tape: LayerTape, d_hidden: Floats) -> LayerBack:
    """v_0 = x_t, v_1 = h_{t-1}, z_r = R_rᵀ · v_{r+1}, p_r = 2σ(L_r · z_r), v_{r+2} = p_r ⊙ v_r; then an LSTM's step.

    ε_r = ∂Loss/∂(L_r · z_r) and ζ_r = ∂Loss/∂z_r, see `model.fused_mogrifier`.
    """
    H = d_hidden.shape[1]
    rounds = rounds_of(weights, tape.inputs.shape[1], H)
    # Of all steps at once, (T, E) or (T, H) in turn; z and ζ (T, K).
    v, z, p = [tape.inputs, tape.states[:-1, :H]], [], []
    for L_r, R_r in rounds:
        z.append(v[-1] @ R_r)
        p.append(2 * sigmoid(z[-1] @ L_r.T))
        v.append(p[-1] * v[-2])
    epsilon, zeta = [np.zeros_like(p_r) for p_r in p], [np.zeros_like(z_r) for z_r in z]

    def through_rounds(t: int, d_h: Floats, d_x: Floats) -> tuple[Floats, Floats]:
        d_scaled, d_reader = d_x, d_h  # ∂v_{r+2} and ∂v_{r+1}, from the last round on
        for r, (L_r, R_r) in reversed(list(enumerate(rounds))):
            epsilon[r][t] = d_scaled * v[r][t] * p[r][t] * (1 - p[r][t] / 2)
            zeta[r][t] = epsilon[r][t] @ L_r
            d_scaled, d_reader = d_reader + zeta[r][t] @ R_r.T, d_scaled * p[r][t]
        return d_scaled, d_reader

    back = _back_through_gates(weights, tape, np.concatenate(v[-2:], axis=1), d_hidden, through_rounds)
    d_L = [epsilon_r.T @ z_r for epsilon_r, z_r in zip(epsilon, z, strict=True)]
    d_R = [reader.T @ zeta_r for reader, zeta_r in zip(v[1:-1], zeta, strict=True)]
    gradients = {**back.weights, "L": np.concatenate(d_L), "R": np.concatenate(d_R)}
    return LayerBack(gradients, back.inputs, back.states)


def _back_through_gates(
    weights: Weights,
    tape: LayerTape,
    h_and_x: Floats,
    d_hidden: Floats,
    before: Callable[[int, Floats, Floats], tuple[Floats, Floats]] | None = None,
) -> LayerBack:
    """The way back through an LSTM's steps.

    Args:
        h_and_x: what W read at each step, (T, H + E).
        before: from the number of a step and ∂Loss/∂ of what W read there, (H,) and (E,), to ∂Loss/∂h_{t-1} and ∂x_t;
            None where it read these as they are, so that ∂x_t of all steps is one product.
    """
    W, H = weights["W"], d_hidden.shape[1]
    s_prev = tape.states[:-1, H:]
    shown = np.tanh(tape.states[1:, H:])  # tanh(s_t), (T, H)
    i, f, g, o = np.split(h_and_x @ W.T + weights["b"], 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    # ∂s_t/∂a, (T, 3H)
    to_s = np.concatenate([g * i * (1 - i), s_prev * f * (1 - f), i * (1 - g * g)], axis=1)
    to_o = shown * o * (1 - o)
    h_to_s = o * (1 - shown * shown)
    delta = np.empty((len(d_hidden), 4 * H), d_hidden.dtype)
    d_states = np.empty((len(d_hidden), 2 * H), d_hidden.dtype)
    d_inputs = None if before is None else np.empty_like(tape.inputs)
    d_h_next = d_s = np.zeros(H, d_hidden.dtype)
    for t in reversed(range(len(d_hidden))):
        d_h = d_hidden[t] + d_h_next
        d_states[t] = np.concatenate([d_h, d_s])
        d_s = d_s + d_h * h_to_s[t]
        delta[t] = np.concatenate([np.tile(d_s, 3) * to_s[t], d_h * to_o[t]])
        d_s = d_s * f[t]
        if before is None or d_inputs is None:
            d_h_next = delta[t] @ W[:, :H]
        else:
            d_h_next, d_inputs[t] = before(t, *np.split(delta[t] @ W, [H]))
    d_inputs = delta @ W[:, H:] if d_inputs is None else d_inputs
    return LayerBack({"W": delta.T @ h_and_x, "b": delta.sum(axis=0)}, d_inputs, d_states)


WITH_ACTIVATION: Mapping[str, Callable[[Weights, LayerTape, Floats, Activation], LayerBack]] = {
    "elman": elman_backward,
    "indrnn": indrnn_backward,
}
"""The cells that leave f to be chosen, as in `cells`."""

GATED: Mapping[str, Backward] = {"gru": gru_backward, "lstm": lstm_backward, "mogrifier": mogrifier_backward}
"""The cells that do not."""
