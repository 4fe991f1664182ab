"""How a text is read and what is kept to measure on, value by value."""

from dataclasses import replace
from typing import Any

import pytest

from rnn_cli.config import Config
from rnn_cli.recipe.look import Look
from rnn_cli.recipe.reasons import Kind, Reason
from rnn_cli.recipe.text_choice import choose_measured, choose_text

WIKITEXT = Look(
    characters=10_780_437,
    lines=23_767,
    words=2_053_408,
    characters_per_word=4.2,
    distinct_share=0.035,
    blank_share=0.35,
    words_per_line=86.0,
    likeness=33.2,
    is_split=True,
    distinct_lines=14_000,
)
NOVEL = replace(WIKITEXT, characters=200_000, lines=3_000, words=36_000, is_split=False)
SENTENCES = replace(NOVEL, characters=2_400_000, words=450_000, blank_share=0.0, likeness=0.9)


def text(look: Look, **settings: Any) -> tuple[dict[str, Any], dict[str, Reason]]:
    choices = choose_text(look, **{"budget_s": 600.0, **settings})
    return choices.settings["data"], {reason.what: reason for reason in choices.reasons}


def test_a_text_that_comes_split_keeps_its_words() -> None:
    data, why = text(WIKITEXT)
    assert data == {
        "mode": "stream",
        "split": {"valid": 0.028, "test": 0.028},
        "tokenizer": {"kind": "word", "split": "whitespace", "max_size": 50_000},
    }
    assert why["tokens"] == Reason("tokens", "word", "about 2,053,408 words")
    assert why["lines"] == Reason("lines", "stream", "blank lines part paragraphs: running text")


@pytest.mark.parametrize(
    ("distinct_lines", "share"), [(3_000, 0.05), (150, 0.067), (100, 0.1), (99, 0.0), (12, 0.0)]
)
def test_of_few_different_lines_a_larger_share_is_kept_apart_or_none(
    distinct_lines: int, share: float
) -> None:
    few = replace(SENTENCES, characters=100_000, distinct_lines=distinct_lines)
    data, why = text(few)
    assert (data["mode"], data["split"]) == ("lines", {"valid": share, "test": share})
    if not share:
        assert why["kept apart"] == Reason(
            "kept apart",
            "nothing",
            "too few different lines to spare some of them: nothing tells how good the model is",
        )
    data, _ = text(few, mode="stream")
    assert data["split"] == {"valid": 0.05, "test": 0.05}


@pytest.mark.parametrize(("lines", "share"), [(99, 0.1), (400, 0.025), (40_000, 0.0043)])
def test_of_a_text_of_long_lines_so_much_is_kept_apart_that_some_of_them_begin_in_it(
    lines: int, share: float
) -> None:
    data, _ = text(replace(NOVEL, characters=14_000_000, lines=lines), budget_s=60)
    assert data["split"] == {"valid": share, "test": share}


def test_of_other_texts_what_is_seen_once_is_unknown() -> None:
    data, _ = text(NOVEL)
    assert data["tokenizer"] == {"kind": "word", "min_count": 2, "max_size": 50_000}
    assert data["split"] == {"valid": 0.05, "test": 0.05}


@pytest.mark.parametrize(
    ("look", "why"),
    [
        (replace(NOVEL, words=514), "514 words are too few to learn words from"),
        (replace(NOVEL, characters_per_word=45.3), "no spaces: one in 45 characters"),
        (replace(NOVEL, distinct_share=0.93), "93% of the words never come again"),
    ],
)
def test_without_words_to_learn_characters_are_learnt(look: Look, why: str) -> None:
    data, reasons = text(look)
    assert data["tokenizer"] == {"kind": "char"}
    assert reasons["tokens"].why == why


@pytest.mark.parametrize(
    ("look", "mode", "why"),
    [
        (SENTENCES, "lines", "a line has no more to do with the next than with any other"),
        (replace(SENTENCES, lines=99), "stream", "few lines"),
        (
            replace(SENTENCES, likeness=5.1),
            "stream",
            "a line shares 5.1 times as much with the next as with others",
        ),
    ],
)
def test_lines_are_independent_where_their_order_means_nothing(look: Look, mode: str, why: str) -> None:
    data, reasons = text(look)
    assert (data["mode"], reasons["lines"].why) == (mode, why)


