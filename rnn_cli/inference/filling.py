"""Blanks, filled with what makes the whole text most probable: the words behind a blank count as those before it.

    P(text with w in the blank) = P(left) · P(w | left) · P(right | left, w)

P(left) is the same for all. The candidates are the words with the largest P(w | left); for each of them
P(right | left, w) is then worked out exactly, side by side, from the one state after `left`. Several blanks are
filled from left to right, and a beam of the best fillings goes on from each to the next.

Where a second network reads the text from its other end, it says the same with right and left exchanged, and the two
are weighed against each other: w · ln P(from the left) + (1 - w) · ln P(from the right). See `other_side`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnn_cli.inference.engine import Engine, Ids
from rnn_cli.inference.other_side import Fills, OtherSide
from rnn_cli.inference.ranking import log_sum, only, top_ids
from rnn_cli.inference.reading import LogProbs, Readers, read_lines, read_on
from rnn_cli.inference.rules import Draft, Memory, OneWord
from rnn_cli.inference.segment import Segment
from rnn_cli.inference.words import WordFinder
from rnn_cli.text.tokenizer import Tokenizer

WORK = 1 << 34  # multiplications for the scores of all tokens spent on one blank: half a second of one core
FEWEST_RANKED = 64  # candidates, however long the text behind the blank is
MOST_RANKED = 2048
MOST_SEARCHED = 64  # words that are searched for where each has several pieces
FEWEST_SEARCHED = 8  # the same for each of several fillings that a further blank goes on from
BEAM = 32  # fillings of the blanks so far that are kept
FIRST_TURN = 64  # candidates ranked before it is asked whether the others can matter
NEGLIGIBLE = 1e-4  # of all probability: what the candidates may weigh that are not ranked any more


@dataclass(frozen=True)
class Filling:
    """Something in every blank; log_prob: ln P(it and all that follows | what stands before the first blank).

    With a second network it is the weighted mean of that and of the same from the other end.
    """

    fills: Fills
    log_prob: float


@dataclass(frozen=True)
class Ranking:
    """The best ways to fill the blanks of a text.

    Attributes:
        best: most probable first.
        log_total: ln of the sum of the probabilities of all that were ranked.
        ranked: how many were ranked with the whole text, exactly.
    """

    best: list[Filling]
    log_total: float
    ranked: int


@dataclass(frozen=True)
class _Beam:
    """Fillings of the blanks so far, and the readers that have read the text with them; the same number."""

    fills: list[Fills]
    readers: Readers


@dataclass(frozen=True)
class _Candidates:
    """What may be put in next, most probable first, and not yet read.

    Attributes:
        fills: with the new word in the last blank.
        words: the ids of the new word alone.
        rows: in the beam it was found for.
        log_probs: ln P of what was read and the word; the word's end is in it where it has pieces.
        limits: what ln P of the whole text with the word in place cannot exceed; the same, unless a second network
            has a say.
        count, log_total: how many there are, those included that are too improbable to be here, and ln of the sum
            of e^limit.
    """

    beam: _Beam
    fills: list[Fills]
    words: list[tuple[int, ...]]
    rows: Ids
    log_probs: LogProbs
    limits: LogProbs
    count: int
    log_total: float

    def part(self, start: int, end: int) -> "_Candidates":
        """Those from `start` to `end`."""
        return replace(
            self,
            fills=self.fills[start:end],
            words=self.words[start:end],
            rows=self.rows[start:end],
            log_probs=self.log_probs[start:end],
            limits=self.limits[start:end],
        )


class BlankFiller:
    """Fills the blanks of a text.

    Args:
        engine: the network.
        tokenizer: its vocabulary.
        words: finds candidates.
        independent_lines: whether a new line begins with no memory of the one before.
    """

    def __init__(
        self, engine: Engine, tokenizer: Tokenizer, words: WordFinder, *, independent_lines: bool
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._words = words
        self._independent_lines = independent_lines

    def fill(
        self,
        memory: Memory,
        segments: Sequence[Segment],
        *,
        after_space: bool,
        blank_words: tuple[int, int],
        top: int,
        other: OtherSide | None = None,
    ) -> Ranking:
        """The `top` best fillings of all that are ranked.

        Args:
            memory: the text before the first blank, read.
            segments: the text behind each blank.
            after_space: whether white space stands before the first blank.
            blank_words: the smallest and the largest number of words in a blank.
            other: the second network, which has read the text behind the last blank.
        """
        beam = _Beam([()], Readers(np.zeros(1), memory.hidden, memory.state))
        for segment in segments[:-1]:
            groups = self._candidates(beam, after_space, blank_words, self._affordable(segment.tokens, top))
            read = [self._read(group, segment) for group in groups]
            beam = _best(read)
            after_space = segment.after_space
        last = segments[-1]
        tokens = last.tokens + (other.tokens if other else 0)
        groups = self._candidates(beam, after_space, blank_words, self._affordable(tokens, top), other)
        if tokens == 0:
            return _by_left_side(groups, top)
        scored = [scored for group in groups for scored in self._read_in_turn(group, last, top, other)]
        log_probs = np.concatenate([some for _, some in scored] or [np.empty(0)])
        fills = [fills for some, _ in scored for fills in some]
        return _ranking(fills, log_probs, top)

    def _affordable(self, tokens: int, top: int) -> int:
        """How many candidates can be ranked in bounded time, if so many tokens are read with each."""
        if not self._words.pieces.whole_words:
            # Also where nothing is read: shares of fewer would be larger the fewer are asked for.
            return max(top, MOST_SEARCHED)
        one = max(1, tokens) * self._engine.output_weights
        return max(top, FEWEST_RANKED, min(MOST_RANKED, WORK // one))

    def _candidates(
        self,
        beam: _Beam,
        after_space: bool,
        blank_words: tuple[int, int],
        count: int,
        other: OtherSide | None = None,
    ) -> list[_Candidates]:
        """What may be put into the next blank, one group for each number of words.

        Args:
            other: given where it is the last blank.
        """
        fewest, most = blank_words
        groups = []
        beam = replace(beam, fills=[(*fills, ()) for fills in beam.fills])
        for number in range(1, most + 1):
            rules = self._words.rules(is_blank=True, after_space=after_space)
            wanted = max(count // (most - fewest + 1), BEAM if number < most else 1)
            if number >= fewest:
                groups.append(self._next_words(beam, rules, wanted, other))
            if number < most:
                # What the other side says of a word holds for the last one in the blank only.
                found = groups[-1] if groups and other is None else self._next_words(beam, rules, wanted)
                beam = self._go_on_in_the_blank(found.part(0, BEAM))
                after_space = self._tokenizer.joins_with_space
        return groups

    def _go_on_in_the_blank(self, found: _Candidates) -> _Beam:
        """Read the words found, and the space behind them where that is a token."""
        beam = self._advance(found)
        if self._tokenizer.joins_with_space or not beam.fills:
            return beam
        space = tuple(self._tokenizer.encode(" "))
        fills = [(*fills[:-1], (*fills[-1], *space)) for fills in beam.fills]
        return _Beam(fills, read_on(self._engine, beam.readers, [space] * len(fills)))

    def _next_words(
        self, beam: _Beam, rules: OneWord, count: int, other: OtherSide | None = None
    ) -> _Candidates:
        """The best words to be put after each filling of the beam, the best of all first."""
        if self._words.pieces.whole_words:
            return self._whole_words(beam, rules, count, other)
        drafts: list[tuple[int, Draft]] = []
        readers = beam.readers
        each = count if len(beam.fills) == 1 else FEWEST_SEARCHED
        for row in range(len(beam.fills)):
            memory = Memory(readers.hidden[[row]], [h[[row]] for h in readers.state], self._tokenizer.eos_id)
            found = self._words.search(rules, memory, each)
            before = float(readers.log_probs[row])
            drafts += [(row, replace(draft, log_prob=before + draft.log_prob)) for draft in found]
        drafts.sort(key=lambda found: found[1].log_prob, reverse=True)
        found_ids = [(row, draft.ids, draft.log_prob) for row, draft in drafts[:count]]
        return _candidates_of(beam, found_ids, forward_weight=other.forward_weight if other else 1.0)

    def _whole_words(self, beam: _Beam, rules: OneWord, count: int, other: OtherSide | None) -> _Candidates:
        """The same where every word is one piece: each of the vocabulary is looked at."""
        log_probs = self._engine.log_probs(beam.readers.hidden)  # (N, vocab_size)
        log_probs += beam.readers.log_probs[:, None].astype(np.float32)
        limits = log_probs if other is None else other.limits(log_probs)  # (N, vocab_size)
        allowed = rules.moves(Draft((), self._tokenizer.eos_id)).add_and_end  # (vocab_size,)
        flat = only(limits, allowed).reshape(1, -1)
        places = top_ids(flat, count)[0]
        rows, ids = np.divmod(places, self._engine.vocab_size)
        found = zip(rows.tolist(), ids.tolist(), log_probs[rows, ids].tolist(), strict=True)
        candidates = _candidates_of(beam, [(row, (id_,), log_prob) for row, id_, log_prob in found])
        return replace(
            candidates,
            limits=flat[0, places].astype(np.float64),
            count=len(beam.fills) * int(allowed.sum()),
            log_total=log_sum(limits[:, allowed].ravel()),
        )

    def _advance(self, found: _Candidates) -> _Beam:
        """Read the new words."""
        readers = found.beam.readers.take(found.rows)
        if not self._words.pieces.whole_words:
            return _Beam(found.fills, read_on(self._engine, readers, found.words))
        ids = np.array([word[0] for word in found.words], np.intp)
        hidden, state = self._engine.step(ids, readers.state)
        return _Beam(found.fills, Readers(found.log_probs, hidden, state))

    def _read(self, found: _Candidates, segment: Segment) -> _Beam:
        """Read the new words and the text behind them."""
        beam = self._advance(found)
        readers = read_lines(
            self._engine,
            beam.readers,
            segment.lines,
            eos_id=self._tokenizer.eos_id,
            unweighed=self._tokenizer.unk_id,
            independent=self._independent_lines,
        )
        return _Beam(beam.fills, readers)

    def _read_in_turn(
        self, found: _Candidates, segment: Segment, top: int, other: OtherSide | None
    ) -> Iterator[tuple[list[Fills], LogProbs]]:
        """Read the candidates with all that follows, the most probable first, as long as the others can matter.

        What is not read weighs at most its P(w | left), because P(right | left, w) is at most 1. With the other side
        its ln P is at most w · ln P(word | left) + (1 - w) · ln P(word | right), for the same reason.

        Yields:
            Fillings, and ln P of the whole text with each of them, (N,).
        """
        start, end = 0, max(top, FIRST_TURN)
        left_over = 1.0  # shares of the probability of all candidates, before the text behind the blank
        ranked = 0.0
        while start < len(found.fills) and (start < top or left_over > NEGLIGIBLE * ranked):
            some = found.part(start, end)
            # Where nothing is read, what was found has all: also that a word of several pieces ends there.
            log_probs = self._read(some, segment).readers.log_probs if segment.tokens else some.log_probs
            if other is not None:
                log_probs = other.mean(log_probs, some.fills)
            yield some.fills, log_probs
            left_over -= float(np.exp(some.limits - found.log_total).sum())
            ranked += float(np.exp(log_probs - found.log_total).sum())
            start, end = end, 2 * end


def _candidates_of(
    beam: _Beam, found: Sequence[tuple[int, tuple[int, ...], float]], *, forward_weight: float = 1.0
) -> _Candidates:
    """Candidates from (row, ids, log_prob), the most probable first."""
    log_probs = np.array([log_prob for _, _, log_prob in found], np.float64)
    return _Candidates(
        beam,
        fills=[(*beam.fills[row][:-1], (*beam.fills[row][-1], *ids)) for row, ids, _ in found],
        words=[ids for _, ids, _ in found],
        rows=np.array([row for row, _, _ in found], np.intp),
        log_probs=log_probs,
        limits=forward_weight * log_probs,
        count=len(found),
        log_total=log_sum(forward_weight * log_probs),
    )


def _best(beams: Sequence[_Beam]) -> _Beam:
    """The best `BEAM` fillings of several beams."""
    readers = Readers.joined([beam.readers for beam in beams])
    order = np.argsort(-readers.log_probs, kind="stable")[:BEAM]
    fills = [fills for beam in beams for fills in beam.fills]
    return _Beam([fills[i] for i in order], readers.take(order))


def _by_left_side(groups: Sequence[_Candidates], top: int) -> Ranking:
    """The ranking where nothing stands behind the last blank: all candidates are ranked already."""
    fills = [fills for group in groups for fills in group.fills]
    log_probs = np.concatenate([group.log_probs for group in groups])
    ranking = _ranking(fills, log_probs, top)
    log_total = log_sum(np.array([group.log_total for group in groups]))
    return replace(ranking, log_total=log_total, ranked=sum(group.count for group in groups))


def _ranking(fills: Sequence[Fills], log_probs: LogProbs, top: int) -> Ranking:
    order = np.argsort(-log_probs, kind="stable")[:top]
    best = [Filling(fills[i], float(log_probs[i])) for i in order]
    return Ranking(best, log_sum(log_probs), ranked=len(fills))
