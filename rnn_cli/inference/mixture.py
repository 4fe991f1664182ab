"""How much each network of a pair weighs, fitted on a text that neither has learnt.

    score(w) = weight · ln P(w and all behind it | left) + (1 - weight) · ln P(w and all before it | right)

Words of the text are taken out, one at a time, and each is ranked among the likeliest others, as `rnn complete` would
rank them. The weight is the one at which the words that stood there are most probable: ln of a softmax that is
linear in the weight, so there is one best value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_cli.inference.engine import Engine
from rnn_cli.inference.other_side import OtherSide
from rnn_cli.inference.pieces import Mask, PieceTable
from rnn_cli.inference.ranking import only, top_ids
from rnn_cli.inference.reading import LogProbs, Readers, read_on
from rnn_cli.inference.request import mirrored_segment
from rnn_cli.text.tokenizer import Tokenizer

RIVALS = 31  # the likeliest words that a word which was taken out is ranked among
LONGEST_LINE = 64  # tokens of a line that are looked at; more cost time and change little
FEWEST_BLANKS, MOST_BLANKS = 100, 1000
WORK = 1 << 37  # multiplications for the scores of all tokens: a few seconds of one core
_STEPS = 40  # of a search that halves what is left, nearly: far below what so few blanks can tell


@dataclass(frozen=True)
class Mixture:
    """What was fitted.

    Attributes:
        forward_weight: of the network that reads forward, from 0 to 1; the other has the rest.
        blanks: how many words were taken out.
        loss: mean -ln P(the word that stood there) with that weight, in nats.
        forward_loss, backward_loss: the same with one network alone.
    """

    forward_weight: float
    blanks: int
    loss: float
    forward_loss: float
    backward_loss: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON, and for the model file."""
        return {
            "forward_weight": self.forward_weight,
            "blanks": self.blanks,
            "ranked_among": RIVALS + 1,
            "loss": self.loss,
            "forward_loss": self.forward_loss,
            "backward_loss": self.backward_loss,
        }

    def __str__(self) -> str:
        return (
            f"The network that reads forward weighs {self.forward_weight:.2f}, the one that reads backwards "
            f"{1 - self.forward_weight:.2f}, fitted on {self.blanks:,} blanks (loss {self.loss:.3f} among "
            f"{RIVALS + 1} words; forward alone {self.forward_loss:.3f}, backward alone {self.backward_loss:.3f})."
        )


def fit_weight(
    forward: Engine,
    backward: Engine,
    tokenizer: Tokenizer,
    lines: Sequence[Sequence[int]],
    *,
    work: int = WORK,
) -> Mixture | None:
    """The weight of `forward` at which words taken out of some lines are most probable; None where there are none.

    Args:
        lines: token ids of lines that neither network has learnt, without `<eos>`.
        work: multiplications that may be spent; they decide how many words are taken out.

    Raises:
        ModelFileError: the numbers of a model grew too large.
    """
    pieces = PieceTable.of(tokenizer)
    allowed = pieces.word.copy() if pieces.whole_words else ~pieces.none
    for id_ in (tokenizer.eos_id, tokenizer.unk_id):
        if id_ is not None:
            allowed[id_] = False
    scores = [
        _scores(forward, backward, tokenizer, line, place, allowed)
        for line, place in _blanks(lines, allowed, work, forward.output_weights)
    ]
    if not scores:
        return None
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if _loss(scores, left) < _loss(scores, right):
            high = right
        else:
            low = left
    weight = (low + high) / 2
    return Mixture(weight, len(scores), _loss(scores, weight), _loss(scores, 1.0), _loss(scores, 0.0))


def _blanks(
    lines: Sequence[Sequence[int]], allowed: Mask, work: int, output_weights: int
) -> Iterator[tuple[Sequence[int], int]]:
    """Lines spread over the text, each with the place of a word that is taken out; always the same ones."""
    usable = [line[:LONGEST_LINE] for line in lines if any(allowed[id_] for id_ in line[:LONGEST_LINE])]
    if not usable:
        return
    count = _count(sum(map(len, usable)) / len(usable), output_weights, work)
    random = np.random.default_rng(0)
    # Where there are fewer lines, several words of each are taken out, one at a time.
    for number in (np.arange(count) * len(usable) // count).tolist():
        places = [place for place, id_ in enumerate(usable[number]) if allowed[id_]]
        yield usable[number], int(random.choice(places))


def _count(mean_length: float, output_weights: int, work: int) -> int:
    """How many words are taken out of lines of some length."""
    affordable = int(work / ((RIVALS + 1) * mean_length * output_weights))
    return min(max(affordable, FEWEST_BLANKS), MOST_BLANKS)


def tokens_to_score(mean_length: float, output_weights: int, work: int = WORK) -> int:
    """About how many tokens `fit_weight` scores, for those who have to be done in time."""
    mean_length = min(mean_length, LONGEST_LINE)
    return round(_count(mean_length, output_weights, work) * (RIVALS + 1) * mean_length)


def _scores(
    forward: Engine, backward: Engine, tokenizer: Tokenizer, line: Sequence[int], place: int, allowed: Mask
) -> tuple[LogProbs, LogProbs]:
    """What both networks say of the word that stands in a place, which comes first, and of its rivals."""
    eos, unk = tokenizer.eos_id, tokenizer.unk_id
    before, behind = [eos, *line[:place]], [*line[place + 1 :]]
    other = OtherSide(
        backward,
        _read(backward, [eos, *behind[::-1]]),
        [mirrored_segment(before, eos)],
        forward_weight=0.5,
        eos_id=eos,
        unk_id=unk,
        independent_lines=True,
    )
    readers = _read(forward, before)
    limits = only(other.limits(forward.log_probs(readers.hidden)), allowed)  # (1, vocab_size)
    limits[0, line[place]] = -np.inf
    ids = [line[place], *top_ids(limits, RIVALS)[0].tolist()]
    read = read_on(forward, readers.take([0] * len(ids)), [[id_] for id_ in ids])
    read = read_on(forward, read, [behind] * len(ids), unweighed=unk)
    return read.log_probs, other.log_probs([((id_,),) for id_ in ids])


def _read(engine: Engine, ids: Sequence[int]) -> Readers:
    hidden, state = engine.read_each([ids])
    return Readers(np.zeros(1), hidden, state)


def _loss(scores: Sequence[tuple[LogProbs, LogProbs]], weight: float) -> float:
    """Mean -ln P(the word that stood there), in nats."""
    total = 0.0
    for forward, backward in scores:
        both = weight * forward + (1 - weight) * backward
        total += float(np.logaddexp.reduce(both) - both[0])
    return total / len(scores)
