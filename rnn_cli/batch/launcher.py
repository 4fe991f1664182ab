"""Where a command of `rnn` runs: on this machine, or on one of many. The rest of a batch need not know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

HERE = ""
"""Where a command runs that runs on this machine."""


@dataclass(frozen=True)
class Order:
    """A command of `rnn` to be run.

    Attributes:
        run: the folder of the run that it is about.
        words: its arguments.
        resume: the arguments that go on with it, where it is cut off and run again; None begins anew.
        log: takes what is printed, after what stands there already.
        output: takes standard output instead, from its beginning.
        environment: variables to set beside those that are there.
    """

    run: Path
    words: Sequence[str]
    log: Path
    output: Path | None = None
    resume: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Command(Protocol):
    """A command that was ordered."""

    def where(self) -> str | None:
        """The machine where it runs or has run; `HERE`, or None while it waits for one."""

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; None while it runs or waits."""

    def ask_to_stop(self) -> None:
        """As Ctrl-C does: a training saves and ends."""

    def wait(self) -> None:
        """Wait until it has stopped, no longer than a training takes to save."""

    def why(self) -> str:
        """Why it failed, in a sentence."""


class Launcher(Protocol):
    """Starts commands."""

    def start(self, order: Order) -> Command:
        """Start one, or let it wait for a machine.

        Raises:
            OSError: it cannot be started.
        """

    def can_start(self) -> bool:
        """Whether it is of use to start another; not once the way to its machines is lost."""
