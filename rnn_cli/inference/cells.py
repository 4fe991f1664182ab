"""The cells in NumPy: the twins of `model.cells`, one step each. State comes in and goes out; no cell keeps any.

What the inputs add to each step does not wait for a state, so it is asked for apart, for many steps at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.activations import Activation, sigmoid

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[Any]
Weights = Mapping[str, Array]
"""The weights of one cell by their letters: W, b, u."""


@dataclass(frozen=True)
class LayerTape:
    """What a layer read in T steps of one text, and where it stood: all that the way back through it needs.

    Attributes:
        inputs: x_1 .. x_T, (T, E).
        states: before the first step and after each, (T + 1, S).
        skips: whether the layer above read h_t + x_t in place of h_t.
    """

    inputs: npt.NDArray[Any]
    states: npt.NDArray[Any]
    skips: bool


class Cell(Protocol):
    """The equation of one layer.

    Attributes:
        hidden_size: units of h_t, H: the first columns of the state.
        state_size: columns of the state, S.
        skips: whether the layer above reads h_t + x_t in place of h_t, where the two are of one size.
    """

    hidden_size: int
    state_size: int
    skips: bool

    def inputs(self, x: Array) -> Array:
        """What x (..., E) adds to the sums of its step, and b."""
        ...

    def step(self, inputs_t: Array, state: Array) -> Array:
        """One step: what `inputs` gave for x_t (B, E), and the state before it (B, S), give the state after it."""
        ...


class ElmanCell:
    """h_t = f(W · [h_{t-1}, x_t] + b)."""

    skips = False

    def __init__(self, weights: Weights, f: Activation) -> None:
        self.hidden_size = self.state_size = H = len(weights["b"])
        self._W_h, self._W_x = weights["W"][:, :H].T, weights["W"][:, H:].T
        self._b = weights["b"]
        self._f = f

    def inputs(self, x: Array) -> Array:
        """See `Cell`: (..., H)."""
        return x @ self._W_x + self._b

    def step(self, inputs_t: Array, state: Array) -> Array:
        """See `Cell`."""
        h_t: Array = self._f(state @ self._W_h + inputs_t).astype(np.float32, copy=False)
        return h_t


class GRUCell:
    """h_t = z ⊙ h_{t-1} + (1 - z) ⊙ tanh(r ⊙ (W_nh · h_{t-1}) + W_nx · x_t + b_n); r and z are gates."""

    skips = False

    def __init__(self, weights: Weights) -> None:
        self.hidden_size = self.state_size = H = len(weights["b"]) // 3
        self._W_h, self._W_x = weights["W"][:, :H].T, weights["W"][:, H:].T  # (H, 3H), (E, 3H)
        self._b = weights["b"]

    def inputs(self, x: Array) -> Array:
        """See `Cell`: (..., 3H)."""
        return x @ self._W_x + self._b

    def step(self, inputs_t: Array, state: Array) -> Array:
        """See `Cell`."""
        r_h, z_h, n_h = np.split(state @ self._W_h, 3, axis=1)  # (B, H) each
        r_x, z_x, n_x = np.split(inputs_t, 3, axis=1)
        z_t = sigmoid(z_h + z_x)
        n_t = np.tanh(sigmoid(r_h + r_x) * n_h + n_x)
        h_t: Array = z_t * state + (1 - z_t) * n_t
        return h_t


class LSTMCell:
    """s_t = f ⊙ s_{t-1} + i ⊙ g,  h_t = o ⊙ tanh(s_t); i, f and o are gates. The state is [h_t, s_t]."""

    skips = False

    def __init__(self, weights: Weights) -> None:
        self.hidden_size = H = len(weights["b"]) // 4
        self.state_size = 2 * H
        self._W_h, self._W_x = weights["W"][:, :H].T, weights["W"][:, H:].T  # (H, 4H), (E, 4H)
        self._b = weights["b"]

    def inputs(self, x: Array) -> Array:
        """See `Cell`: (..., 4H)."""
        return x @ self._W_x + self._b

    def step(self, inputs_t: Array, state: Array) -> Array:
        """See `Cell`."""
        h_prev, s_prev = np.split(state, 2, axis=1)  # (B, H) each
        i, f, g, o = np.split(h_prev @ self._W_h + inputs_t, 4, axis=1)
        s_t = sigmoid(f) * s_prev + sigmoid(i) * np.tanh(g)
        after: Array = np.concatenate([sigmoid(o) * np.tanh(s_t), s_t], axis=1)  # (B, 2H)
        return after


class MogrifierCell(LSTMCell):
    """v_0 = x_t, v_1 = h_{t-1}, v_{r+2} = 2σ(L_r · R_rᵀ · v_{r+1}) ⊙ v_r; then `LSTMCell` on v_6 and v_5."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self._rounds = rounds_of(weights, weights["W"].shape[1] - self.hidden_size, self.hidden_size)

    def inputs(self, x: Array) -> Array:
        """See `Cell`: x itself, (..., E). What it adds to the sums waits for the state."""
        return x

    def step(self, inputs_t: Array, state: Array) -> Array:
        """See `Cell`."""
        h_prev, s_prev = np.split(state, 2, axis=1)  # (B, H) each
        scaled, reader = inputs_t, h_prev  # v_r and v_{r+1}
        for L_r, R_r in self._rounds:
            scaled, reader = reader, 2 * sigmoid(reader @ R_r @ L_r.T) * scaled
        return super().step(super().inputs(reader), np.concatenate([scaled, s_prev], axis=1))


def rounds_of(
    weights: Mapping[str, Floats], input_size: int, hidden_size: int
) -> list[tuple[Floats, Floats]]:
    """(L_0, R_0) .. (L_4, R_4) of a `MogrifierCell`, which stand one below the other in L and R."""
    E, H = input_size, hidden_size
    of_L, of_R = np.cumsum([E, H, E, H]), np.cumsum([H, E, H, E])
    return list(zip(np.split(weights["L"], of_L), np.split(weights["R"], of_R), strict=True))


class IndRNNCell:
    """h_t = f(W · x_t + u ⊙ h_{t-1} + b)."""

    skips = True

    def __init__(self, weights: Weights, f: Activation) -> None:
        self.hidden_size = self.state_size = len(weights["b"])
        self._W, self._u, self._b = weights["W"].T, weights["u"], weights["b"]
        self._f = f

    def inputs(self, x: Array) -> Array:
        """See `Cell`: (..., H)."""
        return x @ self._W + self._b

    def step(self, inputs_t: Array, state: Array) -> Array:
        """See `Cell`."""
        h_t: Array = self._f(self._u * state + inputs_t).astype(np.float32, copy=False)
        return h_t


WITH_ACTIVATION: dict[str, Callable[[Weights, Activation], Cell]] = {
    "elman": ElmanCell,
    "indrnn": IndRNNCell,
}
"""The cells that leave f to be chosen."""

GATED: dict[str, Callable[[Weights], Cell]] = {"gru": GRUCell, "lstm": LSTMCell, "mogrifier": MogrifierCell}
"""The cells that do not."""


def make_cell(kind: str, weights: Weights, f: Activation | None) -> Cell:
    """The cell `kind`; `f` is for those that leave it to be chosen.

    Raises:
        KeyError: no cell is called that, or a weight is missing.
        ValueError: a cell that leaves f to be chosen has none.
    """
    if kind in GATED:
        return GATED[kind](weights)
    if f is None:
        raise ValueError(f"the cell {kind} needs a hidden_activation")
    return WITH_ACTIVATION[kind](weights, f)
