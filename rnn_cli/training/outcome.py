"""What a finished training came to, in words and as data."""

from dataclasses import dataclass
from typing import Any, Self

from rnn_cli.inference.mixture import Mixture
from rnn_cli.inference.scoring import Perplexity


@dataclass(frozen=True)
class Outcome:
    """What a finished training came to.

    Attributes:
        opening: how the training text begins, to try the model with.
        first: of a pair, what its first network came to; all else is then of the second, which reads backwards.
        mixture: of a pair, how much its networks weigh; None where there was no text to fit that on.
    """

    reason: str
    parameters: int
    steps: int
    elapsed_s: float
    rollbacks: list[dict[str, Any]]
    valid: Perplexity | None
    test: Perplexity | None
    opening: str
    first: "Outcome | None" = None
    mixture: Mixture | None = None

    def report(self) -> list[str]:
        """The end of the training in words, a line each."""
        if self.first is None:
            return self._lines()
        return [
            "The network that reads forward:",
            *(f"  {line}" for line in self.first._lines()),
            "The network that reads backwards:",
            *(f"  {line}" for line in self._lines()),
            "Without a validation text both weigh the same." if self.mixture is None else str(self.mixture),
        ]

    def _lines(self) -> list[str]:
        lines = [f"Trained {self.steps:,} steps in {self.elapsed_s:,.0f} s: {self.reason}."]
        lines += [
            f"Went wrong at step {wrong['step']:,} ({wrong['reason']}), back to step {wrong['back_to']:,}; "
            f"learning rate times {wrong['rate_factor']:g}."
            for wrong in self.rollbacks
        ]
        for name, result in (("validation", self.valid), ("test", self.test)):
            if result is not None:
                lines.append(f"{name} perplexity {result.perplexity:,.2f} ({result.terms()})")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """For the run's summary. The measurements of a pair are its first network's, and `backward` the second's."""
        own = {
            "reason": self.reason,
            "parameters": self.parameters,
            "steps": self.steps,
            "elapsed_s": round(self.elapsed_s, 3),
            "rollbacks": self.rollbacks,
            "valid": self.valid and self.valid.to_dict(),
            "test": self.test and self.test.to_dict(),
        }
        if self.first is None:
            return own
        return {
            **self.first.to_dict(),
            "reason": self.reason,
            "parameters": self.first.parameters + self.parameters,
            "steps": self.first.steps + self.steps,
            "elapsed_s": round(self.first.elapsed_s + self.elapsed_s, 3),
            "rollbacks": self.first.rollbacks + self.rollbacks,
            "backward": own,
            "mixture": self.mixture and self.mixture.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any], *, opening: str) -> Self:
        """What `to_dict` wrote of a single network."""
        valid, test = (stored[split] and Perplexity.from_dict(stored[split]) for split in ("valid", "test"))
        return cls(**{**stored, "valid": valid, "test": test}, opening=opening)
