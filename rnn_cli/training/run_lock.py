"""One training at a time in a run folder, and who it is."""

import fcntl
import itertools
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Self

from rnn_cli.errors import UsageError

NAME = ".rnn_cli.lock"
LOOKS, LOOK_AGAIN_S = 6, 0.01
"""Who asks whether a folder is held holds its lock for a moment; a take looks again until that is over."""


class RunLock:
    """Holds a run folder. The operating system lets go of it when the process ends, however it ends.

    The file `.rnn_cli.lock` in the folder says who holds it: process, machine, since when.
    """

    def __init__(self, file: IO[str], path: Path) -> None:
        self._file = file
        self._path = path

    @classmethod
    def take(cls, folder: Path, name: str = NAME) -> Self:
        """Hold the folder, which must be there.

        Args:
            name: of the file; each is a lock of its own.

        Raises:
            UsageError: another training holds it; the message says which.
            OSError: no lock can be written there.
        """
        path = folder / name
        for look in itertools.count(1):
            file = path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with file:
                    if look >= LOOKS:
                        raise UsageError(_taken(folder, file)) from None
                time.sleep(LOOK_AGAIN_S)
                continue
            if _is_the_same(file, path):
                break
            file.close()  # whoever held it has removed it just now
        lock = cls(file, path)
        file.truncate(0)
        json.dump(
            {
                "process": os.getpid(),
                "machine": platform.node(),
                "since": datetime.now().astimezone().isoformat(" ", "seconds"),
            },
            file,
        )
        file.flush()
        return lock

    def release(self) -> None:
        """Let go of the folder. The file stays where nothing can be removed: it holds nobody up."""
        # Before the lock ends, so that nobody takes a file without a name.
        with self._file, suppress(OSError):
            self._path.unlink(missing_ok=True)


def is_held(folder: Path, name: str = NAME) -> bool:
    """Whether a training (or whoever takes the lock `name`) holds the folder just now."""
    try:
        with (folder / name).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock there, or no right to look
        return False
    return False


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold the file, after waiting until nobody else does; for work that takes a moment.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_the_same(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _taken(folder: Path, file: IO[str]) -> str:
    who = "another training"
    file.seek(0)
    with suppress(ValueError, KeyError, TypeError):  # it is being written just now
        holder = json.load(file)
        who = f"process {holder['process']} on {holder['machine']}, a training since {holder['since']}"
    return f"{folder} is held by {who}. Wait for it or stop it, or choose another folder with --run-dir."
