"""What comes back: a text with its blank filled, a text continued, or the words that may come next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rnn_cli.inference.pieces import is_part_of_word
from rnn_cli.inference.prompt import Context, Prompt
from rnn_cli.inference.rules import Draft
from rnn_cli.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Completion:
    """One way to complete a text.

    Attributes:
        text: the whole text, with the blank filled, or continued.
        words: the words and punctuation marks that were filled in or added; none where only the line ends.
        probability: e^log_prob.
        log_prob: ln P(words | what stands to the left), in nats. It is a share of all that the model can say: the
            probabilities of the completions that are shown need not sum to 1.
    """

    text: str
    words: list[str]
    probability: float
    log_prob: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": self.text,
            "words": self.words,
            "probability": self.probability,
            "log_prob": self.log_prob,
        }


@dataclass(frozen=True)
class CompletionResult:
    """What a model makes of a text.

    Attributes:
        text: what was typed.
        completions: the ways to complete it, the most probable first.
        unknown: the words that the model read but does not know, as typed, each once.
    """

    text: str
    completions: list[Completion]
    unknown: list[str]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": self.text,
            "completions": [completion.to_dict() for completion in self.completions],
            "unknown": self.unknown,
        }


def completion_of(draft: Draft, prompt: Prompt, context: Context, tokenizer: Tokenizer) -> Completion:
    """Put what was drafted into the text that was typed; an `<eos>` at its end is not written."""
    ids = draft.ids[:-1] if draft.last == tokenizer.eos_id else draft.ids
    added = tokenizer.decode(ids)
    words = _words(ids, added, tokenizer)
    if prompt.right is not None:
        text = prompt.left + added.strip() + prompt.right
    elif ids:
        carries_space = tokenizer.joins_with_space and tokenizer.pieces[ids[0]].startswith(" ")
        space = " " if carries_space and not context.at_line_start else ""  # decode took it off
        text = context.kept + space + added
    else:
        text = prompt.text
    return Completion(text, words, probability=math.exp(draft.log_prob), log_prob=draft.log_prob)


def _words(ids: Sequence[int], text: str, tokenizer: Tokenizer) -> list[str]:
    """The words and punctuation marks of `text`, which `ids` decode to."""
    if tokenizer.kind == "word":
        return [word for id_ in ids if (word := tokenizer.pieces[id_].strip())]
    return words_in(text)


def words_in(text: str) -> list[str]:
    """The words and the runs of one punctuation mark in a text, without white space."""
    runs = groupby(text, key=lambda c: "word" if is_part_of_word(c) else c)
    return [word for _, run in runs if (word := "".join(run).strip())]
