"""Windows read as graphs: played back by the CPU, in the memory of a graph; and by a GPU where there is one."""

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from rnn_cli.model.cells import Cell
from rnn_cli.model.fused import read_window
from rnn_cli.model.graphed import MOST_SHAPES, GraphedWindows
from rnn_cli.model.language_model import WindowReader
from rnn_cli.model.make_cell import make_cell
from rnn_cli.model_tensors import CELLS

T, B, E, H = 5, 3, 4, 6
FLOAT32 = functools.partial(read_window, product_dtype=torch.float32)
BFLOAT16 = functools.partial(read_window, product_dtype=torch.bfloat16)


def some_cell(kind: str, device: str = "cpu") -> Cell:
    return make_cell(
        kind, input_size=E, hidden_size=H, activation="tanh", recurrent_init="uniform", memory_steps=None
    ).to(device)


def played_back(read: Callable[..., tuple[Tensor, Tensor]], samples: Sequence[Tensor]) -> Callable[..., Any]:
    """What `torch.cuda.make_graphed_callables` gives: it computes in the memory of the samples and of its results."""
    leaves = [sample for sample in samples if sample.requires_grad]
    results = read(*samples)
    memory = [result.detach().clone() for result in results]
    gradients = [torch.empty_like(leaf) for leaf in leaves]

    class Played(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
            nonlocal results
            for sample, given in zip(samples, inputs, strict=True):
                sample.copy_(given)
            with torch.enable_grad():
                results = read(*samples)
            for place, result in zip(memory, results, strict=True):
                place.copy_(result)
            return tuple(place.detach() for place in memory)

        @staticmethod
        def backward(ctx: Any, *d_results: Tensor) -> tuple[Tensor | None, ...]:
            for place, found in zip(gradients, torch.autograd.grad(results, leaves, d_results), strict=True):
                place.copy_(found)
            handed_out = iter(gradients)
            return tuple(next(handed_out).detach() if sample.requires_grad else None for sample in samples)

    return Played.apply


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """The shapes of x that a graph was captured for."""
    shapes: list[torch.Size] = []

    def capture(read: Callable[..., tuple[Tensor, Tensor]], samples: Sequence[Tensor]) -> Callable[..., Any]:
        shapes.append(samples[0].shape)
        return played_back(read, samples)

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", capture)
    return shapes


def trained(reader: WindowReader, kind: str, device: str = "cpu") -> list[Tensor]:
    """Hidden states, states and gradients of two layers over four windows, whose weights lie elsewhere each time."""
    torch.manual_seed(0)
    cells = [some_cell(kind, device) for _ in range(2)]
    cells[1] = make_cell(
        kind, input_size=H, hidden_size=H, activation="tanh", recurrent_init="uniform", memory_steps=None
    ).to(device)
    states = [torch.randn(B, cell.state_size, device=device) for cell in cells]
    seen: list[Tensor] = []
    for window in range(4):
        below = x = torch.randn(T, B, E, device=device, requires_grad=True)
        before = [state.detach() for state in states]
        for layer, cell in enumerate(cells):
            mask = torch.bernoulli(torch.full_like(cell.recurrent_weights(), 0.7))
            read_by = cell.with_recurrent(mask) if window % 2 else cell
            below, states[layer] = reader(read_by, below, before[layer])
        parameters = [p for cell in cells for p in cell.parameters()]
        gradients = torch.autograd.grad((below * torch.randn_like(below)).sum(), [x, *parameters])
        seen += [below.detach().clone(), *before, *(gradient.clone() for gradient in gradients)]
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients[1:], strict=True):
                parameter.data = parameter - 0.1 * gradient  # as when the mean weights are put in place
    return [*seen, *states]


@pytest.mark.parametrize("kind", CELLS)
def test_a_window_read_by_a_graph_is_the_window_read_plainly(kind: str, captured: list[torch.Size]) -> None:
    plain, graphed = trained(FLOAT32, kind), trained(GraphedWindows(FLOAT32), kind)
    assert captured == [(T, B, E), (T, B, H)]  # one for each layer, whatever the masks
    for found, expected in zip(graphed, plain, strict=True):
        torch.testing.assert_close(found, expected)


def test_a_layer_has_graphs_for_a_few_shapes_and_reads_others_plainly(captured: list[torch.Size]) -> None:
    reader, cell = GraphedWindows(FLOAT32), some_cell("elman")
    for steps in [1, 2, 3, 4, 5, 6, 1, 6]:
        x = torch.randn(steps, B, E, requires_grad=True)
        hidden, after = reader(cell, x, torch.zeros(B, H))
        assert torch.equal(hidden, FLOAT32(cell, x, torch.zeros(B, H))[0])
        assert torch.equal(after, hidden[-1])
    assert [len(torch.empty(shape)) for shape in captured] == list(range(1, MOST_SHAPES + 1))


def test_what_is_measured_and_not_trained_is_read_plainly(captured: list[torch.Size]) -> None:
    reader, cell = GraphedWindows(FLOAT32), some_cell("elman")
    x = torch.randn(T, B, E, requires_grad=True)
    with torch.no_grad():
        reader(cell, x, torch.zeros(B, H))
    reader(cell, x.detach(), torch.zeros(B, H))
    assert captured == []


def test_a_copy_of_a_network_has_graphs_of_its_own(captured: list[torch.Size]) -> None:
    reader, cell = GraphedWindows(FLOAT32), some_cell("elman")
    x = torch.randn(T, B, E, requires_grad=True)
    reader(cell, x, torch.zeros(B, H))
    twin = copy.deepcopy(reader)
    twin(cell, x, torch.zeros(B, H))
    assert len(captured) == 2


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("read", [FLOAT32, BFLOAT16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("kind", CELLS)
def test_on_a_gpu_a_window_read_by_a_cuda_graph_is_the_window_read_plainly(
    kind: str, read: WindowReader
) -> None:
    plain, graphed = trained(read, kind, "cuda"), trained(GraphedWindows(read), kind, "cuda")
    for found, expected in zip(graphed, plain, strict=True):
        torch.testing.assert_close(found, expected)
