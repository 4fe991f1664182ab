"""The network's equations written out once more, in torch, for gradients that owe nothing to the model's own code.

Autograd goes through what is written here as one graph. Every name is that of the docstrings in `model.cells`.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from rnn_cli.model.activations import ACTIVATIONS
from rnn_cli.model.language_model import LAYER_NORM_EPSILON
from rnn_cli.text.streams import Window

Weights = Mapping[str, Tensor]
"""All weights of a network by their names, or those of one layer by their letters."""

Step = tuple[Tensor, Tensor]
"""The state after a step, (B, S), and what says how much of a gradient it lets through, (B, H): a of f(a), z of a
GRU, f of the LSTMs."""

F = Callable[[Tensor], Tensor]


def elman(weights: Weights, x: Tensor, h: Tensor, f: F) -> Step:
    """h_t = f(W · [h_{t-1}, x_t] + b)."""
    a = torch.cat([h, x], dim=1) @ weights["W"].T + weights["b"]
    return f(a), a


def indrnn(weights: Weights, x: Tensor, h: Tensor, f: F) -> Step:
    """h_t = f(W · x_t + u ⊙ h_{t-1} + b)."""
    a = x @ weights["W"].T + weights["u"] * h + weights["b"]
    return f(a), a


def gru(weights: Weights, x: Tensor, h: Tensor, _: F) -> Step:
    """h_t = z ⊙ h_{t-1} + (1 - z) ⊙ tanh(r ⊙ (W_nh · h_{t-1}) + W_nx · x_t + b_n)."""
    H = h.shape[1]
    W_r, W_z, W_n = weights["W"].view(3, H, -1)
    b_r, b_z, b_n = weights["b"].view(3, H)
    both = torch.cat([h, x], dim=1)
    r = torch.sigmoid(both @ W_r.T + b_r)
    z = torch.sigmoid(both @ W_z.T + b_z)
    n = torch.tanh(r * (h @ W_n[:, :H].T) + x @ W_n[:, H:].T + b_n)
    return z * h + (1 - z) * n, z


def lstm(weights: Weights, x: Tensor, state: Tensor, _: F) -> Step:
    """s_t = f ⊙ s_{t-1} + i ⊙ g, h_t = o ⊙ tanh(s_t); the state is [h_t, s_t]."""
    H = state.shape[1] // 2
    h, s = state[:, :H], state[:, H:]
    both = torch.cat([h, x], dim=1)
    a_i, a_f, a_g, a_o = (
        both @ W.T + b for W, b in zip(weights["W"].view(4, H, -1), weights["b"].view(4, H), strict=True)
    )
    i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
    s = f * s + i * g
    return torch.cat([o * torch.tanh(s), s], dim=1), f


def mogrifier(weights: Weights, x: Tensor, state: Tensor, f: F) -> Step:
    """x ← 2σ(M_r · h) ⊙ x and h ← 2σ(M_r · x) ⊙ h in turn, M_r = L_r · R_rᵀ; then the step of an LSTM."""
    E, H = x.shape[1], state.shape[1] // 2
    h, s = state[:, :H], state[:, H:]
    lefts, rights = torch.split(weights["L"], [E, H, E, H, E]), torch.split(weights["R"], [H, E, H, E, H])
    M_0, M_1, M_2, M_3, M_4 = (L_r @ R_r.T for L_r, R_r in zip(lefts, rights, strict=True))
    x = 2 * torch.sigmoid(h @ M_0.T) * x
    h = 2 * torch.sigmoid(x @ M_1.T) * h
    x = 2 * torch.sigmoid(h @ M_2.T) * x
    h = 2 * torch.sigmoid(x @ M_3.T) * h
    x = 2 * torch.sigmoid(h @ M_4.T) * x
    return lstm(weights, x, torch.cat([h, s], dim=1), f)


EQUATIONS = {"elman": elman, "gru": gru, "lstm": lstm, "mogrifier": mogrifier, "indrnn": indrnn}
GATES = {"gru": "rzn", "lstm": "ifgo", "mogrifier": "ifgo"}
"""The blocks of rows of W and b, in their order; other cells have one."""
STATE_PARTS = {"lstm": 2, "mogrifier": 2}
"""Of H columns each; other cells have one."""
SKIPPING = frozenset({"indrnn"})
"""Cells whose layer above reads h_t + x_t, where the two are of one size."""


class Layer:
    """One layer of the network, and what it read in a window.

    Attributes:
        hidden_size: H.
        steps: x_t (B, E) and state_{t-1} (B, S) of each step.
    """

    def __init__(self, cell: str, weights: Weights, hidden_activation: str, streams: int) -> None:
        self.weights = weights
        self.hidden_size = len(weights["b"]) // len(GATES.get(cell, "h"))
        self.steps: list[tuple[Tensor, Tensor]] = []
        self._state = weights["b"].new_zeros(streams, STATE_PARTS.get(cell, 1) * self.hidden_size)
        self._equation = EQUATIONS[cell]
        self._f = ACTIVATIONS[hidden_activation]

    def after(self, x: Tensor, state: Tensor) -> Step:
        """One step from any state."""
        return self._equation(self.weights, x, state, self._f)

    def slope(self, a: Tensor) -> Tensor:
        """f'(a), by autograd."""
        at = a.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self._f(at).sum(), at)
        return slope

    def read(self, x: Tensor) -> Tensor:
        """One step from the state before it: x_t (B, E) gives h_t (B, H)."""
        self.steps.append((x, self._state))
        self._state, _ = self.after(x, self._state)
        return self._state[:, : self.hidden_size]


