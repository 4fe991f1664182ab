"""Muon: momentum for matrices whose every update has all singular values near 1.

torch has it too, but makes its products in bfloat16 everywhere. A CPU that has no such products imitates them, twenty
times as slowly as float32; so here they are made in what the device multiplies in.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from rnn_cli.training.device import has_bfloat16_products

MOMENTUM = 0.95
STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that pulls small singular values up fastest; it leaves all of them between 0.5 and 1.5."""

SIZE = 0.2
"""The root mean square of an update of AdamW, in learning rates (arXiv:2502.16982)."""


class Muon(torch.optim.Optimizer):
    """For each matrix W of shape (m, n), with g = ∂Loss/∂W and the learning rate η:

        B := μ B + (1 - μ) g
        W := W - η (λ W + 0.2 √max(m, n) · O),  O ≈ U Vᵀ where (1 - μ) g + μ B = U Σ Vᵀ

    The factor gives an update the size that one of AdamW has, so that it takes AdamW's learning rate.

    Source: K. Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024); the size: arXiv:2502.16982.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], *, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": 0.0, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            for W in group["params"]:
                if W.grad is None:
                    continue
                state = self.state[W]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(W)
                B = state["momentum_buffer"].lerp_(W.grad, 1 - MOMENTUM)
                update = orthogonalised(W.grad.lerp(B, MOMENTUM), _product_dtype(W.device))
                W.mul_(1 - group["lr"] * group["weight_decay"])
                W.add_(update, alpha=-group["lr"] * SIZE * math.sqrt(max(W.shape)))


def orthogonalised(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """U Vᵀ of a matrix U Σ Vᵀ (m, n), nearly: five steps of Newton and Schulz's iteration in products of `dtype`."""
    a, b, c = COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    X = (matrix if wide else matrix.T).to(dtype)
    X = X / X.norm().clamp(min=1e-7)  # no singular value above 1
    for _ in range(STEPS):
        gram = X @ X.T
        X = torch.addmm(X, torch.addmm(gram, gram, gram, beta=b, alpha=c), X, beta=a)
    return (X if wide else X.T).to(matrix.dtype)


def _product_dtype(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if has_bfloat16_products(device) else torch.float32
