"""The language model: words in, hidden states through the cells, scores for the next word out."""

from collections.abc import Callable
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rnn_cli.model.cells import Cell
from rnn_cli.model.dropout import Dropout, Masks
from rnn_cli.model.make_cell import make_cell

State = list[Tensor]
"""The state of every layer, lowest first, each (B, S): h_t, and what else the cell keeps (see `cells`)."""

WindowReader = Callable[[Cell, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Reads a window with one cell: x (T, B, E) and the state before it (B, S) give h_1 .. h_T (T, B, H) and the state
after it (B, S)."""

LAYER_NORM_EPSILON = 1e-5  # the same in `inference.engine`


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

    With `layer_norm` the h_t of each layer goes up as gain ⊙ (h_t - mean) / deviation + shift, its mean and its
    standard deviation being those of its units; the recurrence itself reads h_t as it is (after Ba, Kiros and
    Hinton, arXiv:1607.06450).

    `g` turns scores into what the network says of the next word: `softmax` gives one probability
    distribution over all words (exactly one word comes next), `sigmoid` gives each word a yes-or-no
    probability of its own. The loss that belongs to each, and g itself, are in `losses.py`; this class
    stops at the scores `V · h_t + c` (logits), because both losses are computed more exactly from them.

    Parameters: embedding (vocab_size, E), those of cells.i (see each cell), V (vocab_size, H), c (vocab_size,); with
    `layer_norm` norms.i.gain and norms.i.shift (H,). With `tie_embeddings` V is the embedding table itself (Press and
    Wolf, arXiv:1608.05859); where E is not H, it reads P · h_t in place of h_t, with P (E, H).
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
        dropout: Dropout | float = 0.0,
        tie_embeddings: bool = False,
        layer_norm: bool = False,
        window_reader: WindowReader = step_by_step,
    ) -> None:
        """Make the network; a `dropout` that is a number is the rate of the units, see `Dropout.of_units`."""
        super().__init__()
        self.window_reader = window_reader
        self.hidden_size = hidden_size
        self.dropout = dropout if isinstance(dropout, Dropout) else Dropout.of_units(dropout)
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
        self.norms = nn.ModuleList(LayerNorm(hidden_size) for _ in range(num_layers if layer_norm else 0))
        self.P: nn.Parameter | None = None
        if tie_embeddings and embedding_size != hidden_size:
            self.P = nn.Parameter(nn.init.orthogonal_(torch.empty(embedding_size, hidden_size)))
        self.V = (
            self.embedding
            if tie_embeddings
            else nn.Parameter(torch.empty(vocab_size, hidden_size).uniform_(-0.1, 0.1))
        )
        self.c = nn.Parameter(torch.zeros(vocab_size))

    @torch.no_grad()
    def start_at_frequencies(self, counts: Tensor, output_activation: str) -> None:
        """Set c so that a network with nothing to say predicts each word as often as it occurs.

        counts (vocab_size,): occurrences in the training text. One is added to each, so that no word is impossible.
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

    @property
    def device(self) -> torch.device:
        """Where the weights lie, and so all that is computed with them."""
        return self.c.device

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """An array as a tensor beside the weights; on the CPU it is the array's own memory."""
        return torch.from_numpy(array).to(self.device)

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

    def draw_masks(self, words: Tensor) -> Masks | None:
        """What dropout silences while a window is read; None outside training, and without dropout.

        words: the ids that it reads, (T, B).
        """
        if not self.training or self.dropout == Dropout():
            return None
        return self.dropout.draw(
            words,
            vocab_size=self.vocab_size,
            sizes=[*(cell.input_size for cell in self.layers()), self.hidden_size],
            recurrent=[cell.recurrent_weights() for cell in self.layers()],
        )

    def unroll(
        self,
        words: Tensor,
        state: State,
        *,
        masks: Masks | None = None,
        sparse: bool = False,
        reader: WindowReader | None = None,
    ) -> tuple[Tensor, State]:
        """Read a window word by word.

        Args:
            words: ids, (T, B).
            state: the state before the first word, (B, S) for each layer.
            masks: from `draw_masks`; that of the output waits for `read_out`.
            sparse: give the embedding table a gradient that holds only the rows read.
            reader: reads the window in place of the model's own `window_reader`.

        Returns:
            The top layer's h_t after each word, (T, B, H), and the state after the last word.
        """
        x = functional.embedding(words, self.embedding, sparse=sparse)  # (T, B, E)
        if masks is not None and masks.words is not None:
            x = x * masks.words[:, :, None]
        read = reader or self.window_reader
        hidden, state_after = x, []
        for layer, (cell, before) in enumerate(zip(self.layers(), state, strict=True)):
            silent = None if masks is None else masks.inputs[layer]
            weights = None if masks is None else masks.recurrent[layer]
            hidden, after = read(
                cell if weights is None else cell.with_recurrent(weights),
                x if silent is None else x * silent,
                before,
            )  # (T, B, H), (B, S)
            state_after.append(after)
            if layer + 1 < len(self.cells):
                up = self.going_up(layer, hidden)
                x = up + x if cell.skips and hidden.shape == x.shape else up  # of the layer above
        return hidden, state_after

    def going_up(self, layer: int, hidden: Tensor) -> Tensor:
        """What the layer above or the output reads of a layer's h_t, (..., H)."""
        return cast(Tensor, self.norms[layer](hidden)) if len(self.norms) else hidden

    def read_out(self, hidden: Tensor, masks: Masks | None = None) -> Tensor:
        """What V reads of the top layer's h_t: (..., H) gives (..., H), or with P (..., E).

        masks: from `draw_masks`; then hidden is (T, B, H).
        """
        up = self.going_up(len(self.cells) - 1, hidden)
        if masks is not None and masks.output is not None:
            up = up * masks.output
        return up if self.P is None else up @ self.P.T

    def logits(self, hidden: Tensor) -> Tensor:
        """V · h + c: the top layer's h_t, (..., H), gives scores (..., vocab_size)."""
        return self.read_out(hidden) @ self.V.T + self.c


class LayerNorm(nn.Module):
    """gain ⊙ (h - mean) / √(variance + 1e-5) + shift, over the units of h.

    Parameters: gain (H,), which starts at 1, and shift (H,), which starts at 0.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(hidden_size))
        self.shift = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden (..., H) gives (..., H)."""
        return functional.layer_norm(hidden, self.gain.shape, self.gain, self.shift, LAYER_NORM_EPSILON)
