"""The search against the enumeration of everything that may be written, worked out here in another way."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rnn_cli.inference import rules as rules_module
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.pieces import PieceTable
from rnn_cli.inference.rules import Memory, OneWord, Sentence
from rnn_cli.inference.search import beam_search
from rnn_cli.model_tensors import Tensors

EVERYTHING = 100_000  # wider than all that is written in these tests
MakeTensors = Callable[..., Tensors]

CHARS = ["<unk>", "\n", " ", "a", "b", "."]
WORDS = [" <unk>", "\n", " a", " b", ".", ","]
UNK, EOS = 0, 1


class Small:
    """A vocabulary, a network and a context of `<eos>` that it has read."""

    def __init__(self, pieces: list[str], kind: str, tensors: Tensors) -> None:
        self.pieces = PieceTable(pieces, kind=kind, eos_id=EOS, unk_id=UNK)
        self.engine = Engine(tensors, num_layers=1, hidden_activation="tanh", output_activation="softmax")
        hidden, state = self.engine.read_each([[EOS]])
        self.memory = Memory(hidden, state, last=EOS)

    def log_probs(self, ids: tuple[int, ...]) -> list[float]:
        """ln P(next | <eos>, ids), read anew from the beginning."""
        hidden, _ = self.engine.read_each([[EOS, *ids]])
        return [float(p) for p in self.engine.log_probs(hidden)[0]]

    def log_prob(self, ids: tuple[int, ...]) -> float:
        return sum(self.log_probs(ids[:i])[id_] for i, id_ in enumerate(ids))


@pytest.fixture
def chars(make_tensors: MakeTensors) -> Small:
    return Small(CHARS, "char", make_tensors(len(CHARS)))


@pytest.fixture
def words(make_tensors: MakeTensors) -> Small:
    return Small(WORDS, "word", make_tensors(len(WORDS)))


def log_sum(values: list[float]) -> float:
    return math.log(sum(math.exp(value) for value in values))


def all_words(longest: int) -> Iterator[tuple[int, ...]]:
    """Every word of the letters a and b."""
    level: list[tuple[int, ...]] = [()]
    for _ in range(longest):
        level = [(*word, id_) for word in level for id_ in (3, 4)]
        yield from level


@pytest.mark.parametrize("top", [1, 4, 12, 30])
def test_the_words_found_are_the_best_of_all_there_are(
    chars: Small, monkeypatch: pytest.MonkeyPatch, top: int
) -> None:
    monkeypatch.setattr(rules_module, "LONGEST_WORD", 4)
    rules = OneWord(chars.pieces, first=chars.pieces.word, instead=chars.pieces.none)

    found = beam_search(chars.engine, rules, chars.memory, width=EVERYTHING, top=top)

    expected = {
        word: chars.log_prob(word) + log_sum([chars.log_probs(word)[id_] for id_ in (UNK, EOS, 2, 5)])
        for word in all_words(4)
    }
    assert [draft.ids for draft in found] == sorted(expected, key=lambda word: -expected[word])[:top]
    for draft in found:
        assert draft.log_prob == pytest.approx(expected[draft.ids], abs=1e-5)


def test_a_narrow_search_finds_the_same_best_words(chars: Small) -> None:
    rules = OneWord(chars.pieces, first=chars.pieces.word, instead=chars.pieces.none)

    wide = beam_search(chars.engine, rules, chars.memory, width=500, top=3)
    narrow = beam_search(chars.engine, rules, chars.memory, width=32, top=3)

    assert [draft.ids for draft in narrow] == [draft.ids for draft in wide]


def test_a_word_after_white_space_or_a_mark_in_its_place(
    chars: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_module, "LONGEST_WORD", 2)
    letters = chars.pieces.word
    rules = OneWord(
        chars.pieces, first=letters | chars.pieces.space, instead=chars.pieces.eos | chars.pieces.sentence_end
    )

    found = beam_search(chars.engine, rules, chars.memory, width=EVERYTHING, top=100)

    plain = [(3,), (4,), (3, 3), (3, 4), (4, 3), (4, 4)]
    assert {draft.ids for draft in found} == {
        *plain,
        *((2, *word) for word in plain if len(word) < 2),
        *[(5,), (2, 5), (EOS,), (2, EOS)],
    }


def sentences(small: Small, max_words: int, max_pieces: int) -> dict[tuple[int, ...], float]:
    """Every continuation of whole words by the definition, and its log-probability."""
    found: dict[tuple[int, ...], float] = {}

    def write(ids: tuple[int, ...]) -> None:
        ended = bool(ids) and (ids[-1] in (EOS, 4) or sum(i in (2, 3) for i in ids) == max_words)
        if ended or len(ids) == max_pieces:
            found[ids] = small.log_prob(ids)
            return
        for id_ in (2, 3, 4, 5, EOS):
            if ids or id_ != EOS:
                write((*ids, id_))

    write(())
    return found


@pytest.mark.parametrize(("max_words", "longest"), [(1, 3), (2, 2), (3, 1)])
def test_the_continuations_found_are_all_there_are(
    words: Small, monkeypatch: pytest.MonkeyPatch, max_words: int, longest: int
) -> None:
    monkeypatch.setattr(rules_module, "LONGEST_WORD", longest)
    expected = sentences(words, max_words, max_words * longest)
    rules = Sentence(words.pieces, first=~words.pieces.none, max_words=max_words)

    found = beam_search(words.engine, rules, words.memory, width=EVERYTHING, top=EVERYTHING)

    assert {draft.ids for draft in found} == set(expected)
    for draft in found:
        assert draft.log_prob == pytest.approx(expected[draft.ids], abs=1e-5)
    assert [d.log_prob for d in found] == sorted((d.log_prob for d in found), reverse=True)


def test_the_last_word_of_a_sentence_of_characters_is_written_to_its_end(chars: Small) -> None:
    rules = Sentence(chars.pieces, first=chars.pieces.word, max_words=1)

    found = beam_search(chars.engine, rules, chars.memory, width=64, top=5)

    one_word = OneWord(chars.pieces, first=chars.pieces.word, instead=chars.pieces.none)
    expected = beam_search(chars.engine, one_word, chars.memory, width=64, top=5)
    assert [(d.ids, d.log_prob) for d in found] == [(d.ids, d.log_prob) for d in expected]


def test_width_one_takes_the_best_piece_each_time(words: Small) -> None:
    rules = Sentence(words.pieces, first=~words.pieces.none, max_words=6)

    (draft,) = beam_search(words.engine, rules, words.memory, width=1, top=1)

    ids: tuple[int, ...] = ()
    while not ids or (ids[-1] not in (EOS, 4) and sum(i in (2, 3) for i in ids) < 6):
        log_probs = np.array(words.log_probs(ids))
        log_probs[[UNK, EOS] if not ids else [UNK]] = -np.inf
        ids = (*ids, int(log_probs.argmax()))
    assert draft.ids == ids
    assert draft.log_prob == pytest.approx(words.log_prob(ids), abs=1e-5)


def test_a_model_that_only_stutters_comes_to_an_end(make_tensors: MakeTensors) -> None:
    tensors = make_tensors(len(CHARS), scale=0.0)
    tensors["c"][3] = 30.0  # a, and a again
    small = Small(CHARS, "char", tensors)
    rules = Sentence(small.pieces, first=~small.pieces.none, max_words=2)

    (draft,) = beam_search(small.engine, rules, small.memory, width=1, top=1)

    assert draft.ids == (3,) * 80
    assert draft.words == 1


def test_where_nothing_may_be_written_nothing_is_found(chars: Small) -> None:
    rules = OneWord(chars.pieces, first=chars.pieces.none, instead=chars.pieces.none)

    assert beam_search(chars.engine, rules, chars.memory, width=3, top=3) == []
