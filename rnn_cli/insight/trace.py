"""One sentence through a network, step by step: what it read, remembered, expected, and what decided its answer."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rnn_cli.errors import UsageError
from rnn_cli.inference.engine import Array, Engine, Ids
from rnn_cli.inference.evidence import CANDIDATES, NATS_A_BIT, evidence_bits
from rnn_cli.inference.pieces import PieceTable
from rnn_cli.inference.prompt import Prompt, read_context
from rnn_cli.inference.ranking import only, top_ids
from rnn_cli.inference.trained_model import TrainedModel
from rnn_cli.insight.backward import Floats, Reading, back_through_time, loss_gradient, read
from rnn_cli.insight.labels import label

MOST_TOKENS = 400  # leaving out each token in turn takes time with the square of their number
SCORES_AT_ONCE = 1 << 22  # 16 MB in float32
PREDICTIONS = 3
UNITS = 3
DECIDES_FROM_BITS = 1.0  # without the word, the odds are half of what they are, or less


@dataclass(frozen=True)
class Prediction:
    """A token that may come next, and P(token | everything read so far)."""

    token: str
    probability: float


@dataclass(frozen=True)
class UnitChange:
    """How much one unit of the state differs from what it was at the step before; layers and units count from 1.

    Attributes:
        part: "h", or "s" for what an LSTM holds beside it.
    """

    layer: int
    unit: int
    change: float
    part: str = "h"

    def __str__(self) -> str:
        """12+ where unit 12 of h rose, 12- where it fell, s12+ for s; 2:12+ in a layer above the first."""
        place = "" if self.layer == 1 else f"{self.layer}:"
        part = "" if self.part == "h" else self.part
        return f"{place}{part}{self.unit}{'+' if self.change > 0 else '-'}"


@dataclass(frozen=True)
class Step:
    """One step of the network.

    Attributes:
        token: x_t, the token read; `<eos>` begins a line.
        norm: ‖h_t‖, all layers together; for an LSTM h_t stands for [h_t, s_t], here and below.
        change: ‖h_t - h_{t-1}‖.
        units: those that moved most, most first.
        predictions: the most probable tokens of y_t, best first.
        came: the token that came next; None at the last step unless an answer was given.
        error_bits: -log2 P(came); None where nothing came.
        gradient_norm: ‖∂Loss_T/∂h_t‖ with Loss_T = -ln P(answer) at the last step, in nats.
        probability_without: P(answer | the text without this token), by reading it again.
        evidence_bits: by how much that lowers log2 of the odds of the answer against its rivals. Negative where the
            token speaks against the answer. See `inference.evidence`.
        gradient_times_input_bits: x_t · ∂log2 odds/∂x_t, the first-order estimate of the evidence.
    """

    token: str
    norm: float
    change: float
    units: list[UnitChange]
    predictions: list[Prediction]
    came: str | None
    error_bits: float | None
    gradient_norm: float
    probability_without: float
    evidence_bits: float
    gradient_times_input_bits: float


@dataclass(frozen=True)
class Trace:
    """A sentence, step by step.

    Attributes:
        text: what was typed.
        cell: the name of the cells' equation.
        answer: the token that the backward part explains: the one asked about, else the best at the last step.
        probability: P(answer | everything read).
        rivals: the most probable other tokens of the last step.
        steps: one for each token read.
        unknown: the words that the model does not know, as typed, each once.
    """

    text: str
    cell: str
    answer: str
    probability: float
    rivals: list[str]
    steps: list[Step]
    unknown: list[str]

    @property
    def decisive(self) -> Step | None:
        """The token that speaks most for the answer, or against it, if that changes its odds twofold at least."""
        most = max(self.steps, key=lambda step: abs(step.evidence_bits))
        return most if abs(most.evidence_bits) >= DECIDES_FROM_BITS else None

    def verdict(self) -> tuple[str, str]:
        """What the answer is, and what decided it: two sentences."""
        said = f'The model gives "{self.answer}" {self.probability:.1%}.'
        step = self.decisive
        if step is None:
            return said, "No single word decides that: leaving one out never halves or doubles its odds."
        side = "for" if step.evidence_bits > 0 else "against"
        return said, (
            f'What speaks most {side} it is "{step.token}": without that word it would be '
            f"{step.probability_without:.1%}."
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def trace(model: TrainedModel, text: str, *, answer: str | None = None) -> Trace:
    """Follow `text` through a network, forward and backward.

    The last step predicts the blank (two or more underscores), or what comes after the text where there is none. The
    network reads from left to right: what stands behind the blank has no part in it, while `rnn complete` weighs it.
    Of a pair it is the network that reads forward.

    Args:
        answer: the token to explain at the last step; None: the most probable one (for a blank, word).

    Raises:
        UsageError: the model reads backwards; the text is empty, longer than `MOST_TOKENS` tokens or has several
            blanks; or the answer is not one token of the vocabulary.
        ModelFileError: the model's numbers grew too large while it read the text.
    """
    if model.direction == "backward":
        raise UsageError(
            "rnn trace follows a text from its first word to its last, and this model reads backwards. Give a model "
            "with model.direction forward or both; rnn complete --why works for every direction."
        )
    prompt = Prompt.parse(text)
    if prompt.blanks > 1:
        raise UsageError(
            f"The sentence has {prompt.blanks} blanks; a trace ends at one: write words in place of the others."
        )
    if prompt.right is None and not text.strip():
        raise UsageError(
            'The sentence is empty. Give some words: rnn trace "My favourite dish is sushi. So, my favourite ..."'
        )
    lines = model.config["data"]["mode"] == "lines"
    context = read_context(prompt.left, model.tokenizer, independent_lines=lines)
    if len(context.ids) > MOST_TOKENS:
        raise UsageError(
            f"The sentence has {len(context.ids):,} tokens; a trace has at most {MOST_TOKENS}. "
            "Give its last words only."
        )
    reading = read(model.engine, context.ids)
    log_probs = model.engine.log_probs(reading.top)  # (T, vocab_size)
    allowed = log_probs.copy()
    if prompt.right is not None:
        allowed[-1] = _words_only(model.pieces, log_probs[-1])
    target = int(allowed[-1].argmax()) if answer is None else _token_of(model, answer)
    (best,) = top_ids(allowed[[-1]], CANDIDATES)
    rivals = best[best != target][: CANDIDATES - 1]
    if not len(rivals):
        raise UsageError(
            f'"{label(model.tokenizer, target)}" is the only word that the model has for the blank, so there is '
            "nothing to weigh it against. Leave the blank out, or take a model that knows more words."
        )
    came = [*context.ids[1:], None if answer is None else target]
    return Trace(
        text=prompt.text,
        cell=model.engine.cell,
        answer=label(model.tokenizer, target),
        probability=math.exp(log_probs[-1, target]),
        rivals=[label(model.tokenizer, int(id_)) for id_ in rivals],
        steps=_steps(model, reading, context.ids, came, log_probs, allowed, np.array([target, *rivals])),
        unknown=context.unknown,
    )


def _steps(
    model: TrainedModel,
    reading: Reading,
    ids: Sequence[int],
    came: Sequence[int | None],
    log_probs: Array,
    allowed: Array,
    asked: Ids,
) -> list[Step]:
    """The steps of a text.

    Args:
        log_probs: ln P of every token at each step, (T, vocab_size).
        allowed: the same with -inf for what is not to be predicted.
        asked: the answer that is to be explained, and then the others that might have been it.
    """
    engine, tokenizer = model.engine, model.tokenizer
    h_T = reading.top[-1]  # (H,)
    answer, rivals = int(asked[0]), asked[1:]
    without = _without_each(engine, ids, asked)  # (T, K)
    evidence = evidence_bits(log_probs[-1, asked].astype(np.float64), without)  # (T,)
    of_loss = back_through_time(engine, reading, loss_gradient(engine, h_T, answer))
    of_odds = back_through_time(engine, reading, loss_gradient(engine, h_T, answer, among=rivals))
    estimates = -(of_odds.inputs * reading.tapes[0].inputs).sum(axis=1)  # (T,)
    states = np.concatenate([tape.states for tape in reading.tapes], axis=1).astype(
        np.float64
    )  # (T + 1, layers · S)
    changes = np.diff(states, axis=0)  # (T, layers · S)
    return [
        Step(
            token=label(tokenizer, id_),
            norm=float(np.linalg.norm(states[t + 1])),
            change=float(np.linalg.norm(changes[t])),
            units=_most_moved(changes[t], layers=engine.num_layers, hidden_size=len(h_T)),
            predictions=[
                Prediction(label(tokenizer, int(best)), math.exp(allowed[t, best]))
                for best in top_ids(allowed[[t]], PREDICTIONS)[0]
            ],
            came=None if next_ is None else label(tokenizer, next_),
            error_bits=None if next_ is None else -float(log_probs[t, next_]) / NATS_A_BIT,
            gradient_norm=float(np.linalg.norm(of_loss.states[t])),
            probability_without=math.exp(without[t, 0]),
            evidence_bits=float(evidence[t]),
            gradient_times_input_bits=float(estimates[t]) / NATS_A_BIT,
        )
        for t, (id_, next_) in enumerate(zip(ids, came, strict=True))
    ]


def _without_each(engine: Engine, ids: Sequence[int], asked: Ids) -> Floats:
    """ln P(each of `asked` comes next | the text without its t-th token), for every t, (T, K)."""
    hidden, _ = engine.read_each([[*ids[:t], *ids[t + 1 :]] for t in range(len(ids))])  # (T, H)
    rows = max(1, SCORES_AT_ONCE // engine.vocab_size)
    found = [engine.log_probs(hidden[first : first + rows])[:, asked] for first in range(0, len(ids), rows)]
    return np.concatenate(found).astype(np.float64)


def _most_moved(change: Floats, *, layers: int, hidden_size: int) -> list[UnitChange]:
    """The units of a step that moved most; change is of all layers beside each other, (layers · S,)."""
    most = np.argsort(-np.abs(change), kind="stable")[:UNITS]
    found = []
    for place in most[change[most] != 0].tolist():
        layer, column = divmod(place, len(change) // layers)
        part, unit = divmod(column, hidden_size)
        found.append(UnitChange(layer + 1, unit + 1, float(change[place]), "hs"[part]))
    return found


def _words_only(pieces: PieceTable, log_probs: Array) -> Array:
    """What may fill a blank: words, where a token is a word; pieces of words may all begin one."""
    return only(log_probs, pieces.word) if pieces.whole_words and pieces.word.any() else log_probs


def _token_of(model: TrainedModel, answer: str) -> int:
    ids = model.tokenizer.encode(answer)
    if len(ids) == 1 and ids[0] != model.tokenizer.unk_id:
        return ids[0]
    if len(ids) == 1:
        near = ", ".join(f'"{word}"' for word in model.nearest_words(answer))
        raise UsageError(
            f'--answer: the model does not know "{answer}".'
            + (f" Nearest known words: {near}." if near else "")
        )
    raise UsageError(
        f'--answer: "{answer}" is {len(ids)} tokens for this model; it has to be one, because one step predicts one.'
    )
