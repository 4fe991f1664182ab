"""What `f` may be in `h_t = f(W · [h_{t-1}, x_t] + b)`: each of torch's element-wise functions under one name."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Activation = Callable[[Tensor], Tensor]


def identity(x: Tensor) -> Tensor:
    """f(x) = x: the linear recurrent network."""
    return x


ACTIVATIONS: dict[str, Activation] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": identity,
    "relu6": functional.relu6,
    "elu": functional.elu,
    "selu": functional.selu,
    "celu": functional.celu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "leaky_relu": functional.leaky_relu,
    "hardtanh": functional.hardtanh,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "logsigmoid": functional.logsigmoid,
    "tanhshrink": functional.tanhshrink,
    "softshrink": functional.softshrink,
    "hardshrink": functional.hardshrink,
}


def tanh_into(a: Tensor, out: Tensor) -> Tensor:
    """tanh a = 2 σ(2a) - 1: torch's own tanh takes five times as long as its sigmoid."""
    return torch.sigmoid(torch.mul(a, 2, out=out), out=out).mul_(2).sub_(1)


INTO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": tanh_into,
    "relu": lambda a, out: torch.clamp(a, min=0, out=out),
    "sigmoid": lambda a, out: torch.sigmoid(a, out=out),
    "identity": lambda a, out: out.copy_(a),
}
"""h = f(a), written into a tensor that is there already."""

DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).to(h.dtype),
    "sigmoid": lambda h: h * (1 - h),
    "identity": torch.ones_like,
}
"""f'(a) written in terms of h = f(a). Other derivatives cannot be read off the value."""
