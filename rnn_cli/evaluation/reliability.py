"""Whether probabilities can be believed: of the answers given with about 70 %, are about 70 % right?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BANDS = 10


@dataclass(frozen=True)
class Band:
    """Answers whose probability was from `low` to `high`.

    Attributes:
        low, high: the limits, 0 to 1.
        total: how many answers, at least one.
        correct: how many of them were right.
        confidence: their mean probability.
    """

    low: float
    high: float
    total: int
    correct: int
    confidence: float

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return self.correct / self.total

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "from": self.low,
            "to": self.high,
            "total": self.total,
            "confidence": self.confidence,
            "accuracy": self.accuracy,
        }


class Reliability:
    """Counts answers by their probability. In constant memory, however many there are."""

    def __init__(self) -> None:
        self._totals = np.zeros(BANDS, np.int64)
        self._correct = np.zeros(BANDS, np.int64)
        self._confidence = np.zeros(BANDS)

    def add(self, confidences: npt.ArrayLike, right: npt.ArrayLike) -> None:
        """Count answers: the probability (N,) of each, and whether it was right (N,)."""
        values = np.asarray(confidences, np.float64)
        bands = np.clip((values * BANDS).astype(np.int64), 0, BANDS - 1)
        self._totals += np.bincount(bands, minlength=BANDS)
        self._correct += np.bincount(bands[np.asarray(right, np.bool_)], minlength=BANDS)
        self._confidence += np.bincount(bands, weights=values, minlength=BANDS)

    @property
    def bands(self) -> list[Band]:
        """The bands in which there are answers, least probable first."""
        return [
            Band(
                low=number / BANDS,
                high=(number + 1) / BANDS,
                total=int(self._totals[number]),
                correct=int(self._correct[number]),
                confidence=float(self._confidence[number] / self._totals[number]),
            )
            for number in np.flatnonzero(self._totals).tolist()
        ]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of accuracy from confidence, weighted by answers."""
        bands = self.bands
        total = sum(band.total for band in bands)
        return sum(band.total * abs(band.accuracy - band.confidence) for band in bands) / max(1, total)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "expected_calibration_error": self.error,
            "bands": [band.to_dict() for band in self.bands],
        }
