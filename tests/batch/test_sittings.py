"""How long a search has been worked on."""

from typing import Any, cast

import pytest

from rnn_cli.batch import sittings
from rnn_cli.batch.sittings import Sittings, covered_s


class FakeStudy:
    def __init__(self) -> None:
        self.user_attrs: dict[str, Any] = {"something else": 3}

    def set_user_attr(self, key: str, value: Any) -> None:
        self.user_attrs[key] = value


class Clock:
    """In place of the module `time`: the clock on the wall, and the one that nobody sets."""

    def __init__(self) -> None:
        self.wall, self.worked = 1000.0, 5.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.worked

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.worked += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sittings, "time", clock)
    return clock


def test_what_earlier_sittings_noted_counts_and_the_pause_between_them_does_not(clock: Clock) -> None:
    study = FakeStudy()
    first = Sittings(cast("Any", study))
    clock.go_on(10)
    first.note(every_s=20)  # too soon: nothing is written
    assert list(study.user_attrs) == ["something else"]
    clock.go_on(20)
    first.note(every_s=20)
    clock.go_on(4000)
    second = Sittings(cast("Any", study))
    clock.go_on(7)
    assert second.used_s() == 30 + 7


@pytest.mark.parametrize("wall", [8 * 3600, -3600])
def test_neither_sleep_nor_a_clock_that_is_set_is_time_worked(clock: Clock, wall: float) -> None:
    study = FakeStudy()
    first = Sittings(cast("Any", study))
    clock.go_on(60)
    clock.wall += wall
    clock.go_on(60)
    assert first.used_s() == 120
    first.note()
    assert [value for key, value in study.user_attrs.items() if "sitting" in key] == [[1000.0, 1120.0]]


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(0, 10)], 10),
        ([(0, 10), (20, 25)], 15),  # a pause does not count
        ([(0, 10), (5, 15)], 15),  # two at a time count once
        ([(5, 15), (0, 30), (7, 8)], 30),
        ([(10, 5)], 0),  # a clock that was set back
    ],
)
def test_time_counts_once_where_somebody_worked_on_it(
    spans: list[tuple[float, float]], seconds: float
) -> None:
    assert covered_s(spans) == seconds
