"""Leave-one-out against the same texts, typed without the word."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
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

    def odds_bits(text: str) -> float:
        shares = {c.words[0]: c.probability for c in model.complete(text, choices=choices).completions}
        return math.log2(shares[choices[0]] / sum(shares[rival] for rival in choices[1:]))

    evidence = model.complete(TEXT, top=4, why=True).why

    assert evidence is not None
    assert (evidence.answer, evidence.candidates) == ([choices[0]], 4)
    assert evidence.log_odds_bits == pytest.approx(odds_bits(TEXT), abs=1e-4)
    assert {word.position for word in evidence.words} == set(WITHOUT)
    for word in evidence.words:
        assert TEXT[word.position :].startswith(word.word)
        brought = odds_bits(TEXT) - odds_bits(WITHOUT[word.position])
        assert word.bits == pytest.approx(brought, abs=1e-4)
    brought_by_all = [abs(word.bits) for word in evidence.words]
    assert brought_by_all == sorted(brought_by_all, reverse=True)


def test_the_odds_of_an_answer_are_against_all_its_rivals_together() -> None:
    shares = np.array([[0.5, 0.25, 0.125, 0.125], [0.2, 0.1, 0.05, 0.25]])
    odds = evidence_module.log_odds_bits(np.log(shares))
    assert odds == pytest.approx([0, -1])
    assert evidence_module.evidence_bits(np.log(shares[0]), np.log(shares)) == pytest.approx([0, 1])
    assert evidence_module.log_odds_bits(np.array([0.0, -2000.0])) == pytest.approx(2000 / math.log(2))


def test_an_answer_without_rivals_has_no_evidence(make_model: MakeModel) -> None:
    why = make_model().complete("My dish is __.", choices=["pasta"], why=True).why

    assert why is not None
    assert (why.log_odds_bits, why.candidates, why.words) == (None, 1, [])


def test_choices_are_weighed_against_each_other(make_model: MakeModel) -> None:
    choices = ["pasta", "New York", "sushi"]
    result = make_model().complete("My dish is __.", choices=choices, blank_words=(1, 2), top=1, why=True)

    assert len(result.completions) == 1
    assert result.why is not None
    assert result.why.candidates == 3
    share = result.completions[0].probability
    assert result.why.log_odds_bits == pytest.approx(math.log2(share / (1 - share)), abs=1e-4)


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

    assert list(record["why"]) == ["answer", "log_odds_bits", "candidates", "words"]
    assert list(record["why"]["words"][0]) == ["word", "position", "evidence_bits"]
    assert "why" not in make_model().complete("My __ is").to_dict()
