"""Beam search: the most probable of all that may be written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnn_cli.inference.engine import Array, Engine
from rnn_cli.inference.ranking import log_sum, only, top_ids
from rnn_cli.inference.rules import Draft, Memory, Rules, extended


@dataclass(frozen=True)
class _Candidate:
    """A draft that one of the present ones may become; `row` is the present one's."""

    draft: Draft
    row: int
    ended: bool


def beam_search(engine: Engine, rules: Rules, memory: Memory, *, width: int, top: int) -> list[Draft]:
    """Write on from a context and keep the `width` most probable drafts at every step.

    What ends counts as found when it is among the `width` best of its step. The search is over when `top` were
    found and no draft can overtake them: a draft's probability only falls. With a width as large as the number of
    drafts nothing is left out; width 1 is greedy.

    Returns:
        At most `top` drafts, the most probable first.
    """
    drafts = [Draft(ids=(), last=memory.last)]
    hidden, state = memory.hidden, memory.state
    found: list[Draft] = []
    while True:
        log_probs = engine.log_probs(hidden)  # (drafts, vocab_size)
        candidates = sorted(
            _candidates(log_probs, drafts, rules, width), key=lambda c: c.draft.log_prob, reverse=True
        )
        found += [c.draft for c in candidates[:width] if c.ended]
        found = sorted(found, key=lambda draft: draft.log_prob, reverse=True)[:top]
        going_on = [c for c in candidates if not c.ended][:width]
        if not going_on or (len(found) == top and found[-1].log_prob >= going_on[0].draft.log_prob):
            return found
        drafts = [c.draft for c in going_on]
        rows = [c.row for c in going_on]
        hidden, state = engine.step(np.array([draft.last for draft in drafts]), [h[rows] for h in state])


def _candidates(log_probs: Array, drafts: Sequence[Draft], rules: Rules, width: int) -> Iterator[_Candidate]:
    """Every draft that can be among the `width` best to end, or the `width` best to go on, after one more step."""
    moves = [rules.moves(draft) for draft in drafts]
    scores = log_probs + np.array([[draft.log_prob] for draft in drafts], np.float32)  # (drafts, vocab_size)
    add = np.stack([m.add for m in moves])
    add_and_end = np.stack([m.add_and_end for m in moves])
    for allowed, ended in ((add, False), (add_and_end, True)):
        best = top_ids(only(scores, allowed).reshape(1, -1), width)[0]
        for row, id_ in zip(*np.divmod(best, log_probs.shape[1]), strict=True):
            draft = extended(drafts[row], int(id_), float(log_probs[row, id_]), rules.pieces)
            yield _Candidate(draft, int(row), ended)
    for row, (draft, m) in enumerate(zip(drafts, moves, strict=True)):
        if m.end.any():
            log_prob = draft.log_prob + log_sum(log_probs[row, m.end])
            yield _Candidate(replace(draft, log_prob=log_prob), row, ended=True)
