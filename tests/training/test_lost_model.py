"""The model file is gone or damaged while the states are whole: the training ends with a model all the same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.config import Config
from rnn_cli.errors import Interrupted, ModelFileError
from rnn_cli.inference import load
from rnn_cli.model_file import read_model_file
from rnn_cli.training import loop, run
from rnn_cli.training.events import Event, Measured, Notice
from rnn_cli.training.outcome import Outcome
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from tests.training.conftest import MakeConfig
from tests.training.test_run import (
    assert_same_bits,
    press_ctrl_c_in_measuring,
    stopped_run,
    train_in,
    weights,
)

UNLEARNT = "mat the on sat cat the\nlog a saw a dog\n"


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


LOSSES: dict[str, tuple[Callable[[Path], None], str]] = {
    "gone": (Path.unlink, "is gone"),
    "cut off": (cut_off, "cannot be used"),
    "a wrong bit": (flip_a_bit, "cannot be used"),
}


def resumed(path: Path, config: Config) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    with RunFolder.reopen(path) as folder:
        return train(config, folder, on_event=events.append, resume=True), events


def said(events: list[Event], word: str = "best model") -> list[str]:
    return [event.message for event in events if isinstance(event, Notice) and word in event.message]


def stopped_in_the_test(path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, number: int = 1) -> None:
    with monkeypatch.context() as patched:
        press_ctrl_c_in_measuring(patched, run, number)
        with pytest.raises(Interrupted):
            train_in(path, config)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_model_lost_before_the_last_validation_is_written_again_by_it(
    loss: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose, words = LOSSES[loss]
    (tmp_path / "valid.txt").write_text(UNLEARNT)  # the later, the worse
    config = make_config(training={"learning_rate": 0.05, "max_epochs": 12})
    stopped_run(tmp_path / "run", config, 12 * 13 - 4, monkeypatch)
    model = tmp_path / "run/model.safetensors"
    best = read_model_file(model).metrics["valid"]["loss"]
    lose(model)
    outcome, events = resumed(tmp_path / "run", config)
    assert said(events) == [
        f"{model} {words}, and with it the best model so far. The next validation writes a new one."
    ]
    assert [event.best for event in events if isinstance(event, Measured)] == [True]
    stored = read_model_file(model).metrics
    assert outcome.valid is not None
    assert (stored["step"], stored["epoch"]) == (12 * 13, 12)
    assert stored["valid"]["loss"] == pytest.approx(outcome.valid.loss)
    assert outcome.valid.loss > best


@pytest.mark.parametrize("loss", LOSSES)
def test_a_model_lost_behind_the_last_validation_is_made_of_the_last_weights(
    loss: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose, words = LOSSES[loss]
    config = make_config(data={"test": str(tmp_path / "train.txt")}, training={"average_share": 0.7})
    straight = train_in(tmp_path / "straight", config)  # its last model is its best
    stopped_in_the_test(tmp_path / "run", config, monkeypatch)
    model = tmp_path / "run/model.safetensors"
    lose(model)
    outcome, events = resumed(tmp_path / "run", config)
    assert said(events) == [
        f"{model} {words}, and with it the best model so far. The next validation writes a new one.",
        f"{model} {words}, and with it the best model: the last weights take its place.",
    ]
    assert (outcome.valid, outcome.test) == (straight.valid, straight.test)
    assert_same_bits(weights(tmp_path / "run"), weights(tmp_path / "straight"))
    assert read_model_file(model).metrics == read_model_file(tmp_path / "straight/model.safetensors").metrics
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [(r["step"], r["epoch"]) for r in records if r["event"] == "validation"][-1] == (39, 3)


def test_without_a_validation_text_a_lost_model_is_made_of_the_last_weights(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(data={"valid": None, "test": str(tmp_path / "train.txt")})
    train_in(tmp_path / "straight", config)
    stopped_in_the_test(tmp_path / "run", config, monkeypatch)
    model = tmp_path / "run/model.safetensors"
    model.unlink()
    _, events = resumed(tmp_path / "run", config)
    assert said(events) == [f"{model} is gone, and with it the best model: the last weights take its place."]
    assert model.read_bytes() == (tmp_path / "straight/model.safetensors").read_bytes()


def test_an_early_stop_stays_one_when_its_model_is_lost(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "valid.txt").write_text(UNLEARNT)
    settings = {"max_epochs": 30, "learning_rate": 0.05, "patience": 2}
    config = make_config(data={"test": str(tmp_path / "train.txt")}, training=settings)
    stopped_in_the_test(tmp_path / "run", config, monkeypatch)
    (tmp_path / "run/model.safetensors").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_on_window", None)  # no update follows
        outcome, _ = resumed(tmp_path / "run", config)
    assert outcome.reason == "stopped early"
    stored = read_model_file(tmp_path / "run/model.safetensors").metrics
    assert (stored["step"], stored["epoch"]) == (outcome.steps, outcome.steps // 13)


def test_a_model_lost_in_the_second_network_of_a_pair_is_refused_before_any_update(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(model={"direction": "both"})
    stopped_run(tmp_path / "run", config, 45, monkeypatch)
    model = tmp_path / "run/model.safetensors"
    shutil.copy(model, tmp_path / "copy")
    model.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_on_window", None)
        with pytest.raises(ModelFileError) as refused:
            resumed(tmp_path / "run", config)
    assert str(refused.value) == (
        f"{model} is gone, and with it the network that reads forward, which was finished. Put a copy of the file "
        f"back, or train both anew: rnn train {tmp_path}/run/config.yaml"
    )
    shutil.copy(tmp_path / "copy", model)
    assert resumed(tmp_path / "run", config)[0].mixture is not None


def test_a_copy_without_the_second_network_of_a_pair_is_enough_to_finish_it(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(model={"direction": "both"}, data={"test": str(tmp_path / "train.txt")})
    train_in(tmp_path / "straight", config)
    stopped_run(tmp_path / "run", config, 41, monkeypatch)
    model = tmp_path / "run/model.safetensors"
    shutil.copy(model, tmp_path / "copy")
    stopped_again(tmp_path / "run", config, monkeypatch)
    shutil.copy(tmp_path / "copy", model)
    _, events = resumed(tmp_path / "run", config)
    assert said(events)[-1] == (
        f"{model} cannot be used, and with it the best model: the last weights take its place."
    )
    assert load(tmp_path / "run").backward is not None
    for name, tensor in weights(tmp_path / "straight").items():
        assert np.array_equal(tensor, weights(tmp_path / "run")[name]), name


def stopped_again(path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resume, and press Ctrl-C in the test."""
    with monkeypatch.context() as patched:
        press_ctrl_c_in_measuring(patched, run)
        with pytest.raises(Interrupted):
            resumed(path, config)
