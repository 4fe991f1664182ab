"""What a training will be, before it begins."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.training.engine_choice import Choice, Way
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
    device="cuda:0 (a GPU)",
    softmax="sampled",
    softmax_reason="2,048 words of 33,278",
    engine=Choice(Way("bfloat16", 2, 52_304.8), (Way("float32", 1, 30_000.4),)),
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
    assert plan.model_bytes == 4 * 299 + 8 * 11  # weights, and the counts of 11 words
    assert plan.training_bytes == 16 * 299  # weights, gradients and two moments
    assert (plan.train_tokens, plan.windows_per_epoch, plan.total_windows) == (145, 13, 39)
    assert plan.softmax == "exact"


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


@pytest.mark.parametrize("mode", ["stream", "lines"])
@pytest.mark.parametrize("text", ["cat\n", "a cat\na dog\na cow\n"])
def test_a_text_of_few_windows_can_be_measured(
    make_config: MakeConfig, tmp_path: Path, mode: str, text: str
) -> None:
    config = make_config(data={"mode": mode})
    (tmp_path / "train.txt").write_text(text)
    plan = make_plan(config, on_event=ignore)
    assert plan.train_tokens == len(text.split()) + text.count("\n")
    assert plan.engine.taken.tokens_per_s > 0
    assert plan.expected_s > 0


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


def test_a_person_reads_it_in_rows() -> None:
    assert PLAN.rows() == [
        ("vocabulary", "33,278 tokens"),
        (
            "parameters",
            "8,683,774 (embedding 8,519,168, c 33,278, cells.0.W 131,072, cells.0.b 256)",
        ),
        ("model file", "34.7 MB"),
        ("memory", "about 139 MB for weights, gradients and the optimizer"),
        ("windows", "933 an epoch, 14,928 in all"),
        ("device", "cuda:0 (a GPU)"),
        ("softmax", "sampled: 2,048 words of 33,278"),
        ("engine", "bfloat16 on 2 threads, 52,305 tokens/s (also tried: float32 on 1 thread 30,000)"),
        ("time", "about 11 min for all epochs of 2,088,628 tokens, without validation"),
    ]


def test_a_training_that_the_clock_ends_says_what_its_epochs_would_take() -> None:
    assert replace(PLAN, max_minutes=5).rows()[-1] == (
        "time",
        "5 min with validation and test, as training.max_minutes says; all epochs would take about 11 min",
    )
    assert replace(PLAN, max_minutes=20).rows()[-1] == PLAN.rows()[-1]


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
    assert rows["time"] == f"about {shown} for all epochs of 2,088,628 tokens, without validation"


def test_a_script_reads_it_as_json() -> None:
    found = json.loads(json.dumps(PLAN.to_dict()))
    assert found["vocab_size"] == 33_278
    assert (found["engine"], found["threads"], found["tokens_per_s"]) == ("bfloat16", 2, 52_304.8)
    assert found["tried"] == [{"engine": "float32", "threads": 1, "tokens_per_s": 30_000.4}]
