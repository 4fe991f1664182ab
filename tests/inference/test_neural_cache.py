"""The cache against sums over all places, word by word."""

import numpy as np
import pytest

from rnn_cli.inference.neural_cache import NeuralCache

H = 5
VOCAB_SIZE = 6
generator = np.random.default_rng(5)
HIDDEN = generator.standard_normal((23, H)).astype(np.float32)
WORDS = generator.integers(0, VOCAB_SIZE, 23)


def definition(place: int, *, theta: float, window: int) -> np.ndarray:
    """P of every word at a place of the text, by the equation."""
    found = np.zeros(VOCAB_SIZE)
    for i in range(max(0, place - window), place):
        found[WORDS[i]] += np.exp(theta * float(HIDDEN[place] @ HIDDEN[i]))
    return found / found.sum() if place else found


def whole(words: np.ndarray, shares: np.ndarray) -> np.ndarray:
    found = np.zeros((len(shares), VOCAB_SIZE))
    found[:, words] = shares
    return found


@pytest.mark.parametrize("window", [1, 4, 100])
@pytest.mark.parametrize("at_once", [1, 3, 23])
def test_each_place_sees_the_words_before_it_and_no_others(window: int, at_once: int) -> None:
    cache = NeuralCache(0.7, window)
    for start in range(0, len(WORDS), at_once):
        rows = slice(start, start + at_once)
        found = whole(*cache.read(HIDDEN[rows], WORDS[rows]))
        expected = [definition(p, theta=0.7, window=window) for p in range(len(WORDS))[rows]]
        assert found == pytest.approx(np.array(expected), abs=1e-6)


def test_the_shares_after_what_was_remembered_are_those_of_reading_on() -> None:
    read, remembered = NeuralCache(0.3, 10), NeuralCache(0.3, 10)
    read.read(HIDDEN[:20], WORDS[:20])
    remembered.remember(HIDDEN[:8], WORDS[:8])
    remembered.remember(HIDDEN[8:20], WORDS[8:20])

    found = whole(*remembered.shares(HIDDEN[20:]))

    assert found == pytest.approx(whole(*read.shares(HIDDEN[20:])), abs=1e-6)
    assert found[0] == pytest.approx(definition(20, theta=0.3, window=10), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_without_a_memory_there_are_no_words() -> None:
    words, shares = NeuralCache(0.3).shares(HIDDEN[:2])

    assert (len(words), shares.shape) == (0, (2, 0))


def test_a_very_large_theta_takes_the_likest_place_alone() -> None:
    cache = NeuralCache(1e6)
    cache.remember(HIDDEN[:20], WORDS[:20])

    found = whole(*cache.shares(HIDDEN[20:21]))[0]

    assert found[WORDS[np.argmax(HIDDEN[:20] @ HIDDEN[20])]] == pytest.approx(1)