@pytest.mark.parametrize(
    ("look", "budget_s", "split", "why"),
    [
        (
            replace(NOVEL, characters=2_700, lines=20),
            600,
            {"valid": 0.0, "test": 0.0},
            "too short to spare a part of it: nothing tells how good the model is",
        ),
        (replace(NOVEL, characters=30_000), 600, {"valid": 0.1, "test": 0.0}, "too short for a test as well"),
        (
            replace(NOVEL, lines=1),
            600,
            {"valid": 0.0, "test": 0.0},
            "1 line, and a line is never cut: nothing tells how good the model is; put in line ends, or name a text "
            "in data.valid",
        ),
        (
            replace(NOVEL, characters=224_000_000, lines=3_400_000),
            600,
            {"valid": 0.0013, "test": 0.0013},
            "blocks, for neighbouring lines tell of the same; the vocabulary is learnt without them",
        ),
        (
            replace(NOVEL, characters=224_000_000, lines=3_400_000),
            60,
            {"valid": 0.00027, "test": 0.00027},
            "blocks, for neighbouring lines tell of the same; the vocabulary is learnt without them",
        ),
        (
            SENTENCES,
            600,
            {"valid": 0.05, "test": 0.05},
            "lines here and there; the vocabulary is learnt without them",
        ),
    ],
)
def test_as_much_is_kept_apart_as_the_text_and_the_time_can_spare(
    look: Look, budget_s: float, split: dict[str, float], why: str
) -> None:
    data, reasons = text(look, budget_s=budget_s)
    assert (data["split"], reasons["kept apart"].why) == (split, why)


def test_nothing_is_kept_apart_where_there_are_texts_of_their_own() -> None:
    data, reasons = text(NOVEL, has=frozenset({"valid", "test"}))
    assert data["split"] == {}
    assert reasons["kept apart"].why == "validation and test have texts of their own"
    assert text(NOVEL, has=frozenset({"test"}))[0]["split"] == {"valid": 0.05}


@pytest.mark.parametrize("kind", ["word", "char", "bpe"])
def test_what_is_chosen_for_a_text_is_a_config(kind: Kind) -> None:
    data, _ = text(NOVEL, kind=kind)
    assert Config.model_validate({"data": {"train": "a.txt", **data}}).data.tokenizer.kind == kind


def test_what_the_user_asks_for_is_not_chosen() -> None:
    data, why = text(NOVEL, kind="char", mode="lines")
    assert (data["tokenizer"], data["mode"]) == ({"kind": "char"}, "lines")
    assert (why["tokens"].why, why["lines"].why) == ("as asked", "as asked")


@pytest.mark.parametrize(
    ("parts", "token_s", "measured"),
    [
        ({}, 0.0, None),
        ({"validation": 217_646, "test": 245_569}, 5e-5, None),  # 23 of 100 s
        ({"validation": 217_646, "test": 245_569}, 6e-5, 120_000),  # 28; 7.2 s each
        ({"validation": 217_646, "test": 245_569}, 4e-4, 19_000),  # 7.5 s each
        ({"validation": 217_646}, 4e-4, 38_000),
        ({"validation": 217_646, "test": 245_569}, 4e-3, 10_000),
        ({"validation": 9_000, "test": 9_500}, 4e-3, None),
    ],
)
def test_what_would_take_too_long_is_measured_in_part(
    parts: dict[str, int], token_s: float, measured: int | None
) -> None:
    chosen = choose_measured(parts, token_s=token_s, training_s=100.0)
    assert chosen.settings["data"].get("measured_tokens") == measured
    assert len(chosen.reasons) == (measured is not None)


def test_the_reason_for_measuring_a_part_says_what_all_would_take() -> None:
    (reason,) = choose_measured(
        {"validation": 217_646, "test": 245_569}, token_s=4e-4, training_s=100
    ).reasons
    assert (reason.choice, reason.why) == (
        "19,000 tokens of validation and test",
        "all 463,215 would take 185 s; `rnn eval` measures a whole text",
    )
