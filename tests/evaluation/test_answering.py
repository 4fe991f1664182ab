"""Answers to sets of questions, against what the model says of each question alone."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.evaluation.answering import evaluate_set
from rnn_cli.evaluation.model import Model
from rnn_cli.evaluation.question_sets import Pair, QuestionSet
from rnn_cli.evaluation.questions import Question

MakeMeasured = Callable[..., Model]
PATH = Path("set")


def numbered(*questions: Question | Pair) -> list[tuple[int, Question | Pair]]:
    return list(enumerate(questions, start=1))


def test_the_best_choice_has_to_be_the_answer(make_measured: MakeMeasured) -> None:
    model = make_measured()
    text, choices = "My __ is sushi.", ("dish", "favourite dish", "ramen")
    best = model.complete(text, choices=choices, blank_words=(1, 2)).completions[0]
    answer = " ".join(best.words)
    other = next(choice for choice in choices if choice != answer)
    questions = [
        Question(text, answer, category="b", choices=choices),
        Question(text, other, category="a", choices=choices),
        Question(text, answer, choices=choices),
    ]

    result = evaluate_set(
        model, QuestionSet("choices", numbered(*questions)), PATH, batch_size=2, blank_words=(1, 2)
    )

    assert (result.accuracy.total, result.accuracy.correct) == (3, 2)
    assert {name: part.correct for name, part in result.accuracy.by_category.items()} == {"a": 0, "b": 1}
    assert result.reliability.bands[0].confidence == pytest.approx(best.probability)
    assert result.unknown_answers == sum("ramen" in q.answer for q in questions)


def test_the_best_word_of_all_has_to_be_the_answer(make_measured: MakeMeasured) -> None:
    model = make_measured()
    best = model.complete("My __ is").completions[0].words[0]
    questions = [Question("My __ is", best, 3), Question("My __ is", "ramen", 12)]

    result = evaluate_set(model, QuestionSet("cloze", numbered(*questions)), PATH, batch_size=1)

    assert result.accuracy.accuracy == 0.5
    assert list(result.accuracy.by_distance) == ["1-10", "11-20"]
    assert result.unknown_answers == 1


def test_an_answer_of_several_words_is_right_where_the_blank_has_room_for_it(
    make_measured: MakeMeasured,
) -> None:
    model = make_measured()
    best = model.complete("My __ is", blank_words=(2, 2)).completions[0].words
    asked = QuestionSet("cloze", numbered(Question("My __ is", " ".join(best)), Question("My __ is", "a b")))

    assert evaluate_set(model, asked, PATH, batch_size=2, blank_words=(2, 2)).accuracy.correct == 1

    with pytest.raises(UsageError):
        evaluate_set(model, asked, PATH, batch_size=2)
    one_word = QuestionSet("cloze", [*asked.questions, (3, Question("My __ is", "dish"))])
    result = evaluate_set(model, one_word, PATH, batch_size=2)
    assert result.accuracy.total == 1
    assert result.problems[1] == (
        'set:2: The answer "a b" has 2 words, and the blank is for 1. Longer blanks: --blank-words 1-2.'
    )


def test_the_good_sentence_has_to_be_the_more_probable_line(make_measured: MakeMeasured) -> None:
    model = make_measured()  # trained on a stream, but each of a pair stands alone
    first, second = "My dish is sushi.", "My dish pasta."
    scores = [model.score(sentence).log_prob for sentence in (first, second)]
    good, bad = (first, second) if scores[0] > scores[1] else (second, first)

    result = evaluate_set(
        model, QuestionSet("pairs", numbered(Pair(good, bad), Pair(bad, good, "x"))), PATH, batch_size=9
    )

    assert (result.accuracy.total, result.accuracy.correct) == (2, 1)
    confidence = 1 / (1 + math.exp(-abs(scores[0] - scores[1])))
    assert result.reliability.bands[0].confidence == pytest.approx(confidence, rel=1e-5)
    assert result.accuracy.by_category["x"].correct == 0


def test_the_batch_size_changes_nothing(make_measured: MakeMeasured) -> None:
    model = make_measured()
    questions = [
        Question(f"My __ is{' dish' * n}", "sushi", n, choices=("sushi", "pasta", "my dish"))
        for n in range(20)
    ]
    results = [
        evaluate_set(
            model, QuestionSet("choices", numbered(*questions)), PATH, batch_size=size, blank_words=(1, 2)
        ).to_dict()
        for size in (1, 3, 64)
    ]
    for result in results[1:]:
        assert result["accuracy"] == results[0]["accuracy"]
        assert result["reliability"]["expected_calibration_error"] == pytest.approx(
            results[0]["reliability"]["expected_calibration_error"], abs=1e-6
        )


def test_a_question_that_cannot_be_asked_is_named_and_does_not_count(make_measured: MakeMeasured) -> None:
    questions = QuestionSet("cloze", [(4, Question("__", "a")), (9, Question("My __", "a"))], ["set:2: bad."])

    result = evaluate_set(make_measured(), questions, PATH, batch_size=64)

    assert result.accuracy.total == 1
    assert result.problems == [
        "set:2: bad.",
        "set:4: The text is nothing but a blank. Write words before it, behind it, or both.",
    ]
    assert list(json.loads(json.dumps(result.to_dict()))) == [
        "format", "total", "correct", "accuracy", "standard_error", "unknown_answers", "reliability",
        "problems", "temperature", "direction",
    ]  # fmt: skip
