"""From a text and some minutes to a config."""

import time
from pathlib import Path

import pytest

from rnn_cli.errors import ConfigError
from rnn_cli.recipe import make
from rnn_cli.recipe.make import Recipe, make_recipe
from rnn_cli.recipe.reasons import Settings, Speed


@pytest.fixture(autouse=True)
def _known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "_speeds", lambda *_: [Speed(128, 1e4, "float32", 1)])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """11,492 characters, so few that they are read one by one unless words are asked for."""
    path = tmp_path / "a.txt"
    path.write_text("".join(f"the café number {n} is open\n" for n in range(400)))
    return path


def recipe_of(path: Path, *overrides: str) -> Recipe:
    return make_recipe(
        [path], budget_s=60.0, overrides=overrides, started_at=time.perf_counter(), on_event=lambda _: None
    )


def encoding_of_recipe(path: Path, *overrides: str) -> str:
    return recipe_of(path, *overrides).config.data.encoding


def test_the_encoding_found_in_a_text_is_not_forced_on_others(tmp_path: Path) -> None:
    text, other = tmp_path / "a.txt", tmp_path / "b.txt"
    text.write_text("".join(f"the café number {n} is open\n" for n in range(400)), "utf-16")
    other.write_text("the café is open\n" * 40, "utf-8")
    assert encoding_of_recipe(text) == "utf-16"
    assert encoding_of_recipe(text, f"data.valid={other}") == "auto"
    assert encoding_of_recipe(text, f"data.test={other}", "data.encoding=auto") == "auto"


def test_the_budget_covers_the_index_of_training_lines(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)

    def seconds_of_training(*overrides: str) -> float:
        return 60 * (recipe_of(text, *overrides).config.training.max_minutes or 0)

    assert seconds_of_training() == pytest.approx(59.7, abs=0.1)
    assert seconds_of_training("logging.index=true") == pytest.approx(58.7, abs=0.1)


@pytest.mark.parametrize("kind", ["word", "char"])
@pytest.mark.parametrize(("rule", "rate"), [("sgd", 15.0), ("adagrad", 0.12)])
def test_a_rule_for_the_tables_can_be_asked_for_alone(text: Path, kind: str, rule: str, rate: float) -> None:
    asked = (f"data.tokenizer.kind={kind}", f"training.table_optimizer={rule}", "training.max_epochs=9")
    training = recipe_of(text, *asked).config.training
    assert (training.table_optimizer, training.table_learning_rate) == (rule, rate)


def test_a_rule_without_a_rate_is_refused_where_that_is_asked_for(text: Path) -> None:
    asked = ("training.table_optimizer=adagrad", "training.table_learning_rate=null")
    with pytest.raises(ConfigError, match=r'found "adagrad", which needs training\.table_learning_rate'):
        recipe_of(text, *asked)


def test_patience_can_be_asked_for_as_a_part_of_the_text_will_be_kept_apart(text: Path) -> None:
    config = recipe_of(text, "training.patience=2").config
    assert (config.training.patience, config.data.split.valid) == (2, 0.1)


@pytest.mark.parametrize(
    ("asked", "dropout", "read"),
    [
        (("training.max_epochs=1",), 0.0, "read 1.0 times, as asked"),
        (("training.max_minutes=0.02",), 0.0, "read 1.2 times"),
        (("training.max_minutes=2",), 0.5, "read 119 times"),  # twice the budget
    ],
)
def test_what_is_chosen_is_for_the_readings_that_are_asked_for(
    text: Path, asked: tuple[str, ...], dropout: float, read: str
) -> None:
    recipe = recipe_of(text, *asked)
    network = next(reason for reason in recipe.reasons if reason.what == "network")
    assert (recipe.config.model.dropout, network.why.partition("tokens, ")[2]) == (dropout, read)


@pytest.mark.parametrize(
    ("speeds", "chosen", "tried"),
    [
        ({"elman": 9}, "elman", ["elman"]),
        ({"elman": 10, "gru": 9}, "elman", ["elman", "gru"]),
        ({"elman": 99, "gru": 49}, "gru", ["elman", "gru"]),
        ({"elman": 99, "gru": 60, "lstm": 49}, "gru", ["elman", "gru", "lstm"]),
        (
            {"elman": 99, "gru": 60, "lstm": 50, "mogrifier": 20},
            "lstm",
            ["elman", "gru", "lstm", "mogrifier"],
        ),
        (
            {"elman": 99, "gru": 60, "lstm": 55, "mogrifier": 50},
            "mogrifier",
            ["elman", "gru", "lstm", "mogrifier"],
        ),
    ],
)
def test_the_richest_cell_is_taken_that_there_is_time_for_and_none_tried_that_there_cannot_be(
    text: Path, monkeypatch: pytest.MonkeyPatch, speeds: dict[str, int], chosen: str, tried: list[str]
) -> None:
    """In a minute; tokens that it must be able to read: a GRU 600, an LSTM or a Mogrifier 3,000."""
    found = []

    def speed_of(settings: Settings, *_: object) -> list[Speed]:
        cell = settings["model"]["cell"]
        found.append(cell)
        return [Speed(128, speeds[cell], "float32", 1)]

    cells = [("elman", 0), ("gru", 600), ("lstm", 3_000), ("mogrifier", 3_000)]
    monkeypatch.setattr(make, "_speeds", speed_of)
    monkeypatch.setattr(make, "cells_to_try", lambda *_: cells)
    assert recipe_of(text, "data.tokenizer.kind=word").config.model.cell == chosen
    assert found == tried


def test_no_text_to_measure_on_is_no_text_of_its_own(text: Path) -> None:
    recipe = recipe_of(text, "data.valid=null", "data.test=null")
    plain = recipe_of(text)
    assert recipe.config == plain.config.model_copy(
        update={"training": recipe.config.training}  # the time that is left differs
    )
    assert recipe.reasons == plain.reasons


def test_a_trial_that_takes_all_of_a_short_budget_leaves_a_share_for_training(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def slow_trial(*_: object, **__: object) -> float:
        nonlocal now
        now += 100
        return 1e-9

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(make, "seconds_per_token", slow_trial)
    assert 60 * (recipe_of(text).config.training.max_minutes or 0) == pytest.approx(0.2 * 59.7, abs=0.1)


def test_texts_that_are_long_to_measure_are_measured_in_part(
    text: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "b.txt").write_text("the cafe is open\n" * 4_000)
    asked = (f"data.valid={tmp_path}/b.txt", f"data.test={tmp_path}/b.txt", "data.tokenizer.kind=word")
    assert recipe_of(text, *asked).config.data.measured_tokens is None
    monkeypatch.setattr(make, "seconds_per_token", lambda *_, **__: 1e-3)
    assert recipe_of(text, *asked).config.data.measured_tokens == 10_000
    assert recipe_of(text, *asked, "data.measured_tokens=500").config.data.measured_tokens == 500
    assert recipe_of(text, *asked, "data.measured_tokens=null").config.data.measured_tokens is None
