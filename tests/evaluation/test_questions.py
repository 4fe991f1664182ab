import json
import math
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.errors import TextError, UsageError
from rnn_cli.evaluation.questions import Accuracy, Question, answer_questions, distance_band, read_questions
from rnn_cli.inference import TrainedModel
from rnn_cli.model_file import ModelFile
from rnn_cli.text.tokenizer import Tokenizer

ALWAYS = "Japanese"


def make_model(*, lowercase: bool = False) -> TrainedModel:
    """A model with zero weights that answers every question with the same word."""
    tokenizer = Tokenizer.train(["my dish is Japanese or Italian ."], lowercase=lowercase)
    c = np.zeros(tokenizer.vocab_size, np.float32)
    c[tokenizer.encode(ALWAYS)] = 3.0
    tensors = {
        "embedding": np.zeros((tokenizer.vocab_size, 2), np.float32),
        "cells.0.W": np.zeros((2, 4), np.float32),
        "cells.0.b": np.zeros(2, np.float32),
        "V": np.zeros((tokenizer.vocab_size, 2), np.float32),
        "c": c,
    }
    model = {"cell": "elman", "num_layers": 1, "hidden_activation": "tanh", "output_activation": "softmax"}
    config = {"data": {"mode": "lines"}, "model": model}
    return TrainedModel.from_model_file(ModelFile(tensors, config, tokenizer.to_json(), {}, {}), name="x")


def ask(answer: str, distance: int | None = None) -> Question:
    return Question("my dish is _____.", answer, distance)


def test_right_answers_are_counted() -> None:
    accuracy = answer_questions(
        make_model(), [ask("Japanese"), ask("Italian"), ask("Japanese"), ask("Greek")]
    )

    assert (accuracy.total, accuracy.correct) == (4, 2)
    assert accuracy.accuracy == 0.5
    assert accuracy.standard_error == 0.25
    assert accuracy.by_distance == {}


def test_right_answers_are_counted_by_distance() -> None:
    distances = [0, 5, 10, 11, 14, 20, 21, 120]
    questions = [
        ask("Japanese" if distance < 15 else "Italian", distance) for distance in reversed(distances)
    ]

    accuracy = answer_questions(make_model(), [*questions, ask("Japanese")])

    assert (accuracy.total, accuracy.correct) == (9, 6)
    assert list(accuracy.by_distance.items()) == [
        ("1-10", Accuracy(3, 3)),
        ("11-20", Accuracy(3, 2)),
        ("21-30", Accuracy(1, 0)),
        ("111-120", Accuracy(1, 0)),
    ]


def test_an_answer_is_compared_as_the_model_writes_it() -> None:
    assert answer_questions(make_model(lowercase=True), [ask("Japanese"), ask("JAPANESE")]).correct == 2
    assert answer_questions(make_model(), [ask("japanese")]).correct == 0


def test_no_questions_have_no_accuracy() -> None:
    with pytest.raises(ValueError, match="There are no questions to answer"):
        answer_questions(make_model(), [])


def test_a_question_that_cannot_be_asked_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing but a blank"):
        answer_questions(make_model(), [Question("__", "x")])


@pytest.mark.parametrize(
    ("distance", "band"),
    [(0, "1-10"), (1, "1-10"), (10, "1-10"), (11, "11-20"), (60, "51-60"), (100, "91-100")],
)
def test_distances_are_counted_in_bands(distance: int, band: str) -> None:
    assert distance_band(distance) == band


def test_the_figures_are_json() -> None:
    accuracy = Accuracy(4, 1, {"1-10": Accuracy(1, 1)})

    assert json.loads(json.dumps(accuracy.to_dict())) == {
        "total": 4,
        "correct": 1,
        "accuracy": 0.25,
        "standard_error": pytest.approx(math.sqrt(0.25 * 0.75 / 4)),
        "by_distance": {"1-10": {"total": 1, "correct": 1, "accuracy": 1.0, "standard_error": 0.0}},
    }
    assert "by_distance" not in Accuracy(4, 1).to_dict()


def test_questions_are_read_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(
        '\ufeff{"text": "I eat _____.", "answer": " sushi ", "distance": 12, "source": "x"}\r\n'
        '\n{"text": "Ich heiße __", "answer": "Zoë\u2028"}',
        encoding="utf-8",
    )

    assert read_questions(path) == [Question("I eat _____.", "sushi", 12), Question("Ich heiße __", "Zoë")]


NEEDED = '"text" and "answer" have to be there, and they have to be texts.'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sushi", 'this is not a JSON object such as {"text": "I eat _____.", "answer": "rice"}.'),
        ("[1]", 'this is not a JSON object such as {"text": "I eat _____.", "answer": "rice"}.'),
        ("[" * 100_000, 'this is not a JSON object such as {"text": "I eat _____.", "answer": "rice"}.'),
        ('{"text": "I eat __."}', NEEDED),
        ('{"answer": "rice"}', NEEDED),
        ('{"text": "I eat __.", "answer": 7}', NEEDED),
        ('{"text": "I eat __.", "answer": " "}', NEEDED),
        ('{"text": "I eat.", "answer": "rice"}', '"text" has no blank: put _____ where the answer belongs.'),
        (
            '{"text": "I __ __.", "answer": "rice"}',
            '"text" has 2 blanks, and there is one answer: write words in place of the others.',
        ),
        (
            '{"text": "I __.", "answer": "rice", "distance": "far"}',
            '"distance" is "far"; it has to be a whole number of at least 0.',
        ),
        (
            '{"text": "I __.", "answer": "rice", "distance": -1}',
            '"distance" is -1; it has to be a whole number of at least 0.',
        ),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"text": "I eat _____.", "answer": "sushi"}\n' + line)

    with pytest.raises(TextError) as error:
        read_questions(path)

    assert str(error.value) == f"{path}:2: {message}"


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n\n")

    with pytest.raises(TextError) as error:
        read_questions(path)

    assert str(error.value) == (
        f'{path}: there are no questions. One a line: {{"text": "I eat _____.", "answer": "rice"}}'
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TextError) as error:
        read_questions(tmp_path / "none.jsonl")

    assert (
        str(error.value)
        == f"{tmp_path}/none.jsonl: the questions cannot be read (No such file or directory)."
    )


def test_questions_in_another_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes('{"text": "Zoë __"}'.encode("latin-1"))

    with pytest.raises(TextError) as error:
        read_questions(path)

    assert str(error.value) == f"{path}: the questions are not UTF-8 (byte 12). Save them as UTF-8."
