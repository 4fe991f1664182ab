"""`rnn runs` as a user meets it."""

import json
import re
from pathlib import Path

from tests.conftest import Rnn


def test_a_finished_run_is_listed_with_its_figures(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    rnn("train", str(tiny), "--set", "training.max_epochs=1")
    summary = json.loads((tmp_path / "runs/tiny/summary.json").read_text())
    result = rnn("runs")
    assert result.code == 0
    heading, line = result.out.splitlines()
    assert heading.split() == ["run", "state", "done", "valid", "test", "changed"]
    valid, test = (f"{summary[split]['perplexity']:,.2f}" for split in ("valid", "test"))
    assert re.fullmatch(rf"tiny +finished +100% +{valid} +{test} +\d{{4}}-\d\d-\d\d \d\d:\d\d", line.rstrip())
    assert json.loads(rnn("runs", "--json").out)["name"] == "tiny"


def test_a_run_that_ended_before_its_last_epoch_is_done(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    rnn("train", str(tiny), "--set", "training.max_epochs=1")
    metrics = tmp_path / "runs/tiny/metrics.jsonl"
    total = json.loads(rnn("runs", "--json").out)["total_windows"]
    metrics.write_text(
        metrics.read_text().replace(f'"total_windows": {total}', f'"total_windows": {4 * total}')
    )
    assert json.loads(rnn("runs", "--json").out)["total_windows"] == 4 * total
    assert rnn("runs").out.splitlines()[1].split()[1:3] == ["finished", "100%"]


def test_figures_of_a_part_of_the_text_are_marked(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    rnn("train", str(tiny), "--set", "training.max_epochs=1", "--set", "data.measured_tokens=3")
    summary = json.loads((tmp_path / "runs/tiny/summary.json").read_text())
    assert (summary["test"]["tokens"], summary["test"]["of_tokens"]) == (6, 13)
    result = rnn("runs")
    valid, test = (f"{summary[split]['perplexity']:,.2f}*" for split in ("valid", "test"))
    assert result.out.splitlines()[1].split()[3:5] == [valid, test]
    assert result.err == "* on a part of the text (data.measured_tokens); `rnn eval` measures all of it\n"


def test_an_empty_folder_says_so(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    result = rnn("runs")
    assert (result.code, result.out, result.err) == (0, "", "No runs in runs.\n")


def test_a_folder_that_is_not_there_is_a_usage_error(rnn: Rnn) -> None:
    result = rnn("runs", "gone")
    assert result.code == 2
    assert result.err == "error: gone: no such folder. Runs lie in runs/, or where --run-dir said.\n"
