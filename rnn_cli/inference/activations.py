"""What `f` may be in `h_t = f(W·[h_{t-1}, x_t] + b)`, in NumPy: the names, and the values, of torch's functions.

Each takes an array of float32 or float64 and returns one of the same shape and type. Parameters (slopes, limits)
are torch's defaults. None of them overflows on the way to a result that a float can hold.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Activation = Callable[[Floats], Floats]

SELU_ALPHA = (
    1.6732632423543772  # Klambauer et al., arXiv:1706.02515: the fixed point at mean 0 and variance 1
)
SELU_SCALE = 1.0507009873554805
LEAKY_SLOPE = 0.01
SHRINK_LIMIT = 0.5


def identity(x: Floats) -> Floats:
    """f(x) = x: the linear recurrent network."""
    return x


def relu(x: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(x, 0)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x), written with e^-|x|, which cannot overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def relu6(x: Floats) -> Floats:
    """min(max(x, 0), 6)."""
    return np.clip(x, 0, 6)


def elu(x: Floats) -> Floats:
    """x above 0, e^x - 1 below."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def selu(x: Floats) -> Floats:
    """scale · (x above 0, alpha · (e^x - 1) below)."""
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def gelu(x: Floats) -> Floats:
    """x · Φ(x), Φ the normal distribution."""
    return x * (0.5 * (1 + _erf(np.clip(x, -20, 20) / math.sqrt(2)))).astype(x.dtype)


def silu(x: Floats) -> Floats:
    """x · sigmoid(x)."""
    return x * sigmoid(x)


def softplus(x: Floats) -> Floats:
    """ln(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def mish(x: Floats) -> Floats:
    """x · tanh(softplus(x))."""
    return x * np.tanh(softplus(x))


def softsign(x: Floats) -> Floats:
    """x / (1 + |x|)."""
    scale: Floats = 1 + np.abs(x)
    return x / scale


def leaky_relu(x: Floats) -> Floats:
    """x above 0, x / 100 below."""
    return np.where(x > 0, x, LEAKY_SLOPE * x)


def hardtanh(x: Floats) -> Floats:
    """x, cut at -1 and 1."""
    return np.clip(x, -1, 1)


def hardsigmoid(x: Floats) -> Floats:
    """x / 6 + 1/2, cut at 0 and 1."""
    return np.clip(x + 3, 0, 6) / 6


def hardswish(x: Floats) -> Floats:
    """x · hardsigmoid(x)."""
    return x * hardsigmoid(x)


def logsigmoid(x: Floats) -> Floats:
    """ln(sigmoid(x))."""
    return -softplus(-x)


def tanhshrink(x: Floats) -> Floats:
    """x - tanh(x)."""
    return x - np.tanh(x)


def softshrink(x: Floats) -> Floats:
    """x, drawn towards 0 by 1/2."""
    return x - np.clip(x, -SHRINK_LIMIT, SHRINK_LIMIT)


def hardshrink(x: Floats) -> Floats:
    """x, but 0 from -1/2 to 1/2."""
    return np.where(np.abs(x) > SHRINK_LIMIT, x, np.zeros_like(x))


def _erf(x: Floats) -> Floats:
    """The error function, to 1.5e-7. Source: Abramowitz and Stegun, formula 7.1.26; float64 inside."""
    z = np.abs(x).astype(np.float64)
    t = 1 / (1 + 0.3275911 * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - series * np.exp(-z * z))


ACTIVATIONS: dict[str, Activation] = {
    "tanh": np.tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "identity": identity,
    "relu6": relu6,
    "elu": elu,
    "selu": selu,
    "celu": elu,  # the same function at torch's default alpha = 1
    "gelu": gelu,
    "silu": silu,
    "mish": mish,
    "softplus": softplus,
    "softsign": softsign,
    "leaky_relu": leaky_relu,
    "hardtanh": hardtanh,
    "hardsigmoid": hardsigmoid,
    "hardswish": hardswish,
    "logsigmoid": logsigmoid,
    "tanhshrink": tanhshrink,
    "softshrink": softshrink,
    "hardshrink": hardshrink,
}
