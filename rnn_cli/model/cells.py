"""Recurrent cells, one step each: `(x_t, h_{t-1}) -> h_t`. State comes in and goes out; no cell keeps any."""

import math

import torch
from torch import Tensor, nn

from rnn_cli.model.activations import ACTIVATIONS

MEMORY_INPUT_SCALE = 8.0
"""How much wider the input columns of the slow half start. On `corpora/favourites`, 1 does not take off."""


class ElmanCell(nn.Module):
    """The plain recurrent network of the textbook.

        h_t = f(W · [h_{t-1}, x_t] + b)

    Source: J. L. Elman, "Finding Structure in Time", Cognitive Science 14 (1990).

    Parameters:
        W: (H, H + E), columns in the order of the brackets: the first H read the state, the last E the input.
        b: (H,).
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        activation: str = "tanh",
        recurrent_init: str = "orthogonal",
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.activation = activation
        self.f = ACTIVATIONS[activation]
        self.W = nn.Parameter(torch.empty(hidden_size, hidden_size + input_size))
        self.b = nn.Parameter(torch.zeros(hidden_size))
        self.initialise(recurrent_init)

    @torch.no_grad()
    def initialise(self, recurrent_init: str) -> None:
        """Set W's recurrent columns as asked for and its input columns to keep the input's variance; b to zero.

        orthogonal, identity: all singular values are 1, so that at the start a gradient neither vanishes nor
            explodes on its way back through W (Le, Jaitly, Hinton, arXiv:1504.00941, for relu with identity).
        half_identity: the first half of the units hold what they have and add each input to it, a slow memory;
            the other half see the last input only (after Mikolov et al., "Learning Longer Memory in Recurrent
            Neural Networks", arXiv:1412.7753). The memory's input columns are wide: what it holds must stand
            out from all that is added later.
        uniform: between -1/√H and 1/√H.
        """
        H = self.hidden_size
        recurrent, inputs = self.W[:, :H], self.W[:, H:]
        bound = math.sqrt(3 / self.input_size)
        inputs.uniform_(-bound, bound)
        self.b.zero_()
        if recurrent_init == "identity":
            recurrent.copy_(torch.eye(H))
        elif recurrent_init == "half_identity":
            recurrent.copy_(torch.diag((torch.arange(H) < H // 2).to(recurrent.dtype)))
            inputs[: H // 2] *= MEMORY_INPUT_SCALE
        elif recurrent_init == "orthogonal":
            nn.init.orthogonal_(recurrent)
        else:
            recurrent.uniform_(-1 / math.sqrt(H), 1 / math.sqrt(H))

    def forward(self, x_t: Tensor, h_prev: Tensor) -> Tensor:
        """One step: x_t (B, E) and h_{t-1} (B, H) give h_t (B, H)."""
        h_and_x = torch.cat([h_prev, x_t], dim=1)  # (B, H + E)
        return self.f(h_and_x @ self.W.T + self.b)  # (B, H)
