"""Threads that train side by side: each reads some streams of a window, from the first step to the last and back.

A window's streams do not meet before the gradients are summed, so each core can work through its own without waiting
for another: two waits in an update, where threads inside every small product would wait some hundred times. When
another process takes a core, such a wait costs a whole time slice.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


class Workers:
    """So many threads, the calling one among them.

    Args:
        count: how many.
        inside: threads that torch starts in turn inside each product; more than 1 is for a single worker.
    """

    def __init__(self, count: int, *, inside: int = 1) -> None:
        self.count = count
        torch.set_num_threads(inside)
        self._pool = (
            ThreadPoolExecutor(count - 1, "rnn-worker", initializer=torch.set_num_threads, initargs=(inside,))
            if count > 1
            else None
        )

    def shares(self, total: int) -> list[slice]:
        """`total` things cut into a share for each worker, none of them empty, as equal as can be."""
        count = min(self.count, total)
        ends = [total * number // count for number in range(count + 1)]
        return [slice(first, last) for first, last in pairwise(ends)]

    def map(self, do: Callable[..., Result], shares: Sequence[Any]) -> list[Result]:
        """`do` of each share, side by side; the results in the shares' order."""
        if self._pool is None or len(shares) == 1:
            return [do(share) for share in shares]
        others = [self._pool.submit(do, share) for share in shares[1:]]
        try:
            first = do(shares[0])
        finally:
            results = [other.result() for other in others]
        return [first, *results]
