"""What may be added to a network where it predicts: a cache, dynamic evaluation, an n-gram model; and how much.

The numbers were fitted on a validation text and stored in the model file, one set for each combination, or else are
the defaults here.
"""

import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from rnn_cli.inference.engine import Engine
from rnn_cli.inference.interpolation import Weights
from rnn_cli.inference.neural_cache import WINDOW
from rnn_cli.inference.ngram import NgramModel

DEFAULT_LIKENESS = 8.0  # theta times the mean of |h|²
_IDS_READ = 500  # to find out how long the states of a network are
MOST_ADDED = 0.95  # of all weight: what the cache and the n-gram model may have together
ROUNDING = 1e-9  # by which numbers that were fitted may be above the most that there is


@dataclass(frozen=True)
class Numbers:
    """How much of each.

    Attributes:
        cache_weight: of the cache's probabilities.
        theta: how much likeness counts for the cache.
        window: how many tokens the cache remembers.
        ngram_weight: of the n-gram model's probabilities.
        rate: at which dynamic evaluation learns.
        decay: the share of the way back to the stored weights that each token leads.
        fitted_on: the text that they were fitted on; None for defaults.
    """

    cache_weight: float = 0.2
    theta: float = 0.3
    window: int = WINDOW
    ngram_weight: float = 0.2
    rate: float = 2e-3
    decay: float = 0.0
    fitted_on: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON, and for the model file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Numbers":
        """What `to_dict` wrote; other keys are left alone.

        Raises:
            ValueError: a number is missing, or out of its range.
        """
        ranges = {
            "cache_weight": MOST_ADDED,
            "theta": 1e6,
            "window": 1e6,
            "ngram_weight": MOST_ADDED,
            "rate": 1e3,
            "decay": 1.0,
        }
        for key, largest in ranges.items():
            value = stored.get(key)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 <= value <= largest + ROUNDING
            ):
                raise ValueError(
                    f"the fitted {key} is {reprlib.repr(value)}; it has to be a number from 0 to {largest:g}. "
                    "Fit anew with --fit."
                )
        if not isinstance(stored["window"], int) or stored["window"] < 1:
            raise ValueError(
                f"the fitted window is {stored['window']}; it has to be a whole number from 1. Fit anew with --fit."
            )
        if stored["cache_weight"] + stored["ngram_weight"] > MOST_ADDED + ROUNDING:
            raise ValueError(f"the fitted weights come to more than {MOST_ADDED}. Fit anew with --fit.")
        fitted_on = stored.get("fitted_on")
        return cls(
            **{key: stored[key] for key in ranges}, fitted_on=None if fitted_on is None else str(fitted_on)
        )


@dataclass(frozen=True)
class Additions:
    """What is added.

    Attributes:
        cache, dynamic: whether there is a neural cache, and whether the network goes on learning.
        ngrams: the n-gram model; None where there is none.
        numbers: how much of each; what is not added has numbers without a meaning.
    """

    cache: bool = False
    dynamic: bool = False
    ngrams: NgramModel | None = None
    numbers: Numbers = Numbers()

    @property
    def names(self) -> list[str]:
        """What is added, in the words of the command line."""
        flags = {"cache": self.cache, "dynamic": self.dynamic, "ngram": self.ngrams is not None}
        return [name for name, is_added in flags.items() if is_added]

    @property
    def key(self) -> str:
        """The name of this combination."""
        return "+".join(self.names)

    @property
    def weights(self) -> Weights:
        """The weights in the sum of probabilities."""
        return Weights(
            cache=self.numbers.cache_weight if self.cache else 0.0,
            ngram=self.numbers.ngram_weight if self.ngrams is not None else 0.0,
        )

    def with_numbers(self, **changes: Any) -> "Additions":
        """The same with other numbers."""
        return replace(self, numbers=replace(self.numbers, **changes))

    def terms(self) -> str:
        """What is added, in words."""
        numbers = self.numbers
        parts = []
        if self.cache:
            parts.append(
                f"a neural cache of {numbers.window:,} tokens (weight {numbers.cache_weight:.3g}, "
                f"theta {numbers.theta:.3g})"
            )
        if self.dynamic:
            parts.append(f"dynamic evaluation (rate {numbers.rate:.3g}, decay {numbers.decay:.3g})")
        if self.ngrams is not None:
            parts.append(f"an n-gram model of order {self.ngrams.order} (weight {numbers.ngram_weight:.3g})")
        fitted = "with default numbers" if numbers.fitted_on is None else f"fitted on {numbers.fitted_on}"
        return f"added: {', '.join(parts)}; {fitted}"

    def to_dict(self) -> dict[str, Any]:
        """What is added and its numbers, for JSON."""
        numbers = self.numbers
        found: dict[str, Any] = {}
        if self.cache:
            found["cache"] = {
                "weight": numbers.cache_weight,
                "theta": numbers.theta,
                "window": numbers.window,
            }
        if self.dynamic:
            found["dynamic"] = {"rate": numbers.rate, "decay": numbers.decay}
        if self.ngrams is not None:
            counted = self.ngrams.counted
            found["ngram"] = {"weight": numbers.ngram_weight, "order": self.ngrams.order, "counted": counted}
        return {**found, "fitted_on": numbers.fitted_on}


NOTHING_ADDED = Additions()


def default_theta(engine: Engine) -> float:
    """A theta that suits the length of a network's states, which depends on its cell and its size.

    States between -1 and 1 need another theta than those of relu. Looked at are the states after reading the first
    words of the vocabulary in a row.
    """
    ids = np.arange(min(_IDS_READ, engine.vocab_size))[:, None]
    hidden, _ = engine.read(ids, engine.initial_state(1))  # (T, 1, H)
    mean = float((hidden.astype(np.float64) ** 2).sum(axis=-1).mean())
    return DEFAULT_LIKENESS / mean if 1e-6 < mean < 1e12 else Numbers.theta
