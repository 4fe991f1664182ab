"""Which words may stand in a place, and the most probable of them."""

from functools import cache

from rnn_cli.inference.completion import words_in
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.pieces import Mask, PieceTable
from rnn_cli.inference.rules import Draft, Memory, OneWord
from rnn_cli.inference.search import beam_search
from rnn_cli.text.tokenizer import Tokenizer

NARROWEST_WORD_BEAM = 32  # drafts kept while a word of several pieces is searched for, at least


class WordFinder:
    """Finds words for a place in a text.

    Args:
        engine: the network.
        tokenizer: its vocabulary.
        pieces: what each id can be in a sentence.
    """

    def __init__(self, engine: Engine, tokenizer: Tokenizer, pieces: PieceTable) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self.pieces = pieces
        self.rules = cache(self._make_rules)

    def search(self, rules: OneWord, memory: Memory, top: int) -> list[Draft]:
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

    def may_follow(self, after_space: bool) -> Mask:
        """Every piece, but where white space was typed no word that would stick to the text before it."""
        sticks = self.pieces.word & ~self.pieces.spaced
        return ~sticks if after_space else ~self.pieces.none

    def _make_rules(self, is_blank: bool, after_space: bool) -> OneWord:
        """`is_blank`: a word is wanted; else it may be a punctuation mark, or the end of the line."""
        pieces = self.pieces
        begins = (
            pieces.word | pieces.one_space
        )  # a space may be a piece of its own, for kind bpe now and then
        if not is_blank:
            follow = self.may_follow(after_space)
            marks = ~(pieces.word | pieces.space | pieces.unk)
            return OneWord(pieces, first=begins & follow, instead=marks & follow)
        first = begins & (pieces.spaced if after_space else ~pieces.spaced)
        if not first.any():  # under split: whitespace even a word right after a bracket carries a space
            first = pieces.word
        return OneWord(pieces, first=first, instead=pieces.none)
