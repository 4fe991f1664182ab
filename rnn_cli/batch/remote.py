"""What a worker of a cluster does for a batch: one command of `rnn` at a time, in a process of its own.

The machines share a folder and nothing else. What is sent is `carry_out` by its name, and a mapping of texts.
"""

import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from rnn_cli.batch.launcher import Order
from rnn_cli.batch.progress import MetricsReader
from rnn_cli.errors import RnnError
from rnn_cli.files import write_text
from rnn_cli.process import PROGRAM, Child
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.run_lock import is_held

TOPIC = "rnn_cli.batch"
"""Under which a worker tells what it has begun and ended."""

BEGUN_BY = ".rnn_batch.order"
"""In the folder of a run: the order that is trained there, and the stamp of the metrics before it began."""

LOOK_EVERY_S = 0.2
FREED_IN_S = 120.0
"""A training whose worker has died sees it within a second and saves; a network file system may need longer to see
that a whole machine is gone."""


class Sent(TypedDict):
    """An order as it is sent: `rnn_cli.batch.launcher.Order`, with the current folder of who sends it, and a name."""

    name: str
    folder: str
    run: str
    words: list[str]
    resume: list[str] | None
    log: str
    output: str | None
    environment: dict[str, str]


class Done(TypedDict):
    """How it ended."""

    exit_code: int
    why: str


def carry_out(order: Sent) -> Done:
    """Carry out an order on this worker of a dask cluster. Dask calls it again elsewhere if the worker dies."""
    from distributed import Reschedule, get_worker
    from distributed.core import Status

    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        """Whether whoever sent it is still there and has not called it off."""
        task = worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running")

    def stays() -> bool:
        return worker.status in (Status.running, Status.paused)

    worker.log_event(TOPIC, {"name": order["name"], "begun": worker.address})
    done = run_order(order, lambda: is_wanted() and stays())
    if is_wanted() and not stays():
        raise Reschedule  # the worker is being closed, and what it has saved goes on elsewhere
    worker.log_event(TOPIC, {"name": order["name"], "done": dict(done)})
    return done


def run_order(order: Sent, goes_on: Callable[[], bool], program: Sequence[str] = PROGRAM) -> Done:
    """Run a command until its end, or until `goes_on` says no and it has saved.

    A training that the same order has begun, whose worker died, goes on where it saved last.
    """
    folder = Path(order["folder"])
    run = folder / order["run"]
    if not run.is_dir():
        return failed(
            f"{platform.node()} does not see {run}. "
            "The runs must lie where all machines find them by the same path."
        )
    words = order["words"]
    if order["resume"] is not None:
        noted, metrics = _noted(run), MetricsReader(RunFolder(run).metrics)
        if noted.get("order") == order["name"]:
            _wait_until_free(run, goes_on)
        else:
            noted = {"order": order["name"], "metrics_before": metrics.stamp()}
            write_text(run / BEGUN_BY, json.dumps(noted))
        # Until the training has read its texts, what lies there is of another, perhaps with another config.
        if noted["metrics_before"] != metrics.stamp():
            if RunFolder(run).summary.exists():
                return {"exit_code": 0, "why": ""}
            words = order["resume"] if RunFolder(run).states() else words
    try:
        child = Child.start(
            words,
            log=folder / order["log"],
            output=folder / order["output"] if order["output"] else None,
            environment=order["environment"],
            folder=folder,
            program=program,
        )
    except OSError as error:
        return failed(f"it cannot be started on {platform.node()} ({error.strerror or error}).")
    while (exit_code := child.poll()) is None:
        if not goes_on():
            child.ask_to_stop()
            child.wait()
        else:
            time.sleep(LOOK_EVERY_S)
    return {"exit_code": exit_code, "why": child.why() if exit_code else ""}


def failed(why: str) -> Done:
    """A command that could not come to its end."""
    return {"exit_code": RnnError.exit_code, "why": why}


def _noted(run: Path) -> dict[str, Any]:
    try:
        noted = json.loads((run / BEGUN_BY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _wait_until_free(run: Path, goes_on: Callable[[], bool]) -> None:
    deadline = time.monotonic() + FREED_IN_S
    while is_held(run) and goes_on() and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)


def as_sent(name: str, folder: Path, order: Order) -> Sent:
    """An order as plain texts."""
    return {
        "name": name,
        "folder": str(folder),
        "run": str(order.run),
        "words": list(order.words),
        "resume": None if order.resume is None else list(order.resume),
        "log": str(order.log),
        "output": None if order.output is None else str(order.output),
        "environment": dict(order.environment),
    }
