"""Training that goes wrong: noticed, taken back, gone on with a lower rate, given up after so many times."""

import itertools
import json
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.config import Config
from rnn_cli.errors import Interrupted, TrainingError
from rnn_cli.model_file import read_model_file
from rnn_cli.training import bptt, loop
from rnn_cli.training.bptt import Update
from rnn_cli.training.checkpoint import Progress
from rnn_cli.training.events import Event, Notice, RolledBack
from rnn_cli.training.outcome import Outcome
from rnn_cli.training.recovery import follow_level, spike_margin
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from tests.training.conftest import MakeConfig


@pytest.fixture
def diverging(make_config: MakeConfig, tmp_path: Path) -> Config:
    """A config that really diverges: relu, no clipping, and far too large a learning rate."""
    text = (tmp_path / "train.txt").read_text()
    config = make_config(
        model={"hidden_activation": "relu", "dropout": 0.2},
        output={"softmax": "sampled", "samples": 3},
        training={
            "optimizer": "sgd",
            "learning_rate": 10.0,
            "max_grad_norm": None,
            "batch_size": 8,
            "bptt_steps": 16,
            "max_epochs": 2,
            "checkpoint_windows": 5,
            "log_every_windows": 1,
        },
    )
    (tmp_path / "train.txt").write_text(text * 20)
    return config


def train_in(path: Path, config: Config, *, resume: bool = False) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    with RunFolder.reopen(path) if resume else RunFolder.create(path) as folder:
        return train(config, folder, on_event=events.append, resume=resume), events


def rollbacks(events: list[Event]) -> list[RolledBack]:
    return [event for event in events if isinstance(event, RolledBack)]


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def sabotage(monkeypatch: pytest.MonkeyPatch, calls: dict[int, Callable[[Any, Update], Update]]) -> None:
    """Let something happen to the model and what it reports in the update calls of these numbers, from 1."""
    counter = itertools.count(1)

    def train_on_window(model: Any, *args: Any, **settings: Any) -> Any:
        state, update = bptt.train_on_window(model, *args, **settings)
        harm = calls.get(next(counter))
        return state, harm(model, update) if harm else update

    monkeypatch.setattr(loop, "train_on_window", train_on_window)


def no_loss(_model: Any, update: Update) -> Update:
    return update._replace(objective=math.nan)


def no_gradient(_model: Any, update: Update) -> Update:
    return update._replace(gradient_norm=math.inf)


def no_weight(model: Any, update: Update) -> Update:
    with torch.no_grad():
        model.V[0, 0] = math.inf
    return update


def unread_row(model: Any, update: Update) -> Update:
    with torch.no_grad():
        model.embedding[0, 0] = math.nan  # <unk>, which is in no window
    return update


def huge_loss(_model: Any, update: Update) -> Update:
    return update._replace(objective=100.0 * update.words, nll=100.0 * update.words)


