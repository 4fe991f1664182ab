"""How well a model predicts a text: perplexity with its terms, bits per character, right guesses."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from rnn_cli.errors import RnnError, TextError
from rnn_cli.evaluation.reliability import Reliability
from rnn_cli.inference.adapted import AdaptedReader
from rnn_cli.inference.additions import NOTHING_ADDED, Additions
from rnn_cli.inference.judging import Judged
from rnn_cli.inference.scoring import Perplexity
from rnn_cli.inference.trained_model import TrainedModel

GUESSES = (1, 5, 10)
LINES_READ_AT_ONCE = 1024


@dataclass(frozen=True)
class TextEvaluation:
    """What a model made of a text.

    Attributes:
        perplexity: with its terms.
        characters: code points of the lines that count, each line end counted as one.
        lines: how many lines counted.
        hits: for 1, 5 and 10: how many tokens were among so many first guesses.
        reliability: of the first guess at each token.
        temperature: that the model was calibrated with; 1 where it was not.
        direction: of the network that was measured: "forward", each token judged by those before it, or "backward".
        additions: what was added to the network.
    """

    perplexity: Perplexity
    characters: int
    lines: int
    hits: dict[int, int]
    reliability: Reliability
    temperature: float
    direction: str = "forward"
    additions: Additions = NOTHING_ADDED

    @property
    def bits_per_character(self) -> float:
        """Bits that the model needs for a character, on average."""
        return self.perplexity.nll / math.log(2) / self.characters

    def terms(self) -> str:
        """What was counted and what was added, in words."""
        counted = self.perplexity.terms()
        return f"{counted}; {self.additions.terms()}" if self.additions.names else counted

    def accuracy(self, guesses: int) -> tuple[float, float]:
        """The share of tokens among so many first guesses, and its standard error."""
        share = self.hits[guesses] / self.perplexity.tokens
        return share, math.sqrt(share * (1 - share) / self.perplexity.tokens)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures = {
            "format": "text",
            **self.perplexity.to_dict(),
            "bits_per_character": self.bits_per_character,
            "characters": self.characters,
            "lines": self.lines,
        }
        for guesses in self.hits:
            share, error = self.accuracy(guesses)
            figures[f"top_{guesses}"] = {"accuracy": share, "standard_error": error}
        figures["reliability"] = self.reliability.to_dict()
        figures["temperature"] = self.temperature
        figures["direction"] = self.direction
        if self.additions.names:
            figures["added"] = self.additions.to_dict()
        return figures


def evaluate_text(
    model: TrainedModel, lines: Iterable[str], *, batch_size: int, additions: Additions = NOTHING_ADDED
) -> TextEvaluation:
    """Measure `model` on the lines of a text, as it was trained: the state carried, or reset at each line.

    Of a pair it is the network that reads forward. A network that reads backwards with its state carried begins at
    the end of the text, which is then held in memory.

    The exact softmax in blocks; memory does not grow with the text, and the result does not depend on `batch_size`,
    but for rounding.

    Args:
        batch_size: how many lines are read side by side where lines are independent, and nothing is added.
        additions: a cache, dynamic evaluation and an n-gram model, which read the text in order.

    Raises:
        UsageError: something is added to a model that only reads backwards, or dynamic evaluation cannot follow the
            model's cell back.
        TextError: there is nothing to predict.
        ModelFileError: the model's numbers grew too large.
    """
    tokenizer = model.tokenizer
    scorer = model.line_scorer(at_once=batch_size)
    state = scorer.start()
    reader = adapted_reader(model, additions) if additions.names else None
    counts = _Counts()
    from_the_end = scorer.backwards and scorer.state_carried
    coming = reversed(list(lines)) if from_the_end else iter(lines)
    while group := list(islice(coming, LINES_READ_AT_ONCE)):
        ids = [tokenizer.encode_line(line) for line in group]
        results: Sequence[Judged | RnnError]
        if reader is not None:
            results = reader.judge(ids)
        elif from_the_end:  # the scorer takes lines in the order of the text
            results, state = scorer.judge(ids[::-1], state)
            results = results[::-1]
        else:
            results, state = scorer.judge(ids, state)
        for line, line_ids, judged in zip(group, ids, results, strict=True):
            if isinstance(judged, RnnError):
                raise judged
            if len(judged.log_probs):
                unknown = 0 if tokenizer.unk_id is None else line_ids.count(tokenizer.unk_id)
                counts.add(judged, characters=len(line) + 1, unknown=unknown)
    if not counts.tokens:
        raise TextError("The text has no words to predict.")
    return TextEvaluation(
        Perplexity(counts.nll, counts.tokens, counts.unknown, scorer.state_carried, squares=counts.squares),
        characters=counts.characters,
        lines=counts.lines,
        hits=dict(zip(GUESSES, counts.hits.tolist(), strict=True)),
        reliability=counts.reliability,
        temperature=model.temperature,
        direction="backward" if scorer.backwards else "forward",
        additions=additions,
    )


def adapted_reader(model: TrainedModel, additions: Additions) -> AdaptedReader:
    """What reads a text in order, and goes on learning from it.

    Raises:
        UsageError: the model only reads backwards, or dynamic evaluation cannot follow its cell back.
    """
    model.check_reads_forward()
    return AdaptedReader(
        model.engine,
        eos_id=model.tokenizer.eos_id,
        state_carried=model.line_scorer().state_carried,
        additions=additions,
    )


class _Counts:
    """Running sums over all tokens."""

    def __init__(self) -> None:
        self.nll = self.squares = 0.0
        self.tokens = self.unknown = self.characters = self.lines = 0
        self.hits = np.zeros(len(GUESSES), np.int64)
        self.reliability = Reliability()

    def add(self, judged: Judged, *, characters: int, unknown: int) -> None:
        """Count a line."""
        self.nll -= float(judged.log_probs.sum())
        self.squares += float((judged.log_probs**2).sum())
        self.tokens += len(judged.log_probs)
        self.characters += characters
        self.unknown += unknown
        self.lines += 1
        self.hits += [np.count_nonzero(judged.ranks <= guesses) for guesses in GUESSES]
        self.reliability.add(np.exp(judged.best), judged.ranks == 1)
