"""How the minutes of a training with `training.max_minutes` are shared out: updates, validations, the test."""

from dataclasses import dataclass

MOST_VALIDATIONS = 10
"""Enough to see a curve and to catch the best model of one that begins to learn by heart."""

VALIDATING_SHARE = 0.05
"""Validations on the way may take so much of the time; they become fewer where each is long."""

MARGIN_SHARE = 0.005
"""Left over for what cannot be foreseen: writing the model, a core that others want."""

LEAST_TRAINING_SHARE = 0.5
"""Where measuring would take more than half of the time, the training is late rather than none."""


@dataclass
class TimeLimit:
    """The time of a training from its first update to the end of its test.

    Attributes:
        total_s: all of it, seconds.
        valid_tokens, test_tokens: what is measured at the end, and on the way the former alone. What weighing the
            networks of a pair takes counts as so many more of the test.
        token_s: seconds that measuring a token takes; follows the latest validation.
        saving_s: seconds that saving a state takes; follows the latest one.
    """

    total_s: float
    valid_tokens: int
    test_tokens: int
    token_s: float
    saving_s: float = 0.0

    @property
    def updates_until_s(self) -> float:
        """When the updates end, so that the last validation and the test end in time."""
        closing_s = self.saving_s + self.token_s * (self.valid_tokens + self.test_tokens)
        return self.total_s * max(LEAST_TRAINING_SHARE, 1 - MARGIN_SHARE - closing_s / self.total_s)

    def share(self, elapsed_s: float) -> float:
        """The share of the time for updates that is spent, from 0 to 1."""
        return min(1.0, elapsed_s / self.updates_until_s)

    def is_up(self, elapsed_s: float) -> bool:
        """Whether the updates have to end."""
        return elapsed_s >= self.updates_until_s

    def validation_is_due(self, elapsed_s: float, validated_at_s: float) -> bool:
        """Whether it is time to measure again; not shortly before the end, where the last validation comes anyway."""
        interval_s = self._validation_interval_s()
        near_the_end = elapsed_s > self.updates_until_s - interval_s / 2
        return self.valid_tokens > 0 and elapsed_s - validated_at_s >= interval_s and not near_the_end

    def validated(self, seconds: float) -> None:
        """A validation took so long."""
        if self.valid_tokens:
            self.token_s = seconds / self.valid_tokens

    def _validation_interval_s(self) -> float:
        valid_s = max(self.token_s * self.valid_tokens, 1e-9)
        affordable = int(VALIDATING_SHARE * self.total_s / valid_s)
        return self.updates_until_s / min(max(affordable, 1), MOST_VALIDATIONS)
