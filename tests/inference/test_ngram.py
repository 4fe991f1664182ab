"""Kneser-Ney probabilities against their definition, with dictionaries; and the file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError
from rnn_cli.inference.ngram import (
    NO_TOKEN,
    NgramModel,
    discounts,
    read_ngram_file,
    write_ngram_file,
)
from rnn_cli.inference.ngram_counts import Level, count_ngrams
from rnn_cli.tensor_file import read_tensor_file, write_tensor_file
from tests.inference.test_ngram_counts import EOS, VOCAB_SIZE, listed, some_ids


def make(order: int = 4, *, lines: bool = False, tokens: int = 400) -> NgramModel:
    ngrams = count_ngrams(some_ids(tokens), VOCAB_SIZE, order, eos_id=EOS, lines=lines)
    return NgramModel(ngrams, lines=lines, eos_id=EOS, vocabulary="v", counted={"tokens": tokens})


def definition(model: NgramModel, context: list[int], word: int) -> float:
    """P(word | context) by the equation, from the longest context down."""
    counts = listed(model.ngrams)
    if not context:
        unigrams = model.ngrams.unigrams
        off = discounts(unigrams)[np.minimum(unigrams, 3)]
        return float((unigrams[word] - off[word] + off.sum() / VOCAB_SIZE) / unigrams.sum())
    shorter = definition(model, context[1:], word)
    of_order = {gram: count for gram, count in counts.items() if len(gram) == len(context) + 1}
    here = {gram[-1]: count for gram, count in of_order.items() if gram[:-1] == tuple(context)}
    if not here:
        return shorter
    D = discounts(np.array(list(of_order.values())))
    left = sum(D[min(count, 3)] for count in here.values())
    own = here[word] - D[min(here[word], 3)] if word in here else 0.0
    return float((own + left * shorter) / sum(here.values()))


CONTEXTS = [[1, 2, 3], [0, 0, 0], [5, 0, 2], [0, 4, 0], [6, 6, 6], [NO_TOKEN, NO_TOKEN, EOS], [NO_TOKEN] * 3]


@pytest.mark.parametrize("lines", [False, True])
def test_the_probabilities_are_those_of_the_definition(lines: bool) -> None:
    model = make(lines=lines)
    found = model.probabilities(np.array(CONTEXTS))
    for row, context in zip(found, CONTEXTS, strict=True):
        seen = [id_ for id_ in context if id_ != NO_TOKEN]
        if lines and EOS in seen:  # nothing from before the end of a line
            seen = seen[len(seen) - 1 - seen[::-1].index(EOS) :]
        expected = [definition(model, seen, word) for word in range(VOCAB_SIZE)]
        assert row == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("tokens", "lines"), [(1, False), (30, False), (400, False), (5, True), (30, True), (400, True)]
)
def test_the_probabilities_of_all_tokens_sum_to_one_and_none_is_zero(lines: bool, tokens: int) -> None:
    found = make(lines=lines, tokens=tokens).probabilities(np.array(CONTEXTS))

    assert found.sum(axis=1) == pytest.approx(np.ones(len(CONTEXTS)), abs=1e-6)
    assert (found > 0).all()


def test_the_discounts_are_those_of_chen_and_goodman() -> None:
    counts = np.repeat([1, 2, 3, 4], [40, 20, 10, 5])

    Y = 40 / (40 + 2 * 20)
    assert discounts(counts) == pytest.approx(
        [0, 1 - 2 * Y * 20 / 40, 2 - 3 * Y * 10 / 20, 3 - 4 * Y * 5 / 10]
    )


def test_a_text_too_small_for_an_estimate_has_fixed_discounts() -> None:
    assert discounts(np.array([1, 1, 2])).tolist() == [0, 0.5, 1.0, 1.5]


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    model = make(lines=True)
    write_ngram_file(tmp_path / "n", model)

    found = read_ngram_file(tmp_path / "n")

    assert (found.lines, found.eos_id, found.vocabulary, found.counted) == (True, EOS, "v", {"tokens": 400})
    assert listed(found.ngrams) == listed(model.ngrams)
    assert (found.probabilities(np.array(CONTEXTS)) == model.probabilities(np.array(CONTEXTS))).all()


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError) as error:
        read_ngram_file(tmp_path / "n")

    assert (
        str(error.value) == f"{tmp_path}/n: there is no n-gram model. Count one with: rnn ngram -m {tmp_path}"
    )


def test_another_file_of_ours_is_refused(tmp_path: Path) -> None:
    write_tensor_file(tmp_path / "n", {}, {"format": "rnn_cli"})
    with pytest.raises(ModelFileError) as error:
        read_ngram_file(tmp_path / "n")

    assert str(error.value) == (
        f"{tmp_path}/n: this file of rnn_cli is not an n-gram model. Count one with: rnn ngram -m {tmp_path}"
    )


def _other_level(change: Callable[[Level], Level]) -> Callable[[NgramModel], NgramModel]:
    def changed(model: NgramModel) -> NgramModel:
        levels = [change(model.ngrams.levels[0]), *model.ngrams.levels[1:]]
        return replace(model, ngrams=replace(model.ngrams, levels=levels))

    return changed


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda model: replace(model, eos_id=VOCAB_SIZE), "unigrams"),
        (_other_level(lambda s: replace(s, starts=s.starts[::-1].copy())), "the n-grams of order 2"),
        (_other_level(lambda s: replace(s, words=s.words + np.uint8(9))), "the n-grams of order 2"),
        (_other_level(lambda s: replace(s, words=np.zeros_like(s.words))), "the n-grams of order 2"),
        (_other_level(lambda s: replace(s, counts=s.counts * 0)), "the n-grams of order 2"),
        (_other_level(lambda s: replace(s, counts=s.counts.astype(np.float32))), "the n-grams of order 2"),
    ],
)
def test_numbers_that_are_no_ngrams_are_refused(
    tmp_path: Path, change: Callable[[NgramModel], NgramModel], what: str
) -> None:
    write_ngram_file(tmp_path / "n", change(make()))
    with pytest.raises(ModelFileError) as error:
        read_ngram_file(tmp_path / "n")

    assert str(error.value) == (
        f"{tmp_path}/n: the n-gram model is damaged ({what}). Count one with: rnn ngram -m {tmp_path}"
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"order": "99"},
            "the n-gram model is damaged (its header). Count one with: rnn ngram -m {tmp_path}",
        ),
        (
            {"format_version": "2"},
            "the n-gram model has format version '2'; this rnn_cli reads version 1. A newer rnn_cli may read it.",
        ),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path: Path, texts: dict[str, Any], message: str) -> None:
    write_ngram_file(tmp_path / "n", make())
    tensors, metadata = read_tensor_file(tmp_path / "n")
    metadata.pop("sha256", None)
    write_tensor_file(tmp_path / "n", tensors, {**metadata, **texts})
    with pytest.raises(ModelFileError) as error:
        read_ngram_file(tmp_path / "n")

    assert str(error.value) == f"{tmp_path}/n: {message.format(tmp_path=tmp_path)}"
