"""Memory, rare words and calibration, on numbers that are known."""

import math

import numpy as np
import pytest

from rnn_cli.insight import quality
from rnn_cli.insight.measured import Predictions, Sample, predict, take_sample, target_log_probs
from rnn_cli.insight.quality import Group, by_frequency, memory_length, reliability
from tests.insight.conftest import LINES, MakeModel, make_linear_model
from tests.insight.test_measured import corpus_of


def test_a_model_that_needs_a_word_further_back_loses_without_it() -> None:
    model = make_linear_model()  # "soup", once read, makes "tea" eight times as probable
    corpus = corpus_of(model, ["you eat soup and rice tea"])
    sample = take_sample(corpus, lines=True)
    found = memory_length(model.engine, sample, predict(model.engine, sample))
    assert [point.words for point in found] == [1, 2, 4]  # no context has more than 6 tokens
    assert [point.cut for point in found] == [pytest.approx(cut / 7) for cut in (6, 5, 3)]
    # Reads: <eos> you eat soup and rice tea. With soup in sight P(tea) is 16/26 and of another word 1/26; else 2/12
    # and 1/12. Its four successors are and, rice, tea and <eos>.
    tea, other = math.log(16 / 26) - math.log(2 / 12), math.log(1 / 26) - math.log(1 / 12)
    assert found[0].rise == pytest.approx((2 * other + tea) / 7, abs=1e-5)  # "and" still sees it
    assert found[1].rise == pytest.approx((other + tea) / 7, abs=1e-5)
    assert found[2].rise == pytest.approx(0, abs=1e-5)


def test_the_rise_is_the_mean_of_what_each_prediction_loses(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    sample = take_sample(corpus_of(model, LINES * 3), lines=False)
    predictions = predict(model.engine, sample)
    monkeypatch.setattr(quality, "PLACES", 10)
    (found,) = memory_length(model.engine, sample, predictions, contexts=[4])
    places = np.linspace(0, len(sample.targets) - 1, 10).astype(int)
    cut = target_log_probs(model.engine, sample.contexts(places, 4), sample.targets[places])
    rises = predictions.log_probs[places] - cut
    assert found.rise == pytest.approx(rises.mean(), abs=1e-5)
    assert found.standard_error == pytest.approx(rises.std(ddof=1) / math.sqrt(10), abs=1e-5)


TARGETS = np.array([0, 1, 2, 2, 3])
SAMPLE = Sample(TARGETS, TARGETS, np.zeros(5, np.intp))
SAID = Predictions(
    log_probs=np.log([0.5, 0.5, 0.25, 0.25, 1.0]),
    right=np.array([True, False, True, False, True]),
    confidence=np.array([0.55, 0.52, 0.97, 1.0, 1.0]),
)


def test_words_are_grouped_by_how_often_they_occur() -> None:
    counts = np.array([7, 0, 10_000, 99])
    assert by_frequency(SAMPLE, SAID, counts, unk_id=0) == [
        Group("unknown", 1, 1.0, 1.0),
        Group("0", 1, 0.0, 1.0),
        Group("10-99", 1, 1.0, 0.0),
        Group("10,000 and more", 2, 0.5, 2.0),
    ]
    assert [group.name for group in by_frequency(SAMPLE, SAID, counts, unk_id=None)][0:2] == ["0", "1-9"]


def test_predictions_are_grouped_by_the_probability_of_the_best() -> None:
    found = reliability(SAID)
    assert [(band.low, band.high, band.total, band.accuracy) for band in found.bands] == [
        (0.5, 0.6, 2, 0.5),
        (0.9, 1.0, 3, pytest.approx(2 / 3)),
    ]
    first, second = abs(0.535 - 0.5), abs(0.99 - 2 / 3)
    assert found.error == pytest.approx((2 * first + 3 * second) / 5)
