from pathlib import Path

import pytest

import rnn_cli
from rnn_cli.errors import UsageError
from rnn_cli.evaluation.answering import SetEvaluation
from rnn_cli.evaluation.model import Model
from rnn_cli.evaluation.text import TextEvaluation
from tests.cli.counting_model import write_run


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return rnn_cli.load(write_run(tmp_path / "run"))


def test_a_text_and_questions_are_measured_from_python(model: Model, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("I eat soup\n")
    (tmp_path / "set.jsonl").write_text('{"text": "I eat __", "answer": "rice"}\n')

    text = model.evaluate(tmp_path / "text.txt", batch_size=1)
    questions = model.evaluate(str(tmp_path / "set.jsonl"))

    assert isinstance(text, TextEvaluation)
    assert text.perplexity.tokens == 4
    assert isinstance(questions, SetEvaluation)
    assert questions.accuracy.accuracy == 1
    assert model.complete("I eat __", choices=["soup", "rice"]).completions[0].words == ["rice"]
    with pytest.raises(UsageError, match="it is for questions of the formats msr and choices, and"):
        model.evaluate(tmp_path / "set.jsonl", pmi=True)
    assert model.score("I eat soup").log_prob == pytest.approx(-text.perplexity.nll)


def test_an_argument_that_cannot_be_is_refused(model: Model) -> None:
    with pytest.raises(UsageError) as error:
        model.evaluate("x", format="csv")
    assert str(error.value) == (
        "--format is csv; it has to be one of text, msr, choices, cloze, last-word, pairs."
    )
    with pytest.raises(UsageError) as error:
        model.evaluate("x", batch_size=5000)
    assert str(error.value) == "--batch-size is 5000; it has to be a whole number from 1 to 4,096."
