"""A command in a process of its own: its output, its end, and why it failed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rnn_cli import process
from rnn_cli.process import Child


def start(code: str, folder: Path, *, output: Path | None = None) -> Child:
    return Child.start([code], log=folder / "log", output=output, program=(sys.executable, "-c"))


def code_of(child: Child) -> int:
    while (exit_code := child.poll()) is None:
        time.sleep(0.01)
    return exit_code


def test_what_is_printed_goes_behind_what_stands_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    assert code_of(start("import sys; print('out'); print('err', file=sys.stderr)", tmp_path)) == 0
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["before", "err", "out"]


def test_standard_output_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("from before, and longer")
    child = start(
        "import sys; print('out'); print('err', file=sys.stderr)", tmp_path, output=tmp_path / "output"
    )
    assert code_of(child) == 0
    assert (tmp_path / "output").read_text() == "out\n"
    assert (tmp_path / "log").read_text() == "err\n"


def test_it_reads_nothing_and_has_its_variables(tmp_path: Path) -> None:
    code = "import os, sys; print(repr(sys.stdin.read()), os.environ['RNN_MODEL'])"
    child = Child.start(
        [code], log=tmp_path / "log", environment={"RNN_MODEL": "x"}, program=(sys.executable, "-c")
    )
    assert code_of(child) == 0
    assert (tmp_path / "log").read_text() == "'' x\n"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "import sys; print('error: One.\\nerror: Two.\\nnothing else'); sys.exit(1)",
            "Two.",
        ),
        ("import sys; sys.exit(7)", "it ended with exit code 7."),
        (
            "import sys; sys.exit(130)",
            "it was stopped from outside; it goes on when the plan is started again.",
        ),
        (
            "import os; os.kill(os.getpid(), 9)",
            "it was killed (SIGKILL). If memory ran out, fewer --jobs need less.",
        ),
        ("import os; os.kill(os.getpid(), 15)", "it was killed (SIGTERM)."),
    ],
)
def test_why_it_failed_is_its_last_error_or_the_signal(code: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("error: of the time before\n")
    child = start(code, tmp_path)
    code_of(child)
    assert child.why() == why


def test_a_log_that_somebody_has_removed_says_nothing(tmp_path: Path) -> None:
    child = start("import sys; sys.exit('error: Unheard.')", tmp_path)
    code_of(child)
    (tmp_path / "log").unlink()
    assert (child.said(), child.last_error()) == ("", None)
    assert child.why() == "it ended with exit code 1, and its log cannot be read."


def test_an_error_in_the_first_instant_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Quick(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.wait()

    monkeypatch.setattr(subprocess, "Popen", Quick)
    (tmp_path / "log").write_text("error: of the time before\n")
    child = start("import sys; sys.exit('error: Early.')", tmp_path)
    assert child.said() == "error: Early.\n"
    assert child.why() == "Early."


def test_it_does_not_hear_what_the_terminal_sends_to_its_parents_group(tmp_path: Path) -> None:
    code = "import time; print('here', flush=True); time.sleep(60)"
    child = start(code, tmp_path)
    while not (tmp_path / "log").stat().st_size:
        time.sleep(0.01)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        os.killpg(
            os.getpgrp(), signal.SIGWINCH
        )  # harmless to pytest, and what a terminal sends to the group too
        assert os.getpgid(child._process.pid) != os.getpgrp()
        assert child.poll() is None
    finally:
        signal.signal(signal.SIGINT, before)
    child.ask_to_stop()
    assert code_of(child) == -signal.SIGTERM


def test_what_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOPPED_IN_S", 0.1)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    child = start(code, tmp_path)
    while not (tmp_path / "log").stat().st_size:
        time.sleep(0.01)
    child.ask_to_stop()
    child.wait()
    assert child.poll() == -signal.SIGKILL
    child.ask_to_stop()  # to nobody


def test_a_program_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Child.start([], log=tmp_path / "log", program=("/no/such/program",))


def test_rnn_itself_is_what_is_started(tmp_path: Path) -> None:
    done = subprocess.run([*process.PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("rnn_cli ")


@pytest.mark.parametrize("in_it", [True, False])
def test_a_module_of_the_users_in_the_current_folder_takes_no_place(
    in_it: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("print('of the user')")
    if in_it:
        monkeypatch.chdir(tmp_path)
    child = Child.start(
        ["--version"], log=tmp_path / "log", folder=None if in_it else tmp_path, program=process.PROGRAM
    )
    assert code_of(child) == 0
    assert (tmp_path / "log").read_text().startswith("rnn_cli ")


def test_in_a_clone_that_is_not_installed_the_package_is_found_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "OUR_FOLDER", tmp_path)
    (tmp_path / "package_of_a_clone.py").write_text("print('found')")
    program = (sys.executable, "-m", "package_of_a_clone")
    assert code_of(Child.start([], log=tmp_path / "log", folder=tmp_path, program=program)) == 0
    assert (tmp_path / "log").read_text() == "found\n"
