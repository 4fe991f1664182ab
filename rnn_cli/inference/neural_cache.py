"""The neural cache: words that came where the network's state was like this one are likely to come again.

    P(w) = sum over i with w_{i+1} = w of e^(theta · h_t·h_i) / sum over all i of e^(theta · h_t·h_i)

where i runs over the last `window` places of the text, h_i is the top layer's state there, and w_{i+1} the word that
came next. Source: E. Grave, A. Joulin, N. Usunier, Improving Neural Language Models with a Continuous Cache (2016),
arXiv:1612.04426, equations 2 and 3.
"""

import numpy as np

from rnn_cli.inference.engine import Array, Ids

WINDOW = 2000


class NeuralCache:
    """What was read last: the state in each place, and the word that came next.

    Args:
        theta: how much likeness counts; 0 makes all places equal.
        window: how many places are remembered.
    """

    def __init__(self, theta: float, window: int = WINDOW) -> None:
        self._theta = np.float32(theta)
        self._window = window
        self._hidden: Array | None = None  # (places, H)
        self._words: Ids = np.empty(0, np.intp)  # (places,)

    def remember(self, hidden: Array, words: Ids) -> None:
        """Read on: hidden (N, H), and the words (N,) that came next."""
        self._hidden = self._with(hidden)[-self._window :]
        self._words = np.concatenate([self._words, words])[-self._window :]

    def shares(self, hidden: Array) -> tuple[Ids, Array]:
        """P(next word) for states (N, H) that come after all that is remembered.

        Returns:
            The words that are remembered, (U,), and the share of each, (N, U); every row sums to 1. U is 0 where
            nothing is remembered.
        """
        if self._hidden is None or not len(self._hidden):
            return np.empty(0, np.intp), np.empty((len(hidden), 0), np.float32)
        weights = _softmax(self._theta * (hidden @ self._hidden.T))  # (N, places)
        return _by_word(weights, self._words)

    def read(self, hidden: Array, words: Ids) -> tuple[Ids, Array]:
        """The same for N states in a row, each after the words that came before it; all are remembered then.

        Args:
            hidden: (N, H).
            words: the word that came next in each place, (N,).

        Returns:
            As from `shares`; a row is all zeros where nothing was remembered yet.
        """
        before = len(self._words)
        all_hidden, all_words = self._with(hidden), np.concatenate([self._words, words])
        places = np.arange(len(all_words))
        now = before + np.arange(len(hidden))[:, None]  # (N, 1)
        scores = self._theta * (hidden @ all_hidden.T)  # (N, places)
        weights = _softmax(np.where((places < now) & (places >= now - self._window), scores, -np.inf))
        self._hidden, self._words = all_hidden[-self._window :], all_words[-self._window :]
        return _by_word(weights, all_words)

    def _with(self, hidden: Array) -> Array:
        return hidden if self._hidden is None else np.concatenate([self._hidden, hidden])


def _softmax(scores: Array) -> Array:
    """Along each row; zeros where all scores are minus infinity."""
    largest = scores.max(axis=1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(largest), largest, 0))
    total = weights.sum(axis=1, keepdims=True)
    np.divide(weights, total, out=weights, where=total > 0)
    return weights


def _by_word(weights: Array, words: Ids) -> tuple[Ids, Array]:
    """The weights (N, places) of the places of each word, added up: the words (U,), and (N, U)."""
    order = np.argsort(words, kind="stable")
    different, firsts = np.unique(words[order], return_index=True)
    return different, np.add.reduceat(weights[:, order], firsts, axis=1)
