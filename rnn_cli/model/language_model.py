"""The language model: words in, hidden states through the cells, scores for the next word out."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rnn_cli.model.cells import Cell, make_cell

State = list[Tensor]
"""The state of every layer, lowest first, each (B, S): h_t, and what else the cell keeps (see `cells`)."""

Masks = list[Tensor] | None
"""What each unit is multiplied by under dropout, 0 or 1 / (1 - rate): (B, E) or (B, H) for each layer's input, and
(B, H) for the top layer's output. None: no dropout."""

WindowReader = Callable[[Cell, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Reads a window with one cell: x (T, B, E) and the state before it (B, S) give h_1 .. h_T (T, B, H) and the state
after it (B, S)."""


def step_by_step(cell: Cell, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Read a window with one cell, word by word: the plain way, differentiated by autograd. See `WindowReader`."""
    hidden = []
    for x_t in x:  # (B, E)
        state = cell(x_t, state)  # (B, S)
        hidden.append(state[:, : cell.hidden_size])  # (B, H)
    return torch.stack(hidden), state


class LanguageModel(nn.Module):
    """A stack of recurrent cells between an embedding table and the output equation.

        x_t = embedding[word_t]
        h_t = f(W · [h_{t-1}, x_t] + b)          each layer, or the equation of another cell
        y_t = g(V · h_t + c)                     h_t of the top layer

    The h_t of a layer is the x_t of the layer above; with cells that skip (see `cells.Cell`), h_t + x_t is.

    `g` turns scores into what the network says of the next word: `softmax` gives one probability
    distribution over all words (exactly one word comes next), `sigmoid` gives each word a yes-or-no
    probability of its own. The loss that belongs to each, and g itself, are in `losses.py`; this class
    stops at the scores `V · h_t + c` (logits), because both losses are computed more exactly from them.

    Parameters: embedding (vocab_size, E), those of cells.i (see each cell), V (vocab_size, H), c (vocab_size,).
    With `tie_embeddings` V is the embedding table itself (E must equal H).
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int = 1,
        cell: str = "elman",
        hidden_activation: str = "tanh",
        recurrent_init: str = "orthogonal",
        memory_steps: int | None = None,
        dropout: float = 0.0,
        tie_embeddings: bool = False,
        window_reader: WindowReader = step_by_step,
    ) -> None:
        super().__init__()
        self.window_reader = window_reader
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.embedding = nn.Parameter(torch.empty(vocab_size, embedding_size).uniform_(-0.1, 0.1))
        self.cells = nn.ModuleList(
            make_cell(
                cell,
                input_size=embedding_size if layer == 0 else hidden_size,
                hidden_size=hidden_size,
                activation=hidden_activation,
                recurrent_init=recurrent_init,
                memory_steps=memory_steps,
            )
            for layer in range(num_layers)
        )
        self.V = (
            self.embedding
            if tie_embeddings
            else nn.Parameter(torch.empty(vocab_size, hidden_size).uniform_(-0.1, 0.1))
        )
        self.c = nn.Parameter(torch.zeros(vocab_size))

    @torch.no_grad()
    def start_at_frequencies(self, counts: Tensor, output_activation: str) -> None:
        """Set c so that a network with nothing to say predicts each word as often as it occurs.

        counts (vocab_size,): occurrences in the training text; unseen words count as seen once.
        """
        share = (counts + 1).double() / (counts + 1).sum()
        # y = g(c) must be the share: ln p for softmax, ln p / (1 - p) for sigmoid.
        self.c.copy_(share.log() if output_activation == "softmax" else share.logit())

    @property
    def vocab_size(self) -> int:
        """How many words there are to choose from."""
        return len(self.c)

    @property
    def parameter_count(self) -> int:
        """Numbers that are learned; tied tables count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def initial_state(self, batch_size: int) -> State:
        """No memory: zeros, (B, S) for each layer."""
        return [self.c.new_zeros(batch_size, cell.state_size) for cell in self.layers()]

    def layers(self) -> list[Cell]:
        """The cells, lowest first."""
        return cast(list[Cell], list(self.cells))

    def constrain(self) -> None:
        """Bring the parameters back into the bounds that they have; called after each update."""
        for cell in self.layers():
            cell.constrain()

    def draw_masks(self, batch_size: int) -> Masks:
        """Masks of dropout for one window: which units of x_t, of each layer's x_t and of the top h_t are silent.

        One mask serves all steps of the window: a unit is silent at every step or at none. The recurrent connections
        are left alone. None without dropout, and outside training.

        Source: Gal and Ghahramani, arXiv:1512.05287.
        """
        if not self.training or self.dropout == 0.0:
            return None
        keep = 1 - self.dropout
        sizes = [*(cell.input_size for cell in self.layers()), self.hidden_size]
        return [self.c.new_empty(batch_size, size).bernoulli_(keep) / keep for size in sizes]

    def unroll(
        self,
        words: Tensor,
        state: State,
        *,
        masks: Masks = None,
        sparse: bool = False,
        reader: WindowReader | None = None,
    ) -> tuple[Tensor, State]:
        """Read a window word by word.

        Args:
            words: ids, (T, B).
            state: the state before the first word, (B, S) for each layer.
            masks: from `draw_masks`.
            sparse: give the embedding table a gradient that holds only the rows read.
            reader: reads the window in place of the model's own `window_reader`.

        Returns:
            The top layer's h_t after each word, (T, B, H), and the state after the last word.
        """
        x = functional.embedding(words, self.embedding, sparse=sparse)  # (T, B, E)
        read = reader or self.window_reader
        hidden, state_after = x, []
        for layer, (cell, before) in enumerate(zip(self.layers(), state, strict=True)):
            hidden, after = read(cell, x if masks is None else x * masks[layer], before)  # (T, B, H), (B, S)
            state_after.append(after)
            x = hidden + x if cell.skips and hidden.shape == x.shape else hidden  # of the layer above
        return hidden if masks is None else hidden * masks[-1], state_after

    def logits(self, hidden: Tensor) -> Tensor:
        """V · h + c: hidden (..., H) gives scores (..., vocab_size)."""
        return hidden @ self.V.T + self.c
