"""The network at work, in NumPy: the twin of the torch model, for use without torch.

    x_t = embedding[id_t]
    h_t = f(W·[h_{t-1}, x_t] + b)      each layer; the layer below is the x_t of the one above
    y_t = g(V·h_t + c)                 h_t of the top layer

B texts side by side, T steps, E embedding size, H hidden size. All numbers are float32.
"""

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import ModelFileError
from rnn_cli.inference.activations import ACTIVATIONS

Array = npt.NDArray[np.float32]
Ids = npt.NDArray[np.intp]
State = list[Array]
"""The hidden state h of every layer, lowest first, each (B, H)."""

# Beyond these float32 has no room left to add and subtract; a model that has learnt something stays below 1e3.
LARGEST_STATE = 1e20
LARGEST_SCORE = 1e30

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
        tensors: the weights under the names of the model file. Without "V", V is the embedding.
        num_layers: number of layers.
        hidden_activation: the name of f, a key of `activations.ACTIVATIONS`.
        output_activation: the name of g, "softmax" or "sigmoid".
        temperature: ln P is divided by it and normalised anew; 1 changes nothing.

    Attributes:
        weights, num_layers, hidden_activation, output_activation: as given, for whoever follows a gradient back.

    Raises:
        KeyError: for a name that is none of those, or a weight that is missing.
    """

    def __init__(
        self,
        tensors: Mapping[str, Array],
        *,
        num_layers: int,
        hidden_activation: str,
        output_activation: str,
        temperature: float = 1.0,
    ) -> None:
        self.weights = tensors
        self.num_layers = num_layers
        self.hidden_activation = hidden_activation
        self.output_activation = output_activation
        self._embedding = tensors["embedding"]  # (vocab_size, E)
        self._W = [tensors[f"cells.{layer}.W"] for layer in range(num_layers)]  # (H, H + E_i)
        self._b = [tensors[f"cells.{layer}.b"] for layer in range(num_layers)]  # (H,)
        self._V = tensors.get("V", self._embedding)  # (vocab_size, H)
        self._c = tensors["c"]  # (vocab_size,)
        self._f = ACTIVATIONS[hidden_activation]
        self._log_g = OUTPUT_ACTIVATIONS[output_activation]
        self.temperature = temperature

    def at_temperature(self, temperature: float) -> "Engine":
        """The same weights at another temperature."""
        engine = copy.copy(self)
        engine.temperature = temperature
        return engine

    @property
    def vocab_size(self) -> int:
        """How many tokens there are to choose from."""
        return len(self._c)

    @property
    def output_weights(self) -> int:
        """How many multiplications the scores of all tokens take for one h_t: the size of V."""
        return self._V.size

    def initial_state(self, batch: int) -> State:
        """No memory: zeros, (B, H) for each layer."""
        return [np.zeros((batch, len(b)), np.float32) for b in self._b]

    @_quiet
    def step(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Read one token of each text.

        Args:
            ids: (B,).
            state: the state before these tokens.

        Returns:
            The top layer's h_t, (B, H), and the state after these tokens.
        """
        x = self._embedding[ids]  # (B, E)
        after = []
        for W, b, h in zip(self._W, self._b, state, strict=True):
            x = self._activate(np.concatenate([h, x], axis=1) @ W.T + b)  # (B, H)
            after.append(x)
        return x, after

    @_quiet
    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Read a whole text: the same as `step` for each token, with one matrix product for all inputs.

        Args:
            ids: (T, B); T may be 0.
            state: the state before the first token.

        Returns:
            The top layer's h_t after each token, (T, B, H), and the state after the last token.
        """
        x = self._embedding[ids]  # (T, B, E)
        after = []
        for W, b, h in zip(self._W, self._b, state, strict=True):
            H = len(b)
            W_h, W_x = W[:, :H].T, W[:, H:].T
            x = x @ W_x + b  # (T, B, H): what the inputs add at every step
            for x_t in x:
                x_t += h @ W_h  # noqa: PLW2901 - in place: h_t takes the place of x_t
                h = x_t[...] = self._activate(x_t)  # (B, H)  # noqa: PLW2901 - h_{t-1} becomes h_t
            after.append(h)
        return x, after

    def read_each(self, texts: Sequence[Sequence[int]]) -> tuple[Array, State]:
        """Read texts of different lengths side by side, each from its beginning.

        The texts are put in the order of their lengths, so that those which still go on are always the first
        rows: no step is spent on a text that has ended, and nothing is padded.

        Args:
            texts: B texts of at least one id each.

        Returns:
            The top layer's h_t after the last token of each text, (B, H), and the state there.
        """
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        ordered = [texts[i] for i in order]
        state = self.initial_state(len(texts))
        at_once = max(1, INPUTS_AT_ONCE // max(1, len(texts)))
        start = 0
        for end in sorted({len(text) for text in texts}):
            going_on = sum(len(text) >= end for text in ordered)
            for t in range(start, end, at_once):
                ids = np.array([text[t : min(t + at_once, end)] for text in ordered[:going_on]], np.intp).T
                _, after = self.read(ids, [h[:going_on] for h in state])
                for h, h_after in zip(state, after, strict=True):
                    h[:going_on] = h_after
            start = end
        back = np.argsort(order)
        state = [h[back] for h in state]
        return state[-1], state

    @_quiet
    def log_probs(self, hidden: Array) -> Array:
        """ln P(next token): hidden (..., H) gives (..., vocab_size), whose exp sums to 1.

        softmax: P(i) = e^z_i / sum_j e^z_j; sigmoid: P(i) = sigmoid(z_i) / sum_j sigmoid(z_j); z = V·h + c. At a
        temperature: these to the power of 1 / temperature, normalised anew.

        Raises:
            ModelFileError: a score is beyond `LARGEST_SCORE`, or no number at all.
        """
        z = hidden @ self._V.T
        z += self._c
        # Asked so that NaN is refused too: it is neither above nor below anything.
        if z.size and not (z.max() < LARGEST_SCORE and z.min() > -LARGEST_SCORE):
            raise grown_too_large()
        log_probs = self._log_g(z)
        return log_probs if self.temperature == 1 else log_softmax(log_probs / np.float32(self.temperature))

    def _activate(self, x: Array) -> Array:
        h: Array = self._f(x).astype(np.float32, copy=False)
        return h


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
