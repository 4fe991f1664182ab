"""What there is to train on: how much of it, and how it is asked."""

from dataclasses import dataclass, field
from typing import Protocol

from rnn_cli.batch.here import Here
from rnn_cli.batch.launcher import Launcher
from rnn_cli.batch.scheduler import Resources


class Machines(Protocol):
    """One machine or many."""

    @property
    def launcher(self) -> Launcher:
        """Starts commands on them."""

    def shares(self, *, runs: int | None, jobs: int | None, planned_threads: int | None) -> Resources:
        """How many runs side by side, and the threads of each.

        Args:
            runs: how many there are to do; None where nobody knows.
            jobs: what the user asks for; None leaves it to the machines.
            planned_threads: the most that a training of the plan asks for; None where they leave it open.
        """


@dataclass(frozen=True)
class ThisMachine:
    """The one that `rnn` was started on."""

    cores: int
    launcher: Launcher = field(default_factory=Here)

    def shares(self, *, runs: int | None, jobs: int | None, planned_threads: int | None) -> Resources:
        """Its cores, shared out."""
        return Resources.shared_out(
            cores=self.cores,
            runs=self.cores if runs is None else runs,
            jobs=jobs,
            planned_threads=planned_threads,
        )
