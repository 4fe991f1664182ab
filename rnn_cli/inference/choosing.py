"""Choices ranked: the probability of the whole text with each in place, many texts side by side."""

from collections.abc import Sequence

import numpy as np

from rnn_cli.errors import ModelFileError, RnnError
from rnn_cli.inference.completion import CompletionResult, Ranked, filled
from rnn_cli.inference.pieces import PieceTable
from rnn_cli.inference.ranking import log_sum
from rnn_cli.inference.reading import LogProbs, read_on
from rnn_cli.inference.request import Asked
from rnn_cli.inference.sides import View, direction_of
from rnn_cli.text.tokenizer import Tokenizer

CHOICES_AT_ONCE = 2048  # read side by side: bounds the memory for their states


def rank_choices(
    asked: Sequence[Asked], views: Sequence[View], tokenizer: Tokenizer, pieces: PieceTable
) -> list[CompletionResult | RnnError]:
    """All choices of each request, the best first; an error where the model's numbers grew too large."""
    rows = [row for row, one in enumerate(asked) for _ in one.choices]
    if len(rows) > CHOICES_AT_ONCE and len(asked) > 1:
        return _rank_in_halves(asked, views, tokenizer, pieces)
    try:
        said = [view.side.weight * _log_probs_of(view, rows, tokenizer, pieces) for view in views]
    except ModelFileError as error:  # numbers too large in one of them
        if len(asked) == 1:
            return [error.with_traceback(None)]  # whose frames keep large arrays
        return _rank_in_halves(asked, views, tokenizer, pieces)
    ends = np.cumsum([len(one.choices) for one in asked])
    parts = np.split(np.sum(said, axis=0), ends[:-1])
    return [_result(one, part, direction_of(views)) for one, part in zip(asked, parts, strict=True)]


def _rank_in_halves(
    asked: Sequence[Asked], views: Sequence[View], tokenizer: Tokenizer, pieces: PieceTable
) -> list[CompletionResult | RnnError]:
    middle = len(asked) // 2
    return [
        result
        for half in (range(middle), range(middle, len(asked)))
        for result in rank_choices(
            [asked[i] for i in half], [view.take(half) for view in views], tokenizer, pieces
        )
    ]


def _log_probs_of(view: View, rows: Sequence[int], tokenizer: Tokenizer, pieces: PieceTable) -> LogProbs:
    """ln P(choice and what a side reads after it | what it has read before) of every choice.

    Args:
        rows: for each choice of all requests, the request that it belongs to.
    """
    engine = view.side.engine
    read = read_on(engine, view.readers.take(rows), [ids for one in view.asked for ids in one.choices])
    after = [view.asked[row].segments[0].joined(tokenizer.eos_id) for row in rows]
    read = read_on(engine, read, after, unweighed=tokenizer.unk_id)
    log_probs = read.log_probs
    if not pieces.whole_words:  # where nothing stands behind it, the word must not go on
        for row in np.flatnonzero([not ids for ids in after]):
            log_probs[row] += log_sum(engine.log_probs(read.hidden[row])[~pieces.goes_on])
    return log_probs


def _result(asked: Asked, log_probs: LogProbs, direction: str) -> CompletionResult:
    """The choices with their log_probs (choices,), as a result: ranked by these, or by PMI."""
    by_pmi = asked.priors is not None
    scores = log_probs - np.array(asked.priors) if by_pmi else log_probs
    total = log_sum(scores)
    choices = asked.request.choices or ()
    completions = [
        filled(
            asked.request.prompt,
            [(choices[i], choices[i].split())],
            log_prob=min(0.0, float(scores[i]) - total),
            joint_log_prob=float(log_probs[i]),
            pmi=float(scores[i]) if by_pmi else None,
        )
        for i in np.argsort(-scores, kind="stable")
    ]
    ranked = Ranked(len(choices), asked.segments[0].tokens, direction, by_pmi)
    return CompletionResult(asked.request.prompt.text, completions, asked.unknown, ranked)
