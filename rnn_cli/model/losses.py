"""How wrong a prediction was: the output function g, and the loss that belongs to it, exact or sampled.

`y_t = g(V · h_t + c)`. For each step the losses give two sums over the words counted:

    objective   what is minimised: cross-entropy for softmax, binary cross-entropy against the one-hot word
                for sigmoid
    nll         -ln of the probability of the word that came, in nats: what perplexity is made of
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional


class Loss(NamedTuple):
    """Sums over the words counted: the objective with its graph, and the negative log-likelihood in nats."""

    objective: Tensor  # scalar
    nll: Tensor  # scalar, no graph


WindowLoss = Callable[[Tensor, Tensor, Tensor, Tensor], Loss]
"""hidden (N, H), targets (N,), V (vocab_size, H), c (vocab_size,) -> the sums over N."""

CrossEntropy = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""`softmax_cross_entropy`, or a faster way to compute the same."""


class LossFunction(Protocol):
    """The error of predictions made from hidden states against the words that came."""

    sparse: bool
    """Whether V receives a gradient that holds only the rows touched."""

    def for_window(self) -> WindowLoss:
        """The loss for the parts of one window. Whatever is random is drawn here, once for all of them."""
        ...


def log_probs(logits: Tensor, output_activation: str) -> Tensor:
    """Normalised log-probabilities of every word, (..., vocab_size) -> same, in nats.

    softmax: ln softmax(z). sigmoid: each word's own probability over the sum of all of them.
    """
    if output_activation == "sigmoid":
        logits = functional.logsigmoid(logits)
    return functional.log_softmax(logits, dim=-1)


def softmax_cross_entropy(
    hidden: Tensor, rows: Tensor, bias: Tensor, came: Tensor, came_bias: Tensor
) -> Tensor:
    """Σ_i -ln softmax(rows · hidden_i + bias)[came_i], in nats; the word that came may have a bias of its own.

    Args:
        hidden: (N, H).
        rows: the row of V of each word to choose from, (K, H).
        bias: (K,).
        came: which of the K words it was, (N,).
        came_bias: what stands in the place of bias[came], (N,).
    """
    scores = hidden @ rows.T + bias  # (N, K)
    scores = scores.scatter_add(1, came[:, None], (came_bias - bias[came])[:, None])
    return functional.cross_entropy(scores, came, reduction="sum")


SCORES_AT_ONCE = 1 << 27
"""Scores that an exact softmax holds between its two passes: 256 MB in bfloat16."""

POSITIONS_AT_ONCE = 2048
"""Positions that share the candidates of a sampled softmax. With more of them come more target words, each scored
against all: the cost of a position would grow with the window."""


def sum_of(parts: Iterable[Tensor]) -> Tensor:
    """The sum of scalars, with its graph."""
    return torch.stack(list(parts)).sum()


class ExactSoftmax:
    """g = softmax over the whole vocabulary, trained with cross-entropy: -ln y_t[word that came]."""

    sparse = False

    def __init__(self, cross_entropy: CrossEntropy = softmax_cross_entropy) -> None:
        self.cross_entropy = cross_entropy

    def __call__(self, hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
        """See `WindowLoss`."""
        at_once = max(1, SCORES_AT_ONCE // len(c))
        parts = zip(torch.split(hidden, at_once), torch.split(targets, at_once), strict=True)
        nll = sum_of(self.cross_entropy(h, V, c, came, c[came]) for h, came in parts)
        return Loss(nll, nll.detach())

    def for_window(self) -> WindowLoss:
        """See `LossFunction`."""
        return self


class OneHotSigmoid:
    """g = sigmoid for each word on its own, trained with binary cross-entropy against the one-hot word.

    Summed over the vocabulary: -ln y[came] - Σ_{others} ln(1 - y[other]).
    """

    sparse = False

    def __call__(self, hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
        """See `WindowLoss`."""
        logits = hidden @ V.T + c  # (N, vocab_size)
        # ln(1 + e^z) for all words is the cost of saying no; the word that came gets its own z back.
        objective = functional.softplus(logits).sum() - logits.gather(1, targets[:, None]).sum()
        nll = functional.nll_loss(log_probs(logits.detach(), "sigmoid"), targets, reduction="sum")
        return Loss(objective, nll)

    def for_window(self) -> WindowLoss:
        """See `LossFunction`."""
        return self


class SampledSoftmax:
    """Cross-entropy over a few candidate words instead of all: as many as are drawn, and all that came.

    One set of candidates serves some 2,000 positions of a window: `samples` draws from the words' training frequency
    to the power 0.75, and the target words of these positions. The sum over the vocabulary in the softmax is
    estimated from them by importance sampling: a candidate that got into the set with probability q stands for 1 / q
    words like it, and the word that came, which is always there, for itself.

    Source: Bengio and Senécal, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic
    Language Model" (2008); Jean et al., arXiv:1412.2007; the power 0.75 from Mikolov et al., arXiv:1310.4546.
    """

    def __init__(
        self,
        counts: Tensor,
        *,
        samples: int,
        seed: int,
        sparse: bool = True,
        cross_entropy: CrossEntropy = softmax_cross_entropy,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare to draw.

        Args:
            counts: how often each word occurs in the training text, (vocab_size,).
            samples: words drawn for a window.
            sparse: give V a gradient that holds only the candidates' rows.
            cross_entropy: how the loss over the candidates is computed.
            device: where the hidden states will lie. The same words are drawn for every device.
        """
        self.samples = samples
        self.sparse = sparse
        self.cross_entropy = cross_entropy
        frequency = (counts + 1).double() / (counts + 1).sum()
        weights = frequency**0.75
        draw_probability = weights / weights.sum()
        self.frequency, self.draw_probability, self.cumulative = (
            table.to(device) for table in (frequency, draw_probability, draw_probability.cumsum(0))
        )
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
        """See `WindowLoss`: the whole window is one part."""
        return self.for_window()(hidden, targets, V, c)

    def for_window(self) -> WindowLoss:
        """See `LossFunction`. The nll is an estimate, a little low on average (ln of a sum is concave)."""
        uniform = torch.rand(self.samples, generator=self.generator, dtype=torch.float64)
        drawn = torch.searchsorted(self.cumulative, uniform.to(self.cumulative.device)).clamp_(
            max=len(self.cumulative) - 1
        )

        def part(hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Tensor:
            candidates = torch.unique(torch.cat([drawn, targets]))  # (K,), sorted
            log_q = self._log_inclusion(candidates, len(targets)).to(c.dtype)  # (K,)
            rows = functional.embedding(candidates, V, sparse=self.sparse)  # (K, H)
            came = torch.searchsorted(
                candidates, targets
            )  # (N,), where each target stands among the candidates
            return self.cross_entropy(hidden, rows, c[candidates] - log_q, came, c[targets])

        def loss(hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
            by_part = POSITIONS_AT_ONCE
            parts = zip(torch.split(hidden, by_part), torch.split(targets, by_part), strict=True)
            nll = sum_of(part(h, came, V, c) for h, came in parts)
            return Loss(nll, nll.detach())

        return loss

    def _log_inclusion(self, candidates: Tensor, words: int) -> Tensor:
        """ln of the probability that a word is among `samples` draws or `words` running words of text, (K,)."""
        missed_by_draws = self.samples * torch.log1p(-self.draw_probability[candidates])
        missed_by_text = words * torch.log1p(-self.frequency[candidates])
        return torch.log(-torch.expm1(missed_by_draws + missed_by_text))
