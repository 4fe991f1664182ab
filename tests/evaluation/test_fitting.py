"""Numbers fitted on a text, against the best that a grid finds."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_cli.errors import TextError
from rnn_cli.evaluation.fitting import best_weights, fit_additions
from rnn_cli.evaluation.model import Model
from rnn_cli.evaluation.text import evaluate_text
from rnn_cli.inference.additions import MOST_ADDED, NOTHING_ADDED, Additions, Numbers
from tests.inference.test_interpolation import ngrams_of

MakeMeasured = Callable[..., Model]
LINES = [
    "My favourite dish is ramen.",
    "Is it? It is!",
    "So, my favourite cuisine is Italian, My favourite dish.",
] * 8


def loss(model: Model, additions: Additions) -> float:
    return evaluate_text(model, LINES, batch_size=8, additions=additions).perplexity.loss


def test_the_weights_are_those_of_the_smallest_loss() -> None:
    probabilities = np.random.default_rng(2).random((300, 3)) ** [3, 2, 5]

    weights, found = best_weights(probabilities)

    grid = [(1 - a - b, a, b) for a in np.arange(0, 1, 0.02) for b in np.arange(0, 1 - a, 0.02)]
    best = min(-np.log(probabilities @ some).mean() for some in grid)
    assert sum(weights) == pytest.approx(1)
    assert found == pytest.approx(-np.log(probabilities @ weights).mean())
    assert found <= best + 1e-6


def test_the_network_keeps_some_weight() -> None:
    weights, _ = best_weights(np.array([[1e-9, 0.5]] * 20))

    assert weights == pytest.approx([0.05, 0.95])


def test_weights_at_their_most_never_round_to_more() -> None:
    generator = np.random.default_rng(3)
    for _ in range(200):
        weights, _ = best_weights(generator.random((2, 3)) * [1e-9, 1, 1])
        assert weights[1] + weights[2] <= MOST_ADDED


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_what_was_fitted_is_what_is_measured_with_it(make_measured: MakeMeasured, mode: str) -> None:
    model = make_measured(mode=mode)
    ngrams = ngrams_of(model, lines=mode == "lines")
    for asked in (
        Additions(cache=True),
        Additions(ngrams=ngrams),
        Additions(dynamic=True),
        Additions(cache=True, dynamic=True, ngrams=ngrams),
    ):
        fitted = fit_additions(model, LINES, asked, name="valid.txt")

        assert fitted.loss_before == pytest.approx(loss(model, NOTHING_ADDED), rel=1e-5)
        # The first token, before which a cache remembers nothing, is mixed otherwise.
        assert fitted.loss_after == pytest.approx(loss(model, fitted.additions), abs=0.02)
        assert fitted.loss_after < fitted.loss_before
        assert fitted.additions.names == asked.names
        assert fitted.additions.numbers.fitted_on == "valid.txt"
        assert Numbers.from_dict(fitted.to_dict()) == fitted.additions.numbers


def test_no_neighbouring_number_is_better(make_measured: MakeMeasured) -> None:
    model = make_measured()
    best = fit_additions(model, LINES, Additions(cache=True), name="v").additions
    numbers = best.numbers
    for change in (
        {"cache_weight": numbers.cache_weight - 0.02},
        {"cache_weight": min(0.95, numbers.cache_weight + 0.02)},
    ):
        assert loss(model, best.with_numbers(**change)) >= loss(model, best) - 1e-4


def test_a_rate_at_which_numbers_grow_too_large_is_passed_over(
    make_measured: MakeMeasured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnn_cli.evaluation.fitting.RATES", (1e-3, 1e30))
    monkeypatch.setattr("rnn_cli.evaluation.fitting.FIRST_RATE", 1)

    fitted = fit_additions(make_measured(), LINES, Additions(dynamic=True), name="v")

    assert fitted.additions.numbers.rate == 1e-3


def test_a_text_without_words_is_refused(make_measured: MakeMeasured) -> None:
    with pytest.raises(TextError) as error:
        fit_additions(make_measured(), ["", ""], Additions(cache=True), name="v")

    assert str(error.value) == "The text has no words to fit on."
