"""From the losses of a window back through time, in NumPy: how the loss changes with every weight.

The same equations as in `model.fused`, `fused_gru`, `fused_lstm` and `fused_indrnn`, for one text; a test holds them
equal to torch's autograd. δ_t = ∂Loss/∂a_t, where a_t are the sums that a cell's activations are taken of. They are
made anew from the states and the inputs, so that nothing but these has to be kept while reading.

T steps, E the inputs' size, H hidden size, S columns of the state.
"""

from collections.abc import Callable, Mapping

import numpy as np

from rnn_cli.inference.activations import Activation, sigmoid
from rnn_cli.inference.cells import Array, LayerTape, Weights
from rnn_cli.inference.slopes import SLOPES

Gradients = dict[str, Array]
"""∂Loss/∂ of a cell's weights, by their letters."""

Backward = Callable[[Weights, LayerTape, Array], tuple[Gradients, Array]]
"""From the weights, the tape, and ∂Loss/∂h_t as the layer above hands it down, (T, H), to the gradients and
∂Loss/∂x_t, (T, E)."""


def backward_of(cell: str, hidden_activation: str | None) -> Backward | None:
    """The way back through a cell; None where it is not written here."""
    if cell in WITH_ACTIVATION and hidden_activation in SLOPES:
        slope, way = SLOPES[hidden_activation], WITH_ACTIVATION[cell]
        return lambda weights, tape, d_hidden: way(weights, tape, d_hidden, slope)
    return GATED.get(cell)


def elman_backward(
    weights: Weights, tape: LayerTape, d_hidden: Array, slope: Activation
) -> tuple[Gradients, Array]:
    """a_t = W_h · h_{t-1} + W_x · x_t + b, h_t = f(a_t): δ_t = (∂h_t + W_hᵀ · δ_{t+1}) ⊙ f'(a_t)."""
    W, H = weights["W"], len(weights["b"])
    W_h = W[:, :H]
    h_and_x = np.concatenate([tape.states[:-1], tape.inputs], axis=1)  # (T, H + E)
    slopes = slope(h_and_x @ W.T + weights["b"])  # (T, H)
    delta = np.empty_like(d_hidden)
    from_later = np.zeros(H, np.float32)
    for t in reversed(range(len(delta))):
        delta[t] = (d_hidden[t] + from_later) * slopes[t]
        from_later = delta[t] @ W_h
    return {"W": delta.T @ h_and_x, "b": delta.sum(axis=0)}, delta @ W[:, H:]


def indrnn_backward(
    weights: Weights, tape: LayerTape, d_hidden: Array, slope: Activation
) -> tuple[Gradients, Array]:
    """a_t = W · x_t + u ⊙ h_{t-1} + b, h_t = f(a_t): δ_t = (∂h_t + u ⊙ δ_{t+1}) ⊙ f'(a_t)."""
    W, u, b = (weights[name] for name in ("W", "u", "b"))
    h_prev = tape.states[:-1]  # (T, H)
    slopes = slope(tape.inputs @ W.T + u * h_prev + b)
    delta = np.empty_like(d_hidden)
    from_later = np.zeros_like(u)
    for t in reversed(range(len(delta))):
        delta[t] = (d_hidden[t] + from_later) * slopes[t]
        from_later = delta[t] * u
    gradients = {"W": delta.T @ tape.inputs, "u": (delta * h_prev).sum(axis=0), "b": delta.sum(axis=0)}
    return gradients, delta @ W


def gru_backward(weights: Weights, tape: LayerTape, d_hidden: Array) -> tuple[Gradients, Array]:
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
    delta, epsilon = np.empty((2, len(d_hidden), 3 * H), np.float32)
    d_next = np.zeros(H, np.float32)  # ∂Loss/∂h_t by way of the step after it
    for t in reversed(range(len(d_hidden))):
        d_h = d_hidden[t] + d_next
        d_n = d_h * to_n[t]
        d_z = d_h * to_z[t]
        d_r = d_n * n_to_r[t]
        delta[t] = np.concatenate([d_r, d_z, d_n])
        epsilon[t] = np.concatenate([d_r, d_z, d_n * r[t]])
        d_next = d_h * z[t] + epsilon[t] @ W_h
    d_W = np.concatenate([epsilon.T @ h_prev, delta.T @ tape.inputs], axis=1)
    return {"W": d_W, "b": delta.sum(axis=0)}, delta @ W_x


def lstm_backward(weights: Weights, tape: LayerTape, d_hidden: Array) -> tuple[Gradients, Array]:
    """a_t = W · [h_{t-1}, x_t] + b, rows i, f, g, o: s_t = σ(f) ⊙ s_{t-1} + σ(i) ⊙ tanh(g), h_t = σ(o) ⊙ tanh(s_t).

    See `model.fused_lstm`. The state is [h_t, s_t].
    """
    W, H = weights["W"], d_hidden.shape[1]
    h_and_x = np.concatenate([tape.states[:-1, :H], tape.inputs], axis=1)  # (T, H + E)
    s_prev = tape.states[:-1, H:]
    shown = np.tanh(tape.states[1:, H:])  # tanh(s_t), (T, H)
    i, f, g, o = np.split(h_and_x @ W.T + weights["b"], 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    to_s = np.concatenate(
        [g * i * (1 - i), s_prev * f * (1 - f), i * (1 - g * g)], axis=1
    )  # ∂s_t/∂a, (T, 3H)
    to_o = shown * o * (1 - o)
    h_to_s = o * (1 - shown * shown)
    delta = np.empty((len(d_hidden), 4 * H), np.float32)
    d_h_next = d_s = np.zeros(H, np.float32)
    for t in reversed(range(len(d_hidden))):
        d_h = d_hidden[t] + d_h_next
        d_s = d_s + d_h * h_to_s[t]
        delta[t] = np.concatenate([np.tile(d_s, 3) * to_s[t], d_h * to_o[t]])
        d_s = d_s * f[t]
        d_h_next = delta[t] @ W[:, :H]
    return {"W": delta.T @ h_and_x, "b": delta.sum(axis=0)}, delta @ W[:, H:]


WITH_ACTIVATION: Mapping[str, Callable[[Weights, LayerTape, Array, Activation], tuple[Gradients, Array]]] = {
    "elman": elman_backward,
    "indrnn": indrnn_backward,
}
"""The cells that leave f to be chosen, as in `cells`."""

GATED: Mapping[str, Backward] = {"gru": gru_backward, "lstm": lstm_backward}
"""The cells that do not."""
