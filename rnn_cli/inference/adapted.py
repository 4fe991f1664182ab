"""A text read in order, with what is added to the network: each token is predicted first, and learnt from after.

The cache and dynamic evaluation run through the whole text, whether or not the state is carried from line to line.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnn_cli.inference.additions import Additions
from rnn_cli.inference.dynamic import TOKENS_AT_ONCE, DynamicNetwork
from rnn_cli.inference.engine import Array, Engine, Ids
from rnn_cli.inference.interpolation import contexts_of, mixed
from rnn_cli.inference.judging import Judged, judged_by
from rnn_cli.inference.neural_cache import NeuralCache
from rnn_cli.inference.ngram import NO_TOKEN
from rnn_cli.inference.reading import SCORES_AT_ONCE


@dataclass(frozen=True)
class Predicted:
    """What the network said of N tokens, each before it came.

    Attributes:
        hidden: the top layer's h_t, (N, H).
        log_probs: ln P by the network, (N, vocab_size).
        contexts: the last tokens before each, for the n-gram model, (N, order - 1).
        targets: what came, (N,).
    """

    hidden: Array
    log_probs: Array
    contexts: Ids
    targets: Ids


class AdaptedReader:
    """Reads a text from its beginning, and keeps what it learns on the way.

    Args:
        engine: the network.
        eos_id: what stands before the text and ends each line.
        state_carried: whether the state, and what the n-gram model sees, run on from line to line.
        additions: what is added.

    Raises:
        UsageError: dynamic evaluation cannot follow the network back.
    """

    def __init__(self, engine: Engine, *, eos_id: int, state_carried: bool, additions: Additions) -> None:
        numbers = additions.numbers
        self._eos_id = eos_id
        self._additions = additions
        self._state_carried = state_carried
        self._dynamic = (
            DynamicNetwork(engine, rate=numbers.rate, decay=numbers.decay) if additions.dynamic else None
        )
        self._engine = engine if self._dynamic is None else self._dynamic.engine
        self._cache = NeuralCache(numbers.theta, numbers.window) if additions.cache else None
        self._at_once = TOKENS_AT_ONCE if additions.dynamic else _affordable(engine, additions)
        self._forget()

    def judge(self, lines: Sequence[Sequence[int]]) -> list[Judged]:
        """Judge the ids of further lines, and the end of each; a blank line that stands alone has no tokens.

        Raises:
            ModelFileError: the model's numbers grew too large.
        """
        parts = [self._judged(some) for some in self.predictions(lines)]
        lengths = [len(line) + 1 if line or self._state_carried else 0 for line in lines]
        ends = np.cumsum(lengths)[:-1]
        figures = (
            np.split(np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]), ends)
            for name in ("log_probs", "ranks", "best")
        )
        return [Judged(*some) for some in zip(*figures, strict=True)]

    def predictions(self, lines: Sequence[Sequence[int]]) -> Iterator[Predicted]:
        """What the network says of the tokens of further lines, some at a time; it goes on learning in between."""
        if self._state_carried:
            yield from self._stretch([id_ for line in lines for id_ in (*line, self._eos_id)])
            return
        for line in lines:
            if line:
                self._forget()
                yield from self._stretch([*line, self._eos_id])

    def _forget(self) -> None:
        """Stand where a text begins."""
        ngrams = self._additions.ngrams
        self._state = self._engine.initial_state(1)
        self._before = np.full((0 if ngrams is None else ngrams.order - 1, 1), NO_TOKEN, np.intp)

    def _stretch(self, tokens: Sequence[int]) -> Iterator[Predicted]:
        """Read tokens behind the end of a line."""
        targets = np.array(tokens, np.intp)
        inputs = np.concatenate([[self._eos_id], targets[:-1]])
        for start in range(0, len(targets), self._at_once):
            yield self._predict(inputs[start : start + self._at_once], targets[start : start + self._at_once])

    def _predict(self, inputs: Ids, targets: Ids) -> Predicted:
        contexts = np.empty((len(inputs), 0), np.intp)
        if len(self._before):
            contexts = contexts_of(self._before, inputs[:, None])[:, 0]
            self._before = contexts[-1][:, None]
        if self._dynamic is None:
            hidden, self._state = self._engine.read(inputs[:, None], self._state)
            hidden = hidden[:, 0]
            return Predicted(hidden, self._engine.log_probs(hidden), contexts, targets)
        tapes, self._state = self._engine.record(inputs, self._state)
        hidden = self._engine.top_of(tapes)
        log_probs = self._engine.log_probs(hidden)
        self._dynamic.learn(inputs, tapes, log_probs, targets)
        return Predicted(hidden, log_probs, contexts, targets)

    def _judged(self, some: Predicted) -> Judged:
        ngrams = self._additions.ngrams
        log_probs = mixed(
            some.log_probs,
            self._additions.weights,
            cache=None if self._cache is None else self._cache.read(some.hidden, some.targets),
            ngram=None if ngrams is None else ngrams.probabilities(some.contexts),
        )
        return judged_by(log_probs, some.targets)


def _affordable(engine: Engine, additions: Additions) -> int:
    """How many tokens are read at once, so that what is worked out for them takes bounded memory."""
    if not additions.cache:
        return max(1, SCORES_AT_ONCE // engine.vocab_size)
    # For each of them the cache weighs the places in its window, and those of all the others.
    longest = max(engine.vocab_size, additions.numbers.window)
    return max(1, min(SCORES_AT_ONCE // longest, math.isqrt(SCORES_AT_ONCE)))
