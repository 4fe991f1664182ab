"""The derivative f'(a) of every activation f that a network may have, in NumPy.

Each takes a = W·[h_{t-1}, x_t] + b and returns an array of its shape. At a kink, where no derivative is, they take
the side that torch takes.
"""

import math

import numpy as np

from rnn_cli.inference.activations import (
    LEAKY_SLOPE,
    SELU_ALPHA,
    SELU_SCALE,
    SHRINK_LIMIT,
    Activation,
    Floats,
    sigmoid,
    softplus,
)


def tanh(a: Floats) -> Floats:
    """1 - tanh(a)²."""
    return 1 - np.tanh(a) ** 2


def logistic(a: Floats) -> Floats:
    """Of sigmoid: s · (1 - s)."""
    return sigmoid(a) * sigmoid(-a)


def within(low: float, high: float, slope: float = 1.0) -> Activation:
    """Of an f that is a straight line between two limits and level beyond them."""
    return lambda a: slope * ((a > low) & (a < high)).astype(a.dtype)


def outside(limit: float) -> Activation:
    """Of an f that is level from -limit to limit and a straight line beyond."""
    return lambda a: (np.abs(a) > limit).astype(a.dtype)


def elu(a: Floats) -> Floats:
    """1 above 0, e^a below."""
    return np.exp(np.minimum(a, 0))


def selu(a: Floats) -> Floats:
    """scale · (1 above 0, alpha · e^a below)."""
    return SELU_SCALE * np.where(a > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(a, 0)))


def gelu(a: Floats) -> Floats:
    """Φ(a) + a · φ(a), φ the density of the normal distribution Φ."""
    distribution = 0.5 * np.vectorize(math.erfc, otypes=[np.float64])(-a / math.sqrt(2))
    return np.asarray(distribution + a * np.exp(-a * a / 2) / math.sqrt(2 * math.pi))


def silu(a: Floats) -> Floats:
    """s · (1 + a · (1 - s)), s = sigmoid(a)."""
    return sigmoid(a) * (1 + a * sigmoid(-a))


def mish(a: Floats) -> Floats:
    """u + a · (1 - u²) · sigmoid(a), u = tanh(softplus(a))."""
    u = np.tanh(softplus(a))
    return np.asarray(u + a * (1 - u * u) * sigmoid(a))


def softsign(a: Floats) -> Floats:
    """1 / (1 + |a|)²."""
    scale: Floats = (1 + np.abs(a)) ** 2
    return 1 / scale


def hardswish(a: Floats) -> Floats:
    """0 below -3, 1 above 3, a / 3 + 1/2 between."""
    return np.asarray(np.where(a <= -3, 0.0, np.where(a >= 3, 1.0, a / 3 + 0.5)))


SLOPES: dict[str, Activation] = {
    "tanh": tanh,
    "relu": within(0, np.inf),
    "sigmoid": logistic,
    "identity": np.ones_like,
    "relu6": within(0, 6),
    "elu": elu,
    "selu": selu,
    "celu": elu,  # the same function at torch's default alpha = 1
    "gelu": gelu,
    "silu": silu,
    "mish": mish,
    "softplus": sigmoid,
    "softsign": softsign,
    "leaky_relu": lambda a: np.where(a > 0, 1.0, LEAKY_SLOPE),
    "hardtanh": within(-1, 1),
    "hardsigmoid": within(-3, 3, 1 / 6),
    "hardswish": hardswish,
    "logsigmoid": lambda a: sigmoid(-a),
    "tanhshrink": lambda a: np.tanh(a) ** 2,
    "softshrink": outside(SHRINK_LIMIT),
    "hardshrink": outside(SHRINK_LIMIT),
}
"""The names are those of `inference.activations.ACTIVATIONS`."""
