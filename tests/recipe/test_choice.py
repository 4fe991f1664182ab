"""What is chosen for a text, value by value, without training."""

from dataclasses import replace
from typing import Any

import pytest

from rnn_cli.config import Config
from rnn_cli.recipe.choice import (
    Choices,
    Kind,
    batch_for,
    cells_to_try,
    choose_measured,
    choose_network,
    choose_text,
    dropout_for,
    rates_for,
    sizes_to_try,
)
from rnn_cli.recipe.look import Look
from rnn_cli.recipe.reasons import Reason, Speed

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
            replace(NOVEL, characters=224_000_000),
            600,
            {"valid": 0.0013, "test": 0.0013},
            "blocks, for neighbouring lines tell of the same; the vocabulary is learnt without them",
        ),
        (
            replace(NOVEL, characters=224_000_000),
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


def test_what_the_user_asks_for_is_not_chosen() -> None:
    data, why = text(NOVEL, kind="char", mode="lines")
    assert (data["tokenizer"], data["mode"]) == ({"kind": "char"}, "lines")
    assert (why["tokens"].why, why["lines"].why) == ("as asked", "as asked")


GATES_FIRST = [("gru", 2_000_000), ("elman", 0)]


@pytest.mark.parametrize(
    ("tokens", "asked", "cells"),
    [
        (500_000, {}, GATES_FIRST),
        (500_000, {"hidden_size": 300}, GATES_FIRST),
        (499_999, {}, [("elman", 0)]),
        (500_000, {"recurrent_init": "orthogonal"}, [("elman", 0)]),
        (500_000, {"hidden_activation": "relu"}, [("elman", 0)]),
        (3_000, {"cell": "lstm"}, [("lstm", 0)]),
    ],
)
def test_gates_are_for_long_texts_and_a_user_who_asks_for_no_plain_cell(
    tokens: int, asked: dict[str, Any], cells: list[tuple[str, int]]
) -> None:
    assert cells_to_try(tokens, asked) == cells


@pytest.mark.parametrize(("cell", "rates"), [("gru", (4e-3, 3e-3)), ("elman", (2e-3, 1.5e-3))])
def test_gates_allow_twice_the_learning_rate(cell: str, rates: tuple[float, float]) -> None:
    small, large = (rates_for("word", units, 10.0, 930_000, cell)["learning_rate"] for units in (256, 400))
    assert (small, large) == rates


def network(**changes: Any) -> Choices:
    """A million words of a vocabulary of 10,000, seven minutes, 28,000 tokens/s with 256 units."""
    return choose_network(
        **{
            "kind": "word",
            "tokens": 930_000,
            "vocab_size": 10_000,
            "has_valid": True,
            "cell": "elman",
            "speeds": [Speed(256, 28_000, "bfloat16", 1), Speed(400, 19_000, "bfloat16", 1)],
            "training_s": 420.0,
            **changes,
        }
    )


def test_a_million_words_in_seven_minutes() -> None:
    choices = network()
    assert choices.settings == {
        "model": {
            "cell": "elman",
            "embedding_size": 256,
            "hidden_size": 256,
            "dropout": 0.35,
            "recurrent_init": "identity",
        },
        "output": {"tie_embeddings": True, "softmax": "sampled", "samples": 256},
        "training": {
            "batch_size": 32,
            "bptt_steps": 35,
            "learning_rate": 2e-3,
            "table_learning_rate": 0.12,
            "table_optimizer": "adagrad",
            "change_penalty": 1.0,
            "schedule": "linear",
            "warmup_steps": 100,
            "max_epochs": 19,
            "max_minutes": 7.0,
            "patience": 4,
            "engine": "bfloat16",
            "threads": 1,
            "log_every_windows": 20,
        },
    }
    assert choices.reasons == (
        Reason(
            "cell",
            "Elman",
            "the plain recurrent network: for gates the text, or the time, is too short",
        ),
        Reason(
            "network",
            "256 units",
            "28,000 tokens/s here (bfloat16, 1 thread): 930,000 tokens, read 13 times",
        ),
        Reason("memory", "W begins as the identity, changes of h_t cost", "what was read fades slowly"),
        Reason("dropout", "0.35", "for a text read 13 times"),
        Reason("softmax", "sampled, 256 words", "10,000 in the vocabulary are too many to sum over"),
        Reason("updates", "32 streams of 35 tokens", "small, so that there are many"),
        Reason(
            "learning rate",
            "0.002, of the table 0.12 by adagrad",
            "falls to 0 with the clock; adagrad moves frequent words less and less",
        ),
    )


@pytest.mark.parametrize(
    ("minutes", "rule", "rate"),  # 1.8, 5.4, 7.2, and 40 readings
    [(1, "adagrad", 0.3), (3, "adagrad", 0.3), (4, "adagrad", 0.12), (60, "sgd", 15.0)],
)
def test_the_more_often_a_text_is_read_the_slower_its_words_move(
    minutes: float, rule: str, rate: float
) -> None:
    choices = network(training_s=60 * minutes)
    training = choices.settings["training"]
    assert (training["table_optimizer"], training["table_learning_rate"]) == (rule, rate)
    assert f"of the table {rate:g} by {rule}" in choices.reasons[-1].choice


@pytest.mark.parametrize(("tokens", "rule"), [(499_999, "sgd"), (500_000, "adagrad")])
def test_a_small_text_is_not_learnt_by_heart_by_adagrad(tokens: int, rule: str) -> None:
    assert network(tokens=tokens, training_s=60.0).settings["training"]["table_optimizer"] == rule


@pytest.mark.parametrize(
    ("asked", "minutes", "rate"), [("sgd", 1, 15.0), ("adagrad", 1, 0.3), ("adagrad", 60, 0.12)]
)
@pytest.mark.parametrize("kind", ["word", "char"])
def test_a_rule_for_the_tables_that_is_asked_for_gets_its_rate(
    kind: str, asked: str, minutes: float, rate: float
) -> None:
    choices = network(kind=kind, training_s=60 * minutes, asked={"table_optimizer": asked})
    training = choices.settings["training"]
    assert (training["table_optimizer"], training["table_learning_rate"]) == (asked, rate)


@pytest.mark.parametrize(
    ("epochs", "dropout", "read"), [(1, 0.0, "read 1.0 times, as asked"), (100, 0.35, "read 13 times")]
)
def test_readings_that_are_asked_for_are_those_that_the_choice_is_for(
    epochs: int, dropout: float, read: str
) -> None:
    choices = network(asked={"max_epochs": epochs})
    assert choices.settings["model"]["dropout"] == dropout
    assert choices.reasons[1].why.endswith(f": 930,000 tokens, {read}")


def test_more_readings_than_the_most_can_be_asked_for() -> None:
    choices = network(tokens=40_000, asked={"max_epochs": 60})
    assert choices.reasons[1].why.endswith(": 40,000 tokens, read 60 times, as asked")


@pytest.mark.parametrize(("tokens", "dropout"), [(499_999, 0.5), (500_000, 0.15)])
def test_many_characters_want_a_third_of_the_dropout(tokens: int, dropout: float) -> None:
    assert dropout_for(20, tokens, char=True) == dropout


def test_with_more_time_the_network_is_larger() -> None:
    settings = network(training_s=3600.0).settings
    assert (settings["model"]["hidden_size"], settings["training"]["learning_rate"]) == (400, 1.5e-3)
    assert settings["model"]["dropout"] == 0.5


def test_characters_look_further_back_and_sum_over_all_of_them() -> None:
    speeds = [
        Speed(128, 90_000, "float32", 2),
        Speed(256, 60_000, "float32", 2),
        Speed(512, 30_000, "float32", 2),
    ]
    settings = network(kind="char", tokens=1_000_000, vocab_size=65, speeds=speeds, training_s=180.0).settings
    assert settings["model"] == {"cell": "elman", "embedding_size": 128, "hidden_size": 256, "dropout": 0.1}
    assert settings["output"] == {"tie_embeddings": False, "softmax": "exact"}
    assert settings["training"]["bptt_steps"] == 100
    assert settings["training"]["learning_rate"] == 3e-3
    assert "table_learning_rate" not in settings["training"]


def test_a_tiny_text_is_read_often_and_may_be_learnt_by_heart() -> None:
    speeds = [Speed(128, 30_000, "float32", 1)]
    choices = network(
        kind="char", tokens=2_778, vocab_size=50, has_valid=False, speeds=speeds, training_s=590.0
    )
    training = choices.settings["training"]
    assert (training["batch_size"], training["max_epochs"], training["patience"]) == (4, 216, None)
    assert choices.settings["model"]["dropout"] == 0.2
    assert choices.reasons[1].why == (
        "30,000 tokens/s here (float32, 1 thread): 2,778 tokens, read 216 times, more would only be learnt by heart"
    )


def test_a_text_hardly_read_once_needs_no_dropout() -> None:
    choices = network(tokens=40_000_000, vocab_size=50_000)
    assert choices.settings["model"]["dropout"] == 0.0
    assert choices.settings["training"]["max_epochs"] == 1
    assert choices.settings["output"]["samples"] == 512
    assert choices.reasons[3].why == "hardly read twice, nothing is learnt by heart"


@pytest.mark.parametrize(
    ("epochs", "words", "dropout"),
    [
        (1, 1e6, 0.0),
        (3, 1e6, 0.1),
        (6, 1e6, 0.2),
        (12, 1e6, 0.3),
        (20, 1e6, 0.4),
        (60, 1e6, 0.5),
        (12, 4e4, 0.4),
    ],
)
def test_the_more_often_a_text_is_read_the_more_dropout(epochs: float, words: float, dropout: float) -> None:
    assert dropout_for(epochs, int(words)) == dropout


@pytest.mark.parametrize(
    ("kind", "tokens", "sizes"),
    [
        ("word", 40_000, [128]),
        ("word", 200_000, [256]),
        ("word", 930_000, [256, 400]),
        ("word", 40_000_000, [256, 400, 650]),
        ("char", 3_000, [128]),
        ("char", 1_000_000, [256, 512]),
    ],
)
def test_a_small_text_gets_a_small_network(kind: Kind, tokens: int, sizes: list[int]) -> None:
    assert [units for units, _ in sizes_to_try(kind, tokens)] == sizes


def test_the_batch_leaves_a_small_text_some_updates() -> None:
    assert [batch_for(tokens, 35) for tokens in (1_000, 5_000, 1_000_000)] == [4, 14, 32]


@pytest.mark.parametrize("kind", ["word", "char", "bpe"])
def test_what_is_chosen_is_a_config(kind: Kind) -> None:
    data = text(NOVEL, kind=kind)[0]
    settings = network(kind=kind).settings
    config = Config.model_validate({"data": {"train": "a.txt", **data}, **settings})
    assert config.training.max_minutes == 7.0


@pytest.mark.parametrize(
    ("parts", "token_s", "measured"),
    [
        ({}, 0.0, None),
        ({"validation": 217_646, "test": 245_569}, 1e-5, None),  # 4.6 of 100 s
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
