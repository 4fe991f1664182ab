"""Which words moved an answer: each word around the blank is left out in turn, and the answer weighed anew.

Leave-one-out (Li, Monroe, Jurafsky, Understanding Neural Networks through Representation Erasure, 2016). Nothing is
estimated: the model reads the text without the word from its beginning. The answer is weighed against its best
rivals, because a word such as "is" is needed for any answer and speaks for none of them (as in Yin and Neubig,
arXiv:2202.10419). What a word brings is the weight of evidence of I. J. Good, "Probability and the Weighing of
Evidence" (1950): +1 bit doubles the odds of the answer.
"""

import math
from collections.abc import Iterator
from itertools import groupby

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import RnnError
from rnn_cli.inference.completer import Completer
from rnn_cli.inference.completion import CompletionResult, Evidence, WordEvidence
from rnn_cli.inference.pieces import is_part_of_word
from rnn_cli.inference.prompt import Prompt
from rnn_cli.inference.request import Request

CANDIDATES = 10  # the answer and its best rivals
NATS_A_BIT = math.log(2)
MOST_WORDS = 128  # on each side, the nearest to the blank; each costs one reading of the text

Floats = npt.NDArray[np.float64]


def log_odds_bits(log_probs: Floats) -> Floats:
    """log2 (P(first) / P(any other)): ln P of an answer and its rivals, (..., K), K at least 2, gives (...)."""
    answer, rivals = log_probs[..., 0], log_probs[..., 1:]
    largest = rivals.max(axis=-1, keepdims=True)
    of_rivals = largest[..., 0] + np.log(np.exp(rivals - largest).sum(axis=-1))
    return np.asarray((answer - of_rivals) / NATS_A_BIT, np.float64)


def evidence_bits(log_probs: Floats, without: Floats) -> Floats:
    """What each thing that was left out brings to an answer against its rivals, in bits; below 0: against it.

    Args:
        log_probs: ln P of the answer and of its rivals with everything there, (K,).
        without: the same without each of N things, (N, K).
    """
    return np.asarray(log_odds_bits(log_probs) - log_odds_bits(without))


def find_evidence(completer: Completer, result: CompletionResult) -> Evidence:
    """Leave out each word around the one blank, and see what becomes of the odds of the best completion.

    Args:
        completer: what gave the result.
        result: with at least one completion; the best `CANDIDATES` of them are weighed against each other.

    Raises:
        ModelFileError: the model's numbers grew too large.
    """
    prompt = Prompt.parse(result.text)
    left, right = prompt.segments
    candidates = dict.fromkeys(
        completion.text[len(left) : len(completion.text) - len(right)]
        for completion in result.completions[:CANDIDATES]
    )
    words = list(_word_spans(left))[-MOST_WORDS:]
    behind = list(_word_spans(right))[:MOST_WORDS]
    prompts = [
        prompt,
        *(Prompt(prompt.text, (_without(left, *span, begins_line=True), right)) for span in words),
        *(Prompt(prompt.text, (left, _without(right, *span, begins_line=False))) for span in behind),
    ]
    if len(candidates) < 2:
        return Evidence(result.completions[0].words, None, len(candidates), [])
    by_pmi = result.ranked is not None and result.ranked.by_pmi
    asked = [Request(p, list(candidates), by_pmi) for p in prompts]
    results = completer.answers(asked, top=len(candidates))
    log_probs = np.array(
        [_log_probs(list(candidates), p, found) for p, found in zip(prompts, results, strict=True)]
    )  # (1 + words, K)
    bits = evidence_bits(log_probs[0], log_probs[1:])
    offset = len(prompt.text) - len(right)
    spans = [*words, *((offset + start, offset + end) for start, end in behind)]
    found = [
        WordEvidence(prompt.text[start:end], start, brought)
        for (start, end), brought in zip(spans, bits.tolist(), strict=True)
    ]
    found.sort(key=lambda word: abs(word.bits), reverse=True)
    odds = float(log_odds_bits(log_probs[0]))
    return Evidence(result.completions[0].words, odds, len(candidates), found)


def _log_probs(candidates: list[str], prompt: Prompt, result: CompletionResult | RnnError) -> list[float]:
    """ln of each candidate's share, in their order."""
    if isinstance(result, RnnError):
        raise result
    found = {completion.text: completion.log_prob for completion in result.completions}
    return [found[candidate.join(prompt.segments)] for candidate in candidates]


def _word_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the words and punctuation marks begin and end."""

    def sort(character: str) -> str:
        if character.isspace():
            return "space"
        return "word" if is_part_of_word(character) else character

    place = 0
    for what, run in groupby(text, key=sort):
        length = len(list(run))
        if what != "space":
            yield place, place + length
        place += length


def _without(text: str, start: int, end: int, *, begins_line: bool) -> str:
    """The text without a word and the space that belongs to it, before it or, at the start of a line, behind it."""
    before, behind = text[:start], text[end:]
    if before.endswith(" "):
        return before.removesuffix(" ") + behind
    at_line_start = before[-1] in "\r\n" if before else begins_line
    return before + (behind.removeprefix(" ") if at_line_start else behind)
