"""The trials of a search as jobs, until it has had its trials or its minutes."""

import functools
import time

from rnn_cli.batch.events import OnStudyEvent, SearchStarted
from rnn_cli.batch.job import Job
from rnn_cli.batch.launcher import Launcher
from rnn_cli.batch.scheduler import Resources, work_through
from rnn_cli.batch.search import Search
from rnn_cli.batch.sittings import NOTE_EVERY_S
from rnn_cli.training.interrupt import StopSignal

LOOK_AGAIN_S = 5.0
"""How often a process without a trial looks whether another has left one."""
MEASURE_TIME_EVERY_S = 1.0


def run_search(
    search: Search,
    *,
    shares: Resources,
    stop: StopSignal,
    on_event: OnStudyEvent,
    launcher: Launcher,
) -> None:
    """Train trials side by side; what fails does not stop the rest.

    Args:
        shares: how many side by side, and their threads.
        stop: entered and told to wait; when it has received a signal, every training is asked to save and end.

    Raises:
        Interrupted: a second signal has come: everything was stopped at once.
    """
    settings = search.settings
    on_event(
        SearchStarted(
            settings.trials, search.done(), search.left_s(), shares.jobs, shares.threads, shares.where
        )
    )
    work_through(Trials(search, shares, on_event, launcher), shares.jobs, launcher, stop, on_event)


class Trials:
    """What `work_through` takes its jobs from."""

    def __init__(self, search: Search, shares: Resources, on_event: OnStudyEvent, launcher: Launcher) -> None:
        self._search = search
        self._shares = shares
        self._on_event = on_event
        self._launcher = launcher
        self._look_again_at = self._measure_again_at = 0.0
        self._time_is_up = False

    def next_job(self) -> Job | None:
        """The next trial; None where there is none, or was none a moment ago."""
        if time.monotonic() < self._look_again_at or self.time_is_up():
            return None
        trial = self._search.next()
        if trial is None:
            self._look_again_at = time.monotonic() + LOOK_AGAIN_S
            return None
        return Job(
            trial.run,
            self._search.plan.after,
            threads=self._shares.threads,
            environment=self._shares.environment(),
            on_event=self._on_event,
            launcher=self._launcher,
            judge=functools.partial(self._search.judge, trial),
            verdict=functools.partial(self._search.ended, trial),
        )

    def ended(self) -> None:
        """There may be another one to take."""
        self._look_again_at = 0.0

    def time_is_up(self) -> bool:
        """Whether the minutes are over."""
        now = time.monotonic()
        if now >= self._measure_again_at:
            self._measure_again_at = now + MEASURE_TIME_EVERY_S
            self._search.sittings.note(every_s=NOTE_EVERY_S)
            self._time_is_up = self._search.left_s() == 0
        return self._time_is_up
