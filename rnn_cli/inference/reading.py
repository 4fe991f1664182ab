"""Reading on from states that were reached before, and how probable what is read was: exact, many rows at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.engine import Array, Engine, Ids, State

LogProbs = npt.NDArray[np.float64]
"""Sums of ln P, in nats; in float64, because they are sums over many tokens."""

SCORES_AT_ONCE = 1 << 22  # 16 MB in float32: long enough products to be fast


@dataclass(frozen=True)
class Readers:
    """N contexts that were read, each of which can be read on.

    Attributes:
        log_probs: ln P of what was read since the start of the search, (N,).
        hidden: the top layer's h_t, (N, H).
        state: the state, (N, H) for each layer.
    """

    log_probs: LogProbs
    hidden: Array
    state: State

    def take(self, rows: Sequence[int] | Ids) -> "Readers":
        """Those in the given rows, which may occur more than once."""
        return Readers(self.log_probs[rows], self.hidden[rows], [h[rows] for h in self.state])

    @staticmethod
    def joined(parts: Sequence["Readers"]) -> "Readers":
        """All of several."""
        layers = zip(*(part.state for part in parts), strict=True)
        return Readers(
            np.concatenate([part.log_probs for part in parts]),
            np.concatenate([part.hidden for part in parts]),
            [np.concatenate(layer) for layer in layers],
        )


def log_probs_of(engine: Engine, hidden: Array, ids: Ids) -> LogProbs:
    """ln P(id) of one next token for each row: hidden (N, H) and ids (N,) give (N,).

    The normaliser is summed over the whole vocabulary; a few rows at a time bound the memory.
    """
    rows = max(1, SCORES_AT_ONCE // engine.vocab_size)
    found = np.empty(len(ids), np.float64)
    for start in range(0, len(ids), rows):
        some = ids[start : start + rows]
        log_probs = engine.log_probs(hidden[start : start + rows])  # (rows, vocab_size)
        found[start : start + rows] = log_probs[np.arange(len(some)), some]
    return found


def read_on(
    engine: Engine, readers: Readers, texts: Sequence[Sequence[int]], *, unweighed: int | None = None
) -> Readers:
    """Each reader reads its own text, and adds ln P(text | what it had read).

    The texts are put in the order of their lengths, so that those which still go on are always the first rows.

    Args:
        texts: N texts, of any lengths, 0 included.
        unweighed: an id that is read without adding its ln P.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
    lengths = [len(texts[i]) for i in order]
    readers = readers.take(order)  # a copy, which is changed in place
    log_probs, hidden, state = readers.log_probs, readers.hidden, readers.state
    going_on = len(order)
    for t in range(max(lengths, default=0)):
        while lengths[going_on - 1] <= t:
            going_on -= 1
        ids = np.array([texts[i][t] for i in order[:going_on]], np.intp)
        weighed = np.flatnonzero(ids != unweighed) if unweighed is not None else np.arange(going_on)
        log_probs[weighed] += log_probs_of(engine, hidden[weighed], ids[weighed])
        hidden[:going_on], after = engine.step(ids, [h[:going_on] for h in state])
        for h, h_after in zip(state, after, strict=True):
            h[:going_on] = h_after
    return readers.take(np.argsort(order))


def read_lines(
    engine: Engine,
    readers: Readers,
    lines: Sequence[Sequence[int]],
    *,
    eos_id: int,
    unweighed: int | None,
    independent: bool,
) -> Readers:
    """All readers read the same lines, an `<eos>` between two of them; `unweighed` as in `read_on`.

    Args:
        independent: whether a new line begins with no memory of the one before.
    """
    rows = len(readers.log_probs)
    for number, line in enumerate(lines):
        if number:
            readers = read_on(engine, readers, [[eos_id]] * rows)
            if independent:
                hidden, state = engine.read_each([[eos_id]] * rows)
                readers = replace(readers, hidden=hidden, state=state)
        readers = read_on(engine, readers, [line] * rows, unweighed=unweighed)
    return readers
