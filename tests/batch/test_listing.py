"""What lies in a folder of runs."""

import json
import os
from pathlib import Path

import pytest

from rnn_cli.batch.listing import list_runs
from rnn_cli.batch.record import Record
from rnn_cli.errors import UsageError
from rnn_cli.training.run_lock import RunLock
from tests.batch.conftest import RunPlan


def make_run(path: Path, *, step: int, finished: bool = False, states: bool = False) -> Path:
    path.mkdir(parents=True)
    records = [
        {"event": "start", "step": 0, "total_windows": 100},
        {"event": "train", "step": step, "tokens_per_s": 1.0},
        {"event": "validation", "perplexity": 20.0},
        {"event": "validation", "perplexity": 30.0},
    ]
    if finished:
        records.append({"event": "test", "perplexity": 25.0})
        (path / "summary.json").write_text("{}")
    if states:
        (path / "good.safetensors").touch()
    (path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_each_run_has_its_state_and_figures(tmp_path: Path) -> None:
    make_run(tmp_path / "done", step=100, finished=True)
    make_run(tmp_path / "half", step=40, states=True)
    make_run(tmp_path / "lost", step=3)
    lock = RunLock.take(make_run(tmp_path / "busy", step=7, states=True))
    (tmp_path / "no run").mkdir()
    (tmp_path / "file").touch()
    runs = list_runs(tmp_path)
    lock.release()
    assert [(run.name, run.state, run.step, run.total_windows, run.valid, run.test) for run in runs] == [
        ("busy", "running", 7, 100, 20.0, None),
        ("done", "finished", 100, 100, 20.0, 25.0),
        ("half", "half", 40, 100, 20.0, None),
        ("lost", "failed", 3, 100, 20.0, None),
    ]


def test_the_figures_of_a_pair_are_those_of_its_first_network(tmp_path: Path) -> None:
    run = make_run(tmp_path / "pair", step=100, finished=True)
    with (run / "metrics.jsonl").open("a") as file:
        for event in ("validation", "test"):
            file.write(json.dumps({"event": event, "perplexity": 3.0, "network": "backward"}) + "\n")
    assert [(found.valid, found.test) for found in list_runs(tmp_path)] == [(20.0, 25.0)]


def test_the_runs_of_a_study_are_listed_with_it(run_plan: RunPlan, folder: Path) -> None:
    run_plan("configs: tiny.yaml\nseeds: [1, 13, 66]")
    assert [(run.name, run.state) for run in list_runs(folder)] == [
        ("study/tiny,seed=1", "finished"),
        ("study/tiny,seed=13", "failed"),
        ("study/tiny,seed=66", "half"),
    ]
    (folder / "study/tiny,seed=2").mkdir()
    Record({}, {}, exit_code=130).write(folder / "study/tiny,seed=2")
    assert [run.state for run in list_runs(folder) if run.name == "study/tiny,seed=2"] == ["not begun"]
    (folder / "study/tiny,seed=2/batch.json").unlink()
    assert [run.name for run in list_runs(folder / "study")] == [
        "tiny,seed=1",
        "tiny,seed=13",
        "tiny,seed=66",
    ]


@pytest.mark.parametrize(
    ("record", "states", "state", "after_a_resume"),
    [
        (Record({}, {}, exit_code=-9, reason="it was killed (SIGKILL)."), True, "half", "half"),
        (Record({}, {}, exit_code=-9, reason="it was killed (SIGKILL)."), False, "failed", "failed"),
        (Record({}, {}, exit_code=130, reason="it was stopped from outside."), True, "half", "half"),
        (Record({}, {}, exit_code=1, reason="The text is unlucky."), True, "failed", "half"),
        (Record({}, {}, exit_code=130, pruned=True), True, "pruned", "half"),
        (Record({}, {}, exit_code=130), True, "half", "half"),
    ],
)
def test_a_run_that_was_killed_or_resumed_by_hand_since_its_batch_is_half_where_it_can_go_on(
    record: Record, states: bool, state: str, after_a_resume: str, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", step=3, states=states)
    record.write(run)
    for file, written in (("metrics.jsonl", 1_000), ("batch.json", 1_001)):
        os.utime(run / file, (written, written))
    assert [found.state for found in list_runs(tmp_path)] == [state]
    os.utime(run / "metrics.jsonl", (1_002, 1_002))
    assert [found.state for found in list_runs(tmp_path)] == [after_a_resume]


def test_a_run_itself_is_listed_alone(tmp_path: Path) -> None:
    make_run(tmp_path / "done", step=100, finished=True)
    assert [run.name for run in list_runs(tmp_path / "done")] == ["done"]


def test_a_run_is_one_object_of_json(tmp_path: Path) -> None:
    make_run(tmp_path / "done", step=100, finished=True)
    (run,) = list_runs(tmp_path)
    found = json.loads(json.dumps(run.to_dict()))
    assert found.pop("changed").startswith("20")
    assert found == {
        "name": "done", "state": "finished", "step": 100, "total_windows": 100, "valid": 20.0, "test": 25.0,
        "in_part": False,
    }  # fmt: skip


def test_a_perplexity_beyond_all_numbers_is_null_in_json(tmp_path: Path) -> None:
    run = make_run(tmp_path / "wild", step=1)
    (run / "metrics.jsonl").write_text('{"event": "validation", "perplexity": null}\n')
    (found,) = list_runs(tmp_path)
    assert found.to_dict()["valid"] is None


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        list_runs(tmp_path / "gone")
    assert str(error.value) == f"{tmp_path}/gone: no such folder. Runs lie in runs/, or where --run-dir said."
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as error:
        list_runs(tmp_path / "file")
    assert str(error.value) == f"{tmp_path}/file: cannot be read (Not a directory)."


def test_a_name_that_is_too_long_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        list_runs(tmp_path / ("x" * 300))
    assert str(error.value) == f"{tmp_path}/{'x' * 300}/metrics.jsonl: cannot be read (File name too long)."
