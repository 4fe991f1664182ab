"""One run while it has its turn: its training, then the commands that follow."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from rnn_cli.batch.events import (
    CommandStarted,
    OnStudyEvent,
    RunEnded,
    RunMoved,
    RunProgressed,
    RunStarted,
    StudyEvent,
)
from rnn_cli.batch.launcher import HERE, Command, Launcher, Order
from rnn_cli.batch.progress import MetricsReader, Progress
from rnn_cli.batch.record import Followed
from rnn_cli.batch.study import Next, StudyRun
from rnn_cli.errors import Interrupted
from rnn_cli.training.run_folder import RunFolder


class State(Enum):
    """How a run stands at the end, in the words of a person."""

    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"
    STOPPED = "stopped"
    WAITING = "waiting"
    RUNNING = "running"
    GONE = "gone"


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `reason` says why it failed, or was stopped although nobody here asked it to."""

    state: State
    reason: str = ""


Verdict = Callable[[Outcome], Outcome]
"""What the end of a run comes to, for whoever has looked at more than its exit codes."""

Judge = Callable[[Sequence[Mapping[str, Any]], Progress], bool]
"""Whether a training is to be pruned, after these new records of its metrics."""


@dataclass(frozen=True)
class _Task:
    """A command; `name` is that of its output file, None for the training."""

    words: list[str]
    name: str | None = None


