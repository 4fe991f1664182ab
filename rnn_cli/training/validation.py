"""Measuring a model on text that it is not trained on: every word counted once, exact softmax, no dropout."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from rnn_cli.inference.scoring import Perplexity
from rnn_cli.model.fused import read_window
from rnn_cli.model.fused_softmax import fused_surprise
from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import log_probs
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.streams import LineWindows, StreamWindows, Window, Windows
from rnn_cli.training.ranks import ALONE, Ranks
from rnn_cli.training.workers import Workers

WINDOW = 256  # steps read at once; it changes memory and speed, not the result
LINES_AT_ONCE = 64
TRIAL_S = 0.2
LOGITS_AT_ONCE = 1 << 24
"""64 MB in float32: long enough products to be fast, small enough for a small machine."""


class Surprise(NamedTuple):
    """Sums over words that count: of -ln P, in nats, and of its squares; and how many these are."""

    nll: float
    squares: float
    words: int


@torch.inference_mode()
def measure(
    model: LanguageModel,
    corpus: Corpus,
    *,
    mode: str,
    output_activation: str,
    workers: Workers | None = None,
    ranks: Ranks = ALONE,
    between_windows: Callable[[], None] = lambda: None,
) -> Perplexity:
    """Perplexity of `model` on a corpus.

    In stream mode the whole text is one stream and the state is carried from its first word to its last, so the
    result does not depend on any batch size; in lines mode each line begins with no memory.

    Args:
        workers: they share the scoring, most of the work where the vocabulary is large; None: this thread alone.
        ranks: they share the lines of a window; or, of a stream, which each has to read, the scoring.
        between_windows: called after each window; what it raises ends the measurement.
    """
    was_training = model.training
    model.eval()
    nll = squares = 0.0
    tokens = 0
    state = model.initial_state(1)
    try:
        for whole in evaluation_windows(corpus, mode).epoch(0):
            window, scorers = _share(whole, ranks)
            if window.resets:
                state = model.initial_state(window.inputs.shape[1])
            surprise, state = read_and_score(model, window, state, output_activation, workers, scorers)
            nll += surprise.nll
            squares += surprise.squares
            tokens += surprise.words
            between_windows()
    finally:
        model.train(was_training)
    nll, squares, words = ranks.sum(nll, squares, tokens)
    return Perplexity(
        nll,
        int(words),
        corpus.unknown,
        state_carried=mode == "stream",
        squares=squares,
        of_tokens=corpus.of_tokens,
    )


@torch.inference_mode()
def seconds_per_token(
    model: LanguageModel,
    corpus: Corpus,
    *,
    mode: str,
    output_activation: str,
    workers: Workers | None = None,
    ranks: Ranks = ALONE,
) -> float:
    """How long `measure` will take for a token, by a trial of a moment in the middle of the corpus.

    The fastest window counts: a moment in which another process had the core says nothing about the rest.
    """
    model.eval()
    windows = evaluation_windows(corpus, mode)
    fastest, took_s = math.inf, 0.0
    for whole in windows.epoch(0, first=windows.windows_in_epoch(0) // 2):
        began_at = time.perf_counter()
        window, scorers = _share(whole, ranks)
        state = model.initial_state(window.inputs.shape[1])
        read_and_score(model, window, state, output_activation, workers, scorers)
        window_s = time.perf_counter() - began_at
        fastest = min(fastest, window_s / whole.words)
        took_s += window_s
        if took_s > TRIAL_S:
            break
    model.train()
    return fastest


def _share(window: Window, ranks: Ranks) -> tuple[Window, Ranks]:
    """This rank's streams of a window; of one that has too few, all of it, and who shares the scoring."""
    streams = window.inputs.shape[1]
    if streams < ranks.count:
        return window, ranks
    return window.streams(ranks.share(streams)), ALONE


def read_and_score(
    model: LanguageModel,
    window: Window,
    state: State,
    output_activation: str,
    workers: Workers | None = None,
    ranks: Ranks = ALONE,
) -> tuple[Surprise, State]:
    """What a model said of a window's words that count, and the state after it.

    With `ranks`, which read the same window, of this rank's share of these words.
    """
    inputs, targets = model.tensor(window.inputs), model.tensor(window.targets)  # (T, B)
    # In the precision of the weights, whatever the training's own products are made in.
    hidden, state = model.unroll(inputs, state, reader=read_window)  # (T, B, H)
    counts = torch.ones_like(targets, dtype=torch.bool) if window.mask is None else model.tensor(window.mask)
    mine = ranks.share(int(counts.sum()))
    targets = targets[counts][mine]  # (N,)
    hidden = hidden[counts][mine]  # (N, H)

    def score(share: slice) -> Surprise:
        return _surprise(model, hidden[share], targets[share], output_activation)

    # A rank's share of a short window may be empty.
    parts = (
        workers.map(score, workers.shares(len(targets))) if workers and len(targets) else [score(slice(None))]
    )
    return Surprise(*(sum(column) for column in zip(*parts, strict=True))), state


def evaluation_windows(corpus: Corpus, mode: str) -> Windows:
    """The windows that every measurement reads: one carried stream, or lines in their order."""
    if mode == "stream":
        return StreamWindows(corpus.ids, batch_size=1, bptt_steps=WINDOW, eos_id=corpus.eos_id)
    return LineWindows(
        corpus.ids,
        corpus.line_spans(),
        batch_size=LINES_AT_ONCE,
        bptt_steps=WINDOW,
        eos_id=corpus.eos_id,
        seed=0,
        shuffle=False,
    )


@torch.inference_mode()
def _surprise(
    model: LanguageModel, hidden: torch.Tensor, targets: torch.Tensor, output_activation: str
) -> Surprise:
    """Of -ln P(target) for hidden (N, H) and targets (N,), a few rows of scores at a time."""
    rows = max(1, LOGITS_AT_ONCE // model.vocab_size)
    nll = squares = 0.0
    for h, y in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True):
        if output_activation == "softmax":
            of_words = fused_surprise(model.read_out(h), model.V, model.c, y)
            nll += float(of_words.sum())
        else:
            of_words = -log_probs(model.logits(h), output_activation).gather(1, y[:, None])
            nll += float(of_words.double().sum())
        squares += float(of_words.double().square().sum())
    return Surprise(nll, squares, len(targets))
