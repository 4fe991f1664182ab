"""One run while it has its turn: its training, then the commands that follow."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from rnn_cli.batch.events import CommandStarted, OnStudyEvent, RunEnded, RunProgressed, RunStarted
from rnn_cli.batch.progress import MetricsReader
from rnn_cli.batch.record import Followed
from rnn_cli.batch.study import Next, StudyRun
from rnn_cli.process import Child
from rnn_cli.training.run_folder import RunFolder


class State(Enum):
    """How a run stands at the end, in the words of a person."""

    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    WAITING = "waiting"


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `reason` says why it failed."""

    state: State
    reason: str = ""


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
        program: what `rnn` is started as.
    """

    def __init__(
        self,
        run: StudyRun,
        after: Mapping[str, tuple[str, ...]],
        *,
        threads: int | None,
        environment: Mapping[str, str],
        on_event: OnStudyEvent,
        program: Sequence[str],
    ) -> None:
        self.run = run
        self.outcome = Outcome(State.WAITING)
        self._environment = {**environment, "RNN_MODEL": str(run.path)}
        self._on_event = on_event
        self._program = program
        self._tasks = deque(_Task(words, name) for name, words in run.following(after).items())
        if run.next is not Next.NOTHING:
            self._tasks.appendleft(_Task(run.training(threads)))
        self._task: _Task | None = None
        self._child: Child | None = None
        self._metrics = MetricsReader(RunFolder(run.path).metrics)
        self._metrics_before = self._metrics.stamp()
        self._asked_to_stop = False
        self._began = 0.0

    def start(self) -> None:
        """Begin with the first task."""
        self._began = time.monotonic()
        self.outcome = Outcome(State.FINISHED)
        self._on_event(RunStarted(self.run.name, self.run.next.value))
        self._start_next()

    def has_ended(self) -> bool:
        """Look after it: note its progress, start what comes next. True when all is done."""
        if self._child is not None:
            self._look()
            exit_code = self._child.poll()
            if exit_code is None:
                return False
            self._note(exit_code, self._child)
            self._child = None
        if self._tasks and not self._asked_to_stop:
            self._start_next()
            return False
        if self._tasks and self.outcome.state is State.FINISHED:
            self.outcome = Outcome(State.STOPPED)
        self._on_event(
            RunEnded(
                self.run.name,
                self.outcome.state.value,
                time.monotonic() - self._began,
                self._metrics.progress.best,
                self.outcome.reason,
            )
        )
        return True

    def ask_to_stop(self) -> None:
        """Let it save and end; nothing follows."""
        self._asked_to_stop = True
        if self._child is not None:
            self._child.ask_to_stop()

    def end(self) -> None:
        """Wait until it has stopped; kill it if it does not."""
        if self._child is not None:
            self._child.wait()

    def _look(self) -> None:
        if self._task is not None and self._task.name is None and self._metrics.read():
            self._on_event(RunProgressed(self.run.name, self._metrics.progress))

    def _start_next(self) -> None:
        self._task = task = self._tasks.popleft()
        try:
            self._child = self._start_training(task) if task.name is None else self._start_command(task)
        except OSError as error:
            self._fail(f"it cannot be started ({error.strerror or error}).")
            self._tasks.clear()

    def _start_training(self, task: _Task) -> Child:
        self.run.prepare()
        return Child.start(task.words, log=self.run.log, environment=self._environment, program=self._program)

    def _start_command(self, task: _Task) -> Child:
        self._on_event(CommandStarted(self.run.name, " ".join(task.words)))
        output = self.run.output(str(task.name))
        output.parent.mkdir(exist_ok=True)
        log = output.with_name(f"{task.name}.log")
        log.unlink(missing_ok=True)
        return Child.start(
            task.words, log=log, output=output, environment=self._environment, program=self._program
        )

    def _note(self, exit_code: int, child: Child) -> None:
        """What the end of a task means for the run; it is remembered in the run's folder."""
        task, record = self._task, self.run.record
        assert task is not None
        stopped = exit_code != 0 and self._asked_to_stop
        if stopped:
            self.outcome = Outcome(State.STOPPED)
        elif exit_code != 0:
            self._fail(child.why() if task.name is None else f"{task.name}: {child.why()}")
        if task.name is not None:
            if stopped:
                return
            child.forget_empty_log()
            record.after[task.name] = Followed(task.words, exit_code)
        else:
            if exit_code != 0:
                self._tasks.clear()
            if self.run.next is Next.AGAIN and self._metrics.stamp() == self._metrics_before:
                return  # it could not begin, and the folder still holds what its record says
            record.exit_code, record.reason = exit_code, "" if stopped else self.outcome.reason
        try:
            record.write(self.run.path)
        except OSError as error:
            self._fail(f"{self.run.path} cannot be written to ({error.strerror or error}).")

    def _fail(self, reason: str) -> None:
        """The first reason counts."""
        if self.outcome.state is not State.FAILED:
            self.outcome = Outcome(State.FAILED, reason)
