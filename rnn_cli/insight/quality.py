"""What a model is good at: how far back it remembers, how well it knows rare words, how far it can be believed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnn_cli.evaluation.reliability import Reliability
from rnn_cli.inference.engine import Engine
from rnn_cli.insight.measured import Flags, Predictions, Sample, mean_and_error, target_log_probs

CONTEXTS = (1, 2, 4, 8, 16, 32, 64, 128)
PLACES = 500  # predictions that are made again with each context
FREQUENCIES = (1, 10, 100, 1_000, 10_000)  # where the bands of frequencies begin


@dataclass(frozen=True)
class Remembered:
    """What a model loses when it sees only the last words.

    Attributes:
        words: how many tokens it saw, at most.
        cut: the share of the predictions whose context was longer than that.
        rise: how much the loss was higher than with the whole context, mean nats per token.
        standard_error: of the rise, over the predictions made.
    """

    words: int
    cut: float
    rise: float
    standard_error: float


def memory_length(
    engine: Engine, sample: Sample, predictions: Predictions, contexts: Sequence[int] = CONTEXTS
) -> list[Remembered]:
    """The rise of the loss for each length of context, at `PLACES` predictions spread over the sample.

    Cut contexts are read from no memory. Lengths that are longer than every context are left out.
    """
    N = len(sample.targets)
    places = np.unique(np.linspace(0, N - 1, min(N, PLACES)).astype(np.intp))
    targets = sample.targets[places]
    whole = predictions.log_probs[places]
    lengths = places + 1 - sample.begins[places]
    found = []
    for words in contexts:
        is_cut = lengths > words
        if not is_cut.any():
            break
        rise = np.zeros(len(places))
        rise[is_cut] = whole[is_cut] - target_log_probs(
            engine, sample.contexts(places[is_cut], words), targets[is_cut]
        )
        mean, error = mean_and_error(rise)
        found.append(Remembered(words, float(is_cut.mean()), mean, error))
    return found


@dataclass(frozen=True)
class Group:
    """Predictions that have something in common.

    Attributes:
        name: what that is.
        tokens: how many there are.
        accuracy: the share whose target was the most probable token.
        bits: the mean -log2 P(target).
    """

    name: str
    tokens: int
    accuracy: float
    bits: float


def by_frequency(
    sample: Sample, predictions: Predictions, counts: npt.NDArray[np.int64], *, unk_id: int | None
) -> list[Group]:
    """The predictions by how often their target occurs in the training text; unknown words are a group of their own.

    Args:
        counts: how often each id occurs, (vocab_size,).
    """
    of_target = counts[sample.targets]  # (N,)
    unknown = np.zeros(len(of_target), np.bool_) if unk_id is None else sample.targets == unk_id
    found = [_group("unknown", predictions, unknown), _group("0", predictions, ~unknown & (of_target == 0))]
    for low, high in zip(FREQUENCIES, (*FREQUENCIES[1:], None), strict=True):
        name = f"{low:,} and more" if high is None else f"{low:,}-{high - 1:,}"
        within = (of_target >= low) & (of_target < (high or math.inf))
        found.append(_group(name, predictions, ~unknown & within))
    return [group for group in found if group.tokens]


def reliability(predictions: Predictions) -> Reliability:
    """The predictions by the probability of their best token: how far it can be believed."""
    found = Reliability()
    found.add(predictions.confidence, predictions.right)
    return found


def _group(name: str, predictions: Predictions, members: Flags) -> Group:
    if not members.any():
        return Group(name, 0, 0.0, 0.0)
    return Group(
        name=name,
        tokens=int(members.sum()),
        accuracy=float(predictions.right[members].mean()),
        bits=-float(predictions.log_probs[members].mean()) / math.log(2),
    )
