"""How this process was started: by itself, or by torchrun as one of several that train together."""

import os
import shlex
from pathlib import Path


def started_together() -> bool:
    """Whether torchrun, or another launcher that sets its variables, started this process as one of several."""
    told = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))
    return told and os.environ["WORLD_SIZE"] != "1"


def on_several_machines() -> bool:
    """Whether the processes that train together are on more than one machine, as far as the launcher says so."""
    here, all_ = (os.environ.get(name) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    return here is not None and here != all_


def train_command() -> str:
    """How a training is started as this one was, up to what follows `train`."""
    if not started_together():
        return "rnn train"
    here, machines = (os.environ.get(name, "1") for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"))
    meeting = f"--nnodes {machines} --rdzv-backend c10d --rdzv-endpoint HOST:PORT " if machines != "1" else ""
    return f"torchrun {meeting}--nproc-per-node {here} -m rnn_cli train"


def resume_command(run: Path) -> str:
    """How to go on with a run, in as many processes; on several machines it is the same call on each."""
    return f"{train_command()} --resume {shlex.quote(str(run))}"
