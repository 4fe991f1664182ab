"""Are the gradients right? One window's, found four ways, and how far back they reach.

    reference           what training computes, the window read step by step (`training.bptt`, `model.language_model`)
    fast                the same with the passes derived by hand (`model.fused`, `model.fused_softmax`)
    one graph           autograd through the equations written out once more here, the whole window as one graph
    finite differences  (Loss(w + ε) - Loss(w - ε)) / 2ε, for some weights of each parameter

All in float64, without dropout, with the exact loss. How far they reach is in `recurrence`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnn_cli.insight.equations import Weights, written_out
from rnn_cli.insight.recurrence import WAYS_BACK, Recurrence, recurrence
from rnn_cli.model.fused import has_fast_path, read_window
from rnn_cli.model.fused_softmax import fused_cross_entropy
from rnn_cli.model.language_model import LanguageModel, WindowReader, step_by_step
from rnn_cli.model.losses import ExactSoftmax, LossFunction, OneHotSigmoid
from rnn_cli.text.streams import Window
from rnn_cli.training.bptt import train_on_window
from rnn_cli.training.optimizer import build_optimizer
from rnn_cli.training.workers import Workers

STEP = 1e-6  # ε: what rounding and curvature do to the quotient is then about equally small
ENTRIES = 16  # weights of each parameter that are moved; each costs two passes over the window
EXACT = 1e-9  # the largest relative error that rounding in float64 explains
FINITE = 1e-4  # the same for finite differences
SMALLEST_SCALE = 1e-3  # of the largest gradient: below, a difference of losses is mostly rounding

SLOW_LOSSES: dict[str, LossFunction] = {"softmax": ExactSoftmax(), "sigmoid": OneHotSigmoid()}
FAST_LOSSES = {**SLOW_LOSSES, "softmax": ExactSoftmax(fused_cross_entropy)}

Gradients = dict[str, Tensor]


@dataclass(frozen=True)
class ParameterCheck:
    """How far the gradients of one parameter are from those of one graph.

    Errors are the largest difference among its weights over its largest gradient.

    Attributes:
        shape: of the parameter.
        largest: the largest |∂Loss/∂w| among its weights.
        fast: None where f has no fast path.
        entries: weights that were moved for the finite differences.
    """

    name: str
    shape: tuple[int, ...]
    largest: float
    reference: float
    fast: float | None
    finite_differences: float
    entries: int

    @property
    def agrees(self) -> bool:
        """Whether all are the same, but for rounding."""
        exact = [self.reference] + ([] if self.fast is None else [self.fast])
        return max(exact) <= EXACT and self.finite_differences <= FINITE


@dataclass(frozen=True)
class GradientCheck:
    """What was compared, parameter by parameter, and the way back through each layer.

    Attributes:
        cell: its name.
        steps, streams: of the window.
        loss: mean nats per token.
    """

    cell: str
    steps: int
    streams: int
    loss: float
    parameters: list[ParameterCheck]
    recurrences: list[Recurrence]

    @property
    def agrees(self) -> bool:
        """Whether every parameter's gradients are the same, but for rounding."""
        return all(parameter.agrees for parameter in self.parameters)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        recurrences = [
            {**asdict(recurrence), "meaning": recurrence.meaning()} for recurrence in self.recurrences
        ]
        way_back = {"way_back": WAYS_BACK[self.cell], "recurrences": recurrences}
        return {"agrees": self.agrees, **asdict(self), **way_back}


def check_gradients(
    model: LanguageModel, window: Window, *, cell: str, hidden_activation: str, output_activation: str
) -> GradientCheck:
    """Compare the gradients of a window; the model is left in float64 and as it was otherwise.

    Args:
        window: inputs and targets (T, B), read from no memory.
        cell: the name of the cells' equation.
        hidden_activation: the name of f, for cells that have one to choose.
        output_activation: the name of g, which decides the loss.
    """
    model.double().eval()
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    equations = partial(
        written_out,
        window=window,
        cell=cell,
        hidden_activation=hidden_activation,
        output_activation=output_activation,
    )
    loss, layers = equations(weights)
    names = list(weights)
    found = torch.autograd.grad(loss, [weights[name] for name in names])
    one_graph = dict(zip(names, found, strict=True))
    reference = trained_on(model, window, step_by_step, SLOW_LOSSES[output_activation])
    fast = None
    if all(has_fast_path(cell) for cell in model.layers()):
        fast = trained_on(model, window, read_window, FAST_LOSSES[output_activation])
    least = SMALLEST_SCALE * max(float(gradient.abs().max()) for gradient in one_graph.values())

    def loss_at(moved: Weights) -> float:
        return equations(moved)[0].item()

    parameters = []
    for name, gradient in one_graph.items():
        scale = max(least, float(gradient.abs().max()))
        places = entries_to_move(gradient)
        quotients = finite_differences({n: w.detach() for n, w in weights.items()}, name, places, loss_at)
        parameters.append(
            ParameterCheck(
                name=name,
                shape=tuple(gradient.shape),
                largest=float(gradient.abs().max()),
                reference=_error(reference[name], gradient, scale),
                fast=None if fast is None else _error(fast[name], gradient, scale),
                finite_differences=_error(quotients, gradient.flatten()[places], scale),
                entries=len(places),
            )
        )
    T, B = window.inputs.shape
    recurrences = [recurrence(number, layer, cell) for number, layer in enumerate(layers, start=1)]
    return GradientCheck(cell, T, B, loss.item(), parameters, recurrences)


def trained_on(
    model: LanguageModel, window: Window, reader: WindowReader, loss_function: LossFunction
) -> Gradients:
    """The gradients that one update of the training computes; with a learning rate of 0 it changes nothing."""
    model.window_reader = reader
    train_on_window(
        model,
        window,
        model.initial_state(window.inputs.shape[1]),
        loss_function=loss_function,
        optimizer=build_optimizer("sgd", model.parameters(), [], weight_decay=0.0, sparse=False),
        learning_rate=0.0,
        max_grad_norm=None,
        workers=Workers(1, inside=torch.get_num_threads()),
    )
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.to_dense().clone()
        for name, p in model.named_parameters()
    }


def entries_to_move(gradient: Tensor) -> Tensor:
    """Places in the flat parameter, (K,): half those with the largest gradients, half anywhere."""
    order = gradient.flatten().abs().argsort(descending=True, stable=True).numpy()
    largest, others = np.split(order, [ENTRIES // 2])
    anywhere = np.random.default_rng(len(order)).permutation(others)[: ENTRIES // 2]
    return torch.from_numpy(np.concatenate([largest, anywhere]))


def finite_differences(
    weights: Weights, name: str, places: Tensor, loss_at: Callable[[Weights], float]
) -> Tensor:
    """(Loss(w + ε) - Loss(w - ε)) / 2ε for the weights of one parameter at `places`, (K,)."""
    moved = weights[name].clone()
    flat = moved.view(-1)
    with torch.no_grad():
        quotients = []
        for place in places.tolist():
            kept = flat[place].item()
            losses = []
            for there in (kept + STEP, kept - STEP):
                flat[place] = there
                losses.append(loss_at({**weights, name: moved}))
            flat[place] = kept
            quotients.append((losses[0] - losses[1]) / (2 * STEP))
    return torch.tensor(quotients, dtype=moved.dtype)


def _error(found: Tensor, expected: Tensor, scale: float) -> float:
    difference = float((found - expected).abs().max())
    return difference / scale if scale > 0 else difference
