"""A training that the clock ends."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.config import Config
from rnn_cli.errors import Interrupted
from rnn_cli.inference.scoring import Perplexity
from rnn_cli.model_file import read_model_file, write_model_file
from rnn_cli.training import bptt, loop, run, validation
from rnn_cli.training.events import Event
from rnn_cli.training.outcome import Outcome
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.time_limit import TimeLimit
from tests.training.conftest import MakeConfig
from tests.training.test_recovery import no_loss, sabotage
from tests.training.test_run import press_ctrl_c_in, press_ctrl_c_in_measuring, resume, stopped_run


class Clock:
    """Stands for time.perf_counter: an update takes a second, a validation three, nothing else takes any time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)
        for module, name, seconds in ((bptt, "train_on_window", 1.0), (validation, "measure", 3.0)):
            slow = self._slowed_down(getattr(module, name), seconds)
            monkeypatch.setattr(module, name, slow)
            monkeypatch.setattr(loop, name, slow)

    def _slowed_down(self, function: Any, seconds: float) -> Any:
        def slow(*args: Any, **settings: Any) -> Any:
            self.now += seconds
            return function(*args, **settings)

        return slow


def limit(total_s: float = 100.0, token_s: float = 0.001, **changes: Any) -> TimeLimit:
    return TimeLimit(
        **{"total_s": total_s, "valid_tokens": 1000, "test_tokens": 2000, "token_s": token_s, **changes}
    )


def test_updates_end_in_time_for_the_last_validation_the_test_and_the_state() -> None:
    assert limit(saving_s=0.5).updates_until_s == pytest.approx(99.5 - 1 - 2 - 0.5)


def test_measuring_that_takes_most_of_the_time_leaves_half_of_it_to_train() -> None:
    assert limit(total_s=4).updates_until_s == 2.0


def test_the_share_of_the_time_goes_from_0_to_1() -> None:
    assert [limit().share(elapsed_s) for elapsed_s in (0.0, 48.25, 96.5, 200.0)] == [0.0, 0.5, 1.0, 1.0]


def test_a_validation_that_took_longer_ends_the_updates_earlier() -> None:
    timed = limit()
    timed.validated(seconds=2.0)
    assert timed.updates_until_s == pytest.approx(99.5 - 2 - 4)


def test_validations_come_ten_times_or_fewer_where_they_would_take_more_than_a_twentieth() -> None:
    def due(timed: TimeLimit) -> list[int]:
        at, validated_at_s = [], 0
        for elapsed_s in range(int(timed.updates_until_s)):
            if timed.validation_is_due(elapsed_s, validated_at_s):
                at.append(elapsed_s)
                validated_at_s = elapsed_s
        return at

    assert due(limit(token_s=0.0)) == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert due(limit(token_s=0.0015)) == [32, 64]
    assert due(limit(token_s=0.010)) == []  # one takes 10 s, more than a twentieth
    assert due(limit(valid_tokens=0)) == []


@pytest.fixture
def config(make_config: MakeConfig) -> Config:
    return make_config(training={"max_epochs": 1000, "max_minutes": 3, "engine": "float32", "threads": 1})


