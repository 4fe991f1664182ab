"""The text round a blank from its other end, read by a second network that has learnt to read backwards.

    P(text with w in the blank) = P(right) · P(w | right) · P(left | right, w)

each token given all that stand behind it. The two networks see a word from both sides, and what is ranked is the
weighted mean of their logarithms (a product of experts, Hinton 2002), normalised over what is ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from rnn_cli.inference.engine import Array, Engine
from rnn_cli.inference.reading import LogProbs, Readers, read_lines, read_on
from rnn_cli.inference.segment import Segment

Fills = tuple[tuple[int, ...], ...]
"""The ids in each blank, in order."""


@dataclass(frozen=True)
class OtherSide:
    """What the second network makes of one text.

    Attributes:
        engine: the second network.
        readers: one, which has read what stands behind the last blank, from its end.
        segments: what stands before each blank, the last blank's first, mirrored.
        forward_weight: w, the weight of the first network.
        eos_id, unk_id: an `<unk>` outside of the blanks is read but not weighed.
        independent_lines: whether the networks have learnt each line without memory of its neighbours.
    """

    engine: Engine
    readers: Readers
    segments: Sequence[Segment]
    forward_weight: float
    eos_id: int
    unk_id: int | None
    independent_lines: bool

    @property
    def tokens(self) -> int:
        """How many tokens are read with each filling."""
        return sum(segment.tokens for segment in self.segments)

    def limits(self, log_probs: Array) -> Array:
        """What the mean of both can be at most for each word of the vocabulary in the last blank, (N, vocab_size).

        With several blanks nothing better is known than that ln P is at most 0.

        Args:
            log_probs: what the first network says, (N, vocab_size).
        """
        first = np.float32(self.forward_weight) * log_probs
        if len(self.segments) > 1:
            return cast(Array, first)
        second = self.engine.log_probs(self.readers.hidden)  # (1, vocab_size)
        return cast(Array, first + np.float32(1 - self.forward_weight) * second)

    def mean(self, log_probs: LogProbs, fills: Sequence[Fills]) -> LogProbs:
        """The weighted mean of both for whole texts: log_probs (N,) of the first network, (N,)."""
        return self.forward_weight * log_probs + (1 - self.forward_weight) * self.log_probs(fills)

    def log_probs(self, fills: Sequence[Fills]) -> LogProbs:
        """ln P(all fillings and what stands before them | what stands behind the last blank), (N,)."""
        readers = self.readers.take([0] * len(fills))
        for number, segment in enumerate(self.segments, start=1):
            readers = read_on(self.engine, readers, [some[-number][::-1] for some in fills])
            readers = read_lines(
                self.engine,
                readers,
                segment.lines,
                eos_id=self.eos_id,
                unweighed=self.unk_id,
                independent=self.independent_lines,
            )
        return readers.log_probs
