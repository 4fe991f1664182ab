"""The ways to complete a text: fill its blank, say what comes next, write its sentence to the end."""

from collections.abc import Sequence

import numpy as np

from rnn_cli.errors import RnnError
from rnn_cli.inference.completion import CompletionResult, completion_of, words_in
from rnn_cli.inference.engine import LARGEST_STATE, Array, Engine, grown_too_large
from rnn_cli.inference.pieces import Mask, PieceTable
from rnn_cli.inference.prompt import Context, Prompt, read_context
from rnn_cli.inference.ranking import only, top_ids
from rnn_cli.inference.rules import Draft, Memory, OneWord, Sentence
from rnn_cli.inference.sampling import Sampling, sample_drafts
from rnn_cli.inference.search import beam_search
from rnn_cli.text.tokenizer import Tokenizer

PROMPTS_AT_ONCE = 256  # read and ranked side by side; more are no faster
SCORES_AT_ONCE = 1 << 23  # 32 MB in float32; a very large vocabulary takes fewer prompts at once
NARROWEST_WORD_BEAM = 32  # drafts kept while a word of several pieces is searched for, at least


class Completer:
    """Completes texts with a network and the vocabulary that it has learnt.

    Args:
        engine: the network.
        tokenizer: its vocabulary.
        independent_lines: whether it has learnt each line without memory of the one before.

    Attributes:
        pieces: what each id can be in a sentence.
    """

    def __init__(self, engine: Engine, tokenizer: Tokenizer, *, independent_lines: bool) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._independent_lines = independent_lines
        self._one_word_rules: dict[tuple[bool, bool], OneWord] = {}
        self.pieces = PieceTable(
            tokenizer.pieces, kind=tokenizer.kind, eos_id=tokenizer.eos_id, unk_id=tokenizer.unk_id
        )

    def next_words(self, prompts: Sequence[Prompt], *, top: int) -> list[CompletionResult | RnnError]:
        """The `top` best words for each blank, or for what comes next where there is no blank.

        A blank is filled with a word, by P(word | left side); what comes next may also be a punctuation mark, or
        the end of the line (no words). Where words have several pieces, P(word) is the product of the probabilities
        of its pieces and of the probability that the piece after them does not go on with the word.

        A prompt costs one pass over its words and, where words are pieces, one look at the output layer. One after
        which the model's numbers are too large has an error in its place.
        """
        contexts = [self._read_context(prompt) for prompt in prompts]
        order = sorted(range(len(prompts)), key=lambda i: len(contexts[i].ids))  # like lengths side by side
        results: dict[int, CompletionResult | RnnError] = {}
        at_once = min(PROMPTS_AT_ONCE, max(1, SCORES_AT_ONCE // self._engine.vocab_size))
        for start in range(0, len(order), at_once):
            some = order[start : start + at_once]
            hidden, state = self._engine.read_each([contexts[i].ids for i in some])
            fine = np.flatnonzero((np.abs(hidden) < LARGEST_STATE).all(axis=1))  # rows
            if len(fine) < len(some):
                results |= {i: grown_too_large() for i in some}
                some = [some[row] for row in fine]
                hidden, state = hidden[fine], [h[fine] for h in state]
            if not some:
                continue
            rules = [self._one_word(prompts[i], contexts[i]) for i in some]
            last = [contexts[i].ids[-1] for i in some]
            if self.pieces.whole_words:
                found = self._rank_words(rules, last, hidden, top)
            else:
                found = [
                    self._search_words(
                        rules[row], Memory(hidden[[row]], [h[[row]] for h in state], last[row]), top
                    )
                    for row in range(len(some))
                ]
            for i, drafts in zip(some, found, strict=True):
                results[i] = self._result(prompts[i], contexts[i], drafts)
        return [results[i] for i in range(len(prompts))]

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

    def _rank_words(
        self, rules: Sequence[OneWord], last: Sequence[int], hidden: Array, top: int
    ) -> list[list[Draft]]:
        """The best words where each is one piece, for contexts that were read to hidden (B, H)."""
        log_probs = self._engine.log_probs(hidden)  # (B, vocab_size)
        allowed = np.stack([r.moves(Draft((), id_)).add_and_end for r, id_ in zip(rules, last, strict=True)])
        best = top_ids(only(log_probs, allowed), top)
        return [
            [Draft((int(id_),), int(id_), words=1, log_prob=float(row[id_])) for id_ in ids]
            for ids, row in zip(best, log_probs, strict=True)
        ]

    def _search_words(self, rules: OneWord, memory: Memory, top: int) -> list[Draft]:
        """The best words where each may have several pieces, for one context."""
        # Twice as many as are wanted, because pieces may spell one word in two ways, or bytes that are no text,
        # or, byte by byte, white space, or a word and a mark behind it.
        width = max(NARROWEST_WORD_BEAM, 4 * top)
        drafts = beam_search(self._engine, rules, memory, width=width, top=2 * top)
        spelled: dict[tuple[str, bool], Draft] = {}
        for draft in drafts:
            text = self._tokenizer.decode(draft.ids)
            is_one = len(words_in(text)) == 1 or draft.last == self._tokenizer.eos_id
            if is_one and "\ufffd" not in text:
                spelled.setdefault((text, bool(self.pieces.spaced[draft.ids[0]])), draft)
        return list(spelled.values())[:top]

    def _one_word(self, prompt: Prompt, context: Context) -> OneWord:
        key = (prompt.right is not None, context.after_space)
        if key not in self._one_word_rules:
            self._one_word_rules[key] = self._make_one_word(*key)
        return self._one_word_rules[key]

    def _make_one_word(self, is_blank: bool, after_space: bool) -> OneWord:
        pieces = self.pieces
        begins = (
            pieces.word | pieces.one_space
        )  # a space may be a piece of its own, for kind bpe now and then
        if not is_blank:
            follow = self._may_follow(after_space)
            marks = ~(pieces.word | pieces.space | pieces.unk)
            return OneWord(pieces, first=begins & follow, instead=marks & follow)
        first = begins & (pieces.spaced if after_space else ~pieces.spaced)
        if not first.any():  # under split: whitespace even a word right after a bracket carries a space
            first = pieces.word
        return OneWord(pieces, first=first, instead=pieces.none)

    def _sentence(self, context: Context, max_words: int) -> Sentence:
        return Sentence(self.pieces, first=self._may_follow(context.after_space), max_words=max_words)

    def _may_follow(self, after_space: bool) -> Mask:
        """Every piece, but where white space was typed no word that would stick to the text before it."""
        sticks = self.pieces.word & ~self.pieces.spaced
        return ~sticks if after_space else ~self.pieces.none

    def _remember(self, context: Context) -> Memory:
        hidden, state = self._engine.read_each([context.ids])
        return Memory(hidden, state, context.ids[-1])

    def _read_context(self, prompt: Prompt) -> Context:
        return read_context(prompt.left, self._tokenizer, independent_lines=self._independent_lines)

    def _result(self, prompt: Prompt, context: Context, drafts: Sequence[Draft]) -> CompletionResult:
        completions = [completion_of(draft, prompt, context, self._tokenizer) for draft in drafts]
        return CompletionResult(prompt.text, completions, context.unknown)
