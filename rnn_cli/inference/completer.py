"""The ways to complete a text: fill its blank, say what comes next, write its sentence to the end."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec

import numpy as np

from rnn_cli.errors import ModelFileError, RnnError, UsageError
from rnn_cli.inference.choosing import rank_choices
from rnn_cli.inference.completion import CompletionResult, Ranked, continued, filled, words_of
from rnn_cli.inference.engine import LARGEST_STATE, Engine, grown_too_large
from rnn_cli.inference.filling import BlankFiller
from rnn_cli.inference.frequency import Frequencies, frequencies_for_pmi
from rnn_cli.inference.other_side import OtherSide
from rnn_cli.inference.pieces import PieceTable
from rnn_cli.inference.prompt import Context, Prompt, read_context
from rnn_cli.inference.ranking import only, top_ids
from rnn_cli.inference.reading import Readers
from rnn_cli.inference.request import Asked, Request
from rnn_cli.inference.rules import Draft, Memory, Sentence
from rnn_cli.inference.sampling import Sampling, sample_drafts
from rnn_cli.inference.search import beam_search
from rnn_cli.inference.segment import read_segment, word_ids
from rnn_cli.inference.sides import Side, View, direction_of
from rnn_cli.inference.threads import in_threads
from rnn_cli.inference.words import WordFinder
from rnn_cli.text.tokenizer import Tokenizer

P = ParamSpec("P")

PROMPTS_AT_ONCE = 256  # read and ranked side by side; more are no faster
FEWEST_PARTS = 4  # that requests are cut into, so that several cores have a part each
WORTH_A_THREAD = 1 << 20  # weights of V; with fewer, threads wait for Python's lock more than they gain
SCORES_AT_ONCE = 1 << 23  # 32 MB in float32; a very large vocabulary takes fewer prompts at once


class Completer:
    """Completes texts with one network or two, and the vocabulary that they have learnt.

    Args:
        engine: the network; a pair's is the one that reads forward.
        tokenizer: its vocabulary.
        independent_lines: whether it has learnt each line without memory of the one before.
        backwards: whether the one network reads from the last word to the first.
        second: the network of a pair that reads backwards, with its weight.
        pieces: made from the vocabulary where it is not at hand.
        frequencies: of the training text; None where nobody asks for pmi.

    Attributes:
        pieces: what each id can be in a sentence.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        *,
        independent_lines: bool,
        backwards: bool = False,
        second: Side | None = None,
        pieces: PieceTable | None = None,
        frequencies: Frequencies | None = None,
    ) -> None:
        self._engine = engine
        self._frequencies = frequencies
        self._backwards = backwards
        self._sides = [Side(engine, backwards, 1 - second.weight if second else 1.0)]
        self._sides += [second] if second else []
        self._tokenizer = tokenizer
        self._independent_lines = independent_lines
        self.pieces = pieces or PieceTable.of(tokenizer)
        self._words = WordFinder(engine, tokenizer, self.pieces)
        self._filler = BlankFiller(engine, tokenizer, self._words, independent_lines=independent_lines)

    def with_engine(self, engine: Engine) -> "Completer":
        """The same with another network for the same vocabulary, alone, which reads forward."""
        return Completer(
            engine,
            self._tokenizer,
            independent_lines=self._independent_lines,
            pieces=self.pieces,
            frequencies=self._frequencies,
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
        asked: dict[int, Asked] = {}
        results: dict[int, CompletionResult | RnnError] = {}
        for i, request in enumerate(wanted):
            try:
                asked[i] = self._read_request(request)
            except UsageError as error:
                results[i] = error

        def answers_of(some: Sequence[int]) -> list[CompletionResult | RnnError]:
            return self._side_by_side([asked[i] for i in some], top, blank_words)

        heavy = self._engine.output_weights >= WORTH_A_THREAD
        parts = self._parts(asked, fewest=FEWEST_PARTS if heavy else 1)
        all_found = in_threads(answers_of, parts) if heavy else map(answers_of, parts)
        for some, found in zip(parts, all_found, strict=True):
            results |= dict(zip(some, found, strict=True))
        return [results[i] for i in range(len(wanted))]

    def _parts(self, asked: Mapping[int, Asked], *, fewest: int) -> list[list[int]]:
        """Which requests are answered together: like lengths side by side, and each blank by itself."""
        order = sorted(asked, key=lambda i: len(asked[i].context.ids))
        alone = [i for i in order if asked[i].segments and asked[i].request.choices is None]
        others = [i for i in order if not asked[i].segments or asked[i].request.choices is not None]
        affordable = SCORES_AT_ONCE // self._engine.vocab_size
        at_once = max(1, min(PROMPTS_AT_ONCE, affordable, math.ceil(len(others) / fewest)))
        together = [others[start : start + at_once] for start in range(0, len(others), at_once)]
        return [*([i] for i in alone), *together]

    def _side_by_side(
        self, asked: Sequence[Asked], top: int, blank_words: tuple[int, int]
    ) -> list[CompletionResult | RnnError]:
        """One result for each; their beginnings are read together."""
        views = [View.of(side, asked, self._tokenizer.eos_id) for side in self._sides]
        within = [(np.abs(view.readers.hidden) < LARGEST_STATE).all(axis=1) for view in views]
        fine = np.logical_and.reduce(within)  # (len(asked),)
        rows = np.flatnonzero(fine).tolist()
        if not fine.all():
            views = [view.take(rows) for view in views]
        found = iter(self._answers([asked[row] for row in rows], views, top, blank_words))
        return [next(found) if is_fine else grown_too_large() for is_fine in fine]

    def continuations(self, prompt: Prompt, *, top: int, max_words: int) -> CompletionResult:
        """The best continuations to the end of the sentence, by a beam search `top` wide; 1 is greedy."""
        context = self._read_start(prompt)
        drafts = beam_search(
            self._engine, self._sentence(context, max_words), self._remember(context), width=top, top=top
        )
        return self._result(prompt, context, drafts)

    def sampled_continuations(
        self, prompt: Prompt, *, top: int | None, max_words: int, sampling: Sampling
    ) -> CompletionResult:
        """Continuations drawn at random; the `top` most probable of them, or all, which may be alike."""
        context = self._read_start(prompt)
        drafts = sample_drafts(
            self._engine, self._sentence(context, max_words), self._remember(context), sampling
        )
        drafts.sort(key=lambda draft: draft.log_prob, reverse=True)
        return self._result(prompt, context, drafts[:top])

    def _answers(
        self, asked: Sequence[Asked], views: Sequence[View], top: int, blank_words: tuple[int, int]
    ) -> list[CompletionResult | RnnError]:
        """One result for each of those whose beginnings were read."""
        results: dict[int, CompletionResult | RnnError] = {}
        rows = range(len(asked))
        with_choices = [row for row in rows if asked[row].request.choices is not None]
        blanks = [row for row in rows if asked[row].segments and asked[row].request.choices is None]
        others = [row for row in rows if not asked[row].segments]
        if with_choices:
            some = [view.take(with_choices) for view in views]
            ranked = rank_choices([asked[row] for row in with_choices], some, self._tokenizer, self.pieces)
            results |= dict(zip(with_choices, ranked, strict=True))
        for row in blanks:
            views_of_row = [view.take([row]) for view in views]
            results[row] = _or_error(self._fill, asked[row], views_of_row, top, blank_words)
        if others and self._backwards:
            results |= {row: _no_continuation() for row in others}
        elif others:
            found = self._rank_next([asked[row] for row in others], views[0].readers.take(others), top)
            results |= dict(zip(others, found, strict=True))
        return [results[row] for row in rows]

    def _rank_next(
        self, asked: Sequence[Asked], readers: Readers, top: int
    ) -> list[CompletionResult | RnnError]:
        """The best words to come next; an error where the model's numbers grew too large on the way to them."""
        try:
            found = self._next_words(asked, readers, top)
        except ModelFileError as error:
            if len(asked) == 1:
                return [error.with_traceback(None)]  # whose frames keep large arrays
        else:
            return [
                self._result(one.request.prompt, one.context, drafts)
                for one, drafts in zip(asked, found, strict=True)
            ]
        alone = ((asked[row], readers.take([row])) for row in range(len(asked)))
        return [result for one, reader in alone for result in self._rank_next([one], reader, top)]

    def _next_words(self, asked: Sequence[Asked], readers: Readers, top: int) -> list[list[Draft]]:
        """The best words to come next, if the model's numbers grow too large for none of them."""
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
        self, asked: Asked, views: Sequence[View], top: int, blank_words: tuple[int, int]
    ) -> CompletionResult:
        """The best fillings of the blanks."""
        if self._backwards:
            self._check_can_fill_backwards(asked, blank_words)
        (first,), readers = views[0].asked, views[0].readers
        ranking = self._filler.fill(
            Memory(readers.hidden, readers.state, first.context.ids[-1]),
            first.segments,
            after_space=first.context.after_space,
            blank_words=blank_words,
            top=top,
            other=self._other_side(views[1]) if len(views) > 1 else None,
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
        ranked = Ranked(ranking.ranked, asked.segments[-1].tokens, direction_of(views))
        return CompletionResult(prompt.text, completions, asked.unknown, ranked)

    def _check_can_fill_backwards(self, asked: Asked, blank_words: tuple[int, int]) -> None:
        if len(asked.segments) > 1 or blank_words != (1, 1) or not self.pieces.whole_words:
            raise UsageError(
                "This model only reads backwards, so it fills one blank with one word of its vocabulary, or ranks "
                "choices. For more, train with model.direction both."
            )

    def _other_side(self, view: View) -> OtherSide:
        return OtherSide(
            view.side.engine,
            view.readers,
            view.asked[0].segments,
            forward_weight=1 - view.side.weight,
            eos_id=self._tokenizer.eos_id,
            unk_id=self._tokenizer.unk_id,
            independent_lines=self._independent_lines,
        )

    def _sentence(self, context: Context, max_words: int) -> Sentence:
        return Sentence(self.pieces, first=self._words.may_follow(context.after_space), max_words=max_words)

    def _remember(self, context: Context) -> Memory:
        hidden, state = self._engine.read_each([context.ids])
        return Memory(hidden, state, context.ids[-1])

    def _read_start(self, prompt: Prompt) -> Context:
        """What a continuation goes on from."""
        if self._backwards:
            raise _no_continuation()
        return self._read_context(prompt)

    def _read_context(self, prompt: Prompt) -> Context:
        return read_context(prompt.left, self._tokenizer, independent_lines=self._independent_lines)

    def _read_request(self, request: Request) -> Asked:
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
        unknown = [*context.unknown, *(word for s in segments for word in s.unknown)]
        choices = [
            word_ids(choice, self._tokenizer, unknown, after_space=context.after_space)
            for choice in request.choices or ()
        ]
        priors = None
        if request.pmi:
            frequencies = frequencies_for_pmi(self._frequencies, self._tokenizer)
            priors = [frequencies.log_prob(ids) for ids in choices]
        return Asked(request, context, segments, list(dict.fromkeys(unknown)), choices, priors)

    def _result(self, prompt: Prompt, context: Context, drafts: Sequence[Draft]) -> CompletionResult:
        completions = [continued(draft, prompt, context, self._tokenizer) for draft in drafts]
        return CompletionResult(prompt.text, completions, context.unknown)


def _no_continuation() -> UsageError:
    return UsageError(
        "This model reads backwards, so it cannot go on with a text. Put ____ where a word is missing, or train with "
        "model.direction forward or both."
    )


def _or_error(
    answer: Callable[P, CompletionResult], *args: P.args, **kwargs: P.kwargs
) -> CompletionResult | RnnError:
    try:
        return answer(*args, **kwargs)
    except RnnError as error:
        return error.with_traceback(None)  # whose frames keep large arrays
