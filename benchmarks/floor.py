"""The least that a training step can take: its matrix products and nothing else, as fast as they are here."""

from collections.abc import Callable

import torch

from rnn_cli.model.fused_softmax import WORDS_AT_ONCE
from rnn_cli.training.engine_choice import Way
from rnn_cli.training.workers import Workers


def products(way: Way, *, batch_size: int, bptt_steps: int, size: int, candidates: int) -> Callable[[], None]:
    """A function that makes the products of one step, on as many threads as the step: E = H = size.

    Recurrence, forward: W_x · x of all steps at once, W_h · h step by step; backward: W_hᵀ · δ step by step, and
    ∂Loss/∂W_h, ∂Loss/∂W_x, ∂Loss/∂x of all at once. Output: scores, ∂Loss/∂h, ∂Loss/∂V over `candidates` words.
    """
    dtype = torch.bfloat16 if way.engine == "bfloat16" else torch.float32
    workers = Workers(way.threads)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns).to(dtype)

    W, V = (
        matrix(size, size),
        [matrix(len(k), size) for k in torch.split(torch.arange(candidates), WORDS_AT_ONCE)],
    )

    def share(streams: slice) -> None:
        B = streams.stop - streams.start
        x, h = matrix(bptt_steps * B, size), matrix(B, size)
        scores = [torch.empty(len(x), len(V_k), dtype=dtype) for V_k in V]

        def run() -> None:
            for _ in range(bptt_steps):
                h @ W.T
                h @ W
            for _ in range(2):
                x @ W
                x.T @ x
            for V_k, e in zip(V, scores, strict=True):
                torch.mm(x, V_k.T, out=e)
                e @ V_k
                e.T @ x

        runs[streams.start] = run

    runs: dict[int, Callable[[], None]] = {}
    shares = workers.shares(batch_size)
    for streams in shares:
        share(streams)

    def step() -> None:
        workers.map(lambda streams: runs[streams.start](), shares)

    return step
