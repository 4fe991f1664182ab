"""An n-gram model of a text: interpolated Kneser-Ney smoothing with three discounts an order, and its own file.

    P(w | context) = (count(context w) - D(count(context w))) / count(context) + left(context) · P(w | shorter one)

left(context) is what the discounts leave over, and below the shortest context stands 1 / vocab_size. In all orders
but the highest, count(·) is the number of different words before an n-gram. Source: S. F. Chen and J. Goodman, An
Empirical Study of Smoothing Techniques for Language Modeling (1998), "modified Kneser-Ney".
"""

import hashlib
import json
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import ModelFileError
from rnn_cli.inference.engine import Array, Ids
from rnn_cli.inference.ngram_counts import Level, Ngrams
from rnn_cli.printable import masked
from rnn_cli.tensor_file import read_tensor_file, write_tensor_file

NAME = "ngram.safetensors"
FORMAT = "rnn_cli ngram"
FORMAT_VERSION = 1
NO_TOKEN = -1
HIGHEST_ORDER = 12

_REMEMBERED = 4096  # contexts whose words and shares are kept; the most frequent ones have thousands
_FALLBACK = (0.5, 1.0, 1.5)  # discounts for a text so small or so odd that they cannot be estimated
_DISCOUNTS = 3


@dataclass(frozen=True, eq=False)
class NgramModel:
    """The n-grams of a text as a model of what comes next.

    Attributes:
        ngrams: what was counted.
        lines: whether each line stands alone.
        eos_id: the id that ends a line.
        vocabulary: the `vocabulary_of` the tokenizer whose ids were counted.
        counted: what was counted, for whoever reads the file: names and hashes of files, tokens.
    """

    ngrams: Ngrams
    lines: bool
    eos_id: int
    vocabulary: str
    counted: dict[str, Any]

    @property
    def order(self) -> int:
        """Words in the longest n-grams."""
        return self.ngrams.order

    @property
    def vocab_size(self) -> int:
        """How many tokens there are to choose from."""
        return len(self.ngrams.unigrams)

    def probabilities(self, contexts: Ids) -> Array:
        """P(next token): contexts (N, order - 1) give (N, vocab_size), each row of which sums to 1.

        Args:
            contexts: what stands before, the last token last; `NO_TOKEN` where nothing does.
        """
        found = np.empty((len(contexts), self.vocab_size), np.float32)
        for row, context in zip(found, contexts.tolist(), strict=True):
            self._fill(row, context)
        return found

    def _fill(self, row: Array, context: list[int]) -> None:
        """Put P(next token | context) into a row, (vocab_size,)."""
        parts = []
        weight = 1.0
        for order, place in reversed(list(enumerate(self._places(context), start=2))):
            words, shares, left = self._shares(order, place)
            if len(words):
                parts.append((words, weight * shares))
                weight *= left
        np.multiply(self._unigrams, np.float32(weight), out=row)
        for words, shares in parts:
            row[words] += shares

    def _places(self, context: list[int]) -> list[int]:
        """The places of the contexts of 1, 2, ... words that end where `context` does, as long as there are such."""
        places: list[int] = []
        for length in range(1, self.order):
            place = context[-length] if length <= len(context) else NO_TOKEN
            if place == NO_TOKEN or (self.lines and length > 1 and context[1 - length] == self.eos_id):
                break
            for level, word in zip(self.ngrams.levels, context[len(context) - length + 1 :], strict=False):
                start, end = int(level.starts[place]), int(level.starts[place + 1])
                at = start + int(level.words[start:end].searchsorted(word))
                if at == end or level.words[at] != word:
                    return places
                place = at
            places.append(place)
        return places

    @cached_property
    def _shares(self) -> Callable[[int, int], tuple[Ids, Array, float]]:
        return lru_cache(_REMEMBERED)(self._make_shares)

    def _make_shares(self, order: int, place: int) -> tuple[Ids, Array, float]:
        """The words that were seen after a context, the share of each, and what is left for shorter contexts."""
        level = self.ngrams.levels[order - 2]
        start, end = int(level.starts[place]), int(level.starts[place + 1])
        counts = level.counts[start:end].astype(np.float64)
        words = level.words[start:end].astype(np.intp)
        if start == end:
            return words, counts.astype(np.float32), 1.0
        off = self._discounts[order - 1][np.minimum(level.counts[start:end], _DISCOUNTS)]
        total = counts.sum()
        return words, ((counts - off) / total).astype(np.float32), float(off.sum() / total)

    @cached_property
    def _discounts(self) -> list[npt.NDArray[np.float64]]:
        """For each order, from 1 on: what is taken off a count of 0, 1, 2 and more."""
        return [
            discounts(counts) for counts in (self.ngrams.unigrams, *(s.counts for s in self.ngrams.levels))
        ]

    @cached_property
    def _unigrams(self) -> Array:
        """P(token) without any context, (vocab_size,)."""
        counts = self.ngrams.unigrams.astype(np.float64)
        off = self._discounts[0][np.minimum(self.ngrams.unigrams, _DISCOUNTS)]
        found: Array = ((counts - off + off.sum() / len(counts)) / counts.sum()).astype(np.float32)
        return found


