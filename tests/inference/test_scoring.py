"""Perplexity and what it counts."""

import json
import math
import statistics

import pytest

from rnn_cli.inference.scoring import Perplexity


def test_perplexity_is_e_to_the_mean_surprise_of_a_token() -> None:
    # Eight words of which each had the probability 1/4.
    result = Perplexity(nll=8 * math.log(4), tokens=8, unknown=0, state_carried=True)
    assert result.loss == pytest.approx(math.log(4))
    assert result.perplexity == pytest.approx(4)


def test_a_model_that_is_never_surprised_has_perplexity_1() -> None:
    assert Perplexity(nll=0.0, tokens=3, unknown=0, state_carried=True).perplexity == 1


def test_beyond_what_a_float_can_hold_perplexity_is_infinite() -> None:
    assert Perplexity(nll=708.0, tokens=1, unknown=0, state_carried=True).perplexity < math.inf
    assert Perplexity(nll=1e6, tokens=1, unknown=0, state_carried=True).perplexity == math.inf


@pytest.mark.parametrize(
    ("result", "terms"),
    [
        (
            Perplexity(nll=1.0, tokens=1_234_567, unknown=8_901, state_carried=True),
            "1,234,567 tokens, unknown words counted (8,901), end of line counted, "
            "state carried over the whole text",
        ),
        (
            Perplexity(nll=1.0, tokens=13, unknown=0, state_carried=False),
            "13 tokens, unknown words counted (0), end of line counted, state reset at each line",
        ),
        (
            Perplexity(nll=1.0, tokens=13, unknown=0, state_carried=True, of_tokens=1_300),
            "13 of 1,300 tokens, from all over the text, unknown words counted (0), end of line counted, "
            "state carried over them",
        ),
    ],
)
def test_the_terms_say_what_was_counted(result: Perplexity, terms: str) -> None:
    assert result.terms() == terms


def test_the_terms_stand_beside_the_figure_in_json() -> None:
    assert Perplexity(nll=0.0, tokens=13, unknown=2, state_carried=True).to_dict() == {
        "perplexity": 1.0,
        "loss": 0.0,
        "tokens": 13,
        "unknown": 2,
        "end_of_line_counted": True,
        "state": "carried",
    }


def test_the_standard_errors_are_those_of_independent_tokens_and_of_exp() -> None:
    nlls = [0.5, 1.0, 3.0, 3.5]
    squares = sum(nll**2 for nll in nlls)
    result = Perplexity(sum(nlls), len(nlls), unknown=0, state_carried=True, squares=squares)
    of_loss = statistics.pstdev(nlls) / math.sqrt(4)
    assert result.loss_standard_error == pytest.approx(of_loss)
    assert result.standard_error == pytest.approx(math.exp(2) * of_loss)
    stored = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert stored["loss_standard_error"] == pytest.approx(of_loss)
    assert stored["perplexity_standard_error"] == pytest.approx(math.exp(2) * of_loss)
    assert Perplexity.from_dict(stored).standard_error == pytest.approx(result.standard_error)


def test_without_the_squares_there_is_no_standard_error() -> None:
    result = Perplexity(nll=8.0, tokens=4, unknown=0, state_carried=True)
    assert (result.loss_standard_error, result.standard_error) == (None, None)
    assert Perplexity.from_dict(result.to_dict()).squares is None


def test_a_standard_error_beyond_all_numbers_is_null_in_json() -> None:
    result = Perplexity(nll=4e6, tokens=4, unknown=0, state_carried=True, squares=5e12)
    assert result.to_dict()["perplexity_standard_error"] is None


@pytest.mark.parametrize("of_tokens", [None, 20])
@pytest.mark.parametrize("state_carried", [True, False])
def test_a_stored_perplexity_comes_back(state_carried: bool, of_tokens: int | None) -> None:
    result = Perplexity(nll=24.5, tokens=10, unknown=3, state_carried=state_carried, of_tokens=of_tokens)
    restored = Perplexity.from_dict(json.loads(json.dumps(result.to_dict())))
    assert restored.nll == pytest.approx(24.5)
    assert (restored.tokens, restored.unknown, restored.state_carried) == (10, 3, state_carried)
    assert restored.terms() == result.terms()
