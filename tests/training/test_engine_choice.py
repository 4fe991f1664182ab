"""The choice of the fastest way to compute."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.text.streams import StreamWindows, Windows
from rnn_cli.training import engine_choice
from rnn_cli.training.engine_choice import Choice, Way, choose_engine
from rnn_cli.training.ranks import ALONE
from tests.training.conftest import MakeConfig

COUNTS = np.array([4, 3, 2, 2, 1])


@pytest.fixture
def windows() -> Windows:
    ids = np.arange(200, dtype=np.uint16) % 5
    return StreamWindows(ids, batch_size=3, bptt_steps=4, eos_id=1)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two cores that multiplies in bfloat16."""
    monkeypatch.setattr(engine_choice, "usable_cores", lambda: 2)
    monkeypatch.setattr(engine_choice, "has_bfloat16_products", lambda device: True)


Speeds = dict[tuple[str, int], float]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> tuple[Speeds, list[tuple[str, int]]]:
    """Speeds to be found in place of measured ones, and a list of the ways that were tried."""
    speeds: Speeds = {}
    tried: list[tuple[str, int]] = []

    def time(self: Any, engine: str, threads: int, **_: float) -> float:
        tried.append((engine, threads))
        return speeds[engine, threads]

    monkeypatch.setattr(engine_choice._Trial, "time", time)
    return speeds, tried


EVERY_WAY = [(engine, threads) for engine in ("float32", "bfloat16", "reference") for threads in (1, 2)]


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("fastest", EVERY_WAY)
def test_the_fastest_way_is_taken(
    make_config: MakeConfig,
    windows: Windows,
    asked: tuple[Speeds, list[tuple[str, int]]],
    fastest: tuple[str, int],
) -> None:
    speeds, tried = asked
    speeds.update({way: 200.0 if way == fastest else 100.0 for way in EVERY_WAY})
    choice = choose_engine(make_config(), windows, COUNTS, always=True)
    assert (choice.taken.engine, choice.taken.threads) == fastest
    assert tried == 2 * EVERY_WAY  # once more: what others do meanwhile must not decide
    config = choice.written_into(make_config())
    assert (config.training.engine, config.training.threads) == fastest


@pytest.mark.usefixtures("two_cores")
def test_a_little_faster_may_be_noise_and_is_not_preferred(
    make_config: MakeConfig, windows: Windows, asked: tuple[Speeds, list[tuple[str, int]]]
) -> None:
    asked[0].update({way: 100.0 + 0.4 * number for number, way in enumerate(EVERY_WAY)})
    choice = choose_engine(make_config(), windows, COUNTS, always=True)
    assert (choice.taken.engine, choice.taken.threads) == ("float32", 1)


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(("tokens_per_s", "tries"), [(3 * 200 / 20.1, 12), (3 * 200 / 19.9, 1)])
def test_a_training_of_under_twenty_seconds_takes_the_likeliest_way_untried(
    make_config: MakeConfig,
    windows: Windows,
    asked: tuple[Speeds, list[tuple[str, int]]],
    tokens_per_s: float,
    tries: int,
) -> None:
    speeds, tried = asked
    speeds.update(dict.fromkeys(EVERY_WAY, tokens_per_s))
    choose_engine(make_config(training={"max_epochs": 3}), windows, COUNTS)
    assert tried == (2 * EVERY_WAY)[:tries]


@pytest.mark.usefixtures("two_cores")
def test_what_there_is_no_time_to_try_is_not_tried(
    make_config: MakeConfig,
    windows: Windows,
    asked: tuple[Speeds, list[tuple[str, int]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speeds, tried = asked
    speeds.update(dict.fromkeys(EVERY_WAY, 100.0) | {EVERY_WAY[1]: 200.0})
    clock = iter([10.0, 10.4, 10.8, 11.2])
    monkeypatch.setattr(engine_choice, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    choice = choose_engine(make_config(), windows, COUNTS, always=True, within_s=1.0)
    assert tried == EVERY_WAY[:3]
    assert (choice.taken.engine, choice.taken.threads) == EVERY_WAY[1]


@pytest.mark.parametrize(("window_s", "windows_read"), [(0.6, 1), (0.3, 2), (0.04, 6)])
def test_a_long_window_is_timed_as_it_comes_so_that_other_ways_have_their_turn(
    make_config: MakeConfig,
    windows: Windows,
    monkeypatch: pytest.MonkeyPatch,
    window_s: float,
    windows_read: int,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(engine_choice, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def train(self: Any, config: Any) -> Iterator[float]:
        while True:
            clock[0] += window_s
            yield window_s / 100

    monkeypatch.setattr(engine_choice._Trial, "_train", train)
    speed = engine_choice._Trial(make_config(), windows, COUNTS, ALONE).time("float32", 1)
    assert speed == pytest.approx(100 / window_s)
    assert clock[0] == pytest.approx(windows_read * window_s)


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(
    ("settings", "ways"),
    [
        ({"threads": 3}, [("float32", 3), ("bfloat16", 3), ("reference", 3)]),
        ({"engine": "bfloat16"}, [("bfloat16", 1), ("bfloat16", 2)]),
        ({"engine": "reference", "threads": 1}, [("reference", 1)]),
    ],
)
def test_only_what_the_config_leaves_open_is_tried(
    make_config: MakeConfig,
    windows: Windows,
    asked: tuple[Speeds, list[tuple[str, int]]],
    settings: dict[str, Any],
    ways: list[tuple[str, int]],
) -> None:
    speeds, tried = asked
    speeds.update(dict.fromkeys(ways, 100.0))
    choose_engine(make_config(training=settings), windows, COUNTS, always=True)
    assert tried == 2 * ways


def test_a_machine_without_bfloat16_products_is_not_asked_for_them(
    make_config: MakeConfig,
    windows: Windows,
    asked: tuple[Speeds, list[tuple[str, int]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(engine_choice, "usable_cores", lambda: 1)
    asked[0].update(dict.fromkeys(EVERY_WAY, 100.0))
    choose_engine(make_config(model={"hidden_size": 256}), windows, COUNTS, always=True)
    assert asked[1] == 2 * [("float32", 1), ("reference", 1)]


@pytest.mark.parametrize("softmax", ["exact", "sampled"])
def test_every_way_can_really_be_tried(make_config: MakeConfig, windows: Windows, softmax: str) -> None:
    config = make_config(output={"softmax": softmax, "samples": 2})
    choice = choose_engine(config, windows, COUNTS, always=True, within_s=1e9)
    assert all(way.tokens_per_s > 0 for way in (choice.taken, *choice.others))
    assert {"float32", "reference"} <= {way.engine for way in (choice.taken, *choice.others)}


def test_the_choice_is_said_with_what_else_was_tried() -> None:
    taken, other = Way("bfloat16", 2, 71_234.5), Way("reference", 1, 9_000.4)
    assert Choice(taken, (other,)).sentence() == (
        "bfloat16 on 2 threads, 71,234 tokens/s (also tried: reference on 1 thread 9,000)"
    )
    assert Choice(taken, ()).sentence() == "bfloat16 on 2 threads, 71,234 tokens/s"
