"""How probable each token of a text was, where it ranked, and how probable the best one was: exact, in blocks."""

from collections.abc import Sequence
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
    ends = np.cumsum(
        [len(some) for some in targets]
    )  # of each text in the arrays of all tokens, one after another
    flat = np.fromiter((id_ for some in targets for id_ in some), np.intp, count=int(ends[-1]))
    figures = np.empty(len(flat)), np.empty(len(flat), np.int64), np.empty(len(flat))
    state = [h.copy() for h in state]
    waiting: list[tuple[Array, Ids]] = []
    tokens = 0
    for hidden, places in engine.read_through(inputs, state):
        waiting.append((hidden, places))
        tokens += len(places)
        if tokens >= TOKENS_AT_ONCE:
            _judge_all(engine, waiting, flat, figures)
            waiting, tokens = [], 0
    _judge_all(engine, waiting, flat, figures)
    parts = (np.split(some, ends[:-1]) for some in figures)
    return [Judged(*some) for some in zip(*parts, strict=True)], state


def _judge_all(
    engine: Engine,
    waiting: Sequence[tuple[Array, Ids]],
    targets: Ids,
    figures: tuple[LogProbs, npt.NDArray[np.int64], LogProbs],
) -> None:
    """Put ln P, rank and the best ln P of the tokens that wait into their places."""
    if not waiting:
        return
    hidden = np.concatenate([h for h, _ in waiting])  # (N, H)
    places = np.concatenate([some for _, some in waiting])  # (N,)
    rows = max(1, SCORES_AT_ONCE // engine.vocab_size)
    for start in range(0, len(places), rows):
        some = places[start : start + rows]
        judged = judged_by(engine.log_probs(hidden[start : start + rows]), targets[some])
        figures[0][some], figures[1][some], figures[2][some] = judged.log_probs, judged.ranks, judged.best


def judged_by(log_probs: Array, targets: Ids) -> Judged:
    """What N tokens (N,) come to by ln P of the whole vocabulary in each place, (N, vocab_size)."""
    came = log_probs[np.arange(len(targets)), targets]  # (N,)
    ranks = 1 + np.count_nonzero(log_probs > came[:, None], axis=1)
    return Judged(came.astype(np.float64), ranks, log_probs.max(axis=1).astype(np.float64))
