"""Cloze questions: a text with one word left out, and the word that belongs there.

A file of questions is JSON Lines, one question a line:

    {"text": "My favourite dish is sushi. So, my favourite cuisine is _____.", "answer": "Japanese", "distance": 9}

`text` holds one blank (two or more underscores). `distance` may be left out; it is how many words lie between the
word that decides the answer and the blank. Other keys are for whoever made the file.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnn_cli.errors import RnnError, TextError, UsageError
from rnn_cli.evaluation.question_files import text_of
from rnn_cli.inference.completion import CompletionResult, words_of
from rnn_cli.inference.prompt import Prompt
from rnn_cli.inference.trained_model import TrainedModel


@dataclass(frozen=True)
class Question:
    """A text with a blank and the word that belongs there.

    Attributes:
        text: with one blank.
        answer: the word that is right.
        distance: words between what decides the answer and the blank; None where it is not known.
        category: what kind of question it is; None where that is not known.
        choices: what the answer is chosen from; None: from the whole vocabulary.
    """

    text: str
    answer: str
    distance: int | None = None
    category: str | None = None
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Accuracy:
    """How many questions were answered rightly.

    Attributes:
        total: how many questions there were, at least one.
        correct: how many of them had the right word as the best one.
        by_distance: the same for bands of distances, such as "11-20", nearest first; empty where none is known.
        by_category: the same for categories, in alphabetical order.
    """

    total: int
    correct: int
    by_distance: dict[str, "Accuracy"] = field(default_factory=dict)
    by_category: dict[str, "Accuracy"] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return self.correct / self.total

    @property
    def standard_error(self) -> float:
        """How far the share would typically move with as many other questions of the same kind."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / self.total)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures: dict[str, Any] = {
            "total": self.total,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "standard_error": self.standard_error,
        }
        if self.by_distance:
            figures["by_distance"] = {band: part.to_dict() for band, part in self.by_distance.items()}
        if self.by_category:
            figures["by_category"] = {name: part.to_dict() for name, part in self.by_category.items()}
        return figures


def read_questions(path: Path) -> list[Question]:
    """Read a file of questions, UTF-8. Empty lines are passed over.

    Raises:
        TextError: the file cannot be read, holds no question, or a line of it is none; names file and line.
    """
    questions = []
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            try:
                questions.append(read_question(line))
            except ValueError as error:
                raise TextError(f"{path}:{number}: {error}") from error
    if not questions:
        raise TextError(
            f'{path}: there are no questions. One a line: {{"text": "I eat _____.", "answer": "rice"}}'
        )
    return questions


def answer_questions(model: TrainedModel, questions: Sequence[Question]) -> Accuracy:
    """Let `model` fill every blank with its best word, and count how often that is the answer.

    An answer is compared as the model would write it, so in lower case where it has learnt nothing else.

    Raises:
        ValueError: there are no questions.
        UsageError: a question cannot be asked.
    """
    if not questions:
        raise ValueError("There are no questions to answer.")
    results = model.predict([question.text for question in questions], top=1)
    right = [_is_right(model, question, result) for question, result in zip(questions, results, strict=True)]
    return Accuracy(len(right), sum(right), accuracy_by_distance([q.distance for q in questions], right))


def accuracy_by_distance(distances: Sequence[int | None], right: Sequence[bool]) -> dict[str, Accuracy]:
    """The share of right answers in each band of distances, nearest first."""
    known = sorted((d, r) for d, r in zip(distances, right, strict=True) if d is not None)
    return _accuracies((distance_band(distance), is_right) for distance, is_right in known)


def accuracy_by_category(categories: Sequence[str | None], right: Sequence[bool]) -> dict[str, Accuracy]:
    """The share of right answers in each category, in alphabetical order."""
    return _accuracies(sorted((c, r) for c, r in zip(categories, right, strict=True) if c is not None))


def _accuracies(answers: Iterable[tuple[str, bool]]) -> dict[str, Accuracy]:
    groups: dict[str, list[bool]] = {}
    for name, is_right in answers:
        groups.setdefault(name, []).append(is_right)
    return {name: Accuracy(len(part), sum(part)) for name, part in groups.items()}


def distance_band(distance: int) -> str:
    """The band of ten that a distance is counted in: 1-10, 11-20 and so on."""
    first = max(0, distance - 1) // 10 * 10
    return f"{first + 1}-{first + 10}"


def is_right(model: TrainedModel, question: Question, result: CompletionResult) -> bool:
    """Whether the best completion is the answer, compared as the model would write it."""
    if not result.completions:
        return False
    best = result.completions[0].words
    if question.choices is not None:
        return best == question.answer.split()
    tokenizer = model.tokenizer
    return best == words_of(tokenizer.encode(question.answer), tokenizer)


def answer_occurs(question: Question, *, lowercase: bool) -> bool:
    """Whether the answer is among the words of the text, its punctuation left off; with `lowercase` in any case."""
    text, answer = question.text, question.answer
    if lowercase:
        text, answer = text.lower(), answer.lower()
    return re.search(rf"(?<![^\W_]){re.escape(answer)}(?![^\W_])", text) is not None


def _is_right(model: TrainedModel, question: Question, result: CompletionResult | RnnError) -> bool:
    if isinstance(result, RnnError):
        raise result
    return is_right(model, question, result)


def read_question(line: str, category: str | None = None) -> Question:
    """One line of a file of questions.

    Raises:
        ValueError: it is none; says why.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ValueError('this is not a JSON object such as {"text": "I eat _____.", "answer": "rice"}.')  # noqa: TRY004
    text, answer, distance = (record.get(key) for key in ("text", "answer", "distance"))
    if not isinstance(text, str) or not isinstance(answer, str) or not answer.strip():
        raise ValueError('"text" and "answer" have to be there, and they have to be texts.')
    if distance is not None and (not isinstance(distance, int) or isinstance(distance, bool) or distance < 0):
        raise ValueError(f'"distance" is {json.dumps(distance)}; it has to be a whole number of at least 0.')
    try:
        prompt = Prompt.parse(text)
    except UsageError as error:
        raise ValueError(str(error)) from error
    if not prompt.blanks:
        raise ValueError('"text" has no blank: put _____ where the answer belongs.')
    if prompt.blanks > 1:
        raise ValueError(
            f'"text" has {prompt.blanks} blanks, and there is one answer: write words in place of the others.'
        )
    return Question(text, answer.strip(), distance, category)
