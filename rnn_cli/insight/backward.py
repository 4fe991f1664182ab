"""From one prediction back through time, in NumPy: how the error at the last step depends on every step before it.

    a_t = W·[h_{t-1}, x_t] + b,  h_t = f(a_t)        W = [W_h, W_x]
    δ_t = ∂Loss_T/∂a_t = ∂Loss_T/∂h_t ⊙ f'(a_t)
    ∂Loss_T/∂h_{t-1} = W_hᵀ·δ_t,  ∂Loss_T/∂x_t = W_xᵀ·δ_t

and so for every cell: the equations are those of `inference.backward`, with a loss at the last step only. A test
holds them equal to torch's autograd. T steps of one text, E embedding size, H hidden size, S columns of a layer's
state; sums are made in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.activations import sigmoid
from rnn_cli.inference.backward import back_through_layers, backward_of, read_out_backward
from rnn_cli.inference.cells import LayerTape
from rnn_cli.inference.engine import Array, Engine, Ids

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What a network did while it read one text.

    Attributes:
        tapes: of each layer, lowest first: its inputs x_1 .. x_T, (T, E_i), and state_0 .. state_T, (T + 1, S), which
            are h_t and what else its cell keeps behind it.
        top: the top layer's h_1 .. h_T, which the predictions are made from, (T, H).
    """

    tapes: list[LayerTape]
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
    """Read a text from no memory, and keep every state. ids: T of them, T at least 1."""
    tapes, _ = engine.record(np.asarray(ids, np.intp), engine.initial_state(1))
    return Reading(tapes, engine.top_of(tapes))


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
    top = engine.num_layers - 1
    hidden, up = (some[None].astype(np.float64) for some in (h_T, engine.going_up(top, h_T)))
    d_hidden, _ = read_out_backward(engine.weights, top, hidden, up, (error @ V)[None])
    gradient: Floats = d_hidden[0]
    return gradient


def back_through_time(engine: Engine, reading: Reading, d_top: Floats) -> Gradients:
    """Follow ∂Loss_T/∂h_T of the top layer, (H,), back to the first step."""
    backward = backward_of(engine.cell, engine.hidden_activation)
    assert backward is not None, engine.cell
    d_hidden = np.zeros(reading.top.shape)  # (T, H)
    d_hidden[-1] = d_top
    tapes = [
        LayerTape(tape.inputs.astype(np.float64), tape.states.astype(np.float64), tape.skips)
        for tape in reading.tapes
    ]
    weights = {
        name: tensor.astype(np.float64)
        for name, tensor in engine.weights.items()
        if name.startswith(("cells.", "norms."))
    }
    _, inputs, states = back_through_layers(backward, weights, tapes, d_hidden)
    return Gradients(np.concatenate(states, axis=1), inputs)
