import pytest

from rnn_cli.inference.pieces import Mask, PieceTable, is_part_of_word


def chosen(mask: Mask, pieces: list[str]) -> list[str]:
    return [piece for piece, holds in zip(pieces, mask, strict=True) if holds]


WORDS = [" <unk>", "\n", " sushi", "sushi", "'s", ".", " (", "...", " 12", "  ", " U.S.", "?"]
CHARS = ["<unk>", "\n", "a", "é", "1", " ", ".", "\u0301", "_", "!"]
BPE = ["\n", " su", "shi", " ", "\ufffd", " \ufffd", ".", "a.", " ("]


@pytest.fixture
def words() -> PieceTable:
    return PieceTable(WORDS, kind="word", eos_id=1, unk_id=0)


@pytest.fixture
def chars() -> PieceTable:
    return PieceTable(CHARS, kind="char", eos_id=1, unk_id=0)


@pytest.fixture
def bpe() -> PieceTable:
    return PieceTable(BPE, kind="bpe", eos_id=0, unk_id=None)


def test_a_word_has_a_letter_or_a_digit(words: PieceTable) -> None:
    assert chosen(words.word, WORDS) == [" sushi", "sushi", "'s", " 12", " U.S."]


def test_a_whole_word_never_goes_on(words: PieceTable) -> None:
    assert words.whole_words
    assert chosen(words.goes_on, WORDS) == []


def test_a_sentence_ends_with_a_mark_that_stands_alone(words: PieceTable) -> None:
    assert chosen(words.sentence_end, WORDS) == [".", "...", "?"]


def test_special_tokens_are_in_their_own_masks_only(words: PieceTable, bpe: PieceTable) -> None:
    assert chosen(words.unk, WORDS) == [" <unk>"]
    assert chosen(words.eos, WORDS) == ["\n"]
    assert chosen(words.space, WORDS) == ["  "]
    assert chosen(words.one_space, WORDS) == []
    assert chosen(words.spaced, WORDS) == [" sushi", " (", " 12", "  ", " U.S."]
    assert chosen(bpe.unk, BPE) == []


def test_letters_digits_and_marks_are_parts_of_words(chars: PieceTable) -> None:
    assert chosen(chars.word, CHARS) == ["a", "é", "1", "\u0301"]
    assert chosen(chars.goes_on, CHARS) == ["a", "é", "1", "\u0301"]
    assert chosen(chars.sentence_end, CHARS) == [".", "!"]


def test_pieces_of_kind_bpe_begin_words_with_their_space_and_go_on_without(bpe: PieceTable) -> None:
    assert chosen(bpe.word, BPE) == [" su", "shi", "\ufffd", " \ufffd"]
    assert chosen(bpe.goes_on, BPE) == ["shi", "\ufffd", "a."]
    assert chosen(bpe.space, BPE) == chosen(bpe.one_space, BPE) == [" "]


def test_nothing_is_no_part_of_a_word() -> None:
    assert not is_part_of_word("")
    assert not is_part_of_word("it's")
    assert is_part_of_word("çé9")
