"""What comes back: a text with its blanks filled, a text continued, or the words that may come next."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rnn_cli.inference.line_index import NearLine
from rnn_cli.inference.pieces import is_part_of_word
from rnn_cli.inference.prompt import Context, Prompt
from rnn_cli.inference.rules import Draft
from rnn_cli.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Completion:
    """One way to complete a text.

    Attributes:
        text: the whole text, with the blanks filled, or continued.
        words: the words and punctuation marks that were filled in or added; none where only the line ends.
        probability: e^log_prob.
        log_prob: in nats. Blanks: ln of the share of this filling in all that were ranked, which sum to 1. Else: ln
            P(words | what stands to the left), a share of all that the model can say.
        fills: the words in each blank; None without a blank.
        joint_log_prob: ln P(words and all that stands behind them | what stands to the left), in nats; unknown
            words behind them are read but not weighed. From a network that reads backwards it is the same with left
            and right exchanged, from a pair the weighted mean of both. None without a blank.
        pmi: joint_log_prob less ln P(words) by their frequency alone, in nats, where choices were ranked by that;
            log_prob is then ln of the share that e^pmi has in that of all choices. See `frequency`.
    """

    text: str
    words: list[str]
    probability: float
    log_prob: float
    fills: list[list[str]] | None = None
    joint_log_prob: float | None = None
    pmi: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures = {
            "text": self.text,
            "words": self.words,
            "probability": self.probability,
            "log_prob": self.log_prob,
        }
        if self.fills is not None:
            figures |= {"fills": self.fills, "joint_log_prob": self.joint_log_prob}
        if self.pmi is not None:
            figures["pmi"] = self.pmi
        return figures


@dataclass(frozen=True)
class Ranked:
    """Among what the completions of a blank are the best.

    Attributes:
        count: how many fillings were ranked, each by the exact probability of the whole text with it in place. The
            probabilities of all of them sum to 1.
        tokens_behind: how many tokens behind the last blank counted.
        direction: how the text was read, "forward", "backward" or "both".
        by_pmi: whether it were choices, taken to be equally frequent before the text was read.
    """

    count: int
    tokens_behind: int
    direction: str = "forward"
    by_pmi: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        equal = ", as if all were equally frequent" if self.by_pmi else ""
        return {
            "count": self.count,
            "tokens_behind": self.tokens_behind,
            "direction": self.direction,
            **({"by_pmi": True} if self.by_pmi else {}),
            "probabilities": f"normalised over the ranked{equal}",
        }

    def __str__(self) -> str:
        what = "filling was" if self.count == 1 else "fillings were"
        read = {"both": ", read from both ends", "backward": ", read from its end"}.get(self.direction, "")
        equal = ", as if all choices were equally frequent (PMI)" if self.by_pmi else ""
        how = f"ranked by the whole text{read}{equal}"
        return f"{self.count:,} {what} {how}; the probabilities of all of them sum to 1."


@dataclass(frozen=True)
class WordEvidence:
    """What a word of the text did to an answer.

    Attributes:
        word: as typed.
        position: the character of the text, from 0, at which it begins.
        bits: by how much log2 of the answer's odds against its rivals falls without it; above 0 it speaks for the
            answer.
    """

    word: str
    position: int
    bits: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"word": self.word, "position": self.position, "evidence_bits": self.bits}


@dataclass(frozen=True)
class Evidence:
    """Why an answer was given, and none of its rivals.

    Attributes:
        answer: the words in the blank.
        log_odds_bits: log2 of the odds that the answer has against its rivals; None where it has none.
        candidates: how many were weighed against each other: the answer and its best rivals.
        words: the words around the blank, those that moved the answer most first.
        nearest: lines of the training text in which the network's state was most like its state at the blank; None
            where the run kept no index of them.
    """

    answer: list[str]
    log_odds_bits: float | None
    candidates: int
    words: list[WordEvidence]
    nearest: list[NearLine] | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "answer": self.answer,
            "log_odds_bits": self.log_odds_bits,
            "candidates": self.candidates,
            "words": [word.to_dict() for word in self.words],
            **({} if self.nearest is None else {"nearest": [line.to_dict() for line in self.nearest]}),
        }


@dataclass(frozen=True)
class CompletionResult:
    """What a model makes of a text.

    Attributes:
        text: what was typed.
        completions: the ways to complete it, the most probable first.
        unknown: the words that the model read but does not know, as typed, each once.
        ranked: among what the completions are the best; None without a blank.
        why: which words around the blank moved the best completion; None where that was not asked.
    """

    text: str
    completions: list[Completion]
    unknown: list[str]
    ranked: Ranked | None = None
    why: Evidence | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures: dict[str, Any] = {
            "text": self.text,
            "completions": [completion.to_dict() for completion in self.completions],
            "unknown": self.unknown,
        }
        if self.ranked is not None:
            figures["ranked"] = self.ranked.to_dict()
        if self.why is not None:
            figures["why"] = self.why.to_dict()
        return figures


def continued(draft: Draft, prompt: Prompt, context: Context, tokenizer: Tokenizer) -> Completion:
    """Put what was drafted behind the text that was typed; an `<eos>` at its end is not written."""
    ids = draft.ids[:-1] if draft.last == tokenizer.eos_id else draft.ids
    added = tokenizer.decode(ids)
    text = prompt.text
    if ids:
        carries_space = tokenizer.joins_with_space and tokenizer.pieces[ids[0]].startswith(" ")
        space = " " if carries_space and not context.at_line_start else ""  # decode took it off
        text = context.kept + space + added
    words = words_of(ids, tokenizer)
    return Completion(text, words, probability=math.exp(draft.log_prob), log_prob=draft.log_prob)


def filled(
    prompt: Prompt,
    fills: Sequence[tuple[str, list[str]]],
    *,
    log_prob: float,
    joint_log_prob: float,
    pmi: float | None = None,
) -> Completion:
    """Put (text, its words) into each blank of the text that was typed."""
    text = prompt.left
    for (fill, _), behind in zip(fills, prompt.segments[1:], strict=True):
        text += fill + behind
    return Completion(
        text,
        words=[word for _, words in fills for word in words],
        probability=math.exp(log_prob),
        log_prob=log_prob,
        fills=[words for _, words in fills],
        joint_log_prob=joint_log_prob,
        pmi=pmi,
    )


def words_of(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """The words and punctuation marks that `ids` spell."""
    if tokenizer.kind == "word":
        return [word for id_ in ids if (word := tokenizer.pieces[id_].strip())]
    return words_in(tokenizer.decode(ids))


def words_in(text: str) -> list[str]:
    """The words and the runs of one punctuation mark in a text, without white space."""
    runs = groupby(text, key=lambda c: "word" if is_part_of_word(c) else c)
    return [word for _, run in runs if (word := "".join(run).strip())]