class Job:
    """A run with its tasks, one after another. Made, then `start`, then `has_ended` again and again until it has.

    Args:
        after: the commands of the plan that follow a training.
        threads: for a training that leaves them open.
        environment: variables for every task.
        launcher: starts the tasks.
        judge: looks at a training while it runs; None lets each come to its end.
        verdict: is asked once, at the end.
    """

    def __init__(
        self,
        run: StudyRun,
        after: Mapping[str, tuple[str, ...]],
        *,
        threads: int | None,
        environment: Mapping[str, str],
        on_event: OnStudyEvent,
        launcher: Launcher,
        judge: Judge | None = None,
        verdict: Verdict = lambda outcome: outcome,
    ) -> None:
        self.run = run
        self.outcome = Outcome(State.WAITING)
        self._environment = {**environment, "RNN_MODEL": str(run.path)}
        self._on_event = on_event
        self._launcher = launcher
        self._judge = judge
        self._verdict = verdict
        self._tasks = deque(_Task(words, name) for name, words in run.following(after).items())
        if run.next is not Next.NOTHING:
            self._tasks.appendleft(_Task(run.training(threads)))
        self._task: _Task | None = None
        self._command: Command | None = None
        self._where: str | None = None
        self._unannounced: list[StudyEvent] = []
        self._metrics = MetricsReader(RunFolder(run.path).metrics)
        self._metrics_before = self._metrics.stamp()
        self._asked_to_stop = False
        self._pruned = False
        self._began: float | None = None

    def start(self) -> None:
        """Begin with the first task."""
        self.outcome = Outcome(State.FINISHED)
        self._start_next()

    def has_begun(self) -> bool:
        """Whether it runs somewhere; on a cluster it may wait for a machine."""
        return self._began is not None

    def has_ended(self) -> bool:
        """Look after it: note its progress, start what comes next. True when all is done."""
        if self._command is not None:
            self._announce(self._command.where())
            self._look()
            exit_code = self._command.poll()
            if exit_code is None:
                return False
            self._announce(self._command.where())
            self._note(exit_code, self._command)
            self._command = None
        if self._tasks and not self._asked_to_stop:
            self._start_next()
            return False
        if self._tasks and self.outcome.state is State.FINISHED:
            self.outcome = Outcome(State.STOPPED)
        self.outcome = self._verdict(self.outcome)
        if self.outcome.state is not State.WAITING:
            self._on_event(
                RunEnded(
                    self.run.name,
                    self.outcome.state.value,
                    0.0 if self._began is None else time.monotonic() - self._began,
                    self._metrics.progress.best,
                    self.outcome.reason,
                )
            )
        return True

    def ask_to_stop(self) -> None:
        """Let it save and end; nothing follows."""
        self._asked_to_stop = True
        if self._command is not None:
            self._command.ask_to_stop()

    def end(self) -> None:
        """Wait until it has stopped; kill it if it does not."""
        if self._command is not None:
            self._command.wait()

    def _look(self) -> None:
        if self._task is None or self._task.name is not None or self._where is None:
            return
        if records := self._metrics.read():
            self._on_event(RunProgressed(self.run.name, self._metrics.progress))
            if self._judge is not None and not self._pruned and self._judge(records, self._metrics.progress):
                self._pruned = True
                if self._command is not None:
                    self._command.ask_to_stop()

    def _announce(self, where: str | None) -> None:
        """Tell what has begun, once it has, and where."""
        if where is None:
            return
        if self._where is not None and where != self._where and not self._unannounced:
            self._on_event(RunMoved(self.run.name, where))
        if self._began is None:
            self._began = time.monotonic()
            self._on_event(RunStarted(self.run.name, self.run.next.value, where))
        for event in self._unannounced:
            self._on_event(event)
        self._unannounced.clear()
        self._where = where

    def _start_next(self) -> None:
        self._task = task = self._tasks.popleft()
        try:
            self._command = self._start_training(task) if task.name is None else self._start_command(task)
            self._announce(self._command.where())
        except OSError as error:
            self._announce(HERE)
            self._fail(f"it cannot be started ({error.strerror or error}).")
            self._tasks.clear()

    def _start_training(self, task: _Task) -> Command:
        self.run.prepare()
        return self._launcher.start(
            Order(
                self.run.path,
                task.words,
                self.run.log,
                resume=self.run.resuming(),
                environment=self._environment,
            )
        )

    def _start_command(self, task: _Task) -> Command:
        self._unannounced.append(CommandStarted(self.run.name, " ".join(task.words)))
        output = self.run.output(str(task.name))
        output.parent.mkdir(exist_ok=True)
        log = self._log_of(task)
        log.unlink(missing_ok=True)
        return self._launcher.start(
            Order(self.run.path, task.words, log, output=output, environment=self._environment)
        )

    def _log_of(self, task: _Task) -> Path:
        return self.run.log if task.name is None else self.run.output(f"{task.name}.log")

    def _note(self, exit_code: int, command: Command) -> None:
        """What the end of a task means for the run; it is remembered in the run's folder."""
        task, record = self._task, self.run.record
        assert task is not None
        if self._asked_to_stop and self._began is None:  # it waited for a machine
            self._tasks.clear()
            self.outcome = Outcome(State.WAITING)
            return
        asked = self._asked_to_stop or self._pruned
        stopped = exit_code != 0 and (asked or exit_code == Interrupted.exit_code)
        if exit_code != 0:
            why = command.why() if task.name is None else f"{task.name}: {command.why()}"
            if stopped:
                self.outcome = Outcome(State.PRUNED if self._pruned else State.STOPPED, "" if asked else why)
            else:
                self._fail(why)
        if task.name is not None:
            if stopped:
                self._tasks.clear()
                return
            _forget_if_empty(self._log_of(task))
            record.after[task.name] = Followed(list(task.words), exit_code)
        else:
            if exit_code != 0:
                self._tasks.clear()
            if self.run.next is Next.AGAIN and self._metrics.stamp() == self._metrics_before:
                return  # it could not begin, and the folder still holds what its record says
            record.exit_code, record.reason = exit_code, "" if stopped else self.outcome.reason
            record.pruned = self.outcome.state is State.PRUNED
        try:
            record.write(self.run.path)
        except OSError as error:
            self._fail(f"{self.run.path} cannot be written to ({error.strerror or error}).")

    def _fail(self, reason: str) -> None:
        """The first reason counts."""
        if self.outcome.state is not State.FAILED:
            self.outcome = Outcome(State.FAILED, reason)


def _forget_if_empty(log: Path) -> None:
    with suppress(OSError):  # it is gone already, as when somebody has removed the folder
        if log.stat().st_size == 0:
            log.unlink()
