"""Recurrent cells with gates, one step each. See `cells`."""

import math

import torch
from torch import Tensor, nn

from rnn_cli.model.cells import Cell


class GRUCell(Cell):
    """The gated recurrent unit: one gate says how much of the state stays, one how much of it the news depend on.

        r_t = σ(W_r · [h_{t-1}, x_t] + b_r)                             reset
        z_t = σ(W_z · [h_{t-1}, x_t] + b_z)                             update
        n_t = tanh(r_t ⊙ (W_nh · h_{t-1}) + W_nx · x_t + b_n)           new, with W_n = [W_nh, W_nx]
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ n_t

    Of the two variants this is the one that resets after the product (arXiv:1406.1078v1), so that one product with
    h_{t-1} serves r, z and n.

    Source: K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation", arXiv:1406.1078 (2014).

    Parameters:
        W: (3H, H + E), rows in the order r, z, n; columns as in `ElmanCell`.
        b: (3H,), in the same order.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size=input_size, hidden_size=hidden_size)
        self.W = nn.Parameter(torch.empty(3 * hidden_size, hidden_size + input_size))
        self.b = nn.Parameter(torch.zeros(3 * hidden_size))
        start_gates(self.W, hidden_size)

    def forward(self, x_t: Tensor, h_prev: Tensor) -> Tensor:
        """One step: x_t (B, E) and h_{t-1} (B, H) give h_t (B, H)."""
        H = self.hidden_size
        r_h, z_h, n_h = (h_prev @ self.W[:, :H].T).chunk(3, dim=1)  # (B, H) each
        r_x, z_x, n_x = (x_t @ self.W[:, H:].T + self.b).chunk(3, dim=1)  # (B, H) each
        r_t = torch.sigmoid(r_h + r_x)
        z_t = torch.sigmoid(z_h + z_x)
        n_t = torch.tanh(r_t * n_h + n_x)
        return z_t * h_prev + (1 - z_t) * n_t


class LSTMCell(Cell):
    """Long short-term memory: what it holds, s_t, is only ever added to and scaled; three gates stand around it.

        i_t = σ(W_i · [h_{t-1}, x_t] + b_i)                             input gate
        f_t = σ(W_f · [h_{t-1}, x_t] + b_f)                             forget gate
        g_t = tanh(W_g · [h_{t-1}, x_t] + b_g)                          what may be let in
        o_t = σ(W_o · [h_{t-1}, x_t] + b_o)                             output gate
        s_t = f_t ⊙ s_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(s_t)

    s_t is often called c_t; here c belongs to the output. The state is [h_t, s_t], (B, 2H). b_f starts at 1, so
    that at the start most is held (Jozefowicz, Zaremba, Sutskever, "An Empirical Exploration of Recurrent Network
    Architectures", 2015).

    Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997); the forget gate
    from F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to Forget", Neural Computation 12 (2000).

    Parameters:
        W: (4H, H + E), rows in the order i, f, g, o; columns as in `ElmanCell`.
        b: (4H,), in the same order.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size=input_size, hidden_size=hidden_size)
        self.state_size = 2 * hidden_size
        self.W = nn.Parameter(torch.empty(4 * hidden_size, hidden_size + input_size))
        start_gates(self.W, hidden_size)
        self.b = nn.Parameter(torch.zeros(4 * hidden_size))
        with torch.no_grad():
            self.b[hidden_size : 2 * hidden_size] = 1.0

    def forward(self, x_t: Tensor, state: Tensor) -> Tensor:
        """One step: x_t (B, E) and [h_{t-1}, s_{t-1}] (B, 2H) give [h_t, s_t], (B, 2H)."""
        h_prev, s_prev = state.chunk(2, dim=1)  # (B, H) each
        h_and_x = torch.cat([h_prev, x_t], dim=1)  # (B, H + E)
        i, f, g, o = (h_and_x @ self.W.T + self.b).chunk(4, dim=1)  # (B, H) each
        s_t = torch.sigmoid(f) * s_prev + torch.sigmoid(i) * torch.tanh(g)
        h_t = torch.sigmoid(o) * torch.tanh(s_t)
        return torch.cat([h_t, s_t], dim=1)  # (B, 2H)


