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
        squares: the sum of (ln probability)² of the words, which the standard errors are made of; None where it was
            not kept.
        of_tokens: words of the whole text, where only stretches of it were read; None: all of it was.
    """

    nll: float
    tokens: int
    unknown: int
    state_carried: bool
    squares: float | None = None
    of_tokens: int | None = None

    @property
    def loss(self) -> float:
        """Mean nats per token."""
        return self.nll / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite where that is beyond a float."""
        return math.exp(self.loss) if self.loss < 709 else math.inf

    @property
    def loss_standard_error(self) -> float | None:
        """Of the mean nats per token, over the tokens as if they were independent; None where it is not known."""
        if self.squares is None:
            return None
        return math.sqrt(max(0.0, self.squares / self.tokens - self.loss**2) / self.tokens)

    @property
    def standard_error(self) -> float | None:
        """Of the perplexity, by the delta method: exp has the slope exp; None where it is not known."""
        of_loss = self.loss_standard_error
        return None if of_loss is None else self.perplexity * of_loss

    def terms(self) -> str:
        """What was counted, in words."""
        whole, tokens = "the whole text", f"{self.tokens:,} tokens"
        if self.of_tokens is not None:
            whole, tokens = "them", f"{self.tokens:,} of {self.of_tokens:,} tokens, from all over the text"
        state = f"state carried over {whole}" if self.state_carried else "state reset at each line"
        return f"{tokens}, unknown words counted ({self.unknown:,}), end of line counted, {state}"

    def to_dict(self) -> dict[str, Any]:
        """The figure and its terms, for JSON."""
        figures = {
            "perplexity": _finite(self.perplexity),
            "loss": _finite(self.loss),
            "tokens": self.tokens,
            "unknown": self.unknown,
            "end_of_line_counted": True,
            "state": "carried" if self.state_carried else "reset",
        }
        if self.of_tokens is not None:
            figures["of_tokens"] = self.of_tokens
        if self.loss_standard_error is not None and self.standard_error is not None:
            figures["loss_standard_error"] = _finite(self.loss_standard_error)
            figures["perplexity_standard_error"] = _finite(self.standard_error)
        return figures

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """What `to_dict` wrote, in this version or before there were standard errors."""
        loss, tokens, error = stored["loss"], stored["tokens"], stored.get("loss_standard_error")
        return cls(
            nll=math.inf if loss is None else loss * tokens,
            tokens=tokens,
            unknown=stored["unknown"],
            state_carried=stored["state"] == "carried",
            squares=None if loss is None or error is None else (error**2 * tokens + loss**2) * tokens,
            of_tokens=stored.get("of_tokens"),
        )


def _finite(number: float) -> float | None:
    """JSON has no infinity and no nan: null."""
    return number if math.isfinite(number) else None
