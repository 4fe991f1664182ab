"""Are the gradients right? One window's, found four ways, and how far back they reach.

    reference           what training computes, the window read step by step (`training.bptt`, `model.language_model`)
    fast                the same with the passes derived by hand (`model.fused`, `model.fused_softmax`)
    one graph           autograd through the equations written out once more here, the whole window as one graph
    finite differences  (Loss(w + ε) - Loss(w - ε)) / 2ε, for some weights of each parameter

All in float64, without dropout, with the exact loss.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from rnn_cli.model.activations import ACTIVATIONS
from rnn_cli.model.cells import Cell
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

Floats = npt.NDArray[np.float64]
Weights = Mapping[str, Tensor]
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
class Recurrence:
    """What one step back in time does to a gradient in one layer.

    Attributes:
        spectral_radius: the largest |eigenvalue| of W's recurrent columns W_h: what many steps of W_hᵀ come to, each.
        mean_slope: the mean |f'(a_t)| over the window. Below 1 it takes from every step back.
        factor: what a step back, ∂Loss/∂h_{t-1} = W_hᵀ · (∂Loss/∂h_t ⊙ f'(a_t)), really multiplied the length of a
            gradient by in this window, the geometric mean; a gradient in the direction that fades least.
    """

    layer: int
    spectral_radius: float
    mean_slope: float
    factor: float

    def meaning(self) -> str:
        """In words. Source: Pascanu, Mikolov, Bengio, arXiv:1211.5063, section 2."""
        if self.factor == 0:
            return "vanishes at once: nothing is learnt from the step before"
        after_100 = self.factor**100
        if 0.1 <= after_100 <= 10:
            return f"keeps its size: times {after_100:.2g} in 100 steps"
        steps = max(1, round(math.log(10) / abs(math.log(self.factor))))
        if self.factor < 1:
            return f"vanishes: a tenth is left after {steps:,} step{'s' if steps > 1 else ''}"
        return f"explodes: tenfold after {steps:,} step{'s' if steps > 1 else ''}, unless it is clipped"


@dataclass(frozen=True)
class GradientCheck:
    """What was compared, parameter by parameter, and the way back through each layer.

    Attributes:
        steps, streams: of the window.
        loss: mean nats per token.
    """

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
        return {"agrees": self.agrees, **asdict(self), "recurrences": recurrences}


def check_gradients(
    model: LanguageModel, window: Window, *, hidden_activation: str, output_activation: str
) -> GradientCheck:
    """Compare the gradients of a window; the model is left in float64 and as it was otherwise.

    Args:
        window: inputs and targets (T, B), read from no memory.
        hidden_activation: the name of f.
        output_activation: the name of g, which decides the loss.
    """
    model.double().eval()
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    loss, sums = written_out(
        weights, window, hidden_activation=hidden_activation, output_activation=output_activation
    )
    names = list(weights)
    found = torch.autograd.grad(loss, [weights[name] for name in names])
    one_graph = dict(zip(names, found, strict=True))
    reference = trained_on(model, window, step_by_step, SLOW_LOSSES[output_activation])
    fast = None
    if all(has_fast_path(cast(Cell, cell)) for cell in model.cells):
        fast = trained_on(model, window, read_window, FAST_LOSSES[output_activation])
    least = SMALLEST_SCALE * max(float(gradient.abs().max()) for gradient in one_graph.values())

    def loss_at(moved: Weights) -> float:
        return written_out(
            moved, window, hidden_activation=hidden_activation, output_activation=output_activation
        )[0].item()

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
    return GradientCheck(T, B, loss.item(), parameters, _recurrences(weights, sums, hidden_activation))


def written_out(
    weights: Weights, window: Window, *, hidden_activation: str, output_activation: str
) -> tuple[Tensor, list[Tensor]]:
    """The mean objective of a window by the equations, and every a_t = W·[h_{t-1}, x_t] + b of each layer, (T, B, H).

    Written without the model's own code, so that a mistake there shows.
    """
    layers = range(sum(name.endswith(".b") for name in weights))
    f = ACTIVATIONS[hidden_activation]
    V = weights.get("V", weights["embedding"])
    words, came = torch.from_numpy(window.inputs), torch.from_numpy(window.targets)  # (T, B)
    T, B = words.shape
    counts = torch.ones(T, B, dtype=torch.bool) if window.mask is None else torch.from_numpy(window.mask)
    h = [V.new_zeros(B, len(weights[f"cells.{layer}.b"])) for layer in layers]
    sums: list[list[Tensor]] = [[] for _ in layers]
    errors = []
    for t in range(T):
        x = weights["embedding"][words[t]]  # (B, E)
        for layer in layers:
            a = torch.cat([h[layer], x], dim=1) @ weights[f"cells.{layer}.W"].T + weights[f"cells.{layer}.b"]
            sums[layer].append(a)
            h[layer] = x = f(a)  # (B, H)
        out = x @ weights["P"].T if "P" in weights else x  # (B, H), or (B, E) where V reads P · h_t
        z = out @ V.T + weights["c"]  # (B, vocab_size)
        one_hot = functional.one_hot(came[t], z.shape[1]).to(z.dtype)
        if output_activation == "softmax":
            error = -(one_hot * torch.log_softmax(z, dim=1)).sum(dim=1)  # (B,)
        else:
            error = functional.binary_cross_entropy_with_logits(z, one_hot, reduction="none").sum(dim=1)
        errors.append(error[counts[t]])
    return torch.cat(errors).mean(), [torch.stack(layer) for layer in sums]


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


def _recurrences(weights: Weights, sums: list[Tensor], hidden_activation: str) -> list[Recurrence]:
    found = []
    for layer, a in enumerate(sums):
        W = weights[f"cells.{layer}.W"].detach()
        W_h = W[:, : len(W)].numpy()  # (H, H)
        at = a.detach().requires_grad_()
        (slope,) = torch.autograd.grad(ACTIVATIONS[hidden_activation](at).sum(), at)
        found.append(
            Recurrence(
                layer=layer + 1,
                spectral_radius=float(np.abs(np.linalg.eigvals(W_h)).max()),
                mean_slope=float(slope.abs().mean()),
                factor=_factor_of_a_step_back(W_h, slope.numpy()),
            )
        )
    return found


def _factor_of_a_step_back(W_h: Floats, slopes: Floats) -> float:
    """Follow a random gradient back through a window; W_h (H, H), slopes f'(a_t) (T, B, H).

    The first half of the way lets it turn into the direction that fades least; the second half is measured. Its
    logarithm is the largest Lyapunov exponent of the window (Engelken, Wolf, Abbott, arXiv:2006.02427).
    """
    T, B, H = slopes.shape
    gradient = np.random.default_rng(0).standard_normal((B, H))
    logarithms = []
    for t in reversed(range(T)):
        gradient = (gradient * slopes[t]) @ W_h  # (B, H)
        lengths = np.linalg.norm(gradient, axis=1, keepdims=True)  # (B, 1)
        if not lengths.all():
            return 0.0
        gradient /= lengths
        if t <= T // 2:
            logarithms.append(np.log(lengths))
    return float(np.exp(np.mean(logarithms)))
