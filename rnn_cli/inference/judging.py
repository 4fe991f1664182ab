"""How probable each token of a text was, where it ranked, and how probable the best one was: exact, in blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnn_cli.inference.engine import Array, Engine, Ids, State
from rnn_cli.inference.reading import SCORES_AT_ONCE, LogProbs

TOKENS_AT_ONCE = 4096  # whose hidden states are kept until their scores are worked out


@dataclass(frozen=True)
class Judged:
    """What a model thought of N tokens, each as it came.

    Attributes:
        log_probs: ln P(token | all before it), (N,), in nats.
        ranks: 1 for the most probable of the vocabulary, (N,); of equals all have the first one's.
        best: ln P of the most probable token of the vocabulary in that place, (N,).
    """

    log_probs: LogProbs
    ranks: npt.NDArray[np.int64]
    best: LogProbs


def judge(
    engine: Engine, inputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], state: State
) -> tuple[list[Judged], State]:
    """Read B texts side by side and judge what comes after each token.

    The results do not depend on how many texts are read side by side, but for rounding.

    Args:
        inputs: the ids of each text, at least one.
        targets: for each id the one that comes after it.
        state: the state before the texts, (B, H) for each layer.

    Returns:
        One record for each text, and the state after each.

    Raises:
        ModelFileError: the model's numbers grew too large.
    """
    judged = [Judged(np.empty(len(t)), np.empty(len(t), np.int64), np.empty(len(t))) for t in targets]
    state = [h.copy() for h in state]
    waiting: list[tuple[Array, list[tuple[int, int]]]] = []
    tokens = 0
    for hidden, places in _read(engine, inputs, state):
        waiting.append((hidden, places))
        tokens += len(places)
        if tokens >= TOKENS_AT_ONCE:
            _judge_all(engine, waiting, targets, judged)
            waiting, tokens = [], 0
    _judge_all(engine, waiting, targets, judged)
    return judged, state


def _read(
    engine: Engine, texts: Sequence[Sequence[int]], state: State
) -> Iterator[tuple[Array, list[tuple[int, int]]]]:
    """The top layer's h_t, (N, H), and for each of its rows which text and token it is; `state` goes with it.

    Longest first, so that the texts which still go on are always the first rows, and nothing is padded.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
    start = 0
    for end in sorted({len(text) for text in texts}):
        going_on = [i for i in order if len(texts[i]) >= end]
        at_once = max(1, TOKENS_AT_ONCE // len(going_on))
        for first in range(start, end, at_once):
            last = min(first + at_once, end)
            ids = np.array([texts[i][first:last] for i in going_on], np.intp).T  # (T, B)
            hidden, after = engine.read(ids, [h[going_on] for h in state])
            for h, h_after in zip(state, after, strict=True):
                h[going_on] = h_after
            yield (
                hidden.reshape(-1, hidden.shape[-1]),  # (T * B, H)
                [(i, t) for t in range(first, last) for i in going_on],
            )
        start = end


def _judge_all(
    engine: Engine,
    waiting: Sequence[tuple[Array, list[tuple[int, int]]]],
    targets: Sequence[Sequence[int]],
    judged: Sequence[Judged],
) -> None:
    if not waiting:
        return
    hidden = np.concatenate([h for h, _ in waiting])  # (N, H)
    places = [place for _, some in waiting for place in some]
    ids = np.array([targets[i][t] for i, t in places], np.intp)
    rows = max(1, SCORES_AT_ONCE // engine.vocab_size)
    for start in range(0, len(ids), rows):
        some = ids[start : start + rows]
        found = zip(*_figures(engine, hidden[start : start + rows], some), strict=True)
        for (i, t), (log_prob, rank, best) in zip(places[start : start + rows], found, strict=True):
            judged[i].log_probs[t], judged[i].ranks[t], judged[i].best[t] = log_prob, rank, best


def _figures(engine: Engine, hidden: Array, ids: Ids) -> tuple[Array, Ids, Array]:
    """ln P, rank and the best ln P for hidden (N, H) and the ids (N,) that came."""
    log_probs = engine.log_probs(hidden)  # (N, vocab_size)
    came = log_probs[np.arange(len(ids)), ids]  # (N,)
    ranks = 1 + np.count_nonzero(log_probs > came[:, None], axis=1)
    return came, ranks, log_probs.max(axis=1)