def written_out(
    weights: Weights, window: Window, *, cell: str, hidden_activation: str, output_activation: str
) -> tuple[Tensor, list[Layer]]:
    """The mean objective of a window by the equations, in nats per token, and the layers, lowest first."""
    V = weights.get("V", weights["embedding"])
    words, came = torch.from_numpy(window.inputs), torch.from_numpy(window.targets)  # (T, B)
    T, B = words.shape
    counts = torch.ones(T, B, dtype=torch.bool) if window.mask is None else torch.from_numpy(window.mask)
    count = sum(name.endswith(".b") for name in weights)
    layers = [Layer(cell, _of_layer(weights, number), hidden_activation, B) for number in range(count)]
    errors = []
    for t in range(T):
        x = weights["embedding"][words[t]]  # (B, E)
        for number, layer in enumerate(layers):
            h = layer.read(x)  # (B, H)
            up = _normed(weights, number, h)
            x = up + x if cell in SKIPPING and h.shape == x.shape else up  # of the layer above
        out = up @ weights["P"].T if "P" in weights else up  # (B, H), or (B, E) where V reads P · h_t
        z = out @ V.T + weights["c"]  # (B, vocab_size)
        one_hot = functional.one_hot(came[t], z.shape[1]).to(z.dtype)
        if output_activation == "softmax":
            error = -(one_hot * torch.log_softmax(z, dim=1)).sum(dim=1)  # (B,)
        else:
            error = functional.binary_cross_entropy_with_logits(z, one_hot, reduction="none").sum(dim=1)
        errors.append(error[counts[t]])
    return torch.cat(errors).mean(), layers


def _normed(weights: Weights, number: int, h: Tensor) -> Tensor:
    """gain ⊙ (h - mean) / √(variance + ε) + shift, where the layer has them; (B, H)."""
    if f"norms.{number}.gain" not in weights:
        return h
    centred = h - h.mean(dim=1, keepdim=True)
    deviation = (centred.square().mean(dim=1, keepdim=True) + LAYER_NORM_EPSILON).sqrt()
    return weights[f"norms.{number}.gain"] * centred / deviation + weights[f"norms.{number}.shift"]


def _of_layer(weights: Weights, number: int) -> Weights:
    prefix = f"cells.{number}."
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
