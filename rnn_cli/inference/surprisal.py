"""Scores of a text, token by token: log-probability, surprisal, rank, frequency, and which word it belongs to.

A word is what stands between white space, punctuation included, as in a reading-time study; a token that is white
space itself belongs to the word after it (kind char), or to none (kind word: a second space, a tab). The `<eos>` at
the end of a line is scored, as in training.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_cli.errors import ModelFileError, RnnError
from rnn_cli.inference.engine import Engine, State, grown_too_large
from rnn_cli.inference.frequency import Frequencies
from rnn_cli.inference.judging import Judged, judge
from rnn_cli.text.rules import EOS
from rnn_cli.text.tokenizer import Tokenizer

LINES_AT_ONCE = 64  # read side by side where lines are independent

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class TokenScore:
    """A token as it stands in the text.

    Attributes:
        text: as typed (in NFC), without the space before it; "<eos>" for the end of the line.
        word: which word of the line it belongs to, from 1; None for its end, and see above.
        log_prob: ln P(token | all before it), in nats; read backwards, ln P(token | all behind it).
        rank: 1 where it was the most probable of the vocabulary.
        unknown: whether the model does not know it; log_prob, rank and count are then those of the unknown word.
        count: how often it stands in the training text; None where the model file does not say so.
    """

    text: str
    word: int | None
    log_prob: float
    rank: int
    unknown: bool
    count: int | None = None

    @property
    def surprisal_bits(self) -> float:
        """-log2 P."""
        return bits(self.log_prob)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": self.text,
            "word": self.word,
            "log_prob": self.log_prob,
            "surprisal_bits": self.surprisal_bits,
            "rank": self.rank,
            "unknown": self.unknown,
            "count": self.count,
        }


@dataclass(frozen=True)
class WordScore:
    """A word with the punctuation that sticks to it: log_prob is the sum over its tokens.

    `count` is that of its token; None where it has several, or where tokens are pieces of words.
    """

    text: str
    log_prob: float
    unknown: bool
    count: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": self.text,
            "log_prob": self.log_prob,
            "surprisal_bits": bits(self.log_prob),
            "unknown": self.unknown,
            "count": self.count,
        }


@dataclass(frozen=True)
class LineScore:
    """A line and all its tokens, the end of the line included; none for a blank line that stands alone.

    `of_words`: whether tokens are whole words, not pieces of them.
    """

    text: str
    tokens: list[TokenScore]
    of_words: bool = True

    @property
    def log_prob(self) -> float:
        """ln P(line), in nats: the sum over its tokens."""
        return math.fsum(token.log_prob for token in self.tokens)

    @property
    def surprisal_bits(self) -> float:
        """-log2 P(line)."""
        return bits(self.log_prob)

    @property
    def unknown(self) -> int:
        """How many of its tokens the model does not know."""
        return sum(token.unknown for token in self.tokens)

    @property
    def words(self) -> list[WordScore]:
        """The words of the line in order; their sum lacks the end of the line."""
        parts: list[list[TokenScore]] = [[] for _ in self.text.split()]
        for token in self.tokens:
            if token.word is not None and parts:
                # White space at the end of the line stands before no word.
                parts[min(token.word, len(parts)) - 1].append(token)
        return [
            WordScore(
                word,
                math.fsum(token.log_prob for token in tokens),
                any(token.unknown for token in tokens),
                tokens[0].count if len(tokens) == 1 and self.of_words else None,
            )
            for word, tokens in zip(self.text.split(), parts, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": self.text,
            "log_prob": self.log_prob,
            "surprisal_bits": self.surprisal_bits,
            "unknown": self.unknown,
            "words": [word.to_dict() for word in self.words],
            "tokens": [token.to_dict() for token in self.tokens],
        }


@dataclass(frozen=True)
class TextScore:
    """All lines of a text, and their sum."""

    lines: list[LineScore]

    @property
    def log_prob(self) -> float:
        """ln P(text), in nats."""
        return math.fsum(line.log_prob for line in self.lines)

    @property
    def surprisal_bits(self) -> float:
        """-log2 P(text)."""
        return bits(self.log_prob)

    @property
    def unknown(self) -> int:
        """How many tokens the model does not know."""
        return sum(line.unknown for line in self.lines)


def bits(log_prob: float) -> float:
    """Surprisal in bits of a log-probability in nats."""
    return -log_prob / math.log(2) + 0.0  # no minus before a zero


class LineScorer:
    """Scores lines, one group after another.

    Args:
        engine: the network.
        tokenizer: its vocabulary.
        state_carried: whether the state runs on from line to line; else each begins with no memory, and a blank one
            has no tokens.
        at_once: how many lines are read side by side; it changes the speed, not the result.
        backwards: whether the network reads each line from its end. With `state_carried` it begins at the end of the
            text, so all lines have to be given at once. The end of a line is then where it begins.
        frequencies: how often each token stands in the training text; None where that is not known.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        *,
        state_carried: bool,
        at_once: int = LINES_AT_ONCE,
        backwards: bool = False,
        frequencies: Frequencies | None = None,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._frequencies = frequencies
        self.state_carried = state_carried
        self.backwards = backwards
        self._at_once = at_once

    def start(self) -> State:
        """The state before the first line."""
        return self._engine.initial_state(1)

    def judge(self, lines: Sequence[Sequence[int]], state: State) -> tuple[list[Judged | RnnError], State]:
        """Judge the ids of each line, and the `<eos>` behind them; the state goes on where it is carried.

        A line at which the model's numbers grow too large has an error in its place, and the next one begins with no
        memory.
        """
        if not self.backwards:
            return self._judge(lines, state)
        judged, state = self._judge([line[::-1] for line in lines[::-1]], state)
        return [one if isinstance(one, RnnError) else _turned(one) for one in judged[::-1]], state

    def _judge(self, lines: Sequence[Sequence[int]], state: State) -> tuple[list[Judged | RnnError], State]:
        if self.state_carried:
            return self._judge_stream(lines, state)
        results: list[Judged | RnnError] = [_NOTHING] * len(lines)
        order = sorted((i for i, line in enumerate(lines) if line), key=lambda i: len(lines[i]))
        for start in range(0, len(order), self._at_once):
            some = order[start : start + self._at_once]
            found = self._judge_alone([lines[i] for i in some])
            for i, judged in zip(some, found, strict=True):
                results[i] = judged
        return results, state

    def score(self, texts: Sequence[str], state: State) -> tuple[list[LineScore | RnnError], State]:
        """The same for texts of one line each, with the tokens by name."""
        named = [list(self._tokens(text)) for text in texts]
        judged, state = self.judge([[id_ for id_, _, _ in tokens] for tokens in named], state)
        scores = [
            result if isinstance(result, RnnError) else self._named(text, tokens, result)
            for text, tokens, result in zip(texts, named, judged, strict=True)
        ]
        return scores, state

    def _judge_alone(self, lines: Sequence[Sequence[int]]) -> list[Judged | RnnError]:
        eos = self._tokenizer.eos_id
        try:
            judged, _ = judge(
                self._engine,
                [[eos, *line] for line in lines],
                [[*line, eos] for line in lines],
                self._engine.initial_state(len(lines)),
            )
        except ModelFileError:
            if len(lines) == 1:
                return [
                    grown_too_large()
                ]  # a new one: the one that was caught keeps the arrays of its frames
            return [result for line in lines for result in self._judge_alone([line])]
        return [*judged]

    def _judge_stream(
        self, lines: Sequence[Sequence[int]], state: State
    ) -> tuple[list[Judged | RnnError], State]:
        eos = self._tokenizer.eos_id
        targets = [id_ for line in lines for id_ in (*line, eos)]
        if not targets:
            return [], state
        try:
            (judged,), after = judge(self._engine, [[eos, *targets[:-1]]], [targets], state)
        except ModelFileError:
            if len(lines) == 1:
                return [grown_too_large()], self.start()
            results: list[Judged | RnnError] = []
            for line in lines:
                (result,), state = self._judge_stream([line], state)
                results.append(result)
            return results, state
        ends = np.cumsum([len(line) + 1 for line in lines])[:-1]
        parts = (np.split(figures, ends) for figures in (judged.log_probs, judged.ranks, judged.best))
        return [Judged(*figures) for figures in zip(*parts, strict=True)], after

    def _tokens(self, text: str) -> Iterator[tuple[int, str, int | None]]:
        """The id, the text and the word's number of each token of a line.

        A second space, or a tab, is a token of its own where tokens are words: it is of none of the words.
        """
        whole_words = self._tokenizer.kind == "word"
        words_before = end_of_part = 0
        for part in self._tokenizer.parts(text):
            begin = text.index(part, end_of_part)  # right there, or behind a space that is in neither part
            end_of_part = begin + len(part)
            if begin and not (text[begin - 1].isspace() or part[0].isspace()):
                words_before -= 1  # a giant word goes on
            whole, spans = self._tokenizer.encode_with_spans(part)
            starts = [word.start() for word in _WORD.finditer(whole)]
            for id_, start, end in spans:
                stretch = whole[start:end]
                number = bisect_right(starts, end - 1) + (stretch.isspace() and end < len(whole))
                is_between = whole_words and stretch.isspace()
                yield id_, stretch.strip() or stretch, None if is_between else words_before + max(1, number)
            words_before += len(starts)

    def _named(self, text: str, tokens: Sequence[tuple[int, str, int | None]], judged: Judged) -> LineScore:
        figures = list(zip(judged.log_probs.tolist(), judged.ranks.tolist(), strict=True))
        if not figures:
            return LineScore(text, [])
        unk_id, eos_id = self._tokenizer.unk_id, self._tokenizer.eos_id
        scores = [
            TokenScore(stretch, word, log_prob, rank, unknown=id_ == unk_id, count=self._count(id_))
            for (id_, stretch, word), (log_prob, rank) in zip(tokens, figures[:-1], strict=True)
        ]
        log_prob, rank = figures[-1]
        end = TokenScore(EOS, None, log_prob, rank, unknown=False, count=self._count(eos_id))
        return LineScore(text, [*scores, end], of_words=self._tokenizer.kind == "word")

    def _count(self, id_: int) -> int | None:
        return None if self._frequencies is None else int(self._frequencies.counts[id_])


def weighted_log_probs(
    scorers: Sequence[tuple[float, LineScorer]], sentences: Sequence[str]
) -> list[float | RnnError]:
    """ln P of each sentence by several networks, each with its weight, in nats; an error where one cannot read it."""
    totals = [0.0] * len(sentences)
    errors: dict[int, RnnError] = {}
    for weight, scorer in scorers:
        scores, _ = scorer.score(sentences, scorer.start())
        for number, score in enumerate(scores):
            if isinstance(score, RnnError):
                errors[number] = score
            else:
                totals[number] += weight * score.log_prob
    return [errors.get(number, total) for number, total in enumerate(totals)]


def _turned(judged: Judged) -> Judged:
    """A line that was read from its end, in the order of its words; the `<eos>` stays last."""
    figures = (judged.log_probs, judged.ranks, judged.best)
    return Judged(*(np.concatenate([some[:-1][::-1], some[-1:]]) for some in figures))


_NOTHING = Judged(np.empty(0), np.empty(0, np.int64), np.empty(0))
