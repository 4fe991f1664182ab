"""Shards of a text prepared by several processes, which share nothing but the cache folder.

Each is a `python -m rnn_cli.text.worker` with the list of all shards; it takes the next one that nobody has taken,
makes its entry of the cache, and so on. The process that asked then finds the entries as if it had made them itself,
and what was finished stays when a worker fails.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from rnn_cli.errors import TextError
from rnn_cli.process import Child
from rnn_cli.text.entries import writing_to
from rnn_cli.text.reader import ProgressCallback
from rnn_cli.text.shard import Shard, in_turn

WORKER = (sys.executable, "-m", "rnn_cli.text.worker")
LOOK_EVERY_S = 0.05


class Step(Protocol):
    """One thing that is made of a shard and kept in the cache."""

    @property
    def name(self) -> str:
        """By which a worker knows it."""

    @property
    def cache_dir(self) -> Path:
        """The cache folder."""

    def settings(self) -> dict[str, Any]:
        """What a worker makes the step from again, beside the cache folder; for JSON."""

    def entry(self, shard: Shard) -> Path:
        """What is there once it is made."""

    def make(self, shard: Shard, on_progress: ProgressCallback | None = None) -> None:
        """Make it."""


def prepare(
    step: Step, shards: Sequence[Shard], *, processes: int, on_progress: ProgressCallback | None = None
) -> None:
    """Make the entry of every shard that has none.

    Args:
        processes: at most so many side by side.
        on_progress: called with the bytes read and the bytes of all shards that had no entry.

    Raises:
        TextError: a file cannot be read, the cache cannot be written, or a process was killed.
    """
    missing = list({step.entry(shard): shard for shard in shards if not step.entry(shard).exists()}.values())
    processes = min(processes, len(missing))
    if processes <= 1:
        for shard, tell in in_turn(missing, on_progress):
            step.make(shard, tell)
        return
    with writing_to(step.cache_dir):
        step.cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".work.", dir=step.cache_dir) as folder:
            _Workers(step, missing, Path(folder)).run(processes, on_progress or (lambda _done, _total: None))


class _Workers:
    """The processes of one step. `folder` holds the job, what each worker says, and which shards are taken."""

    def __init__(self, step: Step, shards: Sequence[Shard], folder: Path) -> None:
        self._folder = folder
        self._job = folder / "job.json"
        self._total = sum(shard.size() for shard in shards)
        job = {
            "parent": os.getpid(),
            "step": step.name,
            "cache_dir": str(step.cache_dir),
            "settings": step.settings(),
            "shards": [shard.to_dict() for shard in shards],
        }
        self._job.write_text(json.dumps(job), "utf-8")

    def run(self, count: int, on_progress: ProgressCallback) -> None:
        """Until all have ended. When one fails, or on Ctrl-C, the others are stopped."""
        children: list[Child] = []
        try:
            children += [self._start(number, count) for number in range(count)]
            while sum(_is_at_work(child, count) for child in children):  # any() would not look at all of them
                on_progress(sum(self._bytes_read(number) for number in range(count)), self._total)
                time.sleep(LOOK_EVERY_S)
            on_progress(self._total, self._total)
        finally:
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.wait()

    def _start(self, number: int, count: int) -> Child:
        try:
            return Child.start(
                [str(self._job)],
                log=self._folder / f"{number}.log",
                output=self._output(number),
                environment={"RAYON_NUM_THREADS": "1"},  # the tokenizers' own threads: the cores are taken
                program=WORKER,
            )
        except OSError as error:
            raise TextError(
                f"No process can be started to prepare the text ({error.strerror or error}). "
                f"Set data.processes to less than {count}."
            ) from error

    def _output(self, number: int) -> Path:
        return self._folder / f"{number}.out"

    def _bytes_read(self, number: int) -> int:
        """The last whole line that a worker wrote."""
        with suppress(OSError):
            lines = self._output(number).read_text("ascii").split("\n")
            return int(lines[-2]) if len(lines) > 1 else 0
        return 0


def _is_at_work(child: Child, count: int) -> bool:
    """False when it has done its work.

    Raises:
        TextError: it has failed.
    """
    exit_code = child.poll()
    if exit_code is None or exit_code == 0:
        return exit_code is None
    if signal_name := child.killed_by():
        memory = (
            f" If memory ran out, set data.processes to less than {count}."
            if signal_name == "SIGKILL"
            else ""
        )
        raise TextError(
            f"A process that prepared the text was killed ({signal_name}).{memory} What was finished is kept: "
            "start again to go on."
        )
    if error := child.last_error():
        raise TextError(error)
    if said := child.said():
        raise RuntimeError(f"A process that prepared the text failed:\n{said}")
    raise TextError(
        "A process that prepared the text failed and could not write down why. Make room where the cache folder "
        "lies, or set RNN_CACHE to another one."
    )
