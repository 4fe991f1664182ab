"""What a training will be, before it begins."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rnn_cli.training import bptt
from rnn_cli.training import plan as plan_module
from rnn_cli.training.events import Event, Notice, Started, Trained
from rnn_cli.training.plan import Plan, make_plan
from tests.training.conftest import MakeConfig

PLAN = Plan(
    vocab_size=33_278,
    parameters={"embedding": 8_519_168, "c": 33_278, "cells.0.W": 131_072, "cells.0.b": 256},
    model_bytes=34_735_096,
    training_bytes=138_940_384,
    train_tokens=2_088_628,
    windows_per_epoch=933,
    total_windows=14_928,
    softmax="sampled",
    products="bfloat16",
    tokens_per_s=52_304.8,
    expected_s=638.9,
)


def ignore(event: Event) -> None:
    pass


def test_sizes_are_those_of_the_network_and_the_text(make_config: MakeConfig) -> None:
    plan = make_plan(make_config(model={"num_layers": 2}), on_event=ignore)
    assert plan.vocab_size == 11
    assert plan.parameters == {
        "embedding": 66,
        "V": 66,
        "c": 11,
        "cells.0.W": 72,
        "cells.0.b": 6,
        "cells.1.W": 72,
        "cells.1.b": 6,
    }
    assert plan.model_bytes == 4 * 299
    assert plan.training_bytes == 16 * 299  # weights, gradients and two moments
    assert (plan.train_tokens, plan.windows_per_epoch, plan.total_windows) == (145, 13, 39)
    assert (plan.softmax, plan.products) == ("exact", "float32")


@pytest.mark.parametrize(
    ("settings", "softmax"),
    [
        ({"output": {"softmax": "sampled", "samples": 3}}, "sampled"),
        ({"model": {"output_activation": "sigmoid"}}, "none"),
    ],
)
def test_the_plan_says_how_the_softmax_is_made(
    make_config: MakeConfig, settings: dict[str, Any], softmax: str
) -> None:
    assert make_plan(make_config(**settings), on_event=ignore).softmax == softmax


class Clock:
    """Stands for time.perf_counter: reading it takes a fixed time, so that each window takes as long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


def test_the_time_comes_from_windows_that_are_warm(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "perf_counter", Clock(seconds=0.01))
    plan = make_plan(make_config(), on_event=ignore)
    assert plan.tokens_per_s == pytest.approx(12 / 0.01)  # windows of 4 steps in 3 streams
    assert plan.expected_s == pytest.approx(3 * 145 / 1200)


@pytest.mark.parametrize(("seconds", "windows"), [(0.01, 12), (2.0, 4)])
def test_the_measurement_is_short(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, seconds: float, windows: int
) -> None:
    trained = []

    def train_on_window(*args: Any, **settings: Any) -> Any:
        trained.append(args)
        return bptt.train_on_window(*args, **settings)

    monkeypatch.setattr(plan_module, "train_on_window", train_on_window)
    monkeypatch.setattr(time, "perf_counter", Clock(seconds))
    make_plan(make_config(), on_event=ignore)
    assert len(trained) == windows


@pytest.mark.parametrize("mode", ["stream", "lines"])
@pytest.mark.parametrize("text", ["cat\n", "a cat\na dog\na cow\n"])
def test_a_text_of_few_windows_can_be_measured(
    make_config: MakeConfig, tmp_path: Path, mode: str, text: str
) -> None:
    config = make_config(data={"mode": mode})
    (tmp_path / "train.txt").write_text(text)
    plan = make_plan(config, on_event=ignore)
    assert plan.train_tokens == len(text.split()) + text.count("\n")
    assert plan.tokens_per_s > 0


def test_what_was_found_is_reported_but_nothing_of_a_training(make_config: MakeConfig) -> None:
    events: list[Event] = []
    make_plan(make_config(training={"batch_size": 99}), on_event=events.append)
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices[-1] == "The text has 145 tokens: batch_size 99 is reduced to 36."
    assert not any(isinstance(event, Started | Trained) for event in events)


def test_making_a_plan_writes_nothing_beside_the_texts(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    before = sorted(tmp_path.rglob("*"))
    make_plan(config, on_event=ignore)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_threads_of_the_config_are_used(make_config: MakeConfig) -> None:
    before = torch.get_num_threads()
    try:
        make_plan(make_config(training={"threads": before + 1}), on_event=ignore)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_a_person_reads_it_in_rows() -> None:
    assert PLAN.rows() == [
        ("vocabulary", "33,278 words"),
        (
            "parameters",
            "8,683,774 (embedding 8,519,168, c 33,278, cells.0.W 131,072, cells.0.b 256)",
        ),
        ("model file", "34.7 MB"),
        ("memory", "about 139 MB for weights, gradients and the optimizer"),
        ("windows", "933 an epoch, 14,928 in all"),
        ("softmax", "sampled; products in bfloat16"),
        ("speed", "about 52,305 tokens/s, measured just now"),
        ("time", "about 11 min for 2,088,628 tokens an epoch, without validation"),
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.2, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (89 * 60 + 29, "89 min"),
        (90 * 60, "1 h 30 min"),
        (3 * 3600 + 125, "3 h 02 min"),
        (50 * 3600, "50 h 00 min"),
    ],
)
def test_the_time_is_shown_in_units_that_fit(seconds: float, shown: str) -> None:
    rows = dict(replace(PLAN, expected_s=seconds).rows())
    assert rows["time"] == f"about {shown} for 2,088,628 tokens an epoch, without validation"


def test_a_script_reads_it_as_json() -> None:
    found = json.loads(json.dumps(PLAN.to_dict()))
    assert Plan(**found) == PLAN
