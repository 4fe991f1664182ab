"""Scores of tokens against the network's probabilities, read token by token."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError, UsageError
from rnn_cli.inference import TrainedModel
from rnn_cli.inference.surprisal import LineScore
from rnn_cli.model_file import ModelFile

MakeModel = Callable[..., TrainedModel]
TEXT = "My favourite dish is pasta.\n\nIs it  ramen (well-known)?\n"


def expected_log_probs(model: TrainedModel, text: str, *, carried: bool) -> list[list[float]]:
    """ln P of each token of each line, `<eos>` last."""
    engine, eos = model.engine, model.tokenizer.eos_id
    found = []
    state = engine.initial_state(1)
    for line in text.split("\n"):
        if not carried:
            state = engine.initial_state(1)
        last, log_probs = eos, []
        for id_ in [*model.tokenizer.encode(line), eos]:
            hidden, state = engine.step(np.array([last]), state)
            log_probs.append(float(engine.log_probs(hidden)[0, id_]))
            last = id_
        found.append(log_probs)
    return found


@pytest.mark.parametrize("settings", [{}, {"kind": "char"}, {"kind": "bpe", "max_size": 290}])
@pytest.mark.parametrize("carried", [True, False])
def test_every_token_and_line_end_has_its_log_probability(
    make_model: MakeModel, settings: dict[str, Any], carried: bool
) -> None:
    model = make_model(num_layers=2, **settings)
    expected = expected_log_probs(model, TEXT.rstrip("\n"), carried=carried)
    if not carried:
        expected[1] = []

    score = model.score(TEXT, state_carried=carried)

    assert [[t.log_prob for t in line.tokens] for line in score.lines] == [
        pytest.approx(line, abs=1e-5) for line in expected
    ]
    assert score.log_prob == pytest.approx(sum(map(sum, expected)), abs=1e-4)
    assert score.surprisal_bits == pytest.approx(-score.log_prob / math.log(2))


def test_the_state_is_carried_as_the_model_was_trained(make_model: MakeModel) -> None:
    for mode, carried in (("stream", True), ("lines", False)):
        model = make_model(mode=mode)
        assert model.score(TEXT) == model.score(TEXT, state_carried=carried)
    assert model.score(TEXT) != model.score(TEXT, state_carried=True)


def test_tokens_keep_what_was_typed_and_say_which_word_they_belong_to(make_model: MakeModel) -> None:
    line = make_model().score(" Is it  ramen (paella)?").lines[0]

    assert [(t.text, t.word, t.unknown) for t in line.tokens] == [
        (" ", None, True),
        ("Is", 1, False),
        ("it", 2, False),
        (" ", None, True),  # of no word, so that a slip of the finger is not read into one
        ("ramen", 3, True),
        ("(", 4, False),
        ("paella", 4, False),
        (")", 4, False),
        ("?", 4, False),
        ("<eos>", None, False),
    ]
    assert line.unknown == 3


@pytest.mark.parametrize("settings", [{}, {"kind": "char"}, {"kind": "bpe", "max_size": 290}])
def test_words_are_the_sums_of_their_tokens(make_model: MakeModel, settings: dict[str, Any]) -> None:
    line = make_model(**settings).score("My dish  is pasta, café. ").lines[0]

    assert [word.text for word in line.words] == ["My", "dish", "is", "pasta,", "café."]
    total = sum(word.log_prob for word in line.words)
    of_no_word = sum(token.log_prob for token in line.tokens if token.word is None)
    assert total + of_no_word == pytest.approx(line.log_prob)


@pytest.mark.parametrize("settings", [{}, {"kind": "char"}, {"kind": "bpe", "max_size": 290}])
def test_words_behind_a_giant_one_keep_their_own_figures(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr("rnn_cli.text.rules.LONG_LINE", 10)
    model = make_model(**settings)
    giants = "is" + "-sushi" * 7, "(well" * 9 + "known)"
    text = f"My dish {giants[0]} pasta, It is   it \t  \t  \t  \t a dish {giants[1]} dish."
    assert len(model.tokenizer.parts(text)) > 5

    line = model.score(text).lines[0]

    assert [word.text for word in line.words] == text.split()
    for number, word in enumerate(line.words, start=1):
        own = [token for token in line.tokens if token.word == number]
        assert word.log_prob == pytest.approx(sum(token.log_prob for token in own))
        assert all(token.text.strip() in word.text for token in own)
        # Among byte pairs a space that is a token is named after the character behind it.
        if settings.get("kind") != "bpe":
            assert "".join(token.text.strip() for token in own) == word.text
    total = sum(word.log_prob for word in line.words)
    of_no_word = sum(token.log_prob for token in line.tokens if token.word is None)
    assert total + of_no_word == pytest.approx(line.log_prob)


def with_counts(model_file: ModelFile) -> TrainedModel:
    """Each token stands ten times its id in the training text."""
    counts = 10 * np.arange(len(model_file.tensors["c"]))
    return TrainedModel.from_model_file(replace(model_file, counts=counts), name="counted")


def test_each_token_says_how_often_it_stands_in_the_training_text(
    make_model_file: Callable[..., ModelFile],
) -> None:
    model = with_counts(make_model_file())
    tokens = [*model.tokenizer.pieces]
    expected = [10 * tokens.index(token) for token in (" My", " <unk>", " dish", "?", "\n")]

    line = model.score("My ramen dish?").lines[0]

    assert [token.count for token in line.tokens] == expected
    assert [(word.text, word.count) for word in line.words] == [
        ("My", expected[0]), ("ramen", expected[1]), ("dish?", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "settings"), [("A", {"kind": "char"}), ("is", {"kind": "bpe", "max_size": 290})]
)
def test_a_piece_that_is_all_of_a_word_has_a_count_and_the_word_has_none(
    make_model_file: Callable[..., ModelFile], word: str, settings: dict[str, Any]
) -> None:
    model = with_counts(make_model_file(**settings))
    (id_,) = model.tokenizer.encode(word)

    line = model.score(word).lines[0]

    assert [token.count for token in line.tokens] == [10 * id_, 10 * model.tokenizer.eos_id]
    assert [found.count for found in line.words] == [None]


def test_without_counts_there_are_none(make_model: MakeModel) -> None:
    line = make_model().score("My dish").lines[0]

    assert {token.count for token in line.tokens} == {word.count for word in line.words} == {None}


def test_rank_1_is_the_first_guess(make_model: MakeModel) -> None:
    model = make_model()
    best = model.complete("My dish is __", top=1000).completions

    ranks = [model.score(c.text).lines[0].tokens[3].rank for c in best]

    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(best)


def test_a_line_that_overflows_fails_alone(make_model_file: Callable[..., ModelFile]) -> None:
    model_file = make_model_file()
    config = {**model_file.config, "model": {**model_file.config["model"], "hidden_activation": "identity"}}
    W = np.full_like(model_file.tensors["cells.0.W"], 5)
    tensors = {**model_file.tensors, "cells.0.W": W}
    model = TrainedModel.from_model_file(replace(model_file, config=config, tensors=tensors), name="growing")

    for carried in (False, True):
        scorer = model.line_scorer(state_carried=carried)
        (first, second, third), _ = scorer.score(["My", "sushi " * 100, "My"], scorer.start())
        assert isinstance(first, LineScore)
        assert isinstance(second, ModelFileError)
        assert second.__traceback__ is None
        assert third == first  # with no memory


def test_what_is_no_text_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(UsageError) as error:
        make_model().score(None)  # type: ignore[arg-type]

    assert str(error.value) == "The text is of the type NoneType; it has to be a str."


def test_scores_are_json(make_model: MakeModel) -> None:
    (line,) = make_model().score("My ramen").lines

    record = json.loads(json.dumps(line.to_dict(), allow_nan=False))

    assert list(record) == ["text", "log_prob", "surprisal_bits", "unknown", "words", "tokens"]
    assert list(record["tokens"][0]) == [
        "text",
        "word",
        "log_prob",
        "surprisal_bits",
        "rank",
        "unknown",
        "count",
    ]
    assert list(record["words"][0]) == ["text", "log_prob", "surprisal_bits", "unknown", "count"]
    assert make_model().score("").lines == []
