"""A command that a batch has started does not outlive the process that started it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnn_cli import parent

CHILD = """
import signal, sys, time
from pathlib import Path
from rnn_cli import parent

parent.LOOK_EVERY_S = 0.02
signal.signal(signal.SIGTERM, lambda *_: Path("saved").touch() or sys.exit(130))
parent.end_with_parent()
Path("runs").touch()
time.sleep(30)
"""
PARENT = f"""
import os, subprocess, sys, time
from pathlib import Path

environment = {{**os.environ, "{parent.VARIABLE}": str(os.getpid())}}
subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=environment)
time.sleep(30)
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_when_its_parent_is_killed_it_is_asked_to_stop_and_saves(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], cwd=tmp_path, env=environment)
    wait_for(tmp_path / "runs")
    assert not (tmp_path / "saved").exists()
    process.kill()
    process.wait()
    wait_for(tmp_path / "saved")


def test_a_command_that_a_person_has_started_watches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(parent.VARIABLE, raising=False)
    monkeypatch.setattr("rnn_cli.parent.threading.Thread", None)
    parent.end_with_parent()
