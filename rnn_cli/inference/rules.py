"""What may come next while a word or a sentence is written, piece by piece, and what ends it."""

from dataclasses import dataclass, replace
from typing import Protocol

from rnn_cli.inference.engine import Array, State
from rnn_cli.inference.pieces import Mask, PieceTable

LONGEST_WORD = 40  # pieces; longer than any word in a dictionary, so only a model that stutters gets there


@dataclass(frozen=True)
class Memory:
    """A context that was read, and goes on with whatever is written.

    Attributes:
        hidden: the top layer's h_t after the context, (1, H).
        state: the state after the context, (1, S) for each layer.
        last: the last id of the context.
    """

    hidden: Array
    state: State
    last: int


@dataclass(frozen=True)
class Draft:
    """Something half written.

    Attributes:
        ids: the pieces so far.
        last: the piece before the next one: the last of `ids`, or at the beginning the last one of the context.
        words: how many words were begun.
        log_prob: ln P(ids | context), in nats.
    """

    ids: tuple[int, ...]
    last: int
    words: int = 0
    log_prob: float = 0.0


@dataclass(frozen=True)
class Moves:
    """What may be done next: three masks over the ids, (vocab_size,) each, with no id in two of them.

    Attributes:
        add: pieces after which it goes on.
        add_and_end: pieces that end it, and belong to it.
        end: pieces that show that it has ended before them, and do not belong to it.
    """

    add: Mask
    add_and_end: Mask
    end: Mask

    def ending_with(self, last: Mask) -> "Moves":
        """The same, but it ends with the pieces `last`."""
        return replace(self, add=self.add & ~last, add_and_end=self.add_and_end | (self.add & last))


class Rules(Protocol):
    """What may be written with the pieces of a vocabulary."""

    pieces: PieceTable

    def moves(self, draft: Draft) -> Moves:
        """What may be done next."""


class OneWord:
    """One word, of one piece or several; it ends where the next piece does not go on with it.

    Args:
        pieces: the vocabulary.
        first: pieces that the word may begin with; a space among them is followed by the word.
        instead: pieces that may stand in place of a word (punctuation, the end of the line).
    """

    def __init__(self, pieces: PieceTable, *, first: Mask, instead: Mask) -> None:
        self.pieces = pieces
        self._first = Moves(add=first, add_and_end=instead, end=pieces.none)
        if pieces.whole_words:
            self._first = self._first.ending_with(pieces.word)
        self._after_space = replace(
            self._first, add=pieces.word & ~pieces.spaced, add_and_end=instead & ~pieces.spaced
        )
        self._inside = Moves(add=pieces.goes_on & pieces.word, add_and_end=pieces.none, end=~pieces.goes_on)
        self._longest = replace(self._inside, add=pieces.none)

    def moves(self, draft: Draft) -> Moves:
        """The first piece, the one after a space, or the rest of the word."""
        if not draft.ids:
            return self._first
        if self.pieces.one_space[draft.last]:
            return self._after_space
        return self._inside if len(draft.ids) < LONGEST_WORD else self._longest


class Sentence:
    """The rest of a sentence: up to a full stop or the like, the end of the line, or a number of words.

    The last word of that number is written to its end. `<eos>` is not the first piece: something is added.

    Args:
        pieces: the vocabulary.
        first: pieces that it may begin with.
        max_words: how many words it may have.
    """

    def __init__(self, pieces: PieceTable, *, first: Mask, max_words: int) -> None:
        self.pieces = pieces
        self._max_words = max_words
        self._max_pieces = max_words * LONGEST_WORD
        on = ~(pieces.sentence_end | pieces.eos | pieces.unk)
        self._first = Moves(add=on & first, add_and_end=pieces.sentence_end & first, end=pieces.none)
        self._further = Moves(add=on, add_and_end=pieces.sentence_end | pieces.eos, end=pieces.none)
        self._last_word = Moves(pieces.goes_on & pieces.word, add_and_end=pieces.none, end=~pieces.goes_on)

    def moves(self, draft: Draft) -> Moves:
        """The first piece, any further one, the last one, or what is left of the last word."""
        full = len(draft.ids) + 1 >= self._max_pieces
        if draft.words == self._max_words:
            return replace(self._last_word, add=self.pieces.none) if full else self._last_word
        moves = self._further if draft.ids else self._first
        if full:
            return moves.ending_with(moves.add)
        if self.pieces.whole_words and draft.words + 1 == self._max_words:
            return moves.ending_with(self.pieces.word)
        return moves


def extended(draft: Draft, id_: int, log_prob: float, pieces: PieceTable) -> Draft:
    """The draft with one more piece, whose probability after the others is e^log_prob."""
    goes_on = pieces.goes_on[id_] and pieces.word[draft.last]
    begun = int(pieces.word[id_] and not goes_on)
    return Draft((*draft.ids, id_), id_, draft.words + begun, draft.log_prob + log_prob)
