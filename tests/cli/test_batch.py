"""`rnn batch` as a user meets it, with real trainings."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_cli.batch.job import Outcome, State
from rnn_cli.batch.plan import load_plan
from rnn_cli.batch.record import Record
from rnn_cli.batch.results import Results, RunResult
from rnn_cli.cli.batch import _again, _show
from tests.conftest import Rnn

STUDY = """\
configs: tiny.yaml
set: {training.max_epochs: 1}
seeds: 2
after:
  answer.json: complete "the cat ____" --json
"""
LONG = """\
configs: tiny.yaml
set: {training: {max_epochs: 100000, validate_every_epochs: 100000}}
seeds: 2
"""


def write_plan(folder: Path, text: str) -> Path:
    plan = folder / "study.yaml"
    plan.write_text(text)
    return plan


def test_a_study_is_trained_compared_and_not_trained_again(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    write_plan(tmp_path, STUDY)
    result = rnn("batch", "study.yaml", "--jobs", "2")
    assert result.code == 0, result.err
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["config", "runs", "valid.perplexity", "±"]
    assert lines[1][:2] == ["tiny", "2"]
    assert result.out.splitlines()[-1] == (
        "Every figure of every run: runs/study/results.csv and runs/study/results.json"
    )
    assert "\x1b" not in result.err
    assert result.err.splitlines()[0] == "2 runs; 2 side by side, 1 thread each"
    for seed in (1, 2):
        run = tmp_path / f"runs/study/tiny,seed={seed}"
        summary = json.loads((run / "summary.json").read_text())
        assert (
            f"validation perplexity {summary['valid']['perplexity']:,.2f}" in (run / "train.log").read_text()
        )
        answer = json.loads((run / "after/answer.json").read_text())
        assert len(answer["completions"]) == 5

    again = rnn("batch", "study.yaml", "--json")
    assert again.code == 0
    assert again.err == "2 runs, 2 of them finished before; one at a time\n"
    assert json.loads(again.out) == json.loads((tmp_path / "runs/study/results.json").read_text())


def test_runs_that_are_drawn_a_second_time_are_left_out_and_said(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    write_plan(tmp_path, "configs: tiny.yaml\ndraws: 4\nsample: {model.dropout: [0.1]}")
    result = rnn("batch", "study.yaml", "--dry-run")
    assert result.err == "3 of 4 runs are left out: what was drawn for them was drawn before.\n"
    assert result.out.count("# runs/study/tiny,dropout=0.1 is trained\n") == 1


def test_a_run_that_fails_is_reported_with_its_log_and_the_exit_code_is_1(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    write_plan(
        tmp_path,
        "configs: tiny.yaml\nset: {training.max_epochs: 1}\ngrid: {data.train: [empty.txt]}",
    )
    result = rnn("batch", "study.yaml")
    assert result.code == 1
    run = "runs/study/tiny,train=empty.txt"
    assert result.err.splitlines()[-1].startswith(f"error: tiny,train=empty.txt: {tmp_path}/empty.txt")
    assert result.err.endswith(f" Its log: {run}/train.log\n")
    stored = json.loads((tmp_path / "runs/study/results.json").read_text())
    assert [found["state"] for found in stored["runs"]] == ["failed"]


def test_a_log_that_is_gone_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text("data: {train: tiny.yaml}")
    Path("study.yaml").write_text("configs: tiny.yaml")
    (planned,) = load_plan(Path("study.yaml")).runs
    failed = RunResult(planned, "runs/study/tiny", Outcome(State.FAILED, "it was killed (SIGTERM)."), {})
    _show(Results(None, [failed], []), Path("runs/study"))
    assert capfd.readouterr().err == "error: tiny: it was killed (SIGTERM).\n"


def start(folder: Path) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-m",
        "rnn_cli",
        "batch",
        "study.yaml",
        "--run-dir",
        "runs/study",
        "--jobs",
        "2",
    ]
    return subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_both_train(folder: Path) -> list[Path]:
    runs = [folder / f"runs/study/tiny,seed={seed}" for seed in (1, 2)]

    def trains(run: Path) -> bool:
        metrics = run / "metrics.jsonl"
        return metrics.exists() and '"event": "train"' in metrics.read_text()

    wait_until(lambda: all(trains(run) for run in runs))
    return runs


def exit_code_of(run: Path) -> int | None:
    record = Record.read(run)
    return record.exit_code if record else None


def test_the_command_that_goes_on_has_the_options_that_were_given() -> None:
    assert _again(Path("a b.yaml"), None, None, None, force=False) == "rnn batch 'a b.yaml'"
    assert _again(Path("x.yaml"), Path("r"), 2, None, force=True) == (
        "rnn batch x.yaml --run-dir r --jobs 2 --force"
    )


@pytest.mark.timeout(300)
def test_a_killed_training_is_reported_ctrl_c_lets_the_other_save_and_a_second_start_goes_on_with_both(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    write_plan(tmp_path, LONG)
    process = start(tmp_path)
    killed, saved = wait_until_both_train(tmp_path)
    assert [line.split()[1] for line in rnn("runs", "runs").out.splitlines()[1:]] == ["running", "running"]

    os.kill(json.loads((killed / ".rnn_cli.lock").read_text())["process"], signal.SIGKILL)
    wait_until(lambda: exit_code_of(killed) is not None)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "it was killed (SIGKILL). If memory ran out, fewer --jobs need less." in err
    assert "Stopping: 1 run is saving." in err
    again = "rnn batch study.yaml --run-dir runs/study --jobs 2"
    assert err.splitlines()[-1] == f"Stopped: 0 of 2 runs are finished. Go on with: {again}"
    assert "everything is saved" in (saved / "train.log").read_text()
    assert (exit_code_of(killed), exit_code_of(saved)) == (-signal.SIGKILL, 130)
    assert [line.split()[:2] for line in rnn("runs", "runs").out.splitlines()[1:]] == [
        ["study/tiny,seed=1", "half"],
        ["study/tiny,seed=2", "half"],
    ]

    process = start(tmp_path)
    wait_until(
        lambda: all('"resumed": true' in (run / "metrics.jsonl").read_text() for run in (killed, saved))
    )
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.timeout(300)
def test_a_training_that_somebody_stops_is_told_with_the_command_that_goes_on(
    tiny: Path, tmp_path: Path
) -> None:
    write_plan(tmp_path, LONG)
    process = start(tmp_path)
    for run in wait_until_both_train(tmp_path):
        os.kill(json.loads((run / ".rnn_cli.lock").read_text())["process"], signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    why = "it was stopped from outside; it goes on when the plan is started again."
    assert err.splitlines()[-3:] == [
        f"error: tiny,seed=1: {why} Its log: runs/study/tiny,seed=1/train.log",
        f"error: tiny,seed=2: {why} Its log: runs/study/tiny,seed=2/train.log",
        "error: 2 of 2 runs are not finished. Go on with: rnn batch study.yaml --run-dir runs/study --jobs 2",
    ]
    stored = json.loads((tmp_path / "runs/study/results.json").read_text())
    assert [run["state"] for run in stored["runs"]] == ["stopped"] * 2


def test_a_dry_run_prints_every_resolved_config_and_makes_nothing(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    write_plan(tmp_path, STUDY)
    result = rnn("batch", "study.yaml", "--dry-run")
    assert result.code == 0
    documents = result.out.split("---\n")[1:]
    for seed, document in enumerate(documents, start=1):
        assert document.startswith(
            f"# runs/study/tiny,seed={seed} is trained\ndata:\n  train: {tmp_path}/train.txt\n"
        )
        assert f"  seed: {seed}\n" in document
        (tmp_path / "again.yaml").write_text(document)
        assert rnn("batch", "study.yaml", "--dry-run").out == result.out
    assert len(documents) == 2
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("configs: tiny.yaml\nsedes: 2", 'study.yaml:2:1: sedes: unknown key. Did you mean "seeds"?'),
        (
            "configs: tiny.yaml\nafter: {a: trian x}",
            'study.yaml:2:12: after.a: found "trian", allowed: a command out of check, check-grad, compare, '
            "complete, eval, ngram, predict, report, score, trace. Did you mean trace?",
        ),
    ],
)
def test_a_mistake_in_a_plan_is_told_before_anything_begins(
    rnn: Rnn, tiny: Path, tmp_path: Path, text: str, message: str
) -> None:
    write_plan(tmp_path, text)
    result = rnn("batch", "study.yaml")
    assert (result.code, result.out, result.err) == (2, "", f"error: {message}\n")
    assert not (tmp_path / "runs").exists()


def test_the_room_for_many_trainings_never_loads_torch(tmp_path: Path) -> None:
    script = (
        "import sys, rnn_cli.batch.scheduler, rnn_cli.batch.results, rnn_cli.batch.listing, rnn_cli.batch_display\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
