"""The numbers of what is added to a network, fitted on a validation text: never on the text that is measured.

The rate and the decay of dynamic evaluation are tried out on the beginning of the text. For the weights of the cache
and the n-gram model each token's probability by each of them is worked out once. The best weights are then found by
expectation maximisation (A. P. Dempster, N. M. Laird, D. B. Rubin, 1977), which climbs to the one maximum that there
is, for each theta that is tried.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import ModelFileError, TextError
from rnn_cli.evaluation.text import adapted_reader
from rnn_cli.inference.additions import MOST_ADDED, NOTHING_ADDED, Additions, default_theta
from rnn_cli.inference.neural_cache import NeuralCache
from rnn_cli.inference.trained_model import TrainedModel

MOST_TOKENS = 20_000
MOST_TOKENS_TRIED = 10_000  # for each rate and decay of dynamic evaluation, which is slow
RATES = (1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 8e-3)
FIRST_RATE = 3  # where among the rates the search begins
DECAYS = (1e-5, 1e-4, 1e-3)
THETAS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)  # times the default
_STEPS = 200
_CLOSE = 1e-7
_BELOW = 1 - 1e-12  # so that weights that are scaled to the most that there is do not round to more

Floats = npt.NDArray[np.float64]
Lines = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    Attributes:
        additions: with the numbers that were found.
        tokens: how many tokens of the text they were fitted on.
        loss_before, loss_after: mean nats per token on them, of the network alone and with what is added.
    """

    additions: Additions
    tokens: int
    loss_before: float
    loss_after: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON, and for the model file."""
        return {
            **self.additions.numbers.to_dict(),
            "tokens": self.tokens,
            "loss_before": self.loss_before,
            "loss_after": self.loss_after,
        }


def fit_additions(model: TrainedModel, lines: Iterable[str], additions: Additions, *, name: str) -> Fitted:
    """The numbers with which the first `MOST_TOKENS` tokens of a text are most probable.

    Args:
        additions: what is added; the window of its cache stays.
        name: what the text is called.

    Raises:
        TextError: there is nothing to predict.
        UsageError: dynamic evaluation cannot follow the model's cell back.
        ModelFileError: the model's numbers grew too large.
    """
    ids = _some_ids(model, lines)
    if additions.dynamic:
        additions = _best_rate_and_decay(model, ids, additions)
    thetas = [default_theta(model.engine) * factor for factor in THETAS] if additions.cache else []
    tokens = _probabilities(model, ids, additions, thetas)
    # What dynamic evaluation says was learnt on the way, so the network alone has to be asked again.
    alone = _loss(model, ids, NOTHING_ADDED) if additions.dynamic else -float(np.log(tokens.network).mean())
    tried = [
        _with_best_weights(additions.with_numbers(theta=theta), tokens, cache)
        for theta, cache in zip(thetas or [additions.numbers.theta], tokens.caches or (None,), strict=True)
    ]
    best, loss = min(tried, key=lambda found: found[1])
    return Fitted(best.with_numbers(fitted_on=name), len(tokens.network), alone, loss)


def _with_best_weights(
    additions: Additions, tokens: "_Tokens", cache: Floats | None
) -> tuple[Additions, float]:
    """The best weights for one theta, and the mean nats per token with them."""
    parts = [part for part in (tokens.network, cache, tokens.ngram) if part is not None]
    weights, loss = best_weights(np.stack(parts, axis=1))
    return (
        additions.with_numbers(
            cache_weight=weights[1] if cache is not None else 0.0,
            ngram_weight=weights[-1] if tokens.ngram is not None else 0.0,
        ),
        loss,
    )


def best_weights(probabilities: Floats) -> tuple[list[float], float]:
    """The weights (K,) with which the mixture of K models makes N tokens most probable, and the mean nats per token.

    Args:
        probabilities: of each token by each model, (N, K); the first is the network's, whose weight is at least
            1 - `MOST_ADDED`.
    """
    weights = np.full(probabilities.shape[1], 1 / probabilities.shape[1])
    for _ in range(_STEPS):
        shares = probabilities * weights
        shares /= shares.sum(axis=1, keepdims=True)
        closer = shares.mean(axis=0)
        moved = float(np.abs(closer - weights).max())
        weights = closer
        if moved < _CLOSE:
            break
    if (added := weights[1:].sum()) > MOST_ADDED:
        weights[1:] *= MOST_ADDED * _BELOW / added
        weights[0] = 1 - weights[1:].sum()
    return weights.tolist(), -float(np.log(probabilities @ weights).mean())


@dataclass(frozen=True)
class _Tokens:
    """The probability of each of N tokens, (N,), by the network, by a cache for each theta, by the n-gram model."""

    network: Floats
    caches: Sequence[Floats | None]
    ngram: Floats | None


def _some_ids(model: TrainedModel, lines: Iterable[str]) -> list[list[int]]:
    """The ids of the first lines of a text, cut to `MOST_TOKENS`."""
    found: list[list[int]] = []
    left = MOST_TOKENS
    for line in lines:
        if left <= 0:
            break
        ids = model.tokenizer.encode_line(line)[:left]
        found.append(ids)
        left -= len(ids) + 1
    if not any(found):
        raise TextError("The text has no words to fit on.")
    return found


def _best_rate_and_decay(model: TrainedModel, ids: Lines, additions: Additions) -> Additions:
    """The best of the rates, searched from the middle one on, and then the best of the decays."""
    few = list(_beginning(ids, MOST_TOKENS_TRIED))
    alone = Additions(dynamic=True, numbers=replace(additions.numbers, decay=0.0))

    def tried(rate: float, decay: float) -> float:
        return _loss(model, few, alone.with_numbers(rate=rate, decay=decay))

    rate, loss = RATES[FIRST_RATE], tried(RATES[FIRST_RATE], 0.0)
    for others in (RATES[FIRST_RATE + 1 :], RATES[FIRST_RATE - 1 :: -1]):
        for other in others:
            if (found := tried(other, 0.0)) >= loss:
                break
            rate, loss = other, found
    decay = 0.0
    for other in DECAYS:
        if (found := tried(rate, other)) >= loss:
            break
        decay, loss = other, found
    return additions.with_numbers(rate=rate, decay=decay)


def _beginning(lines: Lines, tokens: int) -> Iterator[Sequence[int]]:
    for line in lines:
        if tokens <= 0:
            return
        yield line[:tokens]
        tokens -= len(line) + 1


def _loss(model: TrainedModel, ids: Lines, additions: Additions) -> float:
    """Mean nats per token; infinite where the network learns so fast that its numbers grow beyond all bounds."""
    reader = adapted_reader(model, additions)
    nll, tokens = 0.0, 0
    with np.errstate(all="ignore"):
        try:
            for some in reader.predictions(ids):
                nll -= float(some.log_probs[np.arange(len(some.targets)), some.targets].sum())
                tokens += len(some.targets)
        except ModelFileError:
            return math.inf
    return nll / tokens if math.isfinite(nll) else math.inf


def _probabilities(model: TrainedModel, ids: Lines, additions: Additions, thetas: Sequence[float]) -> _Tokens:
    """The probability of each token by each of the parts, from one pass through the text."""
    caches = [NeuralCache(theta, additions.numbers.window) for theta in thetas]
    network: list[Floats] = []
    cached: list[list[Floats]] = [[] for _ in caches]
    ngram: list[Floats] = []
    for some in adapted_reader(model, additions).predictions(ids):
        rows = np.arange(len(some.targets))
        network.append(np.exp(some.log_probs[rows, some.targets].astype(np.float64)))
        for cache, found in zip(caches, cached, strict=True):
            words, shares = cache.read(some.hidden, some.targets)
            found.append(shares[rows, np.searchsorted(words, some.targets)].astype(np.float64))
        if additions.ngrams is not None:
            said = additions.ngrams.probabilities(some.contexts)
            ngram.append(said[rows, some.targets].astype(np.float64))
    smallest = np.finfo(np.float64).tiny
    return _Tokens(
        np.maximum(np.concatenate(network), smallest),
        [np.concatenate(found) for found in cached],
        np.concatenate(ngram) if ngram else None,
    )
