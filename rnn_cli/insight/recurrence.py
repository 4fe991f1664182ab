"""What a step back in time does to a gradient: what the weights alone say of it, and what it came to in a window."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnn_cli.insight.equations import GATES, Layer

WAYS_BACK = {
    "elman": (
        "A step back multiplies by f' and by W_h. The spectral radius ρ(W_h) is what many products with W_h come "
        "to, each: above 1 they grow and a gradient may explode, below 1 they shrink and it vanishes; f' below 1 "
        "takes from every step."
    ),
    "gru": (
        "A step back has two ways. The share z goes straight into the state before and keeps its size where z is "
        "near 1, whatever W is. The rest goes through the blocks of W, most of all the candidate's, W_nh: where its "
        "spectral radius ρ is above 1 and z leaves it room, a gradient may explode; where both are small, it "
        "vanishes."
    ),
    "lstm": (
        "A step back has two ways. What the cell holds, s, hands the share f of its gradient straight on and keeps "
        "it where f is near 1, whatever W is. The rest goes through the blocks of W, each behind a gate's slope: "
        "where a spectral radius ρ, most of all the candidate's, ρ(W_gh), is far above 1, a gradient may explode "
        "beside it; where f is small, it vanishes."
    ),
    "mogrifier": (
        "A step back has two ways, as in an LSTM. What the cell holds, s, hands the share f of its gradient straight "
        "on and keeps it where f is near 1, whatever W is. The rest goes through the blocks of W, and then through "
        "the rounds in which the state and the input scale each other, each by 2σ, which lies between 0 and 2."
    ),
    "indrnn": (
        "Each unit goes back alone: k steps multiply its gradient by u^k, and by f' at each. So the largest |u| "
        "takes the place of the spectral radius: above 1 a gradient may explode; a unit with a small |u| forgets, "
        "its gradient vanishes."
    ),
}
"""What a step back is made of and what that means, by cell. Sources: Pascanu, Mikolov, Bengio, arXiv:1211.5063,
section 2; for gates Gers, Schmidhuber, Cummins, "Learning to Forget" (2000); for u Li et al., arXiv:1803.04831."""


@dataclass(frozen=True)
class Recurrence:
    """What one step back in time does to a gradient in one layer.

    Attributes:
        weights: what the recurrent weights alone say, by its name: ρ, the largest |eigenvalue|, of W's recurrent
            columns, block by block where there are gates; of u the largest and the mean |u|.
        lets_through: the name of what the steps let through: f', z of a GRU, f of the LSTMs.
        mean: of it over the window, of f' without its sign.
        factor: what a step back really multiplied the length of a gradient by in this window, the geometric mean; a
            gradient in the direction that fades least. The gradient is that of all that the cell keeps.
    """

    layer: int
    weights: dict[str, float]
    lets_through: str
    mean: float
    factor: float

    def meaning(self) -> str:
        """What the factor comes to, in words."""
        if self.factor == 0:
            return "vanishes at once: nothing is learnt from the step before"
        in_a_step = math.log(self.factor)  # the factor to the power of 100 may be too large for a float
        if abs(100 * in_a_step) <= math.log(2):
            return f"keeps its size: times {math.exp(100 * in_a_step):.2g} in 100 steps"
        steps = max(1, round(math.log(10) / abs(in_a_step)))
        if self.factor < 1:
            return f"vanishes: a tenth is left after {steps:,} step{'s' if steps > 1 else ''}"
        return f"explodes: tenfold after {steps:,} step{'s' if steps > 1 else ''}, unless it is clipped"


def recurrence(number: int, layer: Layer, cell: str) -> Recurrence:
    """Measure a layer that has read a window; `number` counts from 1."""
    name = {"gru": "z", "lstm": "f", "mogrifier": "f"}.get(cell, "f'")
    shares = []
    for x, state in layer.steps:
        _, passing = layer.after(x.detach(), state.detach())
        shares.append(passing.detach() if cell in GATES else layer.slope(passing.detach()))
    return Recurrence(
        layer=number,
        weights=_of_weights(layer, cell),
        lets_through=name,
        mean=float(torch.stack(shares).abs().mean()),
        factor=_factor_of_a_step_back(layer),
    )


def _of_weights(layer: Layer, cell: str) -> dict[str, float]:
    if "u" in layer.weights:
        sizes = layer.weights["u"].detach().abs()
        return {"max |u|": float(sizes.max()), "mean |u|": float(sizes.mean())}
    H = layer.hidden_size
    W_h = layer.weights["W"].detach()[:, :H]  # (gates · H, H)
    blocks = torch.split(W_h, H)
    return {
        f"ρ(W_{gate}h)": _spectral_radius(block)
        for gate, block in zip(GATES.get(cell, [""]), blocks, strict=True)
    }


def _spectral_radius(matrix: Tensor) -> float:
    return float(np.abs(np.linalg.eigvals(matrix.numpy())).max())


def _factor_of_a_step_back(layer: Layer) -> float:
    """Follow a random gradient back through the window, step by step.

    The first half of the way lets it turn into the direction that fades least; the second half is measured. Its
    logarithm is the largest Lyapunov exponent of the window (Engelken, Wolf, Abbott, arXiv:2006.02427).
    """
    T = len(layer.steps)
    _, first = layer.steps[0]
    gradient = torch.from_numpy(np.random.default_rng(0).standard_normal(tuple(first.shape)))  # (B, S)
    logarithms = []
    for t in reversed(range(T)):
        x, state = (part.detach() for part in layer.steps[t])
        state.requires_grad_()
        after, _ = layer.after(x, state)
        (gradient,) = torch.autograd.grad(after, state, gradient)  # (B, S)
        lengths = gradient.norm(dim=1, keepdim=True)  # (B, 1)
        if not lengths.all():
            return 0.0
        gradient = gradient / lengths
        if t <= T // 2:
            logarithms.append(lengths.log())
    return float(torch.stack(logarithms).mean().exp())
