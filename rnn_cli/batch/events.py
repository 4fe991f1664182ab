"""What the trainings of a study report while they run: what `on_event` receives."""

from collections.abc import Callable
from dataclasses import dataclass

from rnn_cli.batch.progress import Progress


@dataclass(frozen=True)
class StudyStarted:
    """The work begins: so many runs in all, so many of them finished before, so many side by side.

    threads is what each training gets; None where it chooses itself.
    """

    total: int
    finished: int
    jobs: int
    threads: int | None


@dataclass(frozen=True)
class RunStarted:
    """A run has its turn; `how` says whether it is trained, goes on or only has commands to follow."""

    name: str
    how: str


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
    """A run has had its turn: `finished`, `failed` (and why), or `stopped` by the user."""

    name: str
    state: str
    elapsed_s: float
    valid: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Stopping:
    """The user has asked to stop: the trainings that run are saving."""

    running: int


StudyEvent = StudyStarted | RunStarted | RunProgressed | CommandStarted | RunEnded | Stopping
OnStudyEvent = Callable[[StudyEvent], None]
