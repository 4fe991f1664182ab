"""What the pieces of a vocabulary can be in a sentence: whole words, parts of words, ends of sentences, space."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from rnn_cli.text.tokenizer import Tokenizer

Mask = npt.NDArray[np.bool_]
"""True or false for each id, (vocab_size,)."""

SENTENCE_ENDS = frozenset(".!?…。！？")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_PARTIAL = "\ufffd"  # in a piece of kind bpe: bytes that are no whole character


class PieceTable:
    """Masks over the ids of a vocabulary. `<unk>` and `<eos>` are in none of them but their own.

    Args:
        pieces: by id, the token as it stands in the middle of a text (see `Tokenizer.pieces`).
        kind: "word", "char" or "bpe".
        eos_id: the id of `<eos>`.
        unk_id: the id of `<unk>`, None where there is none.

    Attributes:
        whole_words: whether each word is one piece (kind word).
        none, eos, unk: the masks of no id, of `<eos>` and of `<unk>`.
    """

    def __init__(self, pieces: Sequence[str], *, kind: str, eos_id: int, unk_id: int | None) -> None:
        self._pieces = pieces
        self.whole_words = kind == "word"
        self._partial = _PARTIAL if kind == "bpe" else None
        self._special = {eos_id, unk_id}
        self.none = np.zeros(len(pieces), np.bool_)
        self.eos = self.none.copy()
        self.eos[eos_id] = True
        self.unk = self.none.copy()
        if unk_id is not None:
            self.unk[unk_id] = True

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Self:
        """That of a tokenizer's vocabulary."""
        return cls(tokenizer.pieces, kind=tokenizer.kind, eos_id=tokenizer.eos_id, unk_id=tokenizer.unk_id)

    @cached_property
    def word(self) -> Mask:
        """Kind word: the piece has a letter or a digit in it. Else: it is nothing but part of a word."""
        if self.whole_words:
            return self._where(lambda piece: _LETTER_OR_DIGIT.search(piece) is not None)
        return self._where(lambda piece: is_part_of_word(piece.removeprefix(" "), self._partial))

    @cached_property
    def spaced(self) -> Mask:
        """The piece begins with a space."""
        return self._where(lambda piece: piece.startswith(" "))

    @cached_property
    def space(self) -> Mask:
        """The piece is nothing but white space."""
        return self._where(str.isspace)

    @cached_property
    def one_space(self) -> Mask:
        """The piece is a space, which may belong to the word in the next piece."""
        return self._where(lambda piece: piece == " ")

    @cached_property
    def goes_on(self) -> Mask:
        """The piece goes on with the word before it; never so where every piece is a whole word."""
        if self.whole_words:
            return self.none
        return self._where(lambda piece: is_part_of_word(piece[:1], self._partial))

    @cached_property
    def sentence_end(self) -> Mask:
        """The piece is a full stop, a question mark or the like."""
        return self._where(lambda piece: not piece.isspace() and SENTENCE_ENDS.issuperset(piece.strip()))

    def _where(self, holds: Callable[[str], bool]) -> Mask:
        mask = np.fromiter((holds(piece) for piece in self._pieces), np.bool_, len(self._pieces))
        mask[[id_ for id_ in self._special if id_ is not None]] = False
        return mask


def is_part_of_word(text: str, partial: str | None = None) -> bool:
    """Whether `text` is all letters, digits and marks, or the bytes of some (`partial`); nothing is no word."""
    return text != "" and all(c == partial or unicodedata.category(c)[0] in "LMN" for c in text)
