"""One command of `rnn`, or one worker of a command, in a process of its own, its output in files."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from rnn_cli.errors import Interrupted
from rnn_cli.parent import VARIABLE

PROGRAM = (sys.executable, "-m", "rnn_cli")
STOPPED_IN_S = 60.0
"""A training that was asked to stop finishes its step and saves; one that takes longer is killed."""


OUR_FOLDER = Path(__file__).resolve().parents[1]
"""Holds the package: a folder of installed packages, or a clone."""


def _imports_from(folder: Path) -> dict[str, str]:
    """Variables that keep `python -m` from importing what lies in the current folder, as a user's `json.py` may.

    In a clone that is not installed the package itself is found there.
    """
    return {} if folder.resolve() == OUR_FOLDER else {"PYTHONSAFEPATH": "1"}


class Child:
    """A command that runs. It does not hear the terminal's Ctrl-C: whoever started it passes on one signal, once."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, log_begins: int) -> None:
        self._process = process
        self._log = log
        self._log_begins = log_begins

    @classmethod
    def start(
        cls,
        arguments: Sequence[str],
        *,
        log: Path,
        output: Path | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> Self:
        """Start `rnn` with these arguments.

        Args:
            log: takes what is printed, after what stands there already.
            output: takes standard output instead, from its beginning.
            environment: variables to set beside those of this process.
            folder: the current folder of the command; None: that of this process.

        Raises:
            OSError: no process can be started, or no file written.
        """
        with log.open("ab") as log_file, (output or log).open("wb" if output else "ab") as output_file:
            log_begins = log_file.tell()  # before the process can have written to it
            process = subprocess.Popen(
                [*program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output_file,
                stderr=log_file,
                env={
                    **os.environ,
                    **_imports_from(folder or Path()),
                    **(environment or {}),
                    VARIABLE: str(os.getpid()),
                },
                cwd=folder,
                process_group=0,
            )
            return cls(process, log, log_begins)

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """As Ctrl-C does: a training saves and ends. SIGTERM, which also ends a process that is only starting."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until it has stopped, and kill it if it does not."""
        try:
            self._process.wait(STOPPED_IN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def why(self) -> str:
        """Why a run failed: its last error message, or the signal."""
        if signal_name := self.killed_by():
            memory = " If memory ran out, fewer --jobs need less." if signal_name == "SIGKILL" else ""
            return f"it was killed ({signal_name}).{memory}"
        exit_code = self._process.poll()
        if exit_code == Interrupted.exit_code:
            return "it was stopped from outside; it goes on when the plan is started again."
        unheard = "" if os.access(self._log, os.R_OK) else ", and its log cannot be read"
        return self.last_error() or f"it ended with exit code {exit_code}{unheard}."

    def killed_by(self) -> str | None:
        """The name of the signal that ended it, if one did."""
        exit_code = self._process.poll()
        if exit_code is None or exit_code >= 0:
            return None
        number = -exit_code
        return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"

    def last_error(self) -> str | None:
        """Its last error message, without "error: "; None if it wrote none."""
        errors = [
            line.removeprefix("error: ") for line in self.said().splitlines() if line.startswith("error: ")
        ]
        return errors[-1] if errors else None

    def said(self) -> str:
        """What it wrote into the log; nothing where the log is gone, as with a folder that somebody has removed."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._log_begins)
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""
