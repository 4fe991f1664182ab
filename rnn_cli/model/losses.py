"""How wrong a prediction was: the output function g, and the loss that belongs to it, exact or sampled.

`y_t = g(V · h_t + c)`. For each step the losses give two sums over the words counted:

    objective   what is minimised: cross-entropy for softmax, binary cross-entropy against the one-hot word
                for sigmoid
    nll         -ln of the probability of the word that came, in nats: what perplexity is made of
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional


class Loss(NamedTuple):
    """Sums over the words counted: the objective with its graph, and the negative log-likelihood in nats."""

    objective: Tensor  # scalar
    nll: Tensor  # scalar, no graph


class LossFunction(Protocol):
    """The error of predictions made from hidden states (N, H) against the words that came (N,)."""

    sparse: bool
    """Whether V receives a gradient that holds only the rows touched."""

    def __call__(self, hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
        """hidden (N, H), targets (N,), V (vocab_size, H), c (vocab_size,) -> the sums over N."""
        ...


def log_probs(logits: Tensor, output_activation: str) -> Tensor:
    """Normalised log-probabilities of every word, (..., vocab_size) -> same, in nats.

    softmax: ln softmax(z). sigmoid: each word's own probability over the sum of all of them.
    """
    if output_activation == "sigmoid":
        logits = functional.logsigmoid(logits)
    return functional.log_softmax(logits, dim=-1)


class ExactSoftmax:
    """g = softmax over the whole vocabulary, trained with cross-entropy: -ln y_t[word that came]."""

    sparse = False

    def __call__(self, hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
        """See `LossFunction`."""
        nll = functional.cross_entropy(hidden @ V.T + c, targets, reduction="sum")
        return Loss(nll, nll.detach())


class OneHotSigmoid:
    """g = sigmoid for each word on its own, trained with binary cross-entropy against the one-hot word.

    Summed over the vocabulary: -ln y[came] - Σ_{others} ln(1 - y[other]).
    """

    sparse = False

    def __call__(self, hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
        """See `LossFunction`."""
        logits = hidden @ V.T + c  # (N, vocab_size)
        # ln(1 + e^z) for all words is the cost of saying no; the word that came gets its own z back.
        objective = functional.softplus(logits).sum() - logits.gather(1, targets[:, None]).sum()
        nll = functional.nll_loss(log_probs(logits.detach(), "sigmoid"), targets, reduction="sum")
        return Loss(objective, nll)


class SampledSoftmax:
    """Cross-entropy over a few candidate words instead of all: as many as are drawn, and all that came.

    One set of candidates serves the whole window: `samples` draws from the words' training frequency to the
    power 0.75, and the window's own target words. The sum over the vocabulary in the softmax is estimated from
    them by importance sampling: a candidate that got into the set with probability q stands for 1 / q words like
    it, and the word that came, which is always there, for itself.

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
        product_dtype: torch.dtype | None = None,
    ) -> None:
        """Prepare to draw.

        Args:
            counts: how often each word occurs in the training text, (vocab_size,).
            samples: words drawn for a window.
            sparse: give V a gradient that holds only the candidates' rows.
            product_dtype: what the matrix products are made in; None: as the weights.
        """
        self.samples = samples
        self.sparse = sparse
        self.product_dtype = product_dtype
        self.frequency = (counts + 1).double() / (counts + 1).sum()
        weights = self.frequency**0.75
        self.draw_probability = weights / weights.sum()
        self.cumulative = self.draw_probability.cumsum(0)
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, hidden: Tensor, targets: Tensor, V: Tensor, c: Tensor) -> Loss:
        """See `LossFunction`. The nll is an estimate, a little low on average (ln of a sum is concave)."""
        uniform = torch.rand(self.samples, generator=self.generator, dtype=torch.float64)
        drawn = torch.searchsorted(self.cumulative, uniform).clamp_(max=len(c) - 1)
        candidates, position = torch.unique(
            torch.cat([drawn, targets]), return_inverse=True
        )  # (K,), (samples + N,)
        rows = functional.embedding(candidates, V, sparse=self.sparse)  # (K, H)
        dtype = self.product_dtype or V.dtype
        scores = (hidden.to(dtype) @ rows.to(dtype).T).to(V.dtype)  # (N, K)
        log_q = self._log_inclusion(candidates, len(targets)).to(V.dtype)  # (K,)
        came = position[self.samples :, None]  # (N, 1), where each target stands among the candidates
        logits = (scores + (c[candidates] - log_q)).scatter_add(1, came, log_q[came])
        nll = functional.cross_entropy(logits, came[:, 0], reduction="sum")
        return Loss(nll, nll.detach())

    def _log_inclusion(self, candidates: Tensor, words: int) -> Tensor:
        """ln of the probability that a word is among `samples` draws or `words` running words of text, (K,)."""
        missed_by_draws = self.samples * torch.log1p(-self.draw_probability[candidates])
        missed_by_text = words * torch.log1p(-self.frequency[candidates])
        return torch.log(-torch.expm1(missed_by_draws + missed_by_text))
