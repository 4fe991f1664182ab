"""Recurrent cells, one step each: `(x_t, h_{t-1}) -> h_t`. State comes in and goes out; no cell keeps any."""

import math

import torch
from torch import Tensor, nn

from rnn_cli.model.activations import ACTIVATIONS


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

        Orthogonal and identity columns have all singular values at 1: at the start a gradient neither vanishes
        nor explodes on its way back through W (Le, Jaitly, Hinton, arXiv:1504.00941, for relu with identity).
        """
        recurrent, inputs = self.W[:, : self.hidden_size], self.W[:, self.hidden_size :]
        if recurrent_init == "identity":
            recurrent.copy_(torch.eye(self.hidden_size))
        elif recurrent_init == "orthogonal":
            recurrent.copy_(nn.init.orthogonal_(torch.empty(self.hidden_size, self.hidden_size)))
        else:
            bound = 1 / math.sqrt(self.hidden_size)
            recurrent.uniform_(-bound, bound)
        bound = math.sqrt(3 / self.input_size)
        inputs.uniform_(-bound, bound)
        self.b.zero_()

    def forward(self, x_t: Tensor, h_prev: Tensor) -> Tensor:
        """One step: x_t (B, E) and h_{t-1} (B, H) give h_t (B, H)."""
        h_and_x = torch.cat([h_prev, x_t], dim=1)  # (B, H + E)
        return self.f(h_and_x @ self.W.T + self.b)  # (B, H)
