"""A window read as a CUDA graph: the small operations of all its steps are launched as one, there and back.

What an operation of a step takes on a GPU is a few microseconds, and so is its launch by the processor. A graph holds
the launches of a whole window, for one layer and one shape; it is captured once and replayed from then on.

Source: A. Gray, "Getting Started with CUDA Graphs" (2019); what captures is `torch.cuda.make_graphed_callables`.

Written without a GPU at hand: it has not run on one yet.
"""

from collections.abc import Callable
from typing import Self, cast

import torch
from torch import Tensor

from rnn_cli.model.cells import Cell
from rnn_cli.model.language_model import WindowReader

Graph = Callable[..., tuple[Tensor, Tensor]]
"""Takes x, the state and the weights."""

MOST_SHAPES = 4
"""A graph keeps the memory of its window, so that the first shapes that a layer meets have one, and no others. Not
measured: no GPU was at hand."""


class GraphedWindows:
    """A `WindowReader` that does what another one does, by graphs. What is measured, not trained, is read plainly.

    What it gives lies in the memory of the graph: hidden states until the layer reads again, gradients until the next
    way back. The state after the window is a copy, to be kept.
    """

    def __init__(self, read: WindowReader) -> None:
        """See that `read` neither waits for the GPU nor looks at a value."""
        self._read = read
        self._graphs: dict[tuple[Tensor, torch.Size, bool], Graph] = {}

    def __deepcopy__(self, memo: object) -> Self:
        return type(self)(self._read)  # a graph is bound to its memory

    def __call__(self, cell: Cell, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See `language_model.WindowReader`."""
        if not (torch.is_grad_enabled() and x.requires_grad):
            return self._read(cell, x, state)
        weights = cell.weights()
        # b is the layer's own also where the other weights are masked anew for each window.
        key = (weights["b"], x.shape, state.requires_grad)
        if key not in self._graphs:
            if sum(b is weights["b"] for b, *_ in self._graphs) >= MOST_SHAPES:
                return self._read(cell, x, state)
            self._graphs[key] = self._capture(cell, x, state)
        # Weights go in beside x and the state, because they need not lie where they lay when the graph was captured.
        hidden, after = self._graphs[key](x, state, *weights.values())
        return hidden, after.clone()

    def _capture(self, cell: Cell, x: Tensor, state: Tensor) -> Graph:
        weights = cell.weights()

        def read(x: Tensor, state: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor]:
            return self._read(cell.with_weights(dict(zip(weights, tensors, strict=True))), x, state)

        samples = tuple(
            tensor.detach().clone(memory_format=torch.contiguous_format).requires_grad_(tensor.requires_grad)
            for tensor in (x, state, *weights.values())
        )
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            return cast(Graph, torch.cuda.make_graphed_callables(read, samples))
