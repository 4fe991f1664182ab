"""Dynamic evaluation: a network that goes on learning from the text that is measured, always after predicting it.

    w ← w - rate · ∂Loss/∂w                   after each few tokens, Loss their summed nats
    w ← w + (1 - (1 - decay)^n) · (w_0 - w)   after each n tokens: back towards the weights w_0 that were stored

Source: B. Krause, E. Kahembwe, I. Murray, S. Renals, Dynamic Evaluation of Neural Sequence Models (2017),
arXiv:1709.07432, its rule of plain gradient descent with decay. Its gradients are those of `backward`. The vectors of
words that were given less than `NEGLIGIBLE` in all of the few tokens stay as they are: they would hardly move, and
are most of the vocabulary.
"""

import numpy as np

from rnn_cli.errors import UsageError
from rnn_cli.inference.activations import sigmoid
from rnn_cli.inference.backward import Backward, back_through_layers, backward_of, read_out_backward
from rnn_cli.inference.cells import LayerTape
from rnn_cli.inference.engine import Array, Engine, Ids

TOKENS_AT_ONCE = 10
TOKENS_TO_DECAY = 100  # a pass over all weights takes as long as reading some tokens does
NEGLIGIBLE = 1e-4
# The last part of the names of weights.
LEARNT = frozenset(("embedding", "V", "P", "c", "W", "b", "u", "L", "R", "gain", "shift"))


class DynamicNetwork:
    """A copy of an engine's weights, and what they have learnt since.

    Args:
        engine: the network as it was stored; it stays as it is.
        rate: of learning.
        decay: the share of the way back to the stored weights that each token leads.

    Attributes:
        engine: the network as it is now.

    Raises:
        UsageError: it has a cell, or weights, whose gradients are not written here.
    """

    def __init__(self, engine: Engine, *, rate: float, decay: float) -> None:
        backward = backward_of(engine.cell, engine.hidden_activation)
        names = {name.rpartition(".")[2] for name in engine.weights}
        if backward is None or not names <= LEARNT:
            raise UsageError(
                f"--dynamic cannot follow this model back (model.cell {engine.cell}). It can follow elman, gru, "
                "lstm, mogrifier and indrnn. Leave it out."
            )
        self._backward: Backward = backward
        self._stored = engine.weights
        self._weights = {name: tensor.copy() for name, tensor in engine.weights.items()}
        self._V = self._weights.get("V", self._weights["embedding"])  # (vocab_size, H)
        self.engine = engine.with_weights(self._weights)
        self._rate = np.float32(rate)
        self._decay = decay
        self._since_decay = 0

    def learn(self, ids: Ids, tapes: list[LayerTape], log_probs: Array, targets: Ids) -> None:
        """Learn from T tokens that were predicted.

        Args:
            ids: what was read, (T,).
            tapes: what `engine.record` kept of it.
            log_probs: ln P by `engine` as it still is, (T, vocab_size).
            targets: what came, (T,).
        """
        weights, rate = self._weights, self._rate
        V, top = self._V, self.engine.num_layers - 1
        hidden = self.engine.top_of(tapes)  # (T, H)
        read_out = self.engine.read_out(hidden)  # what V reads, (T, H) or (T, E)
        error = self._error(read_out, log_probs, targets)  # (T, vocab_size)
        moved = np.flatnonzero(np.abs(error).max(axis=0) > NEGLIGIBLE)
        d_V = error[:, moved].T @ read_out
        up = self.engine.going_up(top, hidden)
        d_hidden, gradients = read_out_backward(weights, top, hidden, up, error @ V)
        of_layers, d_words, _ = back_through_layers(self._backward, weights, tapes, d_hidden)
        for name, gradient in {**gradients, **of_layers, "c": error.sum(axis=0)}.items():
            np.subtract(weights[name], rate * gradient, out=weights[name])
        V[moved] -= rate * d_V
        np.subtract.at(weights["embedding"], ids, rate * d_words)
        self._since_decay += len(ids)
        if self._since_decay >= TOKENS_TO_DECAY:
            self._go_back()

    def _error(self, read_out: Array, log_probs: Array, targets: Ids) -> Array:
        """∂Loss/∂z, (T, vocab_size), where z = V · `read_out` + c."""
        error: Array = np.exp(log_probs)
        error[np.arange(len(targets)), targets] -= 1
        error /= np.float32(self.engine.temperature)
        if self.engine.output_activation == "sigmoid":
            z = read_out @ self._V.T + self._weights["c"]
            error *= sigmoid(-z)  # ∂ln sigmoid(z)/∂z
        return error

    def _go_back(self) -> None:
        """Let the weights go back some of their way."""
        share = np.float32(1 - (1 - self._decay) ** self._since_decay)
        self._since_decay = 0
        if share:
            for name, tensor in self._weights.items():
                way = self._stored[name] - tensor
                way *= share
                np.add(tensor, way, out=tensor)
