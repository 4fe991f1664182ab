"""Parts of a task side by side on the cores: NumPy works outside Python's lock.

A thread of its own for each part waits for nobody, where threads inside every product wait for each other after each.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from rnn_cli.cores import usable_threads

Part = TypeVar("Part")
Result = TypeVar("Result")


def in_threads(do: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """`do` of each part, in their order.

    What goes wrong in one, or Ctrl-C, ends it when the parts at hand are done; no further one is begun.
    """
    count = min(usable_threads(), len(parts))
    if count < 2:
        yield from map(do, parts)
        return
    pool = ThreadPoolExecutor(count, "rnn-part")
    try:
        # What NumPy warns of is a setting of the context, which a new thread does not have.
        yield from pool.map(
            lambda context, part: context.run(do, part), [copy_context() for _ in parts], parts
        )
    finally:
        pool.shutdown(cancel_futures=True)
