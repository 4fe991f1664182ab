"""How many cores there are to share out."""

import os


def usable_cores() -> int:
    """Cores that this process may run on, shared out among those that torchrun started on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def usable_threads() -> int:
    """Threads for products in NumPy: one a core, or as many as OMP_NUM_THREADS says if these are fewer."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(usable_cores(), int(asked)) if asked.isdecimal() and int(asked) > 0 else usable_cores()
