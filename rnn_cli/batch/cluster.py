"""The machines of a dask cluster: its workers run the commands of a batch, in a folder that all share."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from rnn_cli.batch.launcher import Order
from rnn_cli.batch.remote import TOPIC, Done, as_sent, carry_out, failed
from rnn_cli.batch.scheduler import Resources
from rnn_cli.config.wording import shown
from rnn_cli.errors import Interrupted, RnnError, UsageError
from rnn_cli.process import STOPPED_IN_S

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECTED_IN_S = 10.0
CALLED_OFF_IN_S = 5.0
"""A command that no worker has, after it was called off, is not waited for longer."""

LOGGERS = ("distributed", "distributed.client", "tornado.application")
"""Those that dask gives a level of their own."""

_LOST: Done = {
    "exit_code": Interrupted.exit_code,
    "why": "the connection to the cluster was lost. Start the same plan again to go on.",
}
"""The worker sees that nobody waits any more, and lets the training save."""

_ADDRESS = re.compile(r"dask://(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})/?")


class Cluster:
    """A connection to the scheduler of a cluster. Made by `at`; used in a `with`."""

    def __init__(self, client: "Client", on: str) -> None:
        self._client = client
        self._on = on
        self._commands: dict[str, RemoteCommand] = {}
        client.subscribe_topic(TOPIC, self._hear)

    @classmethod
    def at(cls, on: str, say: Callable[[str], None]) -> Self:
        """Connect to the scheduler at `on`.

        Args:
            on: dask://HOST:PORT.
            say: is told what a user should know.

        Raises:
            UsageError: that is no such address, or the package is not installed.
            RnnError: no scheduler answers.
        """
        address = _ADDRESS.fullmatch(on)
        if address is None:
            meant = on.partition("://")[2] or on
            hint = f"dask://{meant}" if _ADDRESS.fullmatch(f"dask://{meant}") else None
            raise UsageError(
                f"--on: found {shown(on)}, allowed: dask://HOST:PORT, the address that `dask scheduler` prints as "
                f"tcp://HOST:PORT." + (f" Did you mean {hint}?" if hint else "")
            )
        try:
            from distributed import Client
        except ImportError:
            raise UsageError(
                f"--on {on} needs the package distributed, which is not installed. "
                "Install it from a clone: pip install -c constraints.txt '.[dask]'"
            ) from None
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is told by us
        scheduler = f"{address['host']}:{address['port']}"
        try:
            client = Client(f"tcp://{scheduler}", timeout=CONNECTED_IN_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RnnError(
                f"--on {on}: no dask scheduler answers there. Start one: dask scheduler --port {address['port']}, "
                f"and on every machine: dask worker {scheduler}"
            ) from error
        cluster = cls(client, on)
        if cluster.threads() == 0:
            say(f"The cluster at {on} has no workers yet; the runs wait for them.")
        return cluster

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    @property
    def launcher(self) -> Self:
        """The cluster itself."""
        return self

    def threads(self) -> int:
        """Threads of all workers that are there just now."""
        threads: dict[str, int] = self._client.nthreads()
        return sum(threads.values())

    def is_there(self, worker: str) -> bool:
        """Whether the worker at an address is part of the cluster just now."""
        try:
            return self.can_start() and worker in self._client.nthreads()
        except OSError:  # the scheduler is gone, and with it whatever could be told
            return False

    def shares(self, *, runs: int | None, jobs: int | None, planned_threads: int | None) -> Resources:
        """A run for each thread of a worker, trained with one thread.

        All runs of a plan are sent at once, so that a cluster that grows with its work sees how much there is.
        A search chooses as late as it can: as many at once as there are threads now.
        """
        workers = len(self._client.nthreads())
        where = f"on {workers} worker{'s' if workers != 1 else ''} of {self._on}"
        at_once = jobs or runs or max(1, self.threads())
        return Resources(at_once, planned_threads or 1, where)

    def can_start(self) -> bool:
        """Whether the scheduler is there. When it goes, dask forgets all that was sent to it."""
        return self._client.status == "running"

    def start(self, order: Order) -> "RemoteCommand":
        """Send a command; it waits until a worker has a thread for it, and is lost where no scheduler takes it."""
        from distributed.client import ClosedClientError

        name = f"rnn-{order.run.name}-{uuid.uuid4()}"
        # Before the future: what a worker tells must find its command.
        command = self._commands[name] = RemoteCommand(self.is_there)
        sent = as_sent(name, Path.cwd(), order)
        try:
            command.future = self._client.submit(carry_out, sent, key=name, pure=False)
        except ClosedClientError:
            command.lose()
        return command

    def _hear(self, event: tuple[float, Any]) -> None:
        """What a worker tells, of our commands and of others'."""
        _, told = event
        command = self._commands.get(told["name"])
        if command is not None:
            command.hear(told)


class RemoteCommand:
    """A command that was sent to a cluster."""

    future: "Future[Any]"

    def __init__(self, is_there: Callable[[str], bool]) -> None:
        self._is_there = is_there
        self._where: str | None = None
        self._done: Done | None = None
        self._called_off_at: float | None = None

    def hear(self, told: dict[str, Any]) -> None:
        """A worker has begun it, or ended it after it was called off."""
        if "begun" in told:
            self._where = told["begun"]
        elif self._called_off_at is not None:
            self._done = told["done"]

    def lose(self) -> None:
        """There is nobody to send it to."""
        self._done = _LOST

    def where(self) -> str | None:
        """The address of the worker."""
        return self._where

    def poll(self) -> int | None:
        """The exit code; None while it waits or runs."""
        if self._done is None:
            self._done = self._called_off() if self._called_off_at is not None else self._result()
        return None if self._done is None else self._done["exit_code"]

    def ask_to_stop(self) -> None:
        """Call it off: the worker sees it within a moment."""
        if self._done is None and self._called_off_at is None and self.future.status == "pending":
            self._called_off_at = time.monotonic()
            self.future.cancel()

    def wait(self) -> None:
        """Wait until the worker says that it has saved, no longer than a training takes to save."""
        deadline = time.monotonic() + STOPPED_IN_S
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)

    def why(self) -> str:
        """Why it failed."""
        return self._done["why"] if self._done is not None else ""

    def _called_off(self) -> Done | None:
        assert self._called_off_at is not None
        is_saving = self._where is not None and self._is_there(self._where)
        patience_s = STOPPED_IN_S if is_saving else CALLED_OFF_IN_S
        if time.monotonic() - self._called_off_at < patience_s:
            return None
        return {"exit_code": Interrupted.exit_code, "why": ""}

    def _result(self) -> Done | None:
        match self.future.status:
            case "pending":
                return None
            case "finished":
                return cast("Done", self.future.result())
            case "error":
                return failed(_why(self.future.exception()))
        return _LOST


def _why(error: BaseException | None) -> str:
    """What dask says of a command that it could not run, in a sentence."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return "every worker that ran it died. If memory ran out, workers with fewer threads need less."
    if isinstance(error, ImportError):
        return (
            f"the cluster cannot run it ({error}). "
            "Install the same version of rnn_cli on the scheduler and on every worker."
        )
    return f"the cluster could not run it ({type(error).__name__}: {error})."
