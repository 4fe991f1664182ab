"""What was recorded at validations, as tables and lines."""

from pathlib import Path

from rnn_cli.insight.moments import flow_lines, flow_table, moments, prompt_table, writing_table
from rnn_cli.insight.plots import Line
from rnn_cli.insight.runs import Run, read_run
from tests.insight.conftest import flowed, sampled, write_run


def run_of(tmp_path: Path, *records: dict[str, object]) -> Run:
    return read_run(write_run(tmp_path / "run", records))


def test_a_few_moments_are_spread_over_all_the_first_and_the_last_among_them() -> None:
    records = [{"step": step} for step in range(9)]
    assert [record["step"] for record in moments(records)] == [0, 2, 4, 6, 8]
    assert moments(records[:2]) == records[:2]
    assert moments(records[:1]) == records[:1]
    assert moments([]) == []


def test_the_gradient_by_lag_has_a_row_for_every_doubling_and_a_column_for_every_moment(
    tmp_path: Path,
) -> None:
    run = run_of(tmp_path, flowed(40, [1.0, 0.5, 0.25, 0.125, 0.1, 0.05]), flowed(80, [2.0, None, 0.0]))
    assert flow_table(run) == (
        [("steps back", "right"), ("400", "right"), ("800", "right")],
        [
            ["0", "1.0", "2.0"],
            ["1", "0.50", "-"],
            ["2", "0.25", "0.0"],
            ["4", "0.10", "-"],
            ["5", "0.050", "-"],
        ],
    )
    assert flow_lines(run) == [
        Line("after 400 tokens", [0, 1, 2, 3, 4, 5], [1.0, 0.5, 0.25, 0.125, 0.1, 0.05], 0),
        Line("after 800 tokens", [0], [2.0], 1),
    ]


def test_what_was_never_recorded_has_no_rows(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    assert flow_table(run)[1] == prompt_table(run)[1] == writing_table(run)[1] == []
    assert flow_lines(run) == []


def test_the_same_prompts_stand_in_rows_and_the_moments_in_columns(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        sampled(40, "I eat I", eat=("soup", 0.25), drink=("", 0.5)),
        sampled(80, "I eat rice", eat=("rice", 0.875)),
    )
    assert prompt_table(run) == (
        [("prompt", "left"), ("400", "left"), ("800", "left")],
        [["eat", "soup 25%", "rice 88%"], ["drink", "(line ends) 50%", "-"]],
    )
    assert writing_table(run)[1] == [["400", "I eat I"], ["800", "I eat rice"]]


def test_samples_of_an_earlier_version_have_no_prompts(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"event": "sample", "step": 40, "text": "I eat"})
    assert prompt_table(run)[1] == []
    assert writing_table(run)[1] == [["400", "I eat"]]
