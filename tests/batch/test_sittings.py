"""How long a search has been worked on."""

import pytest

from rnn_cli.batch.sittings import covered_s


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
