import json

import numpy as np
import pytest

from rnn_cli.evaluation.reliability import Band, Reliability


def test_answers_are_counted_in_bands_of_ten_percent() -> None:
    reliability = Reliability()
    reliability.add([0.0, 0.72, 1.0], [False, True, True])
    reliability.add([0.78], [False])

    assert reliability.bands == [
        Band(0.0, 0.1, total=1, correct=0, confidence=0.0),
        Band(0.7, 0.8, total=2, correct=1, confidence=0.75),
        Band(0.9, 1.0, total=1, correct=1, confidence=1.0),
    ]
    assert reliability.error == pytest.approx((0 + 2 * 0.25 + 0) / 4)


def test_who_is_as_often_right_as_he_says_has_no_calibration_error() -> None:
    reliability = Reliability()
    reliability.add(np.full(10, 0.7), np.arange(10) < 7)

    assert reliability.error == pytest.approx(0)
    assert json.loads(json.dumps(reliability.to_dict())) == {
        "expected_calibration_error": pytest.approx(0),
        "bands": [{"from": 0.7, "to": 0.8, "total": 10, "confidence": pytest.approx(0.7), "accuracy": 0.7}],
    }


def test_without_answers_there_are_no_bands() -> None:
    reliability = Reliability()
    reliability.add([], [])

    assert (reliability.bands, reliability.error) == ([], 0)
