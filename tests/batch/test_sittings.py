"""How long a search has been worked on."""

from typing import Any, cast

import pytest

from rnn_cli.batch.sittings import Sittings, covered_s


class FakeStudy:
    def __init__(self) -> None:
        self.user_attrs: dict[str, Any] = {"something else": 3}

    def set_user_attr(self, key: str, value: Any) -> None:
        self.user_attrs[key] = value


def test_what_earlier_sittings_noted_counts_and_the_pause_between_them_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("rnn_cli.batch.sittings.time.time", lambda: now)
    study = FakeStudy()
    first = Sittings(cast("Any", study))
    now = 1010.0
    first.note(every_s=20)  # too soon: nothing is written
    assert list(study.user_attrs) == ["something else"]
    now = 1030.0
    first.note(every_s=20)
    now = 5000.0
    second = Sittings(cast("Any", study))
    now = 5007.0
    assert second.used_s() == 30 + 7


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
