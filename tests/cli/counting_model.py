"""A model whose probabilities can be worked out by hand: it counts which word comes after which."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnn_cli.model_file import ModelFile, write_model_file
from rnn_cli.text.tokenizer import Tokenizer

LINES = ["I eat rice", "I eat rice", "I eat soup", "you eat rice"]
UNSEEN = 0.01  # what every pair of tokens counts for besides how often it occurs


def pair_counts(tokenizer: Tokenizer) -> np.ndarray:
    """How often each token comes after each other one in LINES: (vocab_size, vocab_size)."""
    counts = np.full((tokenizer.vocab_size, tokenizer.vocab_size), UNSEEN)
    for line in LINES:
        ids = [tokenizer.eos_id, *tokenizer.encode(line), tokenizer.eos_id]
        for before, after in itertools.pairwise(ids):
            counts[before, after] += 1
    return counts


def share(count: float, of: float) -> float:
    """The probability of a word that follows `count` times, after a word that occurs `of` times."""
    return (count + UNSEEN) / (of + 7 * UNSEEN)  # five words, <unk> and <eos>


COUNTS = (0, 4, 4, 3, 30, 1, 1)
"""Of <unk>, <eos>, eat, I, rice, soup and you in a text with much more rice than LINES: of 43 tokens."""


def write_run(folder: Path, *, seconds: int = 0, counts: Sequence[int] | None = None) -> Path:
    """A finished run whose model gives each next word exactly its share among the pairs in LINES.

    x_t is one-hot, h_t = W·[h_{t-1}, x_t] = x_t, and V holds the logarithms of the counts.
    """
    tokenizer = Tokenizer.train(LINES)
    N = tokenizer.vocab_size
    none, one = np.zeros((N, N), np.float32), np.eye(N, dtype=np.float32)
    model = {"cell": "elman", "embedding_size": N, "hidden_size": N, "num_layers": 1}
    model |= {"hidden_activation": "identity", "output_activation": "softmax"}
    config = {"data": {"mode": "lines"}, "model": model, "output": {"tie_embeddings": False}}
    tensors = {
        "embedding": one,
        "cells.0.W": np.concatenate([none, one], axis=1),
        "cells.0.b": none[0],
        "V": np.log(pair_counts(tokenizer)).T.astype(np.float32),
        "c": none[0],
    }
    write_model_file(
        folder / "model.safetensors",
        ModelFile(
            tensors,
            config,
            tokenizer.to_json(),
            {"lines": 4},
            {},
            counts=None if counts is None else np.array(counts),
        ),
    )
    (folder / "summary.json").write_text("{}")
    os.utime(folder / "summary.json", (seconds, seconds))
    return folder
