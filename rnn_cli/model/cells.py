"""Recurrent cells, one step each: `(x_t, state) -> state`. State comes in and goes out; no cell keeps any.

The state of a cell is one tensor (B, S) whose first H columns are h_t, what the layer above and the output read.
S = H for all but the LSTMs, which have s_t behind them: S = 2H. Here are the cells without gates; those with gates
are in `gated_cells`.
"""

import copy
import math
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from rnn_cli.model.activations import ACTIVATIONS

MEMORY_INPUT_SCALE = 8.0
"""How much wider the input columns of the slow half start. On `corpora/favourites`, 1 does not take off."""


class Cell(nn.Module):
    """What every cell has.

    Attributes:
        input_size: units of x_t, E.
        hidden_size: units of h_t, H.
        state_size: columns of the state, S.
        skips: whether the layer above reads h_t + x_t in place of h_t, where the two are of one size.
    """

    W: Tensor
    b: Tensor
    skips = False

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.state_size = hidden_size

    def forward(self, x_t: Tensor, state: Tensor) -> Tensor:
        """One step: x_t (B, E) and the state before it (B, S) give the state after it, (B, S)."""
        raise NotImplementedError

    def constrain(self) -> None:
        """Bring the parameters back into the bounds that they have; called after each update."""

    def recurrent_weights(self) -> Tensor:
        """The weights that read h_{t-1}: the first H columns of W."""
        return self.W[:, : self.hidden_size]

    def with_recurrent(self, factors: Tensor) -> Self:
        """This cell with the weights that read h_{t-1} multiplied by factors of their shape.

        A gradient through it reaches this cell's own parameters.
        """
        weights = [self.recurrent_weights() * factors, self.W[:, self.hidden_size :]]
        return self.with_weights({"W": torch.cat(weights, dim=1)})

    def weights(self) -> dict[str, Tensor]:
        """All that is learned, by its name in the equation."""
        return {name: getattr(self, name) for name in ("W", "u", "b", "L", "R") if hasattr(self, name)}

    def with_weights(self, weights: Mapping[str, Tensor]) -> Self:
        """A copy that shares all other parameters. (Threads read side by side: the cell itself stays as it is.)"""
        twin = copy.copy(self)
        twin._parameters = {key: value for key, value in self._parameters.items() if key not in weights}
        for name, weight in weights.items():
            setattr(twin, name, weight)
        return twin


class ElmanCell(Cell):
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
        super().__init__(input_size=input_size, hidden_size=hidden_size)
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


class IndRNNCell(Cell):
    """The independently recurrent network: each unit remembers itself alone, with one weight in place of a matrix.

        h_t = f(W · x_t + u ⊙ h_{t-1} + b)

    Units meet in the layer above, so that it wants several layers. `skips` lets a gradient pass them. Batch
    normalisation, which the papers put between layers, is left out: it would tie a text's figures to its neighbours.

    |u| is kept at or below γ = 2^(1/T) by clamping it after each update: over T steps a state no more than doubles
    by itself. A state that is carried on without end may grow without end under any γ above 1, so T = None makes
    it 1.

    Source: S. Li et al., "Independently Recurrent Neural Network (IndRNN): Building A Longer and Deeper RNN",
    arXiv:1803.04831; with skip connections "Deep Independently Recurrent Neural Network (IndRNN)", arXiv:1910.06251.

    Parameters:
        W: (H, E).
        u: (H,), between -γ and γ; starts evenly spread from 0 to γ, so that some units forget soon, some never.
        b: (H,).
    """

    skips = True

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        activation: str = "relu",
        memory_steps: int | None = None,
    ) -> None:
        """Make the cell; `memory_steps` is T: how many steps a state lives, None for without end."""
        super().__init__(input_size=input_size, hidden_size=hidden_size)
        self.activation = activation
        self.f = ACTIVATIONS[activation]
        self.largest_u = 1.0 if memory_steps is None else 2 ** (1 / memory_steps)
        bound = math.sqrt(3 / input_size)
        self.W = nn.Parameter(torch.empty(hidden_size, input_size).uniform_(-bound, bound))
        self.u = nn.Parameter(torch.empty(hidden_size).uniform_(0, self.largest_u))
        self.b = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x_t: Tensor, h_prev: Tensor) -> Tensor:
        """One step: x_t (B, E) and h_{t-1} (B, H) give h_t (B, H)."""
        return self.f(x_t @ self.W.T + self.u * h_prev + self.b)  # (B, H)

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep each u between -γ and γ."""
        self.u.clamp_(-self.largest_u, self.largest_u)

    def recurrent_weights(self) -> Tensor:
        """The weights that read h_{t-1}: u, (H,)."""
        return self.u

    def with_recurrent(self, factors: Tensor) -> Self:
        """See `Cell`."""
        return self.with_weights({"u": self.u * factors})
