"""The commands of a batch as processes of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from rnn_cli.batch.launcher import HERE, Order
from rnn_cli.process import PROGRAM, Child


class CommandHere(Child):
    """A command that runs on this machine."""

    def where(self) -> str:
        """On this machine."""
        return HERE


@dataclass(frozen=True)
class Here:
    """Runs commands as processes of this machine.

    program: what `rnn` is started as.
    """

    program: Sequence[str] = PROGRAM

    def start(self, order: Order) -> CommandHere:
        """Start one at once."""
        return CommandHere.start(
            order.words,
            log=order.log,
            output=order.output,
            environment=order.environment,
            program=self.program,
        )

    def can_start(self) -> bool:
        """This machine is there."""
        return True