@pytest.mark.parametrize(
    ("harm", "at", "reason"),
    [
        (no_loss, 8, "the loss is not finite"),
        (no_gradient, 8, "the gradient is not finite"),
        (no_weight, 9, "a weight is not finite or far too large"),  # seen when the state is to be kept
        (unread_row, 9, "a weight is not finite or far too large"),
        (huge_loss, 9, "the loss is far over its running level"),  # three times in a row
    ],
)
def test_training_that_went_wrong_goes_on_from_the_last_good_state_with_half_the_rate(
    harm: Callable[[Any, Update], Update],
    at: int,
    reason: str,
    make_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config(training={"checkpoint_windows": 3, "log_every_windows": 1, "schedule": "constant"})
    first = at - 2 if harm is huge_loss else at
    sabotage(monkeypatch, dict.fromkeys(range(first, at + 1), harm))
    outcome, events = train_in(tmp_path / "run", config)
    (event,) = rollbacks(events)
    assert (event.step, event.back_to, event.reason) == (at, 6, reason)
    assert (event.learning_rate, event.rate_factor) == (0.002, 0.5)
    found = records(tmp_path / "run")
    assert [r["learning_rate"] for r in found if r["event"] == "train"] == [0.002] * 6 + [0.001] * 33
    assert [r["step"] for r in found if r["event"] == "train"] == list(range(1, 40))
    assert [r for r in found if r["event"] == "rollback"] == [event.to_record()] == outcome.rollbacks
    assert outcome.to_dict()["rollbacks"] == outcome.rollbacks
    assert outcome.report()[1] == (
        f"Went wrong at step {at} ({reason}), back to step 6; learning rate times 0.5."
    )


def test_one_odd_window_or_two_are_no_reason_to_go_back(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch, dict.fromkeys((5, 8, 9, 20), huge_loss))
    _, events = train_in(tmp_path / "run", make_config(training={"checkpoint_windows": 3}))
    assert rollbacks(events) == []
    assert not any("harder" in event.message for event in events if isinstance(event, Notice))


def test_weights_that_are_finite_but_far_worse_are_no_state_to_come_back_to(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def far_worse(model: Any, update: Update) -> Update:
        with torch.no_grad():
            model.c.copy_(
                torch.linspace(100, -100, len(model.c))
            )  # the loss before this update tells nothing
        return update

    sabotage(monkeypatch, {6: far_worse})
    _, events = train_in(
        tmp_path / "run", make_config(training={"checkpoint_windows": 3, "learning_rate": 1e-4})
    )
    (event,) = rollbacks(events)
    assert (event.step, event.back_to) == (9, 3)


def test_a_rollback_leaves_no_trace_of_what_it_took_back(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rate put back to what it was, the end is that of a training in which nothing went wrong."""
    config = make_config(
        model={"dropout": 0.3},
        output={"softmax": "sampled", "samples": 3},
        training={"checkpoint_windows": 3},
    )
    train_in(tmp_path / "straight", config)
    sabotage(monkeypatch, {8: no_loss})
    monkeypatch.setattr("rnn_cli.training.recovery.RATE_CUT", 1.0)
    train_in(tmp_path / "taken back", config)
    expected, found = (
        read_model_file(tmp_path / name / "model.safetensors").tensors for name in ("straight", "taken back")
    )
    assert all(np.array_equal(tensor, found[name]) for name, tensor in expected.items())


def test_a_config_that_really_diverges_is_rescued(diverging: Config, tmp_path: Path) -> None:
    outcome, events = train_in(tmp_path / "run", diverging)
    assert len(rollbacks(events)) >= 2
    assert outcome.reason == "epochs done"
    losses = [record["loss"] for record in records(tmp_path / "run") if record["event"] == "train"]
    assert sum(losses[-5:]) / 5 < losses[0] - 0.3


@pytest.mark.parametrize("stop", [1, 2, 5, 6, 8, 9, 12, 13, 30])
def test_a_training_that_went_wrong_and_was_stopped_ends_with_the_same_bits(
    stop: int, diverging: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, events = train_in(tmp_path / "straight", diverging)
    assert rollbacks(events)
    with monkeypatch.context() as patched:

        def press_ctrl_c(_model: Any, update: Update) -> Update:
            signal.raise_signal(signal.SIGINT)
            return update

        sabotage(patched, {stop: press_ctrl_c})
        with pytest.raises(Interrupted):
            train_in(tmp_path / "resumed", diverging)
    resumed, _ = train_in(tmp_path / "resumed", diverging, resume=True)
    expected, found = (
        read_model_file(tmp_path / name / "model.safetensors").tensors for name in ("straight", "resumed")
    )
    assert all(np.array_equal(tensor, found[name]) for name, tensor in expected.items())
    assert resumed.rollbacks == straight.rollbacks


@pytest.mark.parametrize(
    ("max_grad_norm", "advice"), [(None, ", or set training.max_grad_norm to 1.0"), (1.0, "")]
)
@pytest.mark.parametrize(("times", "said"), [(0, "0 times"), (1, "1 time"), (2, "2 times")])
def test_after_so_many_times_it_stops_and_says_what_to_change(
    times: int,
    said: str,
    max_grad_norm: float | None,
    advice: str,
    make_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config(
        training={"max_rollbacks": times, "max_grad_norm": max_grad_norm, "schedule": "constant"}
    )
    sabotage(monkeypatch, dict.fromkeys(range(1, 9), lambda _, update: Update(math.nan, 1.0, 12, 4.5)))
    with pytest.raises(TrainingError) as error:
        train_in(tmp_path / "run", config)
    rate = 0.002 * 0.5**times
    assert str(error.value) == (
        "Training went wrong at step 1: the loss is not finite (loss nan, gradient norm 4.5, "
        f"learning rate {rate:g}). It was taken back to a good state {said} before, "
        "each time with half the learning rate. "
        f"Lower training.learning_rate below {rate:g}{advice}, and train anew."
    )


@pytest.mark.parametrize(("output_activation", "loss"), [("softmax", "9.00"), ("sigmoid", "8.33")])
def test_a_text_that_becomes_another_is_not_taken_for_a_training_that_went_wrong(
    output_activation: str, loss: str, make_config: MakeConfig, tmp_path: Path
) -> None:
    other = "".join(f"w{number}\n" for number in range(2000))
    (tmp_path / "train.txt").write_text("a b c d e\n" * 4000 + other)
    config = make_config(
        data={"valid": None},
        model={"output_activation": output_activation},
        training={
            "batch_size": 1,
            "bptt_steps": 400,
            "max_epochs": 1,
            "learning_rate": 0.05,
            "schedule": "constant",
        },
    )
    _, events = train_in(tmp_path / "run", config)
    assert rollbacks(events) == []
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices[1:] == [f"Step 63: the text is harder here (loss {loss})."]


def test_a_window_of_few_words_may_lie_further_off_its_level() -> None:
    assert spike_margin(900) == 2.0 + 1.0
    assert spike_margin(9) == 2.0 + 10.0


def test_the_level_is_the_mean_of_the_first_windows_and_then_follows() -> None:
    progress = Progress(level=4.0)
    for loss in (4.0, 2.0, 3.0):
        progress.step += 1
        follow_level(progress, loss)
    assert progress.level == pytest.approx(3.0)
    progress.step = 5000
    follow_level(progress, 4.0)
    assert progress.level == pytest.approx(3.01)
