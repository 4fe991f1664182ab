"""The runs of a study side by side, each in a process of its own, until all are done or the user stops them."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rnn_cli.batch.events import OnStudyEvent, Stopping, StudyStarted
from rnn_cli.batch.job import Job, Outcome, State
from rnn_cli.batch.study import Study
from rnn_cli.errors import Interrupted
from rnn_cli.process import PROGRAM
from rnn_cli.training.interrupt import StopSignal

LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Resources:
    """How many runs side by side, and the threads of each; None leaves them to the training."""

    jobs: int
    threads: int | None

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
    cores: int,
    jobs: int | None,
    stop: StopSignal,
    on_event: OnStudyEvent,
    program: Sequence[str] = PROGRAM,
) -> dict[str, Outcome]:
    """Train what is not trained, and run the commands that follow; what fails does not stop the rest.

    Args:
        cores: to be shared out.
        jobs: how many runs side by side; None: as many as there are cores for.
        stop: entered and told to wait; when it has received a signal, every training is asked to save and end.
        program: what `rnn` is started as.

    Returns:
        How each run of the plan stands, by name.

    Raises:
        Interrupted: a second signal has come: everything was stopped at once.
    """
    to_do = [run for run in study.runs if run.has_work(study.plan.after)]
    shares = Resources.shared_out(cores=cores, runs=len(to_do), jobs=jobs, planned_threads=study.plan.threads)
    on_event(StudyStarted(len(study.runs), len(study.runs) - len(to_do), shares.jobs, shares.threads))
    work = [
        Job(
            run,
            study.plan.after,
            threads=shares.threads,
            environment=shares.environment(),
            on_event=on_event,
            program=program,
        )
        for run in to_do
    ]
    _work_through(work, shares.jobs, stop, on_event)
    finished = {run.name: Outcome(State.FINISHED) for run in study.runs}
    return finished | {job.run.name: job.outcome for job in work}


def _work_through(jobs: Sequence[Job], at_once: int, stop: StopSignal, on_event: OnStudyEvent) -> None:
    waiting, running = deque(jobs), list[Job]()
    stopping = False
    try:
        while running or (waiting and not stopping):
            while waiting and len(running) < at_once and not stop.received:
                running.append(waiting.popleft())
                running[-1].start()
            if stop.received and not stopping:
                stopping = True
                on_event(Stopping(len(running)))
                for job in running:
                    job.ask_to_stop()
            running = [job for job in running if not job.has_ended()]
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        raise Interrupted("Stopped at once. Start the same plan again to go on.") from None
    finally:
        for job in running:
            job.ask_to_stop()
        for job in running:
            job.end()
