"""The folder of a run: taken once, begun once, reopened where it stopped, finished once."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from rnn_cli.errors import ModelFileError, TrainingError, UsageError
from rnn_cli.training.events import Notice
from rnn_cli.training.run_folder import RunFolder, free_run_path
from rnn_cli.training.run_lock import RunLock
from tests.training.run_folders import folder_with, names, recorded, refusal, trained


def test_a_new_run_holds_its_config_and_the_events_since_the_folder_was_taken(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "runs" / "a") as folder:
        folder.record(Notice("found"))
        assert names(folder.path) == [".rnn_cli.lock"]
        folder.begin("data: {train: été.txt}\n")
        folder.record(trained(1))
    assert names(folder.path) == ["config.yaml", "metrics.jsonl"]
    assert folder.config.read_text(encoding="utf-8") == "data: {train: été.txt}\n"
    assert recorded(folder) == [("notice", None), ("train", 1)]


def test_a_folder_in_which_no_run_has_begun_goes_again(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "runs" / "a") as folder:
        folder.record(Notice("found"))
    assert names(tmp_path / "runs") == []


def test_a_folder_that_holds_something_else_can_be_used_and_never_goes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder.create(tmp_path).close()
    assert names(tmp_path) == ["notes.txt"]
    folder_with(tmp_path)
    assert names(tmp_path) == ["config.yaml", "metrics.jsonl", "notes.txt"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "File exists"), ("file/run", "Not a directory"), ("x" * 300, "File name too long")],
)
def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as error:
        RunFolder.create(tmp_path / name)
    assert str(error.value) == (
        f"{tmp_path / name}: cannot be written to ({reason}). Choose another --run-dir."
    )


def test_a_run_with_a_state_is_reopened_and_half_written_files_go(tmp_path: Path) -> None:
    folder_with(tmp_path, trained(1)).checkpoint.touch()
    (tmp_path / ".good.safetensors.4711.part").touch()
    (tmp_path / ".mine.4711.part").touch()
    with RunFolder.reopen(tmp_path) as folder:
        assert folder.states() == [tmp_path / "checkpoint.safetensors"]
        folder.record(trained(2))
    assert recorded(folder) == [("train", 1), ("train", 2)]
    assert names(tmp_path) == [".mine.4711.part", "checkpoint.safetensors", "config.yaml", "metrics.jsonl"]


def test_a_finished_run_is_not_reopened_and_states_that_are_left_go(tmp_path: Path) -> None:
    folder_with(tmp_path).finish({})
    (tmp_path / "good.safetensors").touch()  # killed before it was removed
    with pytest.raises(ModelFileError) as error:
        RunFolder.reopen(tmp_path)
    assert str(error.value) == f"{tmp_path} is finished: there is nothing left to train."
    assert names(tmp_path) == ["config.yaml", "metrics.jsonl", "summary.json"]


def test_a_run_that_another_training_finishes_meanwhile_is_not_reopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = folder_with(tmp_path)
    other.good.touch()
    take = RunLock.take

    def take_late(path: Path) -> RunLock:
        other.finish({})
        return take(path)

    monkeypatch.setattr(RunLock, "take", take_late)
    with pytest.raises(ModelFileError, match="is finished: there is nothing left to train"):
        RunFolder.reopen(tmp_path)
    assert ".rnn_cli.lock" not in names(tmp_path)


@pytest.mark.parametrize("name", ["", "gone", "file"])
def test_without_a_state_there_is_nothing_to_go_on_from(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelFileError) as error:
        RunFolder.reopen(tmp_path / name)
    assert str(error.value) == (
        f"{tmp_path / name} has no checkpoint to go on from. Start anew: rnn train CONFIG."
    )


def test_a_folder_that_cannot_be_looked_into_is_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(ModelFileError, match=re.escape(f"{path}: cannot be used (File name too long).")):
        RunFolder.reopen(path)


def test_a_folder_is_held_until_it_is_closed(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path), pytest.raises(UsageError, match="is held by process"):
        RunFolder.create(tmp_path)
    RunFolder.create(tmp_path).close()


def test_a_refusal_leaves_the_folder_to_others(tmp_path: Path) -> None:
    folder_with(tmp_path, trained(1)).checkpoint.touch()
    refusal(tmp_path)
    RunFolder.reopen(tmp_path).close()


def test_events_are_appended_one_a_line(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, Notice("été"), trained(1))
    assert folder.metrics.read_text(encoding="utf-8").splitlines()[0] == (
        '{"event": "notice", "message": "été"}'
    )
    RunFolder(tmp_path).record(trained(2))
    assert recorded(folder) == [("notice", None), ("train", 1), ("train", 2)]


def test_what_came_after_a_state_is_forgotten(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, Notice("a"), trained(10))
    size = folder.sync_metrics()
    folder.record(trained(20))
    with folder.metrics.open("ab") as file:
        file.write('{"event": "notice", "message": "é'.encode()[:-1])  # killed while it wrote
    folder.cut_metrics(size)
    assert recorded(folder) == [("notice", None), ("train", 10)]
    folder.record(trained(20))
    assert recorded(folder)[-1] == ("train", 20)


def test_metrics_that_somebody_has_taken_away_are_begun_anew(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, trained(10))
    size = folder.sync_metrics()
    folder.metrics.unlink()
    folder.cut_metrics(size)
    folder.record(trained(20))
    assert recorded(folder) == [("train", 20)]


def test_a_finished_run_has_its_summary_and_no_states_any_more(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    folder.checkpoint.touch()
    folder.good.touch()
    folder.finish({"run": "été", "steps": 3})
    assert names(tmp_path) == ["config.yaml", "metrics.jsonl", "summary.json"]
    assert folder.summary.read_text(encoding="utf-8") == '{\n  "run": "été",\n  "steps": 3\n}\n'


@pytest.mark.parametrize(
    ("state", "next_step"),
    [
        (True, "Make room, then go on from the last checkpoint: rnn train --resume {}"),
        (False, "Make room and start again, or choose another folder with --run-dir."),
    ],
)
def test_a_full_disk_is_one_sentence_that_says_how_to_go_on(
    tmp_path: Path, state: bool, next_step: str
) -> None:
    folder = folder_with(tmp_path)
    if state:
        folder.good.touch()
    with pytest.raises(TrainingError) as error, folder.writing():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(error.value) == (
        f"{tmp_path} cannot be written to (No space left on device). " + next_step.format(tmp_path)
    )


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.EDQUOT, "Make room"),
        (errno.EACCES, "Get the right to write there"),
        (errno.EROFS, "Make the disk writable"),
        (errno.EIO, "Mend that"),
    ],
)
def test_the_next_step_fits_what_the_operating_system_says(tmp_path: Path, number: int, mend: str) -> None:
    folder = folder_with(tmp_path)
    folder.good.touch()
    with pytest.raises(TrainingError) as error, folder.writing():
        raise OSError(number, os.strerror(number))
    assert str(error.value) == (
        f"{tmp_path} cannot be written to ({os.strerror(number)}). {mend}, then go on from the last checkpoint: "
        f"rnn train --resume {tmp_path}"
    )


def test_a_folder_that_was_removed_asks_for_no_room(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        folder.begin("data: {train: a.txt}\n")
        shutil.rmtree(folder.path)
        with pytest.raises(TrainingError) as error:
            folder.record(trained(1))
    assert str(error.value) == (
        f"{tmp_path}/run cannot be written to (No such file or directory). "
        "The folder was removed while it was written to: start again."
    )


def test_a_new_run_gets_the_first_free_number_and_nobody_else_gets_it(tmp_path: Path) -> None:
    (tmp_path / "a-3").mkdir()
    assert [free_run_path(tmp_path, "a").name for _ in range(3)] == ["a", "a-2", "a-4"]
    assert names(tmp_path) == ["a", "a-2", "a-3", "a-4"]


def test_a_folder_for_runs_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "disk").symlink_to("not mounted")
    for name in ("file", "disk"):
        with pytest.raises(UsageError) as error:
            free_run_path(tmp_path / name, "a")
        assert str(error.value) == (
            f"{tmp_path}/{name}/a: cannot be written to (File exists). Choose another --run-dir."
        )


def test_a_path_that_is_not_utf_8_can_stand_in_the_metrics_and_the_summary(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, Notice("caf\udce9 é"))
    folder.finish({"run": "caf\udce9 é"})
    assert json.loads(folder.metrics.read_text(encoding="utf-8"))["message"] == "caf\udce9 é"
    assert json.loads(folder.summary.read_text(encoding="utf-8")) == {"run": "caf\udce9 é"}
