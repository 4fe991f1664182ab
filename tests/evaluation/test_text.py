"""Measures of a text against the scores of its tokens."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnn_cli.errors import TextError
from rnn_cli.evaluation.model import Model
from rnn_cli.evaluation.text import evaluate_text

MakeMeasured = Callable[..., Model]
LINES = ["My dish is ramen.", "", "Is it? It is!", "So, my favourite cuisine is Italian, My favourite dish."]


@pytest.mark.parametrize("mode", ["stream", "lines"])
@pytest.mark.parametrize("settings", [{}, {"kind": "char"}, {"kind": "bpe", "max_size": 290}])
def test_perplexity_is_that_of_the_scores(
    make_measured: MakeMeasured, mode: str, settings: dict[str, Any]
) -> None:
    model = make_measured(mode=mode, num_layers=2, **settings)
    lines = [line for line in model.score("\n".join(LINES)).lines if line.tokens]
    tokens = [token for line in lines for token in line.tokens]

    result = evaluate_text(model, LINES, batch_size=2)

    assert result.perplexity.nll == pytest.approx(-sum(line.log_prob for line in lines), rel=1e-6)
    assert (result.perplexity.tokens, result.lines) == (len(tokens), len(lines))
    assert result.perplexity.unknown == sum(line.unknown for line in lines)
    assert result.perplexity.state_carried is (mode == "stream")
    assert result.characters == sum(len(line.text) + 1 for line in lines)
    assert result.bits_per_character == pytest.approx(
        sum(line.surprisal_bits for line in lines) / result.characters
    )
    spread = np.std([token.log_prob for token in tokens])
    assert result.perplexity.loss_standard_error == pytest.approx(spread / math.sqrt(len(tokens)), rel=1e-5)
    for guesses in (1, 5, 10):
        share = sum(token.rank <= guesses for token in tokens) / len(tokens)
        assert result.accuracy(guesses) == pytest.approx(
            (share, math.sqrt(share * (1 - share) / len(tokens)))
        )


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_the_batch_size_changes_nothing(
    make_measured: MakeMeasured, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    model = make_measured(mode=mode)
    lines = [" ".join((LINES[0] + LINES[3]).split()[: number % 11]) for number in range(200)]
    expected = evaluate_text(model, lines, batch_size=1).to_dict()
    monkeypatch.setattr("rnn_cli.evaluation.text.LINES_READ_AT_ONCE", 37)

    for batch_size in (2, 7, 64, 4096):
        found = evaluate_text(model, lines, batch_size=batch_size).to_dict()
        assert found["perplexity"] == pytest.approx(expected["perplexity"], rel=1e-6)
        assert found["top_5"] == expected["top_5"]


def test_the_figures_are_json_with_their_terms(make_measured: MakeMeasured) -> None:
    record = json.loads(json.dumps(evaluate_text(make_measured(), LINES, batch_size=8).to_dict()))

    assert list(record) == [
        "format", "perplexity", "loss", "tokens", "unknown", "end_of_line_counted", "state",
        "loss_standard_error", "perplexity_standard_error", "bits_per_character", "characters", "lines", "top_1",
        "top_5", "top_10", "reliability", "temperature", "direction",
    ]  # fmt: skip
    assert record["reliability"]["bands"]


def test_a_text_without_words_is_refused(make_measured: MakeMeasured) -> None:
    with pytest.raises(TextError) as error:
        evaluate_text(make_measured(mode="lines"), ["", ""], batch_size=8)

    assert str(error.value) == "The text has no words to predict."
