"""Drawing sentences at random, with the usual ways to hold chance in check."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnn_cli.inference.engine import Array, Engine, Ids
from rnn_cli.inference.ranking import log_sum, only, top_ids
from rnn_cli.inference.rules import Draft, Memory, Rules, extended

if TYPE_CHECKING:
    from numpy.random import Generator  # 12 ms that only those who draw should wait for

ROWS_AT_ONCE = 128  # sentences drawn side by side: bounds the memory for their scores


@dataclass(frozen=True)
class Sampling:
    """How to draw.

    Attributes:
        temperature: scores are divided by it: below 1 the probable becomes more probable; 0 takes the best.
        top_k: draw from so many of the most probable pieces only; None: from all.
        top_p: draw from the fewest of the most probable pieces that together have this probability; None: all.
        samples: how many sentences.
        seed: start of the random numbers; None: another one each time.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    samples: int = 1
    seed: int | None = None


def sample_drafts(engine: Engine, rules: Rules, memory: Memory, sampling: Sampling) -> list[Draft]:
    """Draw `sampling.samples` drafts that go on from one context, in the order in which they were drawn.

    Every draft has random numbers of its own, so that the first one is the same however many are drawn. Its
    `log_prob` is the model's own, without temperature, top_k and top_p.
    """
    first = rules.moves(Draft(ids=(), last=memory.last))
    if not (first.add | first.add_and_end).any():
        return []
    generators = np.random.default_rng(sampling.seed).spawn(sampling.samples)
    writer = _Writer(engine, rules, sampling)
    drafts: list[Draft] = []
    for start in range(0, sampling.samples, ROWS_AT_ONCE):
        drafts += writer.write(memory, generators[start : start + ROWS_AT_ONCE])
    return drafts


class _Writer:
    """Writes drafts side by side, each with its own random numbers."""

    def __init__(self, engine: Engine, rules: Rules, sampling: Sampling) -> None:
        self._engine = engine
        self._rules = rules
        self._sampling = sampling

    def write(self, memory: Memory, generators: Sequence["Generator"]) -> list[Draft]:
        """One draft for each generator."""
        drafts = [Draft(ids=(), last=memory.last)] * len(generators)
        going_on = list(range(len(drafts)))  # the draft that each row of hidden and state belongs to
        rows = [0] * len(drafts)
        hidden, state = memory.hidden[rows], [h[rows] for h in memory.state]
        while going_on:
            log_probs = self._engine.log_probs(hidden)  # (rows, vocab_size)
            rows = []
            for row, i in enumerate(going_on):
                drafts[i], ended = self._draw(drafts[i], log_probs[row], generators[i])
                if not ended:
                    rows.append(row)
            going_on = [going_on[row] for row in rows]
            ids = np.array([drafts[i].last for i in going_on], np.intp)
            hidden, state = self._engine.step(ids, [h[rows] for h in state])
        return drafts

    def _draw(self, draft: Draft, log_probs: Array, generator: "Generator") -> tuple[Draft, bool]:
        """Draw the next piece: the draft with it, and whether that was the end."""
        moves = self._rules.moves(draft)
        allowed = only(log_probs, moves.add | moves.add_and_end | moves.end)
        id_ = draw(allowed, generator, self._sampling)
        if moves.end[id_]:
            return replace(draft, log_prob=draft.log_prob + log_sum(log_probs[moves.end])), True
        draft = extended(draft, id_, float(log_probs[id_]), self._rules.pieces)
        return draft, bool(moves.add_and_end[id_])


def draw(log_probs: Array, generator: "Generator", sampling: Sampling) -> int:
    """Draw one place of log_probs (N,); never one with -inf, nor one that top_k or top_p leaves out."""
    if sampling.temperature == 0:
        return int(log_probs.argmax())
    ids = _worth_drawing(log_probs, sampling)
    scores = log_probs[ids].astype(np.float64)
    with np.errstate(over="ignore"):  # a very low temperature makes all but the best impossible
        shares = np.exp((scores - scores.max()) / sampling.temperature)
    up_to = np.cumsum(shares / shares.sum())
    if sampling.top_p is not None:
        kept = np.searchsorted(up_to, sampling.top_p) + 1  # the one that reaches top_p is among them
        up_to = up_to[:kept]
    place = np.searchsorted(up_to, generator.random() * up_to[-1], side="right")
    return int(ids[min(place, len(up_to) - 1)])


def _worth_drawing(log_probs: Array, sampling: Sampling) -> Ids:
    """The places that may be drawn, best first where the order matters."""
    if sampling.top_k is None and sampling.top_p is None:
        return np.flatnonzero(log_probs > -np.inf)
    return top_ids(log_probs[None], sampling.top_k or len(log_probs))[0]
