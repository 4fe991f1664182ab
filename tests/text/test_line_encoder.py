"""The fast way from lines to ids against the slow one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_cli.text import line_encoder as line_encoder_module
from rnn_cli.text import rules as rules_module
from rnn_cli.text.line_encoder import LineEncoder
from rnn_cli.text.tokenizer import Tokenizer

LINES = ["tea or tea", "", "  or\tsushi? ", "e\u0301té 👩\u200d👧 don't", "tea or coffee"]
ALL = [("word", "punctuation"), ("word", "whitespace"), ("char", "punctuation"), ("bpe", "punctuation")]


def slowly(tokenizer: Tokenizer, lines: list[str]) -> list[int]:
    return [id_ for line in lines for id_ in [*tokenizer.encode(line), tokenizer.eos_id]]


def fast(encoder: LineEncoder, lines: list[str]) -> list[int]:
    return [id_ for batch in encoder.batches(lines) for id_ in batch.tolist()]


@pytest.mark.parametrize(("kind", "split"), ALL)
@pytest.mark.parametrize("characters", [1, 12, 200_000])
@pytest.mark.parametrize("remembered", [0, 9, 30_000_000])
def test_it_gives_the_ids_of_the_tokenizer_whatever_it_remembers(
    kind: str, split: str, characters: int, remembered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_encoder_module, "BATCH_CHARACTERS", characters)
    monkeypatch.setattr(line_encoder_module, "REMEMBERED_CHARACTERS", remembered)
    tokenizer = Tokenizer.train(LINES[:-1], kind=kind, split=split)
    encoder = LineEncoder(tokenizer)
    expected = slowly(tokenizer, LINES * 3)
    assert fast(encoder, LINES * 3) == expected
    assert encoder.tokens == len(expected)
    assert encoder.unknown == (0 if kind == "bpe" else expected.count(0))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(lines=st.lists(st.text(" \tab.'é\u0301", max_size=12), max_size=5))
def test_it_gives_the_ids_of_the_tokenizer_for_any_lines(lines: list[str]) -> None:
    for kind, split in ALL:
        tokenizer = Tokenizer.train(lines[:2], kind=kind, split=split)
        assert fast(LineEncoder(tokenizer), lines) == slowly(tokenizer, lines)


def test_what_was_encoded_once_is_not_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_encoder_module, "BATCH_CHARACTERS", 1)
    tokenizer = Tokenizer.train(LINES)
    encoded: list[str] = []

    def encode_batch(stretches: list[str]) -> list[list[int]]:
        encoded.extend(stretches)
        return Tokenizer.encode_batch(tokenizer, stretches)

    monkeypatch.setattr(tokenizer, "encode_batch", encode_batch)
    fast(LineEncoder(tokenizer), ["tea or tea", "or tea"])
    assert sorted(encoded) == ["or", "tea"]


def test_a_line_of_one_giant_word_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "LONG_LINE", 4)
    monkeypatch.setattr(line_encoder_module, "BATCH_CHARACTERS", 4)
    tokenizer = Tokenizer.train(["abcdefghijk"], kind="char")
    assert fast(LineEncoder(tokenizer), ["abcdefghijk", "b"]) == [*range(2, 13), 1, 3, 1]


@pytest.mark.parametrize(("vocab_size", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_ids_are_as_narrow_as_the_vocabulary_allows(vocab_size: int, dtype: type) -> None:
    tokenizer = Tokenizer.train([" ".join(f"w{number}" for number in range(vocab_size - 2))])
    (ids,) = LineEncoder(tokenizer).batches(["w1"])
    assert ids.dtype == dtype
    assert ids.tolist() == [*tokenizer.encode("w1"), 1]
