"""How often each n-gram of a text occurs: a trie in sorted arrays, counted a piece of the text at a time.

The n-grams of one order stand in the order of their prefixes, and those of one prefix in the order of their last
words. So an n-gram is a place among those of its order, a prefix is a range of places of the next order, and a lookup
is a search in a sorted range. Memory grows with the number of different n-grams, not with the length of the text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

TOKENS_AT_ONCE = 1 << 21
MOST_NGRAMS = 30_000_000  # of one order: some 40 bytes each while they are counted

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Level:
    """The n-grams of one order, from 2 on.

    Attributes:
        starts: (prefixes + 1,): those of prefix i stand in the places starts[i] to starts[i + 1].
        words: (n,) the last word of each.
        counts: (n,) how often each occurs; below the highest order, how many different words stand before it (or how
            often it occurs, where no word can).
    """

    starts: npt.NDArray[Any]
    words: npt.NDArray[Any]
    counts: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ngrams:
    """All n-grams of a text, with the counts that Kneser-Ney smoothing asks for.

    Attributes:
        unigrams: (vocab_size,) how many different words stand before each word.
        levels: of the orders 2, 3 and so on.
    """

    unigrams: npt.NDArray[Any]
    levels: list[Level]

    @property
    def order(self) -> int:
        """Words in the longest n-grams."""
        return 1 + len(self.levels)


@dataclass(frozen=True, eq=False)
class _Counted:
    """The n-grams of one order: keys, prefix · vocab_size + word, ascending, and how often each occurs; (n,) both."""

    keys: Ints
    times: Ints


def count_ngrams(ids: npt.NDArray[Any], vocab_size: int, order: int, *, eos_id: int, lines: bool) -> Ngrams:
    """Count the n-grams of a text up to an order, or to the last one that has no more than `MOST_NGRAMS`.

    Args:
        ids: (tokens,), each line ended by `eos_id`; read piece by piece, so it may be memory-mapped. An `eos_id` that
            is not counted stands before the first one.
        order: at least 2.
        lines: whether each line stands alone, so that no n-gram reaches over the end of a line, and a blank one has
            no tokens.
    """
    found: list[_Counted] = []  # of the orders 2, 3 and so on
    for level in range(2, order + 1):
        below = [counted.keys for counted in found]
        counted = _Counted(np.empty(0, np.int64), np.empty(0, np.int64))
        waiting: list[_Counted] = []
        for tokens in _pieces(ids, level, eos_id):
            keys = _keys(tokens, level, vocab_size, below, eos_id if lines else None)
            waiting.append(_Counted(*np.unique(keys, return_counts=True)))
            # So late that each is merged a few times only.
            if sum(len(some.keys) for some in waiting) > len(counted.keys):
                counted, waiting = _merged([counted, *waiting]), []
        counted = _merged([counted, *waiting])
        if level > 2 and len(counted.keys) > MOST_NGRAMS:
            break
        found.append(counted)
    return _with_continuation_counts(found, vocab_size)


def _pieces(ids: npt.NDArray[Any], level: int, eos_id: int) -> Iterator[Ints]:
    """The tokens a piece at a time, each with the `level - 1` before it; what stands before the first is `eos_id`."""
    for start in range(0, len(ids), TOKENS_AT_ONCE):
        piece = np.asarray(ids[max(0, start + 1 - level) : start + TOKENS_AT_ONCE], np.int64)
        yield piece if start else np.concatenate([[eos_id], piece])


def _keys(tokens: Ints, level: int, vocab_size: int, below: Sequence[Ints], line_end: int | None) -> Ints:
    """The key of each n-gram of the order `level` in a piece of text.

    Args:
        below: the keys of the orders 2 to `level - 1`.
        line_end: the id that an n-gram may begin or end with, and not go over; None: there is no such id.
    """
    places = tokens  # of the prefixes that end at each token
    allowed = np.ones(len(tokens), np.bool_)
    for order in range(2, level + 1):
        keys = places[:-1] * vocab_size + tokens[order - 1 :]
        allowed = allowed[:-1]
        if line_end is not None:
            over_an_end = tokens[order - 2 : -1] == line_end
            if order == 2:  # only the one of a blank line is; any other is the beginning of a line
                over_an_end &= tokens[1:] == line_end
            allowed = allowed & ~over_an_end
        if order < level:
            places = np.searchsorted(below[order - 2], keys)
    return keys[allowed]


def _merged(parts: Sequence[_Counted]) -> _Counted:
    keys = np.concatenate([part.keys for part in parts])
    times = np.concatenate([part.times for part in parts])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    return _Counted(keys[firsts], np.add.reduceat(times[order], firsts) if len(firsts) else times)


def _with_continuation_counts(found: Sequence[_Counted], vocab_size: int) -> Ngrams:
    """Put the number of different words before an n-gram in place of its count, in all orders but the highest."""
    levels = []
    suffixes = np.empty(0, np.int64)  # the place, one order below, of each n-gram without its first word
    unigrams = np.empty(0, np.int64)
    counts = [counted.times for counted in found]
    for number, counted in enumerate(found):
        prefixes, words = np.divmod(counted.keys, vocab_size)
        if number == 0:
            suffixes = words
            unigrams = np.bincount(words, minlength=vocab_size)
        else:
            below = found[number - 1]
            suffixes = np.searchsorted(below.keys, suffixes[prefixes] * vocab_size + words)
            before = np.bincount(suffixes, minlength=len(below.keys))
            counts[number - 1] = np.where(before > 0, before, below.times)
    for number, counted in enumerate(found):
        prefixes, words = np.divmod(counted.keys, vocab_size)
        size_below = vocab_size if number == 0 else len(found[number - 1].keys)
        starts = np.searchsorted(prefixes, np.arange(size_below + 1))
        levels.append(Level(_narrow(starts), _narrow(words, vocab_size - 1), _narrow(counts[number])))
    return Ngrams(_narrow(unigrams), levels)


def _narrow(values: Ints, largest: int | None = None) -> npt.NDArray[Any]:
    """The same numbers in the narrowest type that holds them."""
    most = int(values.max(initial=0)) if largest is None else largest
    return values.astype(np.min_scalar_type(most))
