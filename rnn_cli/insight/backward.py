"""From one prediction back through time, in NumPy: how the error at the last step depends on every step before it.

    a_t = W·[h_{t-1}, x_t] + b,  h_t = f(a_t)        W = [W_h, W_x]
    δ_t = ∂Loss_T/∂a_t = ∂Loss_T/∂h_t ⊙ f'(a_t)
    ∂Loss_T/∂h_{t-1} = W_hᵀ·δ_t,  ∂Loss_T/∂x_t = W_xᵀ·δ_t

and so for every cell, with its own step back (`cells`). Source: P. J. Werbos, "Backpropagation Through Time: What It
Does and How to Do It" (1990). A test holds it equal to torch's autograd. T steps of one text, E embedding size, H
hidden size, S columns of a layer's state; sums are made in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnn_cli.inference.activations import sigmoid
from rnn_cli.inference.engine import LAYER_NORM_EPSILON, Array, Engine, Ids, weights_of
from rnn_cli.insight.cells import Floats, step_back


@dataclass(frozen=True)
class Reading:
    """What a network did while it read one text.

    Attributes:
        inputs: x_1 .. x_T of each layer, lowest first, (T, E_i).
        states: state_0 .. state_T of each layer, (T + 1, S): h_t, and what else its cell keeps behind it.
        top: the top layer's h_1 .. h_T, which the predictions are made from, (T, H).
    """

    inputs: list[Array]
    states: list[Array]
    top: Array


@dataclass(frozen=True)
class Gradients:
    """How Loss_T changes with what the network read and remembered.

    Attributes:
        states: ∂Loss_T/∂state_t for t = 1 .. T, all layers beside each other, (T, layers · S).
        inputs: ∂Loss_T/∂x_t for t = 1 .. T, x_t of the lowest layer, (T, E).
    """

    states: Floats
    inputs: Floats


def read(engine: Engine, ids: Sequence[int]) -> Reading:
    """Read a text word by word from no memory, and keep every state. ids: T of them, T at least 1."""
    state = engine.initial_state(1)
    kept = [[s[0]] for s in state]
    for id_ in ids:
        _, state = engine.step(np.array([id_]), state)
        for layer, s in zip(kept, state, strict=True):
            layer.append(s[0])
    states = [np.stack(layer) for layer in kept]  # (T + 1, S) each
    inputs = []
    x = engine.weights["embedding"][np.asarray(ids)]  # (T, E)
    for number, (cell, layer_states) in enumerate(zip(engine.layers, states, strict=True)):
        inputs.append(x)
        hidden = layer_states[1:, : cell.hidden_size]  # (T, H)
        up = engine.going_up(number, hidden)
        x = up + x if cell.skips and hidden.shape == x.shape else up  # of the layer above
    return Reading(inputs, states, hidden)


def loss_gradient(engine: Engine, h_T: Array, target: int, among: Ids | None = None) -> Floats:
    """∂Loss_T/∂h_T for Loss_T = -ln (P(target) / P(any of `among`)): h_T (H,) of the top layer in, (H,) out, in nats.

    Args:
        among: ids, (K,). None: all, so that Loss_T is -ln P(target). Without the target among them, -Loss_T is the
            logarithm of the odds that it has against them.
    """
    V = engine.weights.get("V", engine.weights["embedding"])  # (vocab_size, H)
    c = engine.weights["c"]
    ids = np.arange(len(c)) if among is None else among
    log_probs = engine.log_probs(h_T)[ids].astype(np.float64)  # (K,)
    shares = np.exp(log_probs - log_probs.max())
    # ∂Loss_T/∂ln u of every word, u its e^z or sigmoid(z), z = V·h_T + c; (vocab_size,)
    error = np.zeros(len(c))
    error[ids] = shares / shares.sum()
    error[target] -= 1
    error /= engine.temperature
    if engine.output_activation == "sigmoid":
        error *= sigmoid(-(V @ engine.read_out(h_T) + c))  # ∂ln sigmoid(z)/∂z
    gradient: Floats = error @ V
    if "P" in engine.weights:
        gradient = gradient @ engine.weights["P"]
    return _below_norm(engine, engine.num_layers - 1, h_T, gradient)


def _below_norm(engine: Engine, layer: int, h: Array, d_up: Floats) -> Floats:
    """∂Loss/∂h_t of a layer, (H,), from ∂Loss/∂ what goes up of it: see `Engine.going_up`."""
    gain = engine.weights.get(f"norms.{layer}.gain")
    if gain is None:
        return d_up
    centred = h.astype(np.float64) - h.mean(dtype=np.float64)
    deviation = np.sqrt(np.square(centred).mean() + LAYER_NORM_EPSILON)
    y, d_y = centred / deviation, d_up * gain
    d_h: Floats = (d_y - d_y.mean() - y * (d_y * y).mean()) / deviation
    return d_h


def back_through_time(engine: Engine, reading: Reading, d_top: Floats) -> Gradients:
    """Follow ∂Loss_T/∂h_T of the top layer, (H,), back to the first step."""
    back = [
        step_back(
            engine.cell,
            weights_of(layer, engine.weights),
            reading.inputs[layer].astype(np.float64),
            reading.states[layer].astype(np.float64),
            engine.hidden_activation,
        )
        for layer in range(engine.num_layers)
    ]
    d_state = [np.zeros(cell.state_size) for cell in engine.layers]  # ∂Loss_T/∂state_t of each layer
    d_state[-1][: len(d_top)] = d_top
    states, inputs = [], []
    for t in reversed(range(len(reading.top))):
        from_above = np.zeros(0)  # ∂Loss_T/∂x_t of the layer above
        after = []
        for layer in reversed(range(engine.num_layers)):
            cell, d = engine.layers[layer], d_state[layer]
            H = len(from_above)
            if H:  # what goes up of h_t is x_t of the layer above
                d[:H] += _below_norm(engine, layer, reading.states[layer][t + 1, :H], from_above)
            d_state[layer], d_x = back[layer](t, d)
            if cell.skips and len(from_above) == len(d_x):
                d_x = d_x + from_above
            after.append(d)
            from_above = d_x
        states.append(np.concatenate(after[::-1]))
        inputs.append(from_above)
    return Gradients(np.stack(states[::-1]), np.stack(inputs[::-1]))
