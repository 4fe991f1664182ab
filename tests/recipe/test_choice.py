"""What is chosen for a text, value by value, without training."""

from typing import Any

import pytest

from rnn_cli.config import Config
from rnn_cli.recipe.choice import (
    batch_for,
    cells_to_try,
    choose_network,
    dropout_for,
    rates_for,
    sizes_to_try,
)
from rnn_cli.recipe.reasons import Choices, Kind, Reason, Speed

ALL_CELLS = [("elman", 0), ("gru", 2_000_000), ("lstm", 15_000_000), ("mogrifier", 22_500_000)]


@pytest.mark.parametrize(
    ("tokens", "asked", "cells"),
    [
        (500_000, {}, ALL_CELLS),
        (500_000, {"hidden_size": 300}, ALL_CELLS),
        (499_999, {}, [("elman", 0)]),
        (500_000, {"recurrent_init": "orthogonal"}, [("elman", 0)]),
        (500_000, {"hidden_activation": "relu"}, [("elman", 0)]),
        (3_000, {"cell": "lstm"}, [("lstm", 0)]),
    ],
)
def test_gates_are_for_long_texts_and_a_user_who_asks_for_no_plain_cell(
    tokens: int, asked: dict[str, Any], cells: list[tuple[str, int]]
) -> None:
    assert cells_to_try("word", tokens, asked) == cells


def test_lstms_are_for_words() -> None:
    assert cells_to_try("char", 500_000, {}) == ALL_CELLS[:2]


@pytest.mark.parametrize(
    ("training_s", "updates", "warmup"), [(420.0, 10_500, 100), (8.0, 200, 20), (0.1, 2, 0)]
)
def test_the_learning_rate_has_the_time_to_fall(training_s: float, updates: int, warmup: int) -> None:
    training = network(training_s=training_s).settings["training"]
    assert 28_000 * training_s / (training["batch_size"] * training["bptt_steps"]) == pytest.approx(
        updates, 0.3
    )
    assert training["warmup_steps"] == warmup


@pytest.mark.parametrize(
    ("cell", "readings", "rates"),
    [
        ("gru", 10, (4e-3, 3e-3)),
        ("gru", 30, (4e-3, 3e-3)),
        ("lstm", 14.9, (4e-3, 3e-3)),
        ("lstm", 15, (2e-3, 1.5e-3)),
        ("mogrifier", 14.9, (4e-3, 3e-3)),
        ("mogrifier", 15, (2e-3, 1.5e-3)),
        ("elman", 10, (2e-3, 1.5e-3)),
    ],
)
def test_gates_allow_twice_the_learning_rate_but_for_a_patient_lstm(
    cell: str, readings: float, rates: tuple[float, float]
) -> None:
    small, large = (
        rates_for("word", units, readings, 930_000, cell)["learning_rate"] for units in (256, 400)
    )
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


@pytest.mark.parametrize(
    ("cell", "readings", "rule", "of_w"),
    [
        ("gru", 14, "adagrad", None),
        ("gru", 16, "sgd", None),
        ("gru", 21, "sgd", 0.3),
        ("lstm", 14, "adagrad", None),
        ("lstm", 16, "sgd", 0.3),
        ("mogrifier", 16, "sgd", 0.3),
        ("elman", 16, "adagrad", None),
        ("elman", 21, "sgd", None),
    ],
)
def test_gates_that_read_a_text_often_are_kept_from_learning_it_by_heart(
    cell: str, readings: float, rule: str, of_w: float | None
) -> None:
    speeds = [Speed(256, 1_000, "float32", 1)]
    choices = network(cell=cell, tokens=1_000_000, speeds=speeds, training_s=1_000 * readings)
    assert choices.settings["training"]["table_optimizer"] == rule
    assert choices.settings["model"].get("dropout_weights") == of_w
    (dropout,) = (reason.choice for reason in choices.reasons if reason.what == "dropout")
    assert dropout.endswith(", of W 0.3") == (of_w is not None)


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
    data = {"train": "a.txt", "split": {"valid": 0.05}, "tokenizer": {"kind": kind}}
    settings = network(kind=kind).settings
    config = Config.model_validate({"data": data, **settings})
    assert config.training.max_minutes == 7.0
