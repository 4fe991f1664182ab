"""The network at work, in NumPy: the twin of the torch model, for use without torch.

    x_t = embedding[id_t]
    h_t = f(W·[h_{t-1}, x_t] + b)      each layer, or another equation of `cells`
    y_t = g(V·h_t + c)                 h_t of the top layer

The h_t of a layer is the x_t of the one above; with cells that skip, h_t + x_t is. Where the model has norms, h_t
goes up as gain ⊙ (h_t - mean) / deviation + shift, over its units; where it has P, V reads P·h_t. B texts side by
side, T steps, E embedding size, H hidden size, S columns of a layer's state. All numbers are float32.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import ModelFileError
from rnn_cli.inference import cells
from rnn_cli.inference.activations import ACTIVATIONS

Array = cells.Array
Ids = npt.NDArray[np.intp]
State = list[Array]
"""The state of every layer, lowest first, each (B, S): its first H columns are h_t."""

# Beyond these float32 has no room left to add and subtract; a model that has learnt something stays below 1e3.
LARGEST_STATE = 1e20
LARGEST_SCORE = 1e30

LAYER_NORM_EPSILON = 1e-5  # the same in `model.language_model`

INPUTS_AT_ONCE = 4096  # tokens that are read as one block: bounds the memory for a long text

# Without tanh a state may grow until it overflows; that is seen in the scores, and said in words.
_quiet = np.errstate(over="ignore", invalid="ignore")


def grown_too_large() -> ModelFileError:
    """What there is to say where numbers have overflowed."""
    return ModelFileError(
        "The model's numbers grew beyond all bounds while it read this text, so it cannot say what comes next. "
        "Give a shorter text, or train with model.hidden_activation tanh, which keeps them small."
    )


class Engine:
    """The weights of a network and its equations. State comes in and goes out; it is never kept.

    Args:
        tensors: the weights under the names of the model file. Without "V", V is the embedding; what else a model may
            lack ("P", "norms.0.gain"), it has if it is there.
        num_layers: number of layers.
        cell: the name of the cells' equation, "elman", "gru", "lstm", "mogrifier" or "indrnn".
        hidden_activation: the name of f, a key of `activations.ACTIVATIONS`; cells without a choice of f ignore it.
        output_activation: the name of g, "softmax" or "sigmoid".
        temperature: ln P is divided by it and normalised anew; 1 changes nothing.

    Attributes:
        weights, num_layers, cell, output_activation: as given, for whoever follows a gradient back.
        hidden_activation: as given, or None for cells without a choice of f.
        layers: the equation of each layer, lowest first.

    Raises:
        KeyError: for a name that is none of those, or a weight that is missing.
    """

    def __init__(
        self,
        tensors: Mapping[str, Array],
        *,
        num_layers: int,
        cell: str = "elman",
        hidden_activation: str | None,
        output_activation: str,
        temperature: float = 1.0,
    ) -> None:
        self.weights = tensors
        self.num_layers = num_layers
        self.cell = cell
        self.hidden_activation = hidden_activation if cell in cells.WITH_ACTIVATION else None
        self.output_activation = output_activation
        self._embedding = tensors["embedding"]  # (vocab_size, E)
        f = None if self.hidden_activation is None else ACTIVATIONS[self.hidden_activation]
        self.layers = [cells.make_cell(cell, weights_of(layer, tensors), f) for layer in range(num_layers)]
        self._V = tensors.get("V", self._embedding)  # (vocab_size, H)
        self._P = tensors.get("P")  # (E, H)
        self._c = tensors["c"]  # (vocab_size,)
        self._log_g = OUTPUT_ACTIVATIONS[output_activation]
        self.temperature = temperature

    def at_temperature(self, temperature: float) -> "Engine":
        """The same weights at another temperature."""
        engine = copy.copy(self)
        engine.temperature = temperature
        return engine

    def with_weights(self, tensors: Mapping[str, Array]) -> "Engine":
        """The same equations with other weights. What is written into these later counts from then on."""
        return Engine(
            tensors,
            num_layers=self.num_layers,
            cell=self.cell,
            hidden_activation=self.hidden_activation,
            output_activation=self.output_activation,
            temperature=self.temperature,
        )

    @property
    def vocab_size(self) -> int:
        """How many tokens there are to choose from."""
        return len(self._c)

    @property
    def hidden_size(self) -> int:
        """Units of the top layer's h_t."""
        return self.layers[-1].hidden_size

    @property
    def output_weights(self) -> int:
        """How many multiplications the scores of all tokens take for one h_t: the size of V."""
        return self._V.size

    def initial_state(self, batch: int) -> State:
        """No memory: zeros, (B, S) for each layer."""
        return [np.zeros((batch, cell.state_size), np.float32) for cell in self.layers]

    @_quiet
    def step(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Read one token of each text.

        Args:
            ids: (B,).
            state: the state before these tokens.

        Returns:
            The top layer's h_t, (B, H), and the state after these tokens.
        """
        hidden, after = self.read(ids[None], state)
        return hidden[0], after

    @_quiet
    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Read a whole text, with one matrix product for all inputs of a layer.

        Args:
            ids: (T, B); T may be 0.
            state: the state before the first token.

        Returns:
            The top layer's h_t after each token, (T, B, H), and the state after the last token.
        """
        hidden = x = self._embedding[ids]  # (T, B, E)
        after = []
        for layer, (cell, before) in enumerate(zip(self.layers, state, strict=True)):
            s = before  # (B, S)
            hidden = np.empty((*ids.shape, cell.hidden_size), np.float32)  # (T, B, H)
            for t, inputs_t in enumerate(cell.inputs(x)):
                s = cell.step(inputs_t, s)
                hidden[t] = s[:, : cell.hidden_size]
            after.append(s)
            if layer + 1 < self.num_layers:
                up = self.going_up(layer, hidden)
                x = up + x if cell.skips and hidden.shape == x.shape else up  # of the layer above
        return hidden, after

    @_quiet
    def record(self, ids: Ids, state: State) -> tuple[list[cells.LayerTape], State]:
        """Read one text, and keep what the way back needs.

        Args:
            ids: (T,).
            state: the state before the first token, (1, S) for each layer.

        Returns:
            The tape of each layer, lowest first, and the state after the last token.
        """
        x = self._embedding[ids]  # (T, E)
        tapes = []
        for layer, (cell, before) in enumerate(zip(self.layers, state, strict=True)):
            states = np.concatenate([before, np.empty((len(ids), cell.state_size), np.float32)])
            for t, inputs_t in enumerate(cell.inputs(x)):
                states[t + 1] = cell.step(inputs_t[None], states[t : t + 1])[0]
            hidden = states[1:, : cell.hidden_size]  # (T, H)
            is_top = layer + 1 == self.num_layers
            skips = not is_top and cell.skips and hidden.shape == x.shape
            tapes.append(cells.LayerTape(x, states, skips))
            if not is_top:
                up = self.going_up(layer, hidden)
                x = up + x if skips else up  # of the layer above
        return tapes, [tape.states[-1:] for tape in tapes]

    def top_of(self, tapes: Sequence[cells.LayerTape]) -> Array:
        """The top layer's h_t after each step of a tape, (T, H)."""
        return tapes[-1].states[1:, : self.hidden_size]

    def going_up(self, layer: int, hidden: Array) -> Array:
        """What the layer above or the output reads of a layer's h_t, (..., H)."""
        gain = self.weights.get(f"norms.{layer}.gain")
        if gain is None:
            return hidden
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        up: Array = centred / np.sqrt(variance + np.float32(LAYER_NORM_EPSILON)) * gain
        return up + self.weights[f"norms.{layer}.shift"]

    def read_out(self, hidden: Array) -> Array:
        """What V reads of the top layer's h_t: (..., H) gives (..., H), or with P (..., E)."""
        up = self.going_up(self.num_layers - 1, hidden)
        return up if self._P is None else up @ self._P.T

    def read_through(self, texts: Sequence[Sequence[int]], state: State) -> Iterator[tuple[Array, Ids]]:
        """Read texts of different lengths side by side, and give every h_t.

        Longest first, so that those which still go on are always the first rows: no step is spent on a text that
        has ended, and nothing is padded.

        Args:
            texts: B texts, some of them perhaps without an id.
            state: the state before each, (B, S) for each layer; it goes with them.

        Yields:
            The top layer's h_t after N tokens, (N, H), and the places of these tokens in all texts one after
            another, (N,).
        """
        lengths = np.array([len(text) for text in texts], np.intp)
        starts = np.cumsum(lengths) - lengths
        order = np.argsort(-lengths, kind="stable")
        start = 0
        for end in sorted(set(lengths.tolist())):
            going_on = order[lengths[order] >= end]
            at_once = max(1, INPUTS_AT_ONCE // len(going_on))
            for first in range(start, end, at_once):
                last = min(first + at_once, end)
                ids = np.array([texts[i][first:last] for i in going_on], np.intp).T  # (T, B)
                hidden, after = self.read(ids, [layer[going_on] for layer in state])
                for layer, layer_after in zip(state, after, strict=True):
                    layer[going_on] = layer_after
                places = starts[going_on] + np.arange(first, last)[:, None]  # (T, B)
                yield hidden.reshape(-1, hidden.shape[-1]), places.ravel()
            start = end

    def read_each(self, texts: Sequence[Sequence[int]]) -> tuple[Array, State]:
        """Read texts of different lengths side by side, each from its beginning.

        Args:
            texts: B texts; one without an id leaves the state without memory.

        Returns:
            The top layer's h_t after the last token of each text, (B, H), and the state there.
        """
        state = self.initial_state(len(texts))
        for _ in self.read_through(texts, state):
            pass
        return self._top(state), state

    def _top(self, state: State) -> Array:
        """The top layer's h_t of a state, (B, H)."""
        return state[-1][:, : self.hidden_size]

    @_quiet
    def log_probs(self, hidden: Array) -> Array:
        """ln P(next token): hidden (..., H) gives (..., vocab_size), whose exp sums to 1.

        softmax: P(i) = e^z_i / sum_j e^z_j; sigmoid: P(i) = sigmoid(z_i) / sum_j sigmoid(z_j); z = V·h + c. At a
        temperature: these to the power of 1 / temperature, normalised anew.

        Raises:
            ModelFileError: a score is beyond `LARGEST_SCORE`, or no number at all.
        """
        z = self.read_out(hidden) @ self._V.T
        z += self._c
        # Asked so that NaN is refused too: it is neither above nor below anything.
        if z.size and not (z.max() < LARGEST_SCORE and z.min() > -LARGEST_SCORE):
            raise grown_too_large()
        log_probs = self._log_g(z)
        return log_probs if self.temperature == 1 else log_softmax(log_probs / np.float32(self.temperature))


def weights_of(layer: int, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """A layer's weights by their letters."""
    prefix = f"cells.{layer}."
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def log_softmax(z: Array) -> Array:
    """z - ln sum_j e^z_j over the last axis, with the largest z taken off first. Overwrites z."""
    z -= z.max(axis=-1, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return z


def log_sigmoid_shares(z: Array) -> Array:
    """ln (sigmoid(z_i) / sum_j sigmoid(z_j)) over the last axis. Overwrites z."""
    return log_softmax(np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z))))  # e^ln(sigmoid) = sigmoid


OUTPUT_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "softmax": log_softmax,
    "sigmoid": log_sigmoid_shares,
}
