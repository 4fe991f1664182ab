"""Perplexity with its terms: a number that does not say what it counts cannot be compared."""

import math
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Perplexity:
    """How surprised a model was by a text.

    Attributes:
        nll: the sum of -ln(probability of the word that came), in nats.
        tokens: how many words were predicted; one end of line for each line is among them.
        unknown: how many of them were the unknown word.
        state_carried: True where the hidden state ran through the whole text, False where each line began anew.
    """

    nll: float
    tokens: int
    unknown: int
    state_carried: bool

    @property
    def loss(self) -> float:
        """Mean nats per token."""
        return self.nll / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite where that is beyond a float."""
        return math.exp(self.loss) if self.loss < 709 else math.inf

    def terms(self) -> str:
        """What was counted, in words."""
        state = "state carried over the whole text" if self.state_carried else "state reset at each line"
        return (
            f"{self.tokens:,} tokens, unknown words counted ({self.unknown:,}), end of line counted, {state}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figure and its terms, for JSON."""
        return {
            "perplexity": self.perplexity if math.isfinite(self.perplexity) else None,
            "loss": self.loss if math.isfinite(self.loss) else None,
            "tokens": self.tokens,
            "unknown": self.unknown,
            "end_of_line_counted": True,
            "state": "carried" if self.state_carried else "reset",
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """What `to_dict` wrote."""
        return cls(
            nll=math.inf if stored["loss"] is None else stored["loss"] * stored["tokens"],
            tokens=stored["tokens"],
            unknown=stored["unknown"],
            state_carried=stored["state"] == "carried",
        )
