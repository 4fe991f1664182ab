"""What the trainings of a study report while they run: what `on_event` receives."""

from collections.abc import Callable
from dataclasses import dataclass

from rnn_cli.batch.progress import Progress


@dataclass(frozen=True)
class StudyStarted:
    """The work begins: so many runs in all, so many of them finished before, so many side by side.

    threads is what each training gets, None where it chooses itself; where is on which machines, empty for this one.
    """

    total: int
    finished: int
    jobs: int
    threads: int | None
    where: str = ""


@dataclass(frozen=True)
class SearchStarted:
    """A search begins or goes on.

    Attributes:
        trials: how many it may have in all; None where only the time ends it.
        done: how many have had their turn before.
        left_s: the seconds that are left; None where only the number of trials ends it.
        jobs: so many side by side.
        threads: what each training gets; None where it chooses itself.
        where: on which machines; empty for this one.
    """

    trials: int | None
    done: int
    left_s: float | None
    jobs: int
    threads: int | None
    where: str = ""


@dataclass(frozen=True)
class RunStarted:
    """A run has its turn; `how` says whether it is trained, goes on or only has commands to follow.

    where is the machine, empty for this one.
    """

    name: str
    how: str
    where: str = ""


@dataclass(frozen=True)
class RunMoved:
    """The machine of a run is gone, and what it did is done again on another."""

    name: str
    where: str


@dataclass(frozen=True)
class RunProgressed:
    """How far a training is."""

    name: str
    progress: Progress


@dataclass(frozen=True)
class CommandStarted:
    """A command that follows a training begins."""

    name: str
    command: str


@dataclass(frozen=True)
class RunEnded:
    """A run has had its turn: `finished`, `failed` (and why), `pruned`, or `stopped` by the user."""

    name: str
    state: str
    elapsed_s: float
    valid: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Stopping:
    """The user has asked to stop, or (`time_is_up`) a search has had its minutes: what runs is saving."""

    running: int
    time_is_up: bool = False


StudyEvent = (
    StudyStarted
    | SearchStarted
    | RunStarted
    | RunMoved
    | RunProgressed
    | CommandStarted
    | RunEnded
    | Stopping
)
OnStudyEvent = Callable[[StudyEvent], None]
