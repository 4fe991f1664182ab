"""What a new run may take the place of, and what stays where it is."""

import itertools
from pathlib import Path

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.training.events import Notice
from rnn_cli.training.run_folder import RunFolder
from tests.training.run_folders import ELSEWHERE, contents, folder_with, names, recorded, refusal, trained


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    folder_with(tmp_path, trained(1)).finish({})
    assert refusal(tmp_path) == (
        f"{tmp_path} holds a finished run. {ELSEWHERE}, or overwrite it with --force."
    )


@pytest.mark.parametrize("state", ["good", "checkpoint"])
def test_a_run_that_is_not_finished_is_left_alone(tmp_path: Path, state: str) -> None:
    folder_with(tmp_path, trained(1))
    (tmp_path / f"{state}.safetensors").touch()
    assert refusal(tmp_path) == (
        f"{tmp_path} holds a run that is not finished. Go on with it: rnn train --resume {tmp_path}. "
        f"Or choose another folder with --run-dir, or overwrite it with --force."
    )


@pytest.mark.parametrize(
    ("name", "force"),
    [
        *itertools.product(["config.yaml", "metrics.jsonl", "model.safetensors"], [False, True]),
        *((name, True) for name in ("summary.json", "good.safetensors", "checkpoint.safetensors")),
    ],
)
def test_a_file_of_somebody_else_is_not_overwritten_even_with_force(
    tmp_path: Path, name: str, force: bool
) -> None:
    (tmp_path / name).write_text("mine")
    assert refusal(tmp_path, force=force) == (
        f"{tmp_path / name} is there already, and a run would overwrite it. {ELSEWHERE}."
    )


def test_a_run_that_was_killed_before_its_first_state_may_be_begun_anew(tmp_path: Path) -> None:
    folder_with(tmp_path, Notice("found"))
    with RunFolder.create(tmp_path) as folder:
        folder.begin("new")
    assert contents(tmp_path) == {"config.yaml": b"new", "metrics.jsonl": b""}


@pytest.mark.parametrize("rest", [b"", b'{"event": "notice", "message": "\xc3'])
def test_a_run_that_was_killed_while_it_began_may_be_begun_anew(tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(rest)
    if rest:
        (tmp_path / "config.yaml").touch()
    with RunFolder.create(tmp_path) as folder:
        folder.begin("new")
    assert contents(tmp_path) == {"config.yaml": b"new", "metrics.jsonl": b""}


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_another_tool_is_not_overwritten_even_with_force(tmp_path: Path, force: bool) -> None:
    (tmp_path / "config.yaml").write_text("theirs")
    (tmp_path / "metrics.jsonl").write_text('{"loss": 1}\n')
    assert refusal(tmp_path, force=force) == (
        f"{tmp_path}/config.yaml is there already, and a run would overwrite it. {ELSEWHERE}."
    )


def test_tensorboard_s_folder_of_another_tool_stays(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    for force in (False, True):
        with pytest.raises(UsageError) as error:
            RunFolder.create(tmp_path, force=force)
        assert str(error.value) == (
            f"{tmp_path}/tensorboard is there already, and a run would overwrite it. {ELSEWHERE}."
        )
    assert names(tmp_path) == ["tensorboard"]


def test_the_metrics_of_a_training_whose_models_were_removed_are_not_overwritten(tmp_path: Path) -> None:
    folder_with(tmp_path, Notice("found"), trained(1))
    assert refusal(tmp_path) == (
        f"{tmp_path}/config.yaml is there already, and a run would overwrite it. {ELSEWHERE}, or overwrite the run "
        "with --force."
    )
    with RunFolder.create(tmp_path, force=True) as folder:
        folder.begin("new")
    assert recorded(folder) == []


def test_a_run_that_would_be_overwritten_is_no_state_of_the_new_one(tmp_path: Path) -> None:
    folder_with(tmp_path, trained(1)).good.touch()
    with RunFolder.create(tmp_path, force=True) as folder:
        assert folder.states() == []
    assert (tmp_path / "good.safetensors").exists()


def test_a_model_whose_run_has_gone_is_not_overwritten(tmp_path: Path) -> None:
    folder_with(tmp_path)
    (tmp_path / "model.safetensors").write_text("mine")
    assert "is there already" in refusal(tmp_path)


def test_with_force_a_finished_run_goes_when_the_new_one_begins_and_not_before(tmp_path: Path) -> None:
    folder_with(tmp_path, trained(1)).finish({})
    for name in (
        "model.safetensors",
        "ngram.safetensors",
        "good.safetensors",
        ".model.safetensors.1.part",
        "notes.txt",
    ):
        (tmp_path / name).write_text("old")
    before = contents(tmp_path)
    RunFolder.create(tmp_path, force=True).close()
    assert contents(tmp_path) == before
    with RunFolder.create(tmp_path, force=True) as folder:
        folder.begin("new")
    assert contents(tmp_path) == {"config.yaml": b"new", "metrics.jsonl": b"", "notes.txt": b"old"}
