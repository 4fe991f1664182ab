"""Ctrl-C and SIGTERM finish the step at hand and save; a second one stops at once."""

import signal
import time
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:  # it brings torch, and a batch of trainings stops without
    from rnn_cli.training.ranks import Ranks


ECHO_S = 2.0
"""A second SIGTERM so soon is the first one's echo: who stops a whole group of processes reaches a training both by
itself and through the batch that started it."""


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The user asked to stop. Raised only between steps, where a training can be saved as it stands."""


class StopSignal:
    """While entered, SIGINT and SIGTERM raise KeyboardInterrupt; after `wait_for_steps` the first only asks.

    Attributes:
        received: whether a stop was asked for.
        waits: whether the first signal only asks.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received = False
        self.waits = False
        self._received_at = 0.0

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in self.SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait_for_steps(self) -> None:
        """From now on there is something to save: the first signal is only remembered, for `check`."""
        self.waits = True

    def check(self, ranks: "Ranks | None" = None) -> None:
        """Between two steps, which all ranks reach; None: a process alone.

        Raises:
            Stopped: a signal has come to one of them.
        """
        if self.received if ranks is None else ranks.any(self.received):
            raise Stopped

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.received and number == signal.SIGTERM and now - self._received_at < ECHO_S:
            return
        if self.received or not self.waits:
            raise KeyboardInterrupt
        self.received, self._received_at = True, now