def discounts(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """What is taken off a count of 0, 1, 2, and 3 or more, (4,); Chen and Goodman's estimate of the best."""
    n = [int(np.count_nonzero(counts == times)) for times in (1, 2, 3, 4)]
    estimated = np.array(_FALLBACK)
    if all(n):
        y = n[0] / (n[0] + 2 * n[1])
        estimated = np.array([k - (k + 1) * y * n[k] / n[k - 1] for k in (1, 2, 3)])
    if not ((estimated > 0) & (estimated < [1, 2, 3])).all():
        estimated = np.array(_FALLBACK)
    return np.concatenate([[0.0], estimated])


def vocabulary_of(tokenizer_json: str) -> str:
    """What tells one tokenizer from another."""
    return hashlib.sha256(tokenizer_json.encode("utf-8")).hexdigest()


def write_ngram_file(path: Path, model: NgramModel) -> None:
    """Write `model` to `path`, whole or not at all.

    Raises:
        ModelFileError: the file cannot be written.
    """
    tensors = {"unigrams": model.ngrams.unigrams}
    for order, level in enumerate(model.ngrams.levels, start=2):
        tensors |= {
            f"{order}.starts": level.starts,
            f"{order}.words": level.words,
            f"{order}.counts": level.counts,
        }
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "order": str(model.order),
        "lines": json.dumps(model.lines),
        "eos_id": str(model.eos_id),
        "vocabulary": model.vocabulary,
        "counted": json.dumps(model.counted),
    }
    try:
        write_tensor_file(path, tensors, metadata)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be written ({error.strerror or error}).") from error


def read_ngram_file(path: Path) -> NgramModel:
    """Read what `write_ngram_file` wrote. Nothing in it is believed before it has been checked.

    Raises:
        ModelFileError: there is no such file, or it is not a whole n-gram model that this version can read.
    """
    mend = f"Count one with: rnn ngram -m {path.parent}"
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no n-gram model. {mend}")
    tensors, metadata = read_tensor_file(path, mend=mend)
    if metadata.get("format") != FORMAT:
        raise ModelFileError(f"{path}: this file of rnn_cli is not an n-gram model. {mend}")
    version = metadata.get("format_version")
    if version != str(FORMAT_VERSION):
        raise ModelFileError(
            f"{path}: the n-gram model has format version {reprlib.repr(version)}; this rnn_cli reads version "
            f"{FORMAT_VERSION}. A newer rnn_cli may read it."
        )
    try:
        return _from_file(tensors, metadata)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        reason = masked(str(error), 200)
        raise ModelFileError(f"{path}: the n-gram model is damaged ({reason}). {mend}") from error


def _from_file(tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> NgramModel:
    """The model in a file, checked.

    Raises:
        KeyError, ValueError, TypeError: a part is missing, or is no such thing.
    """
    order, eos_id = int(metadata["order"]), int(metadata["eos_id"])
    lines, counted = json.loads(metadata["lines"]), json.loads(metadata["counted"])
    if not (2 <= order <= HIGHEST_ORDER and isinstance(lines, bool) and isinstance(counted, dict)):
        raise ValueError("its header")
    unigrams = tensors["unigrams"]
    vocab_size = len(unigrams)
    if unigrams.ndim != 1 or unigrams.dtype.kind != "u" or not unigrams.any() or not 0 <= eos_id < vocab_size:
        raise ValueError("unigrams")
    levels = []
    prefixes = vocab_size
    for number in range(2, order + 1):
        parts = (tensors[f"{number}.{name}"] for name in ("starts", "words", "counts"))
        level = Level(*parts)
        _check_level(level, prefixes, vocab_size, number)
        prefixes = len(level.words)
        levels.append(level)
    return NgramModel(Ngrams(unigrams, levels), lines, eos_id, metadata["vocabulary"], counted)


def _check_level(level: Level, prefixes: int, vocab_size: int, number: int) -> None:
    starts, words, counts = level.starts, level.words, level.counts
    fits = (
        all(part.ndim == 1 and part.dtype.kind == "u" for part in (starts, words, counts))
        and len(starts) == prefixes + 1
        and len(words) == len(counts)
        and starts[0] == 0
        and starts[-1] == len(words)
        and bool((starts[1:] >= starts[:-1]).all())
        and bool((words < vocab_size).all())
        and bool((counts > 0).all())
    )
    if fits:
        ascends = np.ones(len(words) + 1, np.bool_)
        ascends[1:-1] = words[1:] > words[:-1]
        ascends[starts] = True  # where the words of another prefix begin
        fits = bool(ascends.all())
    if not fits:
        raise ValueError(f"the n-grams of order {number}")
