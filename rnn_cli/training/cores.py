"""How many cores there are to share out."""

import os


def usable_cores() -> int:
    """Cores that this process may run on, shared out among those that torchrun started on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
