"""What is suggested for a wrong key or value, and how values are shown."""

from typing import Any

import pytest

from rnn_cli.config.wording import closest, did_you_mean, found_and_allowed, missing, shown, unknown_key


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("tahn", '"tahn"'),
        ('a "b"\n', '"a \\"b\\"\\n"'),
        ("größe", '"größe"'),
        ("x" * 61, f'"{"x" * 60}…"'),
        (True, "true"),
        (None, "null"),
        (1e-05, "1e-05"),
        (2.0, "2.0"),
        (float("inf"), ".inf"),
        (float("-inf"), "-.inf"),
        (float("nan"), ".nan"),
        ([], "an empty list"),
        ([1], "a list"),
        ({}, "a mapping"),
    ],
)
def test_a_value_is_shown_as_it_would_be_written(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("keys", "value", "meant"),
    [
        ("training.seed", 2.0, "2"),
        ("training.seed", "2", "2"),
        ("training.seed", "2.0", "2"),
        ("training.seed", "1_000", "1000"),
        ("training.seed", "-1", None),
        ("training.seed", 2.5, None),
        ("training.seed", "inf", None),
        ("training.seed", True, None),
        ("training.learning_rate", "1e-3", "0.001"),
        ("training.learning_rate", "1", "1"),
        ("training.threads", "none", "null"),
        ("training.threads", "nil", "null"),
        ("training.batch_size", "none", None),
        ("data.tokenizer.lowercase", "Yes", "true"),
        ("data.tokenizer.lowercase", "off", "false"),
        ("data.tokenizer.lowercase", 0, None),
        ("training.optimizer", "AdamW", '"adamw"'),
        ("training.optimizer", "ada", '"adam"'),
        ("training.optimizer", "newton", None),
        ("data.encoding", "latin1 ", '"latin-1"'),
    ],
)
def test_a_wrong_value_is_met_with_what_was_probably_meant(keys: str, value: Any, meant: str | None) -> None:
    message = found_and_allowed(value, tuple(keys.split(".")))
    assert message.partition(" Did you mean ")[2] == ("" if meant is None else f"{meant}?")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("training.learningrate", "learning_rate"),
        ("training.LEARNING_RATE", "learning_rate"),
        ("training.lerning-rate", "learning_rate"),
        ("training.epochs", "max_epochs"),
        ("training.num_layer", "model.num_layers"),
        ("dropouts", "model.dropout"),
        ("data.tokeniser", "tokenizer"),
        ("data.tokenizer.vocab_size", "max_size"),
        ("model.trainig", "training"),
    ],
)
def test_a_misspelt_key_is_met_with_the_nearest(key: str, meant: str) -> None:
    assert unknown_key(tuple(key.split(".")), in_full=False) == f'unknown key. Did you mean "{meant}"?'


def test_the_whole_way_to_a_key_is_suggested_where_the_whole_way_was_typed() -> None:
    assert unknown_key(("model", "cel"), in_full=True) == 'unknown key. Did you mean "model.cell"?'


def test_a_missing_key_comes_with_what_to_write() -> None:
    assert missing(("data", "train")) == "this key is needed. Allowed: a path or a list of paths."


def test_the_closest_word_is_found_whatever_its_capitals() -> None:
    assert closest("TAHN", ["relu", "Tanh"]) == "Tanh"
    assert closest("xyz", ["relu", "Tanh"]) is None
    assert closest("a", []) is None


def test_nothing_is_asked_where_nothing_is_near() -> None:
    assert did_you_mean(None) == ""
    assert did_you_mean("2") == " Did you mean 2?"
