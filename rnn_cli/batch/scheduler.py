"""The runs of a study side by side, each in a process of its own, until all are done or the user stops them."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

from rnn_cli.batch.events import OnStudyEvent, Stopping, StudyStarted
from rnn_cli.batch.job import Job, Outcome, State
from rnn_cli.batch.launcher import Launcher
from rnn_cli.batch.study import Study
from rnn_cli.errors import Interrupted
from rnn_cli.training.interrupt import StopSignal

LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Resources:
    """How many runs side by side, the threads of each (None leaves them to the training), and where if not here."""

    jobs: int
    threads: int | None
    where: str = ""

    @classmethod
    def shared_out(cls, *, cores: int, runs: int, jobs: int | None, planned_threads: int | None) -> Self:
        """Cores shared out over runs: several single-threaded trainings beat one with several threads.

        Args:
            runs: how many there are to do.
            jobs: what the user asks for; None takes as many as there are cores for.
            planned_threads: the most that a training of the plan asks for; None where they leave it open.
        """
        jobs = max(1, min(runs, jobs or cores // (planned_threads or 1)))
        return cls(jobs, max(1, cores // jobs) if jobs > 1 else None)

    def environment(self) -> dict[str, str]:
        """For the libraries that start threads by themselves: torch and NumPy, and the tokenizers."""
        if self.threads is None:
            return {}
        return {"OMP_NUM_THREADS": str(self.threads), "RAYON_NUM_THREADS": str(self.threads)}


def run_study(
    study: Study,
    *,
    shares: Resources,
    stop: StopSignal,
    on_event: OnStudyEvent,
    launcher: Launcher,
) -> dict[str, Outcome]:
    """Train what is not trained, and run the commands that follow; what fails does not stop the rest.

    Args:
        stop: entered and told to wait; when it has received a signal, every training is asked to save and end.

    Returns:
        How each run of the plan stands, by name.

    Raises:
        Interrupted: a second signal has come: everything was stopped at once.
    """
    to_do = study.to_do()
    finished = len(study.runs) - len(to_do)
    on_event(StudyStarted(len(study.runs), finished, shares.jobs, shares.threads, shares.where))
    jobs = [
        Job(
            run,
            study.plan.after,
            threads=shares.threads,
            environment=shares.environment(),
            on_event=on_event,
            launcher=launcher,
        )
        for run in to_do
    ]
    work_through(InTurn(jobs), shares.jobs, launcher, stop, on_event)
    before = {run.name: Outcome(State.FINISHED) for run in study.runs}
    return before | {job.run.name: job.outcome for job in jobs}


class Work(Protocol):
    """Jobs, one when asked for."""

    def next_job(self) -> Job | None:
        """The next one to start; None where there is none at present."""

    def ended(self) -> None:
        """A job has come to its end."""

    def time_is_up(self) -> bool:
        """Whether what runs is to be stopped."""


class InTurn:
    """A list of jobs, one after another."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._waiting = deque(jobs)

    def next_job(self) -> Job | None:
        """The next one."""
        return self._waiting.popleft() if self._waiting else None

    def ended(self) -> None:
        """Its outcome is all that there is to know."""

    def time_is_up(self) -> bool:
        """There is all the time in the world."""
        return False


def work_through(
    work: Work, at_once: int, launcher: Launcher, stop: StopSignal, on_event: OnStudyEvent
) -> None:
    """Keep `at_once` jobs running until there is no more work, or the user or the clock stops it.

    Where the launcher can start no more, those that run are the last.

    Raises:
        Interrupted: a second signal has come: everything was stopped at once.
    """
    running = list[Job]()
    stopping = False
    try:
        while True:
            while not (stopping or stop.received) and len(running) < at_once and launcher.can_start():
                if not (job := work.next_job()):
                    break
                running.append(job)
                job.start()
            if not running:
                return
            if not stopping and (stop.received or work.time_is_up()):
                stopping = True
                on_event(Stopping(sum(job.has_begun() for job in running), time_is_up=not stop.received))
                for job in running:
                    job.ask_to_stop()
            for job in list(running):
                if job.has_ended():
                    running.remove(job)
                    work.ended()
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        raise Interrupted("Stopped at once. Start the same plan again to go on.") from None
    finally:
        for job in running:
            job.ask_to_stop()
        for job in running:
            job.end()
