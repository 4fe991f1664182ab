"""Which words moved an answer: each word around the blank is left out in turn, and the answer weighed anew.

Leave-one-out (Li, Monroe, Jurafsky, Understanding Neural Networks through Representation Erasure, 2016). Nothing is
estimated: the model reads the text without the word from its beginning. The answer is weighed against its best
rivals, because a word such as "is" is needed for any answer and speaks for none of them.
"""

from collections.abc import Iterator
from itertools import groupby

from rnn_cli.errors import RnnError
from rnn_cli.inference.completer import Completer
from rnn_cli.inference.completion import CompletionResult, Evidence, WordEvidence
from rnn_cli.inference.pieces import is_part_of_word
from rnn_cli.inference.prompt import Prompt
from rnn_cli.inference.request import Request

CANDIDATES = 50  # the answer and its rivals
MOST_WORDS = 128  # on each side, the nearest to the blank; each costs one reading of the text


def find_evidence(completer: Completer, result: CompletionResult) -> Evidence:
    """Leave out each word around the one blank, and see what becomes of ln P(best completion).

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
    answer = next(iter(candidates))
    results = completer.answers([Request(p, list(candidates)) for p in prompts], top=len(candidates))
    log_prob, *without = [_log_prob(answer, p, found) for p, found in zip(prompts, results, strict=True)]
    offset = len(prompt.text) - len(right)
    spans = [*words, *((offset + start, offset + end) for start, end in behind)]
    found = [
        WordEvidence(prompt.text[start:end], start, changed - log_prob)
        for (start, end), changed in zip(spans, without, strict=True)
    ]
    found.sort(key=lambda word: abs(word.change), reverse=True)
    return Evidence(result.completions[0].words, log_prob, len(candidates), found)


def _log_prob(answer: str, prompt: Prompt, result: CompletionResult | RnnError) -> float:
    if isinstance(result, RnnError):
        raise result
    text = answer.join(prompt.segments)
    return next(c.log_prob for c in result.completions if c.text == text)


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
