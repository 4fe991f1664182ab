"""One training at a time in a folder."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import IO

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.training.run_lock import NAME, RunLock, is_held


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as error:
        RunLock.take(folder)
    return str(error.value)


def test_the_second_is_told_who_holds_the_folder_and_what_to_do(tmp_path: Path) -> None:
    lock = RunLock.take(tmp_path)
    holder = json.loads((tmp_path / NAME).read_text())
    assert holder["process"] == os.getpid()
    assert holder["machine"] == socket.gethostname()
    assert abs((datetime.now().astimezone() - datetime.fromisoformat(holder["since"])).total_seconds()) < 60
    assert refusal(tmp_path) == (
        f"{tmp_path} is held by process {os.getpid()} on {socket.gethostname()}, a training since "
        f"{holder['since']}. Wait for it or stop it, or choose another folder with --run-dir."
    )
    lock.release()


def test_a_refusal_takes_nothing_from_the_holder(tmp_path: Path) -> None:
    lock = RunLock.take(tmp_path)
    assert refusal(tmp_path) == refusal(tmp_path)
    lock.release()


def test_after_the_release_nothing_is_left_and_the_next_one_gets_it(tmp_path: Path) -> None:
    for _ in range(2):
        RunLock.take(tmp_path).release()
        assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_removed_any_more_the_folder_is_free_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = RunLock.take(tmp_path)

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        lock.release()
    assert not is_held(tmp_path)
    RunLock.take(tmp_path).release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}', '"a text"'])
def test_a_holder_that_has_not_said_yet_who_it_is_is_another_training(tmp_path: Path, content: str) -> None:
    lock = RunLock.take(tmp_path)
    (tmp_path / NAME).write_text(content)
    assert refusal(tmp_path) == (
        f"{tmp_path} is held by another training. "
        "Wait for it or stop it, or choose another folder with --run-dir."
    )
    lock.release()


def test_a_lock_that_its_holder_removes_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RunLock.take(tmp_path)
    flock = fcntl.flock

    def release_just_before(file: IO[str], operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        first.release()  # the file that is open now has lost its name
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", release_just_before)
    second = RunLock.take(tmp_path)
    assert f"is held by process {os.getpid()} on " in refusal(tmp_path)
    second.release()


def test_a_look_at_a_lock_does_not_keep_anybody_from_taking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).touch()
    look = (tmp_path / NAME).open("rb")
    fcntl.flock(look, fcntl.LOCK_SH)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            look.close()

    monkeypatch.setattr(time, "sleep", wait)
    RunLock.take(tmp_path).release()
    assert waited == [0.01] * 3


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rnn_cli.training.run_lock import RunLock\n"
        "lock = RunLock.take(Path(sys.argv[1])); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert f"is held by process {process.pid} on " in refusal(tmp_path)
        process.kill()
        process.wait()
    RunLock.take(tmp_path).release()


def test_a_folder_is_held_while_somebody_has_its_lock(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    lock = RunLock.take(tmp_path)
    assert is_held(tmp_path)
    lock.release()
    assert not is_held(tmp_path)
    (tmp_path / NAME).touch()  # what a killed training leaves
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "gone")
