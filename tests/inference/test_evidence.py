"""Leave-one-out against the same texts, typed without the word."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.inference import TrainedModel
from rnn_cli.inference import evidence as evidence_module

MakeModel = Callable[..., TrainedModel]
TEXT = "My favourite dish, it is __. So it\nis Italian"
WITHOUT = {
    0: "favourite dish, it is __. So it\nis Italian",
    3: "My dish, it is __. So it\nis Italian",
    13: "My favourite, it is __. So it\nis Italian",
    17: "My favourite dish it is __. So it\nis Italian",
    19: "My favourite dish, is __. So it\nis Italian",
    22: "My favourite dish, it __. So it\nis Italian",
    27: "My favourite dish, it is __ So it\nis Italian",
    29: "My favourite dish, it is __. it\nis Italian",
    32: "My favourite dish, it is __. So\nis Italian",
    35: "My favourite dish, it is __. So it\nItalian",
    38: "My favourite dish, it is __. So it\nis",
}


@pytest.mark.parametrize("settings", [{}, {"kind": "char"}, {"mode": "lines"}])
def test_a_word_counts_for_what_the_answer_loses_without_it(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(evidence_module, "CANDIDATES", 4)
    model = make_model(num_layers=2, **settings)
    choices = [" ".join(c.words) for c in model.complete(TEXT, top=4).completions]

    def log_prob(text: str) -> float:
        completions = model.complete(text, choices=choices).completions
        return next(c.log_prob for c in completions if c.words == [choices[0]])

    evidence = model.complete(TEXT, top=4, why=True).why

    assert evidence is not None
    assert (evidence.answer, evidence.candidates) == ([choices[0]], 4)
    assert evidence.log_prob == pytest.approx(log_prob(TEXT), abs=1e-4)
    assert {word.position for word in evidence.words} == set(WITHOUT)
    for word in evidence.words:
        assert TEXT[word.position :].startswith(word.word)
        assert word.change == pytest.approx(log_prob(WITHOUT[word.position]) - evidence.log_prob, abs=1e-4)
    changes = [abs(word.change) for word in evidence.words]
    assert changes == sorted(changes, reverse=True)


def test_choices_are_weighed_against_each_other(make_model: MakeModel) -> None:
    result = make_model().complete("My dish is __.", choices=["pasta", "New York", "sushi"], top=1, why=True)

    assert len(result.completions) == 1
    assert result.why is not None
    assert result.why.candidates == 3
    assert result.why.log_prob == pytest.approx(result.completions[0].log_prob, abs=1e-5)


def test_only_the_words_nearest_to_the_blank_are_left_out(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, "MOST_WORDS", 2)

    evidence = make_model().complete(TEXT, why=True).why

    assert evidence is not None
    assert {word.position for word in evidence.words} == {19, 22, 27, 29}


@pytest.mark.parametrize(("text", "number"), [("My dish", "none"), ("My __ is __", "2")])
def test_why_is_for_one_blank(make_model: MakeModel, text: str, number: str) -> None:
    with pytest.raises(UsageError) as error:
        make_model().complete(text, why=True)

    assert str(error.value) == f"--why is for one blank, and the text has {number}."


def test_evidence_is_json(make_model: MakeModel) -> None:
    record = json.loads(json.dumps(make_model().complete("My __ is", why=True).to_dict()))

    assert list(record["why"]) == ["answer", "log_prob", "candidates", "words"]
    assert list(record["why"]["words"][0]) == ["word", "position", "change"]
    assert "why" not in make_model().complete("My __ is").to_dict()
