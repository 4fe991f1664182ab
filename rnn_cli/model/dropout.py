"""What is silent while a window is read, so that less is learnt by heart: units, words, weights.

What is drawn serves a whole window: a unit, a word of the vocabulary or a weight is silent at every step of it or at
none. What is left is multiplied by 1 / (1 - rate), so that sums keep their size. (`places` alone is drawn for each
place in the text by itself, and nothing is multiplied.)

Source: Gal and Ghahramani, arXiv:1512.05287 (units and words); Merity, Keskar and Socher, arXiv:1708.02182 (weights,
after Wan et al., "Regularization of Neural Networks using DropConnect", 2013); Iyyer et al., "Deep Unordered
Composition Rivals Syntactic Methods for Text Classification", 2015 (places).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor


class Masks(NamedTuple):
    """What was drawn for one window: factors, 0 or 1 / (1 - rate). None: nothing is silent.

    Attributes:
        words: of each x_t of the lowest layer, by its word and its place, (T, B).
        inputs: of the units of each layer's x_t, lowest first, (B, E) and (B, H).
        output: of the units of the top layer's h_t, (B, H).
        recurrent: of the weights of each layer that read h_{t-1}, in the shape of `Cell.recurrent_weights`.
    """

    words: Tensor | None
    inputs: Sequence[Tensor | None]
    output: Tensor | None
    recurrent: Sequence[Tensor | None]

    def of_streams(self, streams: slice) -> "Masks":
        """The masks for some of the streams."""
        return Masks(
            None if self.words is None else self.words[:, streams],
            [None if mask is None else mask[streams] for mask in self.inputs],
            None if self.output is None else self.output[streams],
            self.recurrent,
        )


@dataclass(frozen=True)
class Dropout:
    """The share of everything that is silent while a window is read.

    Attributes:
        inputs: units of x_t of the lowest layer.
        between: units of h_t on their way to the layer above.
        output: units of the top layer's h_t on their way to V.
        embedding: words of the vocabulary: x_t is 0 wherever they stand in the window.
        places: places in the text: x_t is 0 there, whatever word it is.
        recurrent: weights that read h_{t-1}.
    """

    inputs: float = 0.0
    between: float = 0.0
    output: float = 0.0
    embedding: float = 0.0
    places: float = 0.0
    recurrent: float = 0.0

    @classmethod
    def of_units(cls, rate: float) -> Self:
        """One rate for the units everywhere."""
        return cls(inputs=rate, between=rate, output=rate)

    def draw(
        self, words: Tensor, *, vocab_size: int, sizes: Sequence[int], recurrent: Sequence[Tensor]
    ) -> Masks:
        """Draw from torch's random numbers of the CPU, on every device the same; what has rate 0 takes none of them.

        Args:
            words: the ids that the window reads, (T, B).
            sizes: units of each layer's x_t, then of the top h_t.
            recurrent: each layer's weights that read h_{t-1}.
        """
        batch_size = words.shape[1]
        rates = [self.inputs, *[self.between] * (len(sizes) - 2), self.output]
        units = [
            _mask(recurrent[0], (batch_size, size), rate) for size, rate in zip(sizes, rates, strict=True)
        ]
        by_word = _mask(recurrent[0], (vocab_size,), self.embedding)
        heard = None if by_word is None else by_word[words]  # (T, B)
        if self.places > 0:
            kept = _kept(recurrent[0], words.shape, 1 - self.places)  # (T, B)
            heard = kept if heard is None else heard * kept
        weights = [_mask(weight, weight.shape, self.recurrent) for weight in recurrent]
        return Masks(heard, units[:-1], units[-1], weights)


def _mask(like: Tensor, shape: Sequence[int], rate: float) -> Tensor | None:
    """Factors in the dtype of `like` and beside it: 0 with probability `rate`, else 1 / (1 - rate)."""
    if rate == 0:
        return None
    return _kept(like, shape, 1 - rate) / (1 - rate)


def _kept(like: Tensor, shape: Sequence[int], share: float) -> Tensor:
    """1 with probability `share`, else 0."""
    return torch.empty(torch.Size(shape), dtype=like.dtype).bernoulli_(share).to(like.device)
