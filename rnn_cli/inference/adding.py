"""Puts an n-gram model and a cache beside a trained network, for completions and scores."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rnn_cli.errors import ModelFileError, UsageError
from rnn_cli.inference.additions import Additions, Numbers, default_theta
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.interpolation import MixedEngine
from rnn_cli.inference.neural_cache import NeuralCache
from rnn_cli.inference.ngram import NgramModel, read_ngram_file, vocabulary_of
from rnn_cli.text.tokenizer import Tokenizer


def find_additions(
    engine: Engine,
    tokenizer: Tokenizer,
    fitted: Mapping[str, Numbers],
    *,
    cache: bool,
    dynamic: bool,
    ngram: Path | None,
) -> Additions:
    """What is to be added to a network, with the numbers fitted for this combination, or defaults.

    Raises:
        ModelFileError: the n-gram model cannot be used, or does not belong to this vocabulary.
    """
    ngrams = None if ngram is None else _ngrams_for(tokenizer, ngram)
    additions = Additions(cache=cache, dynamic=dynamic, ngrams=ngrams)
    if additions.key in fitted:
        return replace(additions, numbers=fitted[additions.key])
    return additions.with_numbers(theta=default_theta(engine)) if cache else additions


def _ngrams_for(tokenizer: Tokenizer, path: Path) -> NgramModel:
    ngrams = read_ngram_file(path)
    is_ours = ngrams.vocabulary == vocabulary_of(tokenizer.to_json())
    if not is_ours or ngrams.vocab_size != tokenizer.vocab_size:
        raise ModelFileError(
            f"{path}: the n-grams were counted with another vocabulary than this model's. "
            f"Count them anew with: rnn ngram -m {path.parent}"
        )
    return ngrams


def mixed_engine(
    engine: Engine,
    tokenizer: Tokenizer,
    additions: Additions,
    context: Iterable[str],
    *,
    independent_lines: bool,
) -> MixedEngine:
    """The network with what is added, after a text.

    Args:
        context: the lines of the text. A network of independent lines begins anew after them; its cache remembers.

    Raises:
        UsageError: dynamic evaluation is added.
        ModelFileError: the network's numbers grew too large.
    """
    if additions.dynamic:
        raise UsageError("--dynamic is for measuring a text. Leave it out.")
    numbers = additions.numbers
    cache = NeuralCache(numbers.theta, numbers.window) if additions.cache else None
    mixed = MixedEngine(engine, additions.weights, cache=cache, ngrams=additions.ngrams)
    state = mixed.initial_state(1)
    for line in context:
        ids = tokenizer.encode_line(line)
        if independent_lines and not ids:
            continue  # as in training, where a blank line that stands alone has no tokens
        hidden, after = mixed.read(np.array([[tokenizer.eos_id, *ids]], np.intp).T, state)
        if cache is not None:
            cache.remember(mixed.own(hidden[:, 0]), np.array([*ids, tokenizer.eos_id], np.intp))
        if not independent_lines:
            state = after
    return mixed.starting_in(state)


def remembering(mixed: MixedEngine, ids: Sequence[int]) -> MixedEngine:
    """The same with a cache that also remembers a text, `ids`, each but the first as what came next."""
    if mixed.cache is None:
        return mixed
    read = np.array(ids, np.intp)
    hidden, _ = mixed.read(read[:-1, None], mixed.initial_state(1))
    cache = copy.copy(mixed.cache)
    cache.remember(mixed.own(hidden[:, 0]), read[1:])
    return mixed.with_cache(cache)
