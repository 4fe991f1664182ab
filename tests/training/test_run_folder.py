"""The folder of a run: begun once, reopened where it stopped, finished once."""

import json
import re
from pathlib import Path

import pytest

from rnn_cli.errors import ModelFileError, UsageError
from rnn_cli.training.events import Ended, Event, Notice, Trained
from rnn_cli.training.run_folder import RunFolder, new_run_path


def trained(step: int) -> Trained:
    return Trained(
        step=step,
        epoch=1,
        loss=2.0,
        perplexity=7.4,
        tokens_per_s=100.0,
        gradient_norm=1.0,
        learning_rate=0.1,
        elapsed_s=1.0,
    )


def folder_with(path: Path, *events: Event) -> RunFolder:
    folder = RunFolder.create(path, "data: {train: a.txt}\n")
    for event in events:
        folder.record(event)
    return folder


def recorded(folder: RunFolder) -> list[tuple[str, int | None]]:
    """The kind and the step of each record."""
    records = [json.loads(line) for line in folder.metrics.read_text(encoding="utf-8").splitlines()]
    return [(record["event"], record.get("step")) for record in records]


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_new_run_holds_its_config_and_empty_metrics(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs" / "a", "data: {train: été.txt}\n")
    assert names(folder.path) == ["config.yaml", "metrics.jsonl"]
    assert folder.config.read_text(encoding="utf-8") == "data: {train: été.txt}\n"
    assert folder.metrics.read_text() == ""


def test_a_folder_that_holds_no_run_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder.create(tmp_path, "")
    assert names(tmp_path) == ["config.yaml", "metrics.jsonl", "notes.txt"]


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    folder_with(tmp_path, trained(1)).finish({})
    with pytest.raises(UsageError) as error:
        RunFolder.create(tmp_path, "other")
    assert str(error.value) == f"{tmp_path} holds a finished run. Choose another folder with --run-dir."
    assert (tmp_path / "config.yaml").read_text() == "data: {train: a.txt}\n"


def test_a_run_that_is_not_finished_is_left_alone(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, trained(1))
    folder.checkpoint.touch()
    with pytest.raises(UsageError) as error:
        RunFolder.create(tmp_path, "other")
    assert str(error.value) == (
        f"{tmp_path} holds a run that is not finished. Go on with it: rnn train --resume {tmp_path}. "
        "Or choose another folder with --run-dir."
    )
    assert recorded(folder) == [("train", 1)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "File exists"), ("file/run", "Not a directory"), ("x" * 300, "File name too long")],
)
def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as error:
        RunFolder.create(tmp_path / name, "")
    assert str(error.value) == (
        f"{tmp_path / name}: cannot be written to ({reason}). Choose another --run-dir."
    )


def test_a_run_with_a_checkpoint_is_reopened(tmp_path: Path) -> None:
    folder_with(tmp_path, trained(1)).checkpoint.touch()
    folder = RunFolder.reopen(tmp_path)
    assert folder.path == tmp_path
    assert recorded(folder) == [("train", 1)]


def test_a_finished_run_is_not_reopened(tmp_path: Path) -> None:
    folder_with(tmp_path).finish({})
    with pytest.raises(ModelFileError) as error:
        RunFolder.reopen(tmp_path)
    assert str(error.value) == f"{tmp_path} is finished: there is nothing left to train."


@pytest.mark.parametrize("name", ["", "gone", "file"])
def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelFileError) as error:
        RunFolder.reopen(tmp_path / name)
    assert str(error.value) == (
        f"{tmp_path / name} has no checkpoint to go on from. Start anew: rnn train CONFIG."
    )


def test_a_folder_that_cannot_be_looked_into_is_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(ModelFileError, match=re.escape(f"{path}: cannot be read (File name too long).")):
        RunFolder.reopen(path)


def test_events_are_appended_one_a_line(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, Notice("été"), trained(1))
    assert folder.metrics.read_text(encoding="utf-8").splitlines()[0] == (
        '{"event": "notice", "message": "été"}'
    )
    RunFolder(tmp_path).record(trained(2))
    assert recorded(folder) == [("notice", None), ("train", 1), ("train", 2)]


def test_what_came_after_the_checkpoint_is_forgotten(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        Notice("found"),
        trained(10),
        trained(20),
        Ended(step=20, epoch=1, reason="interrupted", elapsed_s=1.0),
        trained(30),
    )
    folder.forget_after(20)
    assert recorded(folder) == [("notice", None), ("train", 10), ("train", 20)]
    folder.record(trained(30))
    assert recorded(folder)[-1] == ("train", 30)


def test_a_record_that_was_cut_off_is_forgotten(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, trained(10))
    with folder.metrics.open("ab") as file:
        file.write('{"event": "notice", "message": "é'.encode()[:-1])
    folder.forget_after(20)
    assert recorded(folder) == [("train", 10)]


def test_a_line_end_that_only_unicode_knows_does_not_break_a_record(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, Notice("a\u2028b\u0085c"), trained(10))
    before = folder.metrics.read_bytes()
    folder.forget_after(20)
    assert folder.metrics.read_bytes() == before


def test_metrics_that_somebody_has_taken_away_are_begun_anew(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, trained(10))
    folder.metrics.unlink()
    folder.forget_after(20)
    folder.record(trained(30))
    assert recorded(folder) == [("train", 30)]


def test_a_finished_run_has_its_summary_and_no_checkpoint_any_more(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    folder.checkpoint.touch()
    folder.finish({"run": "été", "steps": 3})
    assert names(tmp_path) == ["config.yaml", "metrics.jsonl", "summary.json"]
    assert folder.summary.read_text(encoding="utf-8") == '{\n  "run": "été",\n  "steps": 3\n}\n'


def test_a_new_run_gets_the_first_free_number(tmp_path: Path) -> None:
    assert new_run_path(tmp_path, "a") == tmp_path / "a"
    (tmp_path / "a").mkdir()
    assert new_run_path(tmp_path, "a") == tmp_path / "a-2"
    (tmp_path / "a-2").mkdir()
    (tmp_path / "a-4").mkdir()
    assert new_run_path(tmp_path, "a") == tmp_path / "a-3"
