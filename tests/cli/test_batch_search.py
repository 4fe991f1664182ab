"""A search as a user meets it, with real trainings."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_cli.batch.search import Search
from tests.conftest import Rnn

STUDY = """\
configs: tiny.yaml
set: {training.max_epochs: 1}
search: {trials: 2}
sample:
  training.learning_rate: {low: 1e-3, high: 1e-1, log: true}
  model.hidden_size: [4, 8]
"""


def test_a_search_is_trained_compared_and_over_when_it_is_started_again(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "study.yaml").write_text(STUDY)
    result = rnn("batch", "study.yaml", "--jobs", "2")
    assert result.code == 0, result.err
    assert result.err.splitlines()[0] == "A search: 2 trials; 2 side by side, 1 thread each"
    lines = result.out.splitlines()
    assert lines[0].split() == ["trial", "learning_rate", "hidden_size", "valid.perplexity", "state"]
    results = json.loads((tmp_path / "runs/study/results.json").read_text())
    best, second = results["runs"]
    assert [run["state"] for run in results["runs"]] == ["finished"] * 2
    assert best["figures"]["valid.perplexity"] <= second["figures"]["valid.perplexity"]
    assert results["best"] == best
    summary = json.loads((tmp_path / best["folder"] / "summary.json").read_text())
    assert summary["valid"]["perplexity"] == best["figures"]["valid.perplexity"]
    assert lines[-1] == f"The best model: {best['folder']}"
    assert (
        f"  learning_rate: {best['choices']['training.learning_rate']}\n"
        in (tmp_path / best["folder"] / "config.yaml").read_text()
    )

    again = rnn("batch", "study.yaml", "--jobs", "2", "--json")
    assert again.code == 0
    assert again.err == "A search: 2 trials, 2 of them done before; 2 side by side, 1 thread each\n"
    assert json.loads(again.out) == results


def test_a_search_whose_folder_goes_away_is_told_with_the_command_that_goes_on(
    rnn: Rnn, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "study.yaml").write_text(STUDY)

    def done_and_removed(_: Search) -> int:
        shutil.rmtree("runs/study")
        return 0

    monkeypatch.setattr(Search, "done", done_and_removed)  # it is asked before the first trial is taken
    result = rnn("batch", "study.yaml")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1] == (
        "error: runs/study: the search cannot go on (No such file or directory). What is saved there is kept. "
        "Mend that, and go on with: rnn batch study.yaml"
    )


def test_a_dry_run_shows_the_space_and_makes_nothing(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("trials: 2", "trials: 2, minutes: 1.5"))
    result = rnn("batch", "study.yaml", "--dry-run")
    assert result.code == 0
    assert result.out.splitlines()[:6] == [
        "# runs/study: a search of 2 trials or 1.5 minutes for the lowest valid.perplexity",
        '#   training.learning_rate: {"low": 0.001, "high": 0.1, "log": true}',
        "#   model.hidden_size: [4, 8]",
        "---",
        "# tiny with the first value of every key that is searched",
        "data:",
    ]
    assert not (tmp_path / "runs").exists()


def test_force_is_not_for_a_search(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    result = rnn("batch", "study.yaml", "--force")
    assert (result.code, result.err) == (
        2,
        "error: --force is for runs that a plan has changed. A search that is changed needs a folder of its own: "
        "--run-dir.\n",
    )


def test_without_optuna_it_says_what_to_install(
    rnn: Rnn, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    (tmp_path / "study.yaml").write_text(STUDY)
    result = rnn("batch", "study.yaml")
    assert (result.code, result.err) == (
        2,
        "error: A plan with search needs the package optuna, which is not installed. "
        "Install it from a clone: pip install -c constraints.txt '.[search]'\n",
    )


def test_without_dask_it_says_what_to_install(
    rnn: Rnn, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "study.yaml").write_text("configs: tiny.yaml")
    result = rnn("batch", "study.yaml", "--on", "dask://127.0.0.1:8786")
    assert (result.code, result.err) == (
        2,
        "error: --on dask://127.0.0.1:8786 needs the package distributed, which is not installed. "
        "Install it from a clone: pip install -c constraints.txt '.[dask]'\n",
    )


@pytest.mark.long
def test_two_rnn_batch_work_on_one_search(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "study.yaml").write_text(STUDY.replace("trials: 2", "trials: 6"))
    command = [sys.executable, "-m", "rnn_cli", "batch", "study.yaml", "--jobs", "1"]
    processes = [
        subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )
        for _ in range(2)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    finished = [re.findall(r"^(trial-\d{4}),\S+ finished", error, re.MULTILINE) for error in errors]
    assert all(finished)
    assert sorted(finished[0] + finished[1]) == [f"trial-{number:04}" for number in range(6)]
    results = json.loads((tmp_path / "runs/study/results.json").read_text())
    assert [run["state"] for run in results["runs"]] == ["finished"] * 6
    figures = [run["figures"]["valid.perplexity"] for run in results["runs"]]
    assert figures == sorted(figures)
