"""The ways to complete a text: fill its blank, say what comes next, write its sentence to the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec

import numpy as np

from rnn_cli.errors import ModelFileError, RnnError, UsageError
from rnn_cli.inference.completion import CompletionResult, Ranked, continued, filled, words_of
from rnn_cli.inference.engine import LARGEST_STATE, Engine, grown_too_large
from rnn_cli.inference.filling import BlankFiller
from rnn_cli.inference.pieces import PieceTable
from rnn_cli.inference.prompt import Context, Prompt, read_context
from rnn_cli.inference.ranking import log_sum, only, top_ids
from rnn_cli.inference.reading import LogProbs, Readers, read_on
from rnn_cli.inference.rules import Draft, Memory, Sentence
from rnn_cli.inference.sampling import Sampling, sample_drafts
from rnn_cli.inference.search import beam_search
from rnn_cli.inference.segment import Segment, read_segment, word_ids
from rnn_cli.inference.words import WordFinder
from rnn_cli.text.tokenizer import Tokenizer

P = ParamSpec("P")

PROMPTS_AT_ONCE = 256  # read and ranked side by side; more are no faster
CHOICES_AT_ONCE = 2048  # read side by side: bounds the memory for their states
SCORES_AT_ONCE = 1 << 23  # 32 MB in float32; a very large vocabulary takes fewer prompts at once


@dataclass(frozen=True)
class Request:
    """A text to complete; with choices, which are checked already, only these are ranked for its blank."""

    prompt: Prompt
    choices: Sequence[str] | None = None


@dataclass(frozen=True)
class _Asked:
    """A request as the model reads it: `segments` behind each blank, and the ids of each choice."""

    request: Request
    context: Context
    segments: list[Segment]
    unknown: list[str]
    choices: list[list[int]]


class Completer:
    """Completes texts with a network and the vocabulary that it has learnt.

    Args:
        engine: the network.
        tokenizer: its vocabulary.
        independent_lines: whether it has learnt each line without memory of the one before.
        pieces: made from the vocabulary where it is not at hand.

    Attributes:
        pieces: what each id can be in a sentence.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        *,
        independent_lines: bool,
        pieces: PieceTable | None = None,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._independent_lines = independent_lines
        self.pieces = pieces or PieceTable(
            tokenizer.pieces, kind=tokenizer.kind, eos_id=tokenizer.eos_id, unk_id=tokenizer.unk_id
        )
        self._words = WordFinder(engine, tokenizer, self.pieces)
        self._filler = BlankFiller(engine, tokenizer, self._words, independent_lines=independent_lines)

    def with_engine(self, engine: Engine) -> "Completer":
        """The same with another network for the same vocabulary."""
        return Completer(
            engine, self._tokenizer, independent_lines=self._independent_lines, pieces=self.pieces
        )

    def answers(
        self, wanted: Sequence[Request], *, top: int, blank_words: tuple[int, int] = (1, 1)
    ) -> list[CompletionResult | RnnError]:
        """The `top` best fillings of the blanks, or the best words for what comes next where there is no blank.

        A blank is filled with words, see `filling`; what comes next may also be a punctuation mark, or the end of
        the line (no words), and is ranked by P(word | left side). Where words have several pieces, P(word) is the
        product of the probabilities of its pieces and of the probability that the piece after them does not go on
        with the word. Of choices all are ranked and given.

        A request that cannot be answered has an error in its place.
        """
        asked: dict[int, _Asked] = {}
        results: dict[int, CompletionResult | RnnError] = {}
        for i, request in enumerate(wanted):
            try:
                asked[i] = self._read_request(request)
            except UsageError as error:
                results[i] = error
        order = sorted(asked, key=lambda i: len(asked[i].context.ids))  # like lengths side by side
        at_once = min(PROMPTS_AT_ONCE, max(1, SCORES_AT_ONCE // self._engine.vocab_size))
        for start in range(0, len(order), at_once):
            some = order[start : start + at_once]
            hidden, state = self._engine.read_each([asked[i].context.ids for i in some])
            fine = np.flatnonzero((np.abs(hidden) < LARGEST_STATE).all(axis=1))  # rows
            if len(fine) < len(some):
                results |= {i: grown_too_large() for i in some}
                some = [some[row] for row in fine]
                hidden, state = hidden[fine], [h[fine] for h in state]
            readers = Readers(np.zeros(len(some)), hidden, state)
            found = self._answers([asked[i] for i in some], readers, top, blank_words)
            results |= dict(zip(some, found, strict=True))
        return [results[i] for i in range(len(wanted))]

    def continuations(self, prompt: Prompt, *, top: int, max_words: int) -> CompletionResult:
        """The best continuations to the end of the sentence, by a beam search `top` wide; 1 is greedy."""
        context = self._read_context(prompt)
        drafts = beam_search(
            self._engine, self._sentence(context, max_words), self._remember(context), width=top, top=top
        )
        return self._result(prompt, context, drafts)

    def sampled_continuations(
        self, prompt: Prompt, *, top: int | None, max_words: int, sampling: Sampling
    ) -> CompletionResult:
        """Continuations drawn at random; the `top` most probable of them, or all, which may be alike."""
        context = self._read_context(prompt)
        drafts = sample_drafts(
            self._engine, self._sentence(context, max_words), self._remember(context), sampling
        )
        drafts.sort(key=lambda draft: draft.log_prob, reverse=True)
        return self._result(prompt, context, drafts[:top])

    def _answers(
        self, asked: Sequence[_Asked], readers: Readers, top: int, blank_words: tuple[int, int]
    ) -> list[CompletionResult | RnnError]:
        """One result for each of those whose left sides were read."""
        results: dict[int, CompletionResult | RnnError] = {}
        rows = range(len(asked))
        with_choices = [row for row in rows if asked[row].request.choices is not None]
        blanks = [row for row in rows if asked[row].segments and asked[row].request.choices is None]
        others = [row for row in rows if not asked[row].segments]
        if with_choices:
            ranked = self._rank_choices([asked[row] for row in with_choices], readers.take(with_choices))
            results |= dict(zip(with_choices, ranked, strict=True))
        for row in blanks:
            results[row] = _or_error(self._fill, asked[row], readers.take([row]), top, blank_words)
        if others:
            found = self._rank_next([asked[row] for row in others], readers.take(others), top)
            for row, drafts in zip(others, found, strict=True):
                results[row] = self._result(asked[row].request.prompt, asked[row].context, drafts)
        return [results[row] for row in rows]

    def _rank_next(self, asked: Sequence[_Asked], readers: Readers, top: int) -> list[list[Draft]]:
        """The best words to come next."""
        rules = [self._words.rules(is_blank=False, after_space=one.context.after_space) for one in asked]
        last = [one.context.ids[-1] for one in asked]
        if not self.pieces.whole_words:
            memories = [
                Memory(readers.hidden[[row]], [h[[row]] for h in readers.state], last[row])
                for row in range(len(asked))
            ]
            return [self._words.search(r, memory, top) for r, memory in zip(rules, memories, strict=True)]
        log_probs = self._engine.log_probs(readers.hidden)  # (B, vocab_size)
        allowed = np.stack([r.moves(Draft((), id_)).add_and_end for r, id_ in zip(rules, last, strict=True)])
        best = top_ids(only(log_probs, allowed), top)
        return [
            [Draft((int(id_),), int(id_), words=1, log_prob=float(row[id_])) for id_ in ids]
            for ids, row in zip(best, log_probs, strict=True)
        ]

    def _fill(
        self, asked: _Asked, readers: Readers, top: int, blank_words: tuple[int, int]
    ) -> CompletionResult:
        """The best fillings of the blanks."""
        memory = Memory(readers.hidden, readers.state, asked.context.ids[-1])
        ranking = self._filler.fill(
            memory,
            asked.segments,
            after_space=asked.context.after_space,
            blank_words=blank_words,
            top=top,
        )
        prompt = asked.request.prompt
        completions = [
            filled(
                prompt,
                [(self._tokenizer.decode(ids).strip(), words_of(ids, self._tokenizer)) for ids in best.fills],
                log_prob=min(0.0, best.log_prob - ranking.log_total),
                joint_log_prob=best.log_prob,
            )
            for best in ranking.best
        ]
        ranked = Ranked(ranking.ranked, ranking.tokens_behind)
        return CompletionResult(prompt.text, completions, asked.unknown, ranked)

    def _rank_choices(self, asked: Sequence[_Asked], readers: Readers) -> list[CompletionResult | RnnError]:
        """All choices of each, the most probable first."""
        rows = [row for row, one in enumerate(asked) for _ in one.choices]
        if len(rows) > CHOICES_AT_ONCE and len(asked) > 1:
            return self._rank_choices_in_halves(asked, readers)
        try:
            log_probs = self._log_probs_of(asked, readers.take(rows))
        except ModelFileError as error:  # numbers too large in one of them
            if len(asked) == 1:
                return [error.with_traceback(None)]  # whose frames keep large arrays
            return self._rank_choices_in_halves(asked, readers)
        ends = np.cumsum([len(one.choices) for one in asked])
        return [
            _of_choices(one, part) for one, part in zip(asked, np.split(log_probs, ends[:-1]), strict=True)
        ]

    def _rank_choices_in_halves(
        self, asked: Sequence[_Asked], readers: Readers
    ) -> list[CompletionResult | RnnError]:
        middle = len(asked) // 2
        return [
            *self._rank_choices(asked[:middle], readers.take(range(middle))),
            *self._rank_choices(asked[middle:], readers.take(range(middle, len(asked)))),
        ]

    def _log_probs_of(self, asked: Sequence[_Asked], readers: Readers) -> LogProbs:
        """ln P(choice and what stands behind it | left side) of every choice, from one reader for each."""
        read = read_on(self._engine, readers, [ids for one in asked for ids in one.choices])
        behind = [one.segments[0].joined(self._tokenizer.eos_id) for one in asked for _ in one.choices]
        read = read_on(self._engine, read, behind, unweighed=self._tokenizer.unk_id)
        log_probs = read.log_probs
        if not self.pieces.whole_words:  # where nothing stands behind it, the word must not go on
            ends = np.array([not one.segments[0].tokens for one in asked for _ in one.choices])
            for row in np.flatnonzero(ends):
                log_probs[row] += log_sum(self._engine.log_probs(read.hidden[row])[~self.pieces.goes_on])
        return log_probs

    def _sentence(self, context: Context, max_words: int) -> Sentence:
        return Sentence(self.pieces, first=self._words.may_follow(context.after_space), max_words=max_words)

    def _remember(self, context: Context) -> Memory:
        hidden, state = self._engine.read_each([context.ids])
        return Memory(hidden, state, context.ids[-1])

    def _read_context(self, prompt: Prompt) -> Context:
        return read_context(prompt.left, self._tokenizer, independent_lines=self._independent_lines)

    def _read_request(self, request: Request) -> _Asked:
        """Turn all that was typed into ids; the right side of the blanks, too."""
        context = self._read_context(request.prompt)
        behind = request.prompt.segments[1:]
        segments = [
            read_segment(
                text,
                self._tokenizer,
                is_last=number == len(behind),
                independent_lines=self._independent_lines,
            )
            for number, text in enumerate(behind, start=1)
        ]
        unknown = dict.fromkeys([*context.unknown, *(word for s in segments for word in s.unknown)])
        choices = [
            word_ids(choice, self._tokenizer, unknown, after_space=context.after_space)
            for choice in request.choices or ()
        ]
        return _Asked(request, context, segments, list(unknown), choices)

    def _result(self, prompt: Prompt, context: Context, drafts: Sequence[Draft]) -> CompletionResult:
        completions = [continued(draft, prompt, context, self._tokenizer) for draft in drafts]
        return CompletionResult(prompt.text, completions, context.unknown)


def _of_choices(asked: _Asked, log_probs: LogProbs) -> CompletionResult:
    """The choices with their log_probs (choices,), as a result."""
    total = log_sum(log_probs)
    choices = asked.request.choices or ()
    completions = [
        filled(
            asked.request.prompt,
            [(choices[i], choices[i].split())],
            log_prob=min(0.0, float(log_probs[i]) - total),
            joint_log_prob=float(log_probs[i]),
        )
        for i in np.argsort(-log_probs, kind="stable")
    ]
    ranked = Ranked(len(choices), asked.segments[0].tokens)
    return CompletionResult(asked.request.prompt.text, completions, asked.unknown, ranked)


def _or_error(
    answer: Callable[P, CompletionResult], *args: P.args, **kwargs: P.kwargs
) -> CompletionResult | RnnError:
    try:
        return answer(*args, **kwargs)
    except RnnError as error:
        return error.with_traceback(None)  # whose frames keep large arrays
