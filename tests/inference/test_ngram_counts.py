"""N-grams counted in sorted arrays against a dictionary of all windows."""

from collections import Counter, defaultdict
from itertools import groupby

import numpy as np
import pytest

from rnn_cli.inference.ngram_counts import Ngrams, count_ngrams

EOS = 0
VOCAB_SIZE = 7


def some_ids(tokens: int) -> np.ndarray:
    """A text in which n-grams come again; the last token ends a line."""
    generator = np.random.default_rng(3)
    ids = (generator.integers(0, VOCAB_SIZE, tokens) * generator.integers(0, 2, tokens)).astype(np.uint16)
    ids[-1] = EOS
    return ids


def listed(ngrams: Ngrams) -> dict[tuple[int, ...], int]:
    """Every n-gram from 2 words on, and its count."""
    found: dict[tuple[int, ...], int] = {}
    prefixes: list[tuple[int, ...]] = [(word,) for word in range(VOCAB_SIZE)]
    for level in ngrams.levels:
        here = []
        for prefix, start, end in zip(prefixes, level.starts[:-1], level.starts[1:], strict=True):
            here += [(*prefix, int(word)) for word in level.words[start:end]]
        found |= dict(zip(here, level.counts.tolist(), strict=True))
        prefixes = here
    return found


def expected(ids: np.ndarray, order: int, *, lines: bool) -> tuple[list[int], dict[tuple[int, ...], int]]:
    """The same from all windows of the text, or of each of its lines that is not blank."""
    texts = [[EOS, *ids.tolist()]]
    if lines:
        runs = groupby(ids.tolist(), key=lambda id_: id_ == EOS)
        texts = [[EOS, *line, EOS] for is_end, line in runs if not is_end]
    windows = Counter(
        tuple(text[end - length : end])
        for text in texts
        for length in range(1, order + 1)
        for end in range(max(2, length), len(text) + 1)
    )
    before = defaultdict(set)
    for window in windows:
        before[window[1:]].add(window[0])
    counts = {
        window: times if len(window) == order else len(before[window]) or times
        for window, times in windows.items()
    }
    unigrams = [len(before[(word,)]) for word in range(VOCAB_SIZE)]
    return unigrams, {window: times for window, times in counts.items() if len(window) > 1}


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("order", [2, 3, 5])
@pytest.mark.parametrize("tokens", [1, 2, 6, 300])
def test_the_counts_are_those_of_all_windows(
    monkeypatch: pytest.MonkeyPatch, lines: bool, order: int, tokens: int
) -> None:
    monkeypatch.setattr("rnn_cli.inference.ngram_counts.TOKENS_AT_ONCE", 17)
    ids = some_ids(tokens)

    ngrams = count_ngrams(ids, VOCAB_SIZE, order, eos_id=EOS, lines=lines)

    assert (ngrams.unigrams.tolist(), listed(ngrams)) == expected(ids, order, lines=lines)


def test_blank_lines_that_stand_alone_have_no_ngrams() -> None:
    lines = [[1, 2], [3], [1, 2, 4]]
    dense = np.array([id_ for line in lines for id_ in (*line, EOS)])
    gaps = np.array([EOS, *(id_ for line in lines for id_ in (*line, EOS, EOS))])

    for is_lines in (True, False):
        one, other = (count_ngrams(ids, VOCAB_SIZE, 3, eos_id=EOS, lines=is_lines) for ids in (dense, gaps))
        assert (listed(one) == listed(other)) is is_lines
        assert ((EOS, EOS) in listed(other)) is not is_lines


def test_the_order_ends_where_there_would_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = some_ids(300)
    fewer = len(count_ngrams(ids, VOCAB_SIZE, 3, eos_id=EOS, lines=False).levels[1].words)
    monkeypatch.setattr("rnn_cli.inference.ngram_counts.MOST_NGRAMS", fewer)

    ngrams = count_ngrams(ids, VOCAB_SIZE, 5, eos_id=EOS, lines=False)

    assert ngrams.order == 3
    assert listed(ngrams) == expected(ids, 3, lines=False)[1]


def test_numbers_are_kept_in_the_narrowest_type() -> None:
    ngrams = count_ngrams(some_ids(300), VOCAB_SIZE, 3, eos_id=EOS, lines=False)

    assert {level.words.dtype.name for level in ngrams.levels} == {"uint8"}
    assert ngrams.levels[1].counts.dtype == np.uint8
