"""What a model says of a text that it was not trained on, token by token: a sample of the text, in NumPy.

N tokens of the text are predicted. A model that has learnt lines reads each from its beginning; one that has learnt a
stream reads the beginning of the text in one go.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.engine import Array, Engine, Ids
from rnn_cli.text.corpus import Corpus

MOST_TOKENS = 20_000
MOST_SCORES = 200_000_000  # tokens times vocabulary: some seconds on one core
SCORES_AT_ONCE = 1 << 22  # 16 MB in float32
INPUTS_AT_ONCE = 4096

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sample:
    """Some of a text, as it is read.

    Attributes:
        reads: (N,) the token that is read right before each prediction.
        targets: (N,) the token that is to be predicted.
        begins: (N,) where in `reads` the model began without memory, for each prediction.
    """

    reads: Ids
    targets: Ids
    begins: Ids

    def contexts(self, places: Ids, words: int | None = None) -> list[list[int]]:
        """What is read before the predictions at some places, cut to its last `words` tokens (None: all of it)."""
        starts = self.begins[places] if words is None else np.maximum(self.begins[places], places + 1 - words)
        return [self.reads[start : place + 1].tolist() for start, place in zip(starts, places, strict=True)]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said of the tokens of a sample, with all that stands before each.

    Attributes:
        log_probs: (N,) ln P(target), nats.
        right: (N,) whether the target was the most probable token.
        confidence: (N,) the probability of the most probable token.
    """

    log_probs: Floats
    right: Flags
    confidence: Floats


def take_sample(corpus: Corpus, *, lines: bool, most: int = MOST_TOKENS) -> Sample:
    """At most `most` tokens of a text, and no fewer than one line: lines spread over it, or how it begins."""
    most = min(most, max(1, MOST_SCORES // corpus.vocab_size))
    if not lines:
        targets = np.asarray(corpus.ids[:most], np.intp)
        reads = np.concatenate([[corpus.eos_id], targets[:-1]])
        return Sample(reads, targets, np.zeros(len(targets), np.intp))
    starts, lengths = corpus.line_spans()
    wanted = max(1, min(len(starts), int(most / lengths.mean())))
    chosen = np.arange(wanted) * len(starts) // wanted
    parts = [np.asarray(corpus.ids[starts[i] : starts[i] + lengths[i]], np.intp) for i in chosen]
    reads = np.concatenate([np.concatenate([[corpus.eos_id], part[:-1]]) for part in parts])
    sizes = lengths[chosen]
    begins = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Sample(reads.astype(np.intp), np.concatenate(parts), begins.astype(np.intp))


def predict(engine: Engine, sample: Sample) -> Predictions:
    """Let a model predict every token of a sample.

    Raises:
        ModelFileError: its numbers grew too large.
    """
    log_probs, right, confidence = [], [], []
    first = 0
    for hidden in _hidden(engine, sample):
        targets = sample.targets[first : first + len(hidden)]
        said = engine.log_probs(hidden)  # (rows, vocab_size)
        log_probs.append(said[np.arange(len(hidden)), targets])
        right.append(said.argmax(axis=1) == targets)
        confidence.append(np.exp(said.max(axis=1)))
        first += len(hidden)
    return Predictions(
        np.concatenate(log_probs).astype(np.float64),
        np.concatenate(right),
        np.concatenate(confidence).astype(np.float64),
    )


def target_log_probs(engine: Engine, contexts: Sequence[Sequence[int]], targets: Ids) -> Floats:
    """ln P(target | context) for each, every context read from no memory, (N,)."""
    hidden, _ = engine.read_each(contexts)  # (N, H)
    found = []
    rows = max(1, SCORES_AT_ONCE // engine.vocab_size)
    for first in range(0, len(targets), rows):
        some = targets[first : first + rows]
        found.append(engine.log_probs(hidden[first : first + rows])[np.arange(len(some)), some])
    return np.concatenate(found).astype(np.float64)


def _hidden(engine: Engine, sample: Sample) -> Iterator[Array]:
    """The top layer's states in the order of the sample, a few rows at a time, (rows, H)."""
    rows = max(1, SCORES_AT_ONCE // engine.vocab_size)
    edges = [*np.unique(sample.begins).tolist(), len(sample.reads)]
    for begin, end in pairwise(edges):
        state = engine.initial_state(1)
        for first in range(begin, end, min(rows, INPUTS_AT_ONCE)):
            ids = sample.reads[first : min(end, first + min(rows, INPUTS_AT_ONCE))]
            hidden, state = engine.read(ids[:, None], state)
            yield hidden[:, 0]


def mean_and_error(values: Floats) -> tuple[float, float]:
    """The mean, and its standard error; the error of a single value is 0."""
    spread = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(values.mean()), spread
