"""One temperature by which a model's probabilities become as good as one number can make them.

    P(i) = e^(z_i / temperature) / sum_j e^(z_j / temperature)

(Guo et al., On Calibration of Modern Neural Networks, 2017.) Above 1 it makes a model less sure. The first guess
stays the first; what changes is how probable the model says that it is.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from rnn_cli.errors import TextError
from rnn_cli.inference.engine import Array, Engine, Ids
from rnn_cli.inference.mixture import Mixture, fit_weight
from rnn_cli.inference.reading import SCORES_AT_ONCE
from rnn_cli.inference.trained_model import TrainedModel

MOST_TOKENS = 20_000  # enough for one number: its standard error is then about 1 %
MOST_LINES = 2_000  # that words are taken out of, for the weights of a pair
MIXTURE_WORK = 1 << 40  # half a minute of one core, where a training spends a few seconds
LOWEST, HIGHEST = 0.05, 20.0  # temperatures; beyond these nothing was learnt that could be calibrated
_STEPS = 30
_CLOSE = 1e-5


@dataclass(frozen=True)
class Calibration:
    """What was fitted.

    Attributes:
        temperature: the scores are divided by it.
        tokens: how many tokens of the text it was fitted on.
        loss_before, loss_after: mean nats per token on them, at temperature 1 and at this one.
    """

    temperature: float
    tokens: int
    loss_before: float
    loss_after: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON, and for the model file."""
        return {
            "temperature": self.temperature,
            "tokens": self.tokens,
            "loss_before": self.loss_before,
            "loss_after": self.loss_after,
        }


def fit_temperatures(model: TrainedModel, lines: Sequence[str]) -> dict[str, Calibration]:
    """A temperature for each network of a model, by how its name begins in the model file: "" or "backward_".

    Raises:
        TextError: there is nothing to predict.
        ModelFileError: the model's numbers grew too large.
    """
    fitted = {"": fit_temperature(model, lines)}
    if model.backward is not None:
        fitted["backward_"] = fit_temperature(model, lines, second=True)
    return fitted


def fit_mixture(model: TrainedModel, lines: Sequence[str]) -> Mixture | None:
    """The weights of a pair's networks at their temperatures; None for a single network, or without words.

    Raises:
        ModelFileError: the model's numbers grew too large.
    """
    if model.backward is None:
        return None
    ids = (model.tokenizer.encode_line(line) for line in lines)
    some = list(islice((line for line in ids if line), MOST_LINES))
    return fit_weight(model.engine, model.backward, model.tokenizer, some, work=MIXTURE_WORK)


def fit_temperature(model: TrainedModel, lines: Iterable[str], *, second: bool = False) -> Calibration:
    """The temperature at which the first `MOST_TOKENS` tokens of a text are most probable.

    Args:
        second: for a pair's network that reads backwards, not for the first.

    The loss is convex in 1 / temperature, so Newton's steps between two limits find its only minimum.

    Raises:
        TextError: there is nothing to predict.
        ModelFileError: the model's numbers grew too large.
    """
    engine = (model.backward if second and model.backward else model.engine).at_temperature(1.0)
    backwards = second or model.direction == "backward"
    hidden, targets = _hidden_and_targets(model, engine, lines, backwards=backwards)
    low, high = 1 / HIGHEST, 1 / LOWEST
    beta = 1.0
    loss, slope, curvature = _loss(engine, hidden, targets, beta)
    loss_before = loss
    for _ in range(_STEPS):
        low, high = (beta, high) if slope < 0 else (low, beta)
        newton = beta - slope / curvature if curvature > 0 else low
        closer = newton if low < newton < high else (low + high) / 2
        moved, beta = abs(closer - beta), closer
        loss, slope, curvature = _loss(engine, hidden, targets, beta)
        if moved < _CLOSE * beta:
            break
    return Calibration(1 / beta, len(targets), loss_before, loss)


def _hidden_and_targets(
    model: TrainedModel, engine: Engine, lines: Iterable[str], *, backwards: bool
) -> tuple[Array, Ids]:
    """The top layer's h_t, (N, H), before each of N tokens, and the tokens, (N,)."""
    eos = model.tokenizer.eos_id
    carried = model.line_scorer().state_carried
    state = engine.initial_state(1)
    found: list[Array] = []
    targets: list[int] = []
    if backwards and carried:  # such a network begins at the end of the text
        lines = reversed(list(lines))
    for line in lines:
        if len(targets) >= MOST_TOKENS:
            break
        ids = model.tokenizer.encode_line(line)
        ids = ids[::-1] if backwards else ids
        if not ids and not carried:
            continue
        left = MOST_TOKENS - len(targets)  # where a line is cut, no end of line comes
        hidden, after = engine.read(np.array([[eos, *ids][:left]], np.intp).T, state)  # (T, 1, H)
        found.append(hidden[:, 0])
        targets += [*ids, eos][:left]
        state = after if carried else state
    if not targets:
        raise TextError("The text has no words to calibrate with.")
    return np.concatenate(found), np.array(targets, np.intp)


def _loss(engine: Engine, hidden: Array, targets: Ids, beta: float) -> tuple[float, float, float]:
    """Mean -ln P(target) at temperature 1 / beta, in nats, and its first and second derivative by beta."""
    rows = max(1, SCORES_AT_ONCE // engine.vocab_size)
    sums = np.zeros(3)
    for start in range(0, len(targets), rows):
        scores = engine.log_probs(hidden[start : start + rows]).astype(np.float64)  # (rows, vocab_size)
        came = scores[np.arange(len(scores)), targets[start : start + rows]]
        scaled = beta * scores
        largest = scaled.max(axis=1, keepdims=True)
        shares = np.exp(scaled - largest)
        total = shares.sum(axis=1, keepdims=True)
        shares /= total
        mean = (shares * scores).sum(axis=1)  # of the scores, by the model's own probabilities
        variance = (shares * (scores - mean[:, None]) ** 2).sum(axis=1)
        log_total = largest[:, 0] + np.log(total[:, 0])
        sums += (log_total - beta * came).sum(), (mean - came).sum(), variance.sum()
    loss, slope, curvature = (sums / len(targets)).tolist()
    assert math.isfinite(loss)
    return loss, slope, curvature
