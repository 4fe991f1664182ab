"""The folder that one training writes to, and nothing else writes to."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from rnn_cli.errors import ModelFileError, TrainingError, UsageError
from rnn_cli.files import atomic_write, parts_of, sync_folder, write_text
from rnn_cli.inference.line_index import NAME_IN_RUN_FOLDER as INDEX_NAME
from rnn_cli.inference.ngram import NAME as NGRAM_NAME
from rnn_cli.training.events import Event, Measured, Trained
from rnn_cli.training.launch import resume_command, train_command
from rnn_cli.training.run_lock import RunLock

ESCAPES = "backslashreplace"
"""In JSON, "\\udce9" is what a byte of a path that is not UTF-8 may be written as."""

LEARNT = {Trained.name, Measured.name}
"""Events that tell of something learnt: who overwrites them has lost it."""

MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make room"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Get the right to write there"),
    errno.EROFS: "Make the disk writable",
}
"""What helps where a folder cannot be written to."""


class RunFolder:
    """Where a training keeps what it makes. Made by `create` or `reopen`; held until `close`.

    config.yaml             the resolved config: runs again by itself
    metrics.jsonl           one record an event
    model.safetensors       the best model so far
    good.safetensors        the last state that training goes back to when it goes wrong
    checkpoint.safetensors  where Ctrl-C or the clock asked for a state between two good ones
    index.safetensors       lines of the training text by hidden state, if asked for
    ngram.safetensors       n-grams, if `rnn ngram` was asked for them
    summary.json            the final figures; a run that has it is finished
    tensorboard/            the same scalars for TensorBoard, if asked for
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.model = path / "model.safetensors"
        self.good = path / "good.safetensors"
        self.checkpoint = path / "checkpoint.safetensors"
        self.index = path / INDEX_NAME
        self.ngram = path / NGRAM_NAME
        self.summary = path / "summary.json"
        self.tensorboard = path / "tensorboard"
        self._files = (
            *(self.summary, self.index, self.ngram, self.checkpoint, self.good),
            *(self.model, self.config, self.metrics),
        )
        self._lock: RunLock | None = None
        self.second_network = False  # whether what is recorded is of a pair's second network
        self._waiting: list[Event] | None = None  # events before the run has begun; None once it has

    @classmethod
    def create(cls, path: Path, *, force: bool = False) -> Self:
        """Take `path` for a new run. Nothing in it changes before `begin`.

        Args:
            force: the folder may hold a run, which `begin` will remove.

        Raises:
            UsageError: the folder holds a run, is held by another training, or cannot be made.
        """
        folder = cls(path)
        folder._waiting = []
        try:
            path.mkdir(parents=True, exist_ok=True)
            folder._lock = RunLock.take(path)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written to ({error.strerror}). Choose another --run-dir."
            ) from error
        try:
            folder._check_nothing_is_lost(force=force)
        except UsageError:
            folder.close()
            raise
        return folder

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Take the folder of a run that stopped before its end.

        Raises:
            ModelFileError: there is nothing to go on with.
            UsageError: another training holds the folder.
        """
        folder = cls(path)
        try:
            folder._check_there_is_more()  # before the lock, which needs the folder
            folder._lock = RunLock.take(path)
            folder._remove_parts()
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be used ({error.strerror}).") from error
        try:
            folder._check_there_is_more()  # whoever held it before may have finished it
        except ModelFileError:
            folder.close()
            raise
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the folder; one that a run never began in goes."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if self._waiting is not None:
            with suppress(OSError):  # it holds something else
                self.path.rmdir()

    def begin(self, config_yaml: str) -> None:
        """Begin the run: what `create` was allowed to overwrite goes, the config and the events so far are written.

        Raises:
            TrainingError: the folder cannot be written to.
        """
        with self.writing():
            # The summary first: without it nobody takes what is left for a finished run.
            for path in self._files:
                path.unlink(missing_ok=True)
            shutil.rmtree(self.tensorboard, ignore_errors=True)
            self._remove_parts()
            sync_folder(self.path)
            write_text(self.metrics, "")  # first: empty metrics are nobody's, a config alone may be
            write_text(self.config, config_yaml)
        events, self._waiting = self._waiting or [], None
        for event in events:
            self.record(event)

    def record(self, event: Event) -> None:
        """Append one event to the metrics."""
        if self._waiting is not None:
            self._waiting.append(event)
            return
        record = event.to_record() | ({"network": "backward"} if self.second_network else {})
        with self.writing(), self.metrics.open("a", encoding="utf-8", errors=ESCAPES) as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def sync_metrics(self) -> int:
        """Bring the metrics to the disk; returns their bytes, for `cut_metrics`."""
        with self.metrics.open("a") as file:
            os.fsync(file.fileno())
            return file.tell()

    def cut_metrics(self, size: int) -> None:
        """Drop the records that came after the metrics had `size` bytes: what they tell of happens again."""
        with self.writing(), self.metrics.open("a") as file:
            file.truncate(min(size, file.tell()))

    def states(self) -> list[Path]:
        """The files that this training can go on from: none before it begins, where another's may be in its place."""
        return [] if self._waiting is not None else self._states_there()

    def _states_there(self) -> list[Path]:
        return [path for path in (self.good, self.checkpoint) if path.exists()]

    def finish(self, summary: dict[str, Any]) -> None:
        """Write the final figures; the states to go on from have done their work and go."""
        with self.writing():
            text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
            with atomic_write(self.summary) as file:
                file.write(text.encode("utf-8", ESCAPES))
        self._remove_states()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what the operating system says about a write to the folder into one sentence.

        Raises:
            TrainingError: a full disk, for instance. What was written last before is whole.
        """
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"{self.path} cannot be written to ({error.strerror or error}). {self._next_step(error)}"
            ) from error

    def _next_step(self, error: OSError) -> str:
        try:
            gone, states = not self.path.is_dir(), self.states()
        except OSError:  # no right to look into it, or a disk that fails
            gone, states = False, []
        if gone:
            return "The folder was removed while it was written to: start again."
        mend = MENDS.get(error.errno or 0, "Mend that")
        if states:
            return f"{mend}, then go on from the last checkpoint: {resume_command(self.path)}"
        return f"{mend} and start again, or choose another folder with --run-dir."

    def _check_there_is_more(self) -> None:
        if self.summary.exists():
            self._remove_states()  # the training was killed between the two
            raise ModelFileError(f"{self.path} is finished: there is nothing left to train.")
        if not self.states():
            raise ModelFileError(
                f"{self.path} has no checkpoint to go on from. Start anew: {train_command()} CONFIG."
            )

    def _check_nothing_is_lost(self, *, force: bool) -> None:
        if not force and self.summary.exists():
            raise UsageError(
                f"{self.path} holds a finished run. Choose another folder with --run-dir, "
                "or overwrite it with --force."
            )
        if not force and self._states_there():
            raise UsageError(
                f"{self.path} holds a run that is not finished. Go on with it: {resume_command(self.path)}. "
                "Or choose another folder with --run-dir, or overwrite it with --force."
            )
        kinds = self._kinds_recorded()
        is_a_run = kinds is not None and (self.config.exists() or not kinds)
        has_begun = self.model.exists() or bool(kinds and kinds & LEARNT)  # else nothing is lost
        for path in (*self._files, self.tensorboard):
            if path.exists() and not (is_a_run and (force or not has_begun)):
                raise UsageError(
                    f"{path} is there already, and a run would overwrite it. Choose another folder with --run-dir"
                    + (", or overwrite the run with --force." if is_a_run else ".")
                )

    def _kinds_recorded(self) -> set[str] | None:
        """The kinds of events in the metrics; None where there are none that a training has written."""
        kinds = set()
        try:
            with self.metrics.open("rb") as lines:
                for line in lines:
                    killed_in_it = line.startswith(b'{"event": ') and not line.endswith(b"\n")
                    if not killed_in_it:
                        kinds.add(str(json.loads(line)["event"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return kinds

    def _remove_states(self) -> None:
        for path in self.states():
            path.unlink(missing_ok=True)

    def _remove_parts(self) -> None:
        """What was being written when a training was killed."""
        for path in self._files:
            for part in self.path.glob(parts_of(path)):
                part.unlink(missing_ok=True)


def free_run_path(runs: Path, name: str) -> Path:
    """`runs/name`, or `runs/name-2`, `-3`, ... where that is taken; the folder is made, so that nobody else gets it.

    Raises:
        UsageError: no folder can be made there.
    """
    path = runs / name
    number = 1
    try:
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            with suppress(FileExistsError):
                path.mkdir()
                return path
            number += 1
            path = runs / f"{name}-{number}"
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written to ({error.strerror}). Choose another --run-dir."
        ) from error
