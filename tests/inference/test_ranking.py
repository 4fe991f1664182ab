import numpy as np
import pytest

from rnn_cli.inference.ranking import log_sum, only, top_ids


@pytest.mark.parametrize("size", [3, 127, 128, 129, 1000])
@pytest.mark.parametrize("count", [1, 2, 7, 2000])
def test_the_best_are_those_of_a_whole_sort(size: int, count: int) -> None:
    scores = np.random.default_rng(3).standard_normal((4, size)).astype(np.float32)

    best = top_ids(scores, count)

    for row, ids in zip(scores, best, strict=True):
        assert ids.tolist() == np.argsort(-row)[:count].tolist()


def test_of_equal_scores_the_one_in_front_is_first() -> None:
    scores = np.zeros((1, 600), np.float32)
    scores[0, [300, 500]] = 1

    assert top_ids(scores, 4)[0].tolist() == [300, 500, 0, 1]


def test_what_is_impossible_is_never_among_the_best() -> None:
    scores = only(np.arange(5, dtype=np.float32)[None], np.array([True, False, True, False, False]))

    assert top_ids(scores, 4)[0].tolist() == [2, 0]


def test_probabilities_are_summed_without_underflow() -> None:
    log_probs = np.array([-200.0, -200.0], np.float32)

    assert log_sum(log_probs) == pytest.approx(-200 + np.log(2), abs=1e-6)
    assert log_sum(np.array([], np.float32)) == -np.inf
    with np.errstate(all="raise"):
        assert log_sum(np.full(2, -np.inf, np.float32)) == -np.inf