ROUNDS = 5
"""How often the input and the state of a `MogrifierCell` scale each other before a step; the paper's best."""

RANK = 64
"""The largest rank of a `MogrifierCell`'s M_r."""


class MogrifierCell(LSTMCell):
    """An LSTM whose input and state scale each other before each step, in turn, `ROUNDS` times.

        v_0 = x_t,  v_1 = h_{t-1}
        v_{r+2} = 2σ(M_r · v_{r+1}) ⊙ v_r  with  M_r = L_r · R_rᵀ,  r = 0 .. 4

    and the step of `LSTMCell` reads v_6 as its x_t and v_5 as its h_{t-1}. So what a word means to the cell depends
    on what came before it, by products and not by the sums of the gates alone.

    Source: G. Melis, T. Kočiský and P. Blunsom, "Mogrifier LSTM", arXiv:1909.01792 (ICLR 2020). M_r is its Q or R in
    turn, of low rank as there: K = min(RANK, E, H).

    Parameters:
        W, b: as in `LSTMCell`.
        L: (3E + 2H, K), L_0 .. L_4 one below the other, E rows where a round scales x, H where it scales h.
        R: (3H + 2E, K), R_0 .. R_4, H rows where a round reads h, E where it reads x.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size=input_size, hidden_size=hidden_size)
        E, H = input_size, hidden_size
        K = min(RANK, E, H)
        self.L = nn.Parameter(torch.empty(sum(round_sizes(E, H)), K))
        self.R = nn.Parameter(torch.empty(sum(round_sizes(H, E)), K))
        with torch.no_grad():
            for L_r, R_r in rounds_of(self.L, self.R, E, H):
                L_r.uniform_(-1, 1).mul_(math.sqrt(3 / K))
                R_r.uniform_(-1, 1).mul_(1 / math.sqrt(len(R_r)))

    def forward(self, x_t: Tensor, state: Tensor) -> Tensor:
        """One step: x_t (B, E) and [h_{t-1}, s_{t-1}] (B, 2H) give [h_t, s_t], (B, 2H)."""
        h_prev, s_prev = state.chunk(2, dim=1)  # (B, H) each
        scaled, reader = x_t, h_prev  # v_r and v_{r+1}
        for L_r, R_r in rounds_of(self.L, self.R, self.input_size, self.hidden_size):
            scaled, reader = reader, 2 * torch.sigmoid(reader @ R_r @ L_r.T) * scaled
        return super().forward(reader, torch.cat([scaled, s_prev], dim=1))


def round_sizes(first: int, second: int) -> list[int]:
    """The two sizes in turn, one for each round of a `MogrifierCell`."""
    return [second if r % 2 else first for r in range(ROUNDS)]


def rounds_of(L: Tensor, R: Tensor, input_size: int, hidden_size: int) -> list[tuple[Tensor, Tensor]]:
    """(L_0, R_0) .. (L_4, R_4) of a `MogrifierCell`."""
    E, H = input_size, hidden_size
    return list(zip(L.split(round_sizes(E, H)), R.split(round_sizes(H, E)), strict=True))  # type: ignore[no-untyped-call]


@torch.no_grad()
def start_gates(W: Tensor, hidden_size: int) -> None:
    """Set each gate's rows of W (gates · H, H + E) as those of a plain cell: orthogonal, and variance kept."""
    bound = math.sqrt(3 / (W.shape[1] - hidden_size))
    for rows in torch.split(W, hidden_size):
        nn.init.orthogonal_(rows[:, :hidden_size])
        rows[:, hidden_size:].uniform_(-bound, bound)