def trained(path: Path, config: Config) -> tuple[Outcome, list[Event], list[dict[str, Any]]]:
    events: list[Event] = []
    with RunFolder.create(path) as folder:
        outcome = train(config, folder, on_event=events.append)
    return outcome, events, records(path)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_the_clock_ends_a_training_with_a_validation_and_a_rate_of_nearly_0(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    outcome, _, found = trained(tmp_path / "run", config)
    assert outcome.reason == "time is up"
    assert 0.95 * 180 < clock.now <= 180
    validations = [record["elapsed_s"] for record in found if record["event"] == "validation"]
    # The trial found no time that measuring takes; after the first validation three of them are a twentieth of 180 s.
    assert validations == [18.0, 80.0, 142.0, 177.0]
    rates = [record["learning_rate"] for record in found if record["event"] == "train"]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.03 * rates[0]


def test_epochs_that_end_before_the_clock_end_the_training_at_a_rate_of_nearly_0_too(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    short = config.model_copy(update={"training": config.training.model_copy(update={"max_epochs": 4})})
    outcome, _, found = trained(tmp_path / "run", short)
    assert (outcome.reason, outcome.steps) == ("epochs done", 52)
    assert [record["learning_rate"] for record in found if record["event"] == "train"][-1] == pytest.approx(
        0.002 / 52
    )


def test_a_resumed_training_has_the_time_that_is_left(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    with monkeypatch.context() as patched:
        stopped_run(tmp_path / "run", config, 100, patched)
    spent_s, clock.now = clock.now, 10_000.0
    outcome = resume(tmp_path / "run", config)
    assert outcome.reason == "time is up"
    assert 0.95 * 180 < spent_s + clock.now - 10_000 <= 180


def test_patience_ends_with_the_validation_that_exhausts_it(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "valid.txt").write_text("mat the on sat cat the\nlog a saw a dog\n")  # what training unlearns
    Clock(monkeypatch)
    changes = {"patience": 1, "learning_rate": 0.05}
    impatient = config.model_copy(update={"training": config.training.model_copy(update=changes)})
    outcome, _, found = trained(tmp_path / "run", impatient)
    assert outcome.reason == "stopped early"
    assert [record["best"] for record in found if record["event"] == "validation"] == [True, False]


def test_ctrl_c_in_the_last_validation_is_no_loss(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    with monkeypatch.context() as patched:
        press_ctrl_c_in_measuring(patched, loop, 3)
        with pytest.raises(Interrupted):
            trained(tmp_path / "run", config)
    outcome = resume(tmp_path / "run", config)
    assert outcome.reason == "time is up"
    assert [record["step"] for record in records(tmp_path / "run") if record["event"] == "validation"][
        -1
    ] == (outcome.steps)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({}, "time is up"), ({"patience": 1, "learning_rate": 0.05}, "stopped early")],
)
def test_ctrl_c_in_the_test_lets_a_resume_make_no_update_and_no_validation(
    changes: dict[str, Any],
    reason: str,
    make_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config(
        data={"test": str(tmp_path / "train.txt")},
        training={"max_epochs": 1000, "max_minutes": 3, "engine": "float32", "threads": 1, **changes},
    )
    if changes:
        (tmp_path / "valid.txt").write_text("mat the on sat cat the\nlog a saw a dog\n")
    Clock(monkeypatch)
    with monkeypatch.context() as patched:
        press_ctrl_c_in_measuring(patched, run)
        with pytest.raises(Interrupted, match="everything is saved") as stopped:
            trained(tmp_path / "run", config)
    before = measured(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_on_window", None)  # no update follows
        outcome = resume(tmp_path / "run", config)
    assert outcome.reason == reason
    assert f"Stopped at step {outcome.steps:,};" in str(stopped.value)
    assert measured(tmp_path / "run") == before


def measured(path: Path) -> list[Any]:
    return [record["step"] for record in records(path) if record["event"] == "validation"]


def test_a_rollback_does_not_let_a_worse_model_take_the_place_of_the_best(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    losses = itertools.chain([1.0], itertools.repeat(1.5))

    def measure(*args: Any, **settings: Any) -> Perplexity:
        found = validation.measure(*args, **settings)
        return replace(found, nll=next(losses) * found.tokens)

    monkeypatch.setattr(loop, "measure", measure)
    # An epoch ends at step 13; the validation at step 18 is the best, which is a state to come back to.
    sabotage(monkeypatch, {20: no_loss})
    outcome, _, found = trained(tmp_path / "run", config)
    assert [(event["step"], event["back_to"]) for event in outcome.rollbacks] == [(20, 18)]
    validations = [record for record in found if record["event"] == "validation"]
    assert (validations[0]["step"], validations[0]["best"]) == (18, True)
    assert [record["best"] for record in validations[1:]] == [False] * (len(validations) - 1)
    stored = read_model_file(tmp_path / "run/model.safetensors").metrics
    assert (stored["step"], stored["valid"]["loss"]) == (18, 1.0)


@pytest.mark.parametrize("clock", [True, False])
def test_a_model_younger_than_the_state_stays_where_its_validation_does_not_come_again(
    clock: bool, config: Config, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config if clock else make_config(training={"engine": "float32", "threads": 1})
    Clock(monkeypatch)
    stopped_run(tmp_path / "run", config, 20, monkeypatch)
    path = tmp_path / "run/model.safetensors"
    stored = read_model_file(path)  # then came a better one, and a kill before the next state
    write_model_file(path, replace(stored, metrics={"step": 25, "valid": {"loss": 0.5}}))
    if not clock:
        resume(tmp_path / "run", config)
        assert read_model_file(path).metrics["valid"]["loss"] > 1
        return
    with monkeypatch.context() as patched:
        press_ctrl_c_in(100, patched)
        with pytest.raises(Interrupted):
            resume(tmp_path / "run", config)
    assert measured(tmp_path / "run")[-1] > 20
    assert read_model_file(path).metrics == {"step": 25, "valid": {"loss": 0.5}}
