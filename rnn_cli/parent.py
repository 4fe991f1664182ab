"""A command that another process has started for a batch ends with that process, and saves what it has."""

import os
import signal
import threading
import time

VARIABLE = "RNN_STARTED_BY"
"""Holds the number of the process that must live on for this one to go on."""

LOOK_EVERY_S = 1.0


def end_with_parent() -> None:
    """If `VARIABLE` names a process: as soon as that is no longer the parent of this one, ask this one to stop.

    Otherwise a training would go on where nobody reads its figures, while the same run is begun again elsewhere.
    """
    parent = os.environ.get(VARIABLE, "")
    if parent.isdigit():
        threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)  # as Ctrl-C does: a training saves
