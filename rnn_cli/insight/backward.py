"""From one prediction back through time, in NumPy: how the error at the last step depends on every step before it.

    a_t = W·[h_{t-1}, x_t] + b,  h_t = f(a_t)        W = [W_h, W_x]
    δ_t = ∂Loss_T/∂a_t = ∂Loss_T/∂h_t ⊙ f'(a_t)
    ∂Loss_T/∂h_{t-1} = W_hᵀ·δ_t,  ∂Loss_T/∂x_t = W_xᵀ·δ_t

Source: P. J. Werbos, "Backpropagation Through Time: What It Does and How to Do It" (1990). A test holds it equal to
torch's autograd. T steps of one text, E embedding size, H hidden size; sums are made in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.activations import sigmoid
from rnn_cli.inference.engine import Array, Engine, Ids
from rnn_cli.inference.slopes import SLOPES

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What a network did while it read one text.

    Attributes:
        inputs: x_1 .. x_T of each layer, lowest first, (T, E_i).
        hidden: h_0 .. h_T of each layer, (T + 1, H).
    """

    inputs: list[Array]
    hidden: list[Array]

    @property
    def top(self) -> Array:
        """The top layer's h_1 .. h_T, which the predictions are made from, (T, H)."""
        return self.hidden[-1][1:]


@dataclass(frozen=True)
class Gradients:
    """How Loss_T changes with what the network read and remembered.

    Attributes:
        states: ∂Loss_T/∂h_t for t = 1 .. T, where h_t is the memory that step t hands on (all layers beside each
            other), (T, layers · H).
        inputs: ∂Loss_T/∂x_t for t = 1 .. T, x_t of the lowest layer, (T, E).
    """

    states: Floats
    inputs: Floats


def read(engine: Engine, ids: Sequence[int]) -> Reading:
    """Read a text word by word from no memory, and keep every state. ids: T of them, T at least 1."""
    state = engine.initial_state(1)
    kept = [[h[0]] for h in state]
    for id_ in ids:
        _, state = engine.step(np.array([id_]), state)
        for layer, h in zip(kept, state, strict=True):
            layer.append(h[0])
    hidden = [np.stack(layer) for layer in kept]  # (T + 1, H) each
    words = engine.weights["embedding"][np.asarray(ids)]  # (T, E)
    return Reading([words, *(h[1:] for h in hidden[:-1])], hidden)


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
    error = np.zeros(
        len(c)
    )  # ∂Loss_T/∂ln u of every word, u its e^z or sigmoid(z), z = V·h_T + c; (vocab_size,)
    error[ids] = shares / shares.sum()
    error[target] -= 1
    if engine.output_activation == "sigmoid":
        error *= sigmoid(-(V @ h_T + c))  # ∂ln sigmoid(z)/∂z
    gradient: Floats = error @ V
    return gradient


def back_through_time(engine: Engine, reading: Reading, d_top: Floats) -> Gradients:
    """Follow ∂Loss_T/∂h_T of the top layer, (H,), back to the first step."""
    layers = range(engine.num_layers)
    W = [engine.weights[f"cells.{layer}.W"].astype(np.float64) for layer in layers]  # (H, H + E_i)
    slopes = [_slopes(engine, reading, layer) for layer in layers]  # (T, H)
    T, H = reading.top.shape
    states = np.zeros((T, engine.num_layers, H))
    inputs = np.zeros((T, reading.inputs[0].shape[1]))
    handed_on = np.zeros((engine.num_layers, H))  # ∂Loss_T/∂h_t
    handed_on[-1] = d_top
    for t in reversed(range(T)):
        states[t] = handed_on
        from_above: Floats | float = 0.0
        for layer in reversed(layers):
            delta = (handed_on[layer] + from_above) * slopes[layer][t]  # (H,)
            d_h_and_x: Any = delta @ W[layer]  # (H + E_i,)
            handed_on[layer], from_above = d_h_and_x[:H], d_h_and_x[H:]
        inputs[t] = from_above
    return Gradients(states.reshape(T, -1), inputs)


def _slopes(engine: Engine, reading: Reading, layer: int) -> Floats:
    """f'(a_t) at every step of a layer, (T, H)."""
    W, b = engine.weights[f"cells.{layer}.W"], engine.weights[f"cells.{layer}.b"]
    h_and_x = np.concatenate([reading.hidden[layer][:-1], reading.inputs[layer]], axis=1)  # (T, H + E_i)
    return np.asarray(SLOPES[str(engine.hidden_activation)]((h_and_x @ W.T + b).astype(np.float64)))
