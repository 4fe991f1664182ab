"""A network together with a neural cache and an n-gram model: a weighted sum of their probabilities.

    P = network · P_network + cache · P_cache + ngram · P_ngram        the three weights sum to 1

Each of the three sums to 1 over the vocabulary, and so does P. As long as the cache remembers nothing, the other two
share its weight.
"""

import copy
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rnn_cli.inference.engine import Array, Engine, Ids, State
from rnn_cli.inference.neural_cache import NeuralCache
from rnn_cli.inference.ngram import NO_TOKEN, NgramModel

Tokens = TypeVar("Tokens", Ids, Array)


@dataclass(frozen=True)
class Weights:
    """What the cache and the n-gram model count; the rest is the network's. 0 where there is none."""

    cache: float = 0.0
    ngram: float = 0.0

    @property
    def network(self) -> float:
        """What the network counts."""
        return 1.0 - self.cache - self.ngram


def mixed(
    log_probs: Array, weights: Weights, *, cache: tuple[Ids, Array] | None = None, ngram: Array | None = None
) -> Array:
    """ln P of N tokens: (N, vocab_size) in and out.

    Args:
        log_probs: ln P by the network.
        cache: the words and their shares (N, U), see `NeuralCache.shares`.
        ngram: P by the n-gram model, (N, vocab_size).
    """
    if cache is None and ngram is None:
        return log_probs
    N = len(log_probs)
    shares = weights.cache * np.ones((N, 1), np.float32)
    if cache is None or not cache[1].size:
        shares[:] = 0
    else:
        shares[~cache[1].any(axis=1)] = 0
    others = (1 - shares) / (1 - weights.cache)  # 1, or more where the cache remembers nothing
    probs = np.exp(log_probs)
    probs *= weights.network * others
    if ngram is not None:
        probs += weights.ngram * others * ngram
    if cache is not None and cache[1].size:
        probs[:, cache[0]] += shares * cache[1]
    # Too small for a float, though its logarithm is a number like any other.
    too_small = probs < np.finfo(np.float32).tiny
    found = np.log(probs, where=~too_small, out=probs)
    if too_small.any():
        found[too_small] = (log_probs + np.log(weights.network * others))[too_small]
    return found


def contexts_of(before: Tokens, ids: Tokens) -> Tokens:
    """The last C tokens at each of T steps, its own one last: before (C, B) and ids (T, B) give (T, B, C)."""
    read = np.concatenate([before, ids])  # (C + T, B)
    return sliding_window_view(read, len(before), axis=0)[1:]


class MixedEngine(Engine):
    """An engine whose probabilities are those of the mixture. All that works with an engine works with it.

    The cache holds what was remembered before, and nothing that is read with this engine is added to it. Where there
    is an n-gram model, each h_t has the last tokens in further columns, and the state a further layer of them, as
    floats (which hold every id exactly).

    Args:
        engine: the network.
        weights: of the cache and the n-gram model.

    Attributes:
        cache: as given.
    """

    def __init__(
        self,
        engine: Engine,
        weights: Weights,
        *,
        cache: NeuralCache | None = None,
        ngrams: NgramModel | None = None,
    ) -> None:
        vars(self).update(vars(engine))  # the same weights: nothing is copied
        self._mixture = weights
        self.cache = cache
        self._ngrams = ngrams
        self._columns = 0 if ngrams is None else ngrams.order - 1
        self._start: State | None = None

    def starting_in(self, state: State) -> "MixedEngine":
        """The same, but all texts begin in a state, (1, S) for each layer."""
        engine = copy.copy(self)
        engine._start = state
        return engine

    def with_cache(self, cache: NeuralCache) -> "MixedEngine":
        """The same with another memory."""
        engine = copy.copy(self)
        engine.cache = cache
        return engine

    def own(self, hidden: Array) -> Array:
        """The network's part of what `read` gives: (..., H + columns) in, (..., H) out."""
        return np.ascontiguousarray(hidden[..., : hidden.shape[-1] - self._columns])

    def initial_state(self, batch: int) -> State:
        """See `Engine`."""
        if self._start is not None:
            return [np.repeat(layer, batch, axis=0) for layer in self._start]
        state = super().initial_state(batch)
        return [*state, np.full((batch, self._columns), NO_TOKEN, np.float32)] if self._columns else state

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        """See `Engine`; the top layer's h_t are (T, B, H + columns)."""
        if not self._columns:
            return super().read(ids, state)
        hidden, after = super().read(ids, state[:-1])
        contexts = contexts_of(state[-1].T, ids.astype(np.float32))  # (T, B, columns)
        last = contexts[-1] if len(contexts) else state[-1]
        return np.concatenate([hidden, contexts], axis=-1), [*after, last]

    def log_probs(self, hidden: Array) -> Array:
        """See `Engine`: (..., H + columns) gives (..., vocab_size)."""
        rows = hidden.reshape(-1, hidden.shape[-1])
        own = self.own(rows)
        log_probs = mixed(
            super().log_probs(own),
            self._mixture,
            cache=None if self.cache is None else self.cache.shares(own),
            ngram=None
            if self._ngrams is None
            else self._ngrams.probabilities(rows[:, own.shape[1] :].astype(np.intp)),
        )
        return log_probs.reshape(*hidden.shape[:-1], self.vocab_size)

    def _top(self, state: State) -> Array:
        """See `Engine`."""
        if not self._columns:
            return super()._top(state)
        return np.concatenate([super()._top(state[:-1]), state[-1]], axis=1)
