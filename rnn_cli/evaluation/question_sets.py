"""Files of questions with known answers, in the formats of the field.

    msr        the Microsoft Research Sentence Completion Challenge: a CSV file with the columns id, question (with
               _____) and a) to e), and the answers in a second one with id and answer (a letter)
    choices    JSON Lines {"text": "I eat _____.", "choices": ["rice", "soup"], "answer": "rice"}
    cloze      JSON Lines {"text": "I eat _____.", "answer": "rice"}, see `questions`
    last-word  passages whose last word is to be predicted, one a line, as text or {"text": ...} (LAMBADA)
    pairs      JSON Lines {"sentence_good": ..., "sentence_bad": ...} (BLiMP)

A line that is no question is named and left out; the others count. A file may be packed, as a text may (.gz).
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnn_cli.errors import RnnError, TextError, UsageError
from rnn_cli.evaluation.question_files import text_of
from rnn_cli.evaluation.questions import Question, read_question
from rnn_cli.inference.choices import checked_choices
from rnn_cli.inference.options import MOST_BLANK_WORDS
from rnn_cli.inference.prompt import Prompt, without_surrogates
from rnn_cli.printable import masked

FORMATS = ("text", "msr", "choices", "cloze", "last-word", "pairs")
WITH_CHOICES = ("msr", "choices")
LETTERS = ("a", "b", "c", "d", "e")
COLUMNS = ("id", "question", *(f"{letter})" for letter in LETTERS))
CATEGORY_KEYS = ("category", "linguistics_term", "family")  # the first that a line has

_MARKS = ".,;:!?\"'“”‘’()[]«»"  # that stick to a word and are none of it
_SHOWN = 60  # characters of a wrong value in a message


@dataclass(frozen=True)
class Pair:
    """Two sentences, of which the first is the good one."""

    good: str
    bad: str
    category: str | None = None


@dataclass(frozen=True)
class QuestionSet:
    """What a file holds.

    Attributes:
        format: one of `FORMATS`, but not text.
        questions: with the number of the line of each; pairs for the format pairs.
        problems: one complete message for each line that is none.
    """

    format: str
    questions: list[tuple[int, Question | Pair]]
    problems: list[str] = field(default_factory=list)


def check_answers(path: Path, format_: str, answers: Path | None) -> None:
    """Refuse a second file where there is none, and miss it where there is one.

    Raises:
        UsageError: the answers are missing, or not asked for.
    """
    if format_ == "text" and answers is not None:
        raise UsageError("--answers is for questions of the format msr, not for a text. Leave it out.")
    if (format_ == "msr") != (answers is not None):
        raise UsageError(
            "The answers to questions of the format msr are in a second file. Name it with --answers FILE."
            if answers is None
            else f"--answers is for questions of the format msr, and {path} has the format {format_}. Leave it out."
        )


def check_has_choices(path: Path, format_: str) -> None:
    """Refuse to rank choices where there are none.

    Raises:
        UsageError: the format has none.
    """
    if format_ not in WITH_CHOICES:
        raise UsageError(
            f"--pmi ranks choices: it is for questions of the formats {' and '.join(WITH_CHOICES)}, and {path} has "
            f"the format {format_}. Leave it out."
        )


def read_question_set(path: Path, format_: str, answers: Path | None = None) -> QuestionSet:
    """Read a file of questions, UTF-8. Empty lines are passed over.

    Args:
        format_: one of `FORMATS`, but not text.
        answers: the second file of the format msr.

    Raises:
        TextError: a file cannot be read, or holds no question.
        UsageError: the answers are missing, or not asked for.
    """
    check_answers(path, format_, answers)
    found: list[tuple[int, Question | Pair]] = []
    problems: list[str] = []
    items = _msr(path, answers) if answers is not None else _lines(path, format_)
    for number, item in items:
        if isinstance(item, RnnError):
            problems.append(str(item))
        else:
            found.append((number, item))
    if not found:
        raise TextError(
            "\n".join(
                [
                    *problems[:1],
                    f"{path}: there are no questions of the format {format_}. Another one is named with --format.",
                ]
            )
        )
    return QuestionSet(format_, found, problems)


def _lines(path: Path, format_: str) -> Iterator[tuple[int, Question | Pair | TextError]]:
    readers: dict[str, Callable[[str], Question | Pair]] = {
        "choices": _choices,
        "cloze": _cloze,
        "last-word": _last_word,
        "pairs": _pair,
    }
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            try:
                yield number, readers[format_](line)
            except (ValueError, UsageError) as error:
                yield number, TextError(f"{path}:{number}: {error}")


def _choices(line: str) -> Question:
    record = _record(line, '{"text": "I eat _____.", "choices": ["rice", "soup"], "answer": "rice"}')
    text, choices, answer = (record.get(key) for key in ("text", "choices", "answer"))
    if not isinstance(text, str) or not isinstance(choices, list) or not isinstance(answer, str):
        raise ValueError('"text" and "answer" have to be texts, and "choices" a list of texts.')  # noqa: TRY004
    return _checked(text, choices, answer, _category(record))


def _checked(text: str, choices: list[str], answer: str, category: str | None = None) -> Question:
    known = checked_choices(choices, Prompt.parse(text), (1, MOST_BLANK_WORDS))
    answer = " ".join(without_surrogates(answer).split())
    if answer not in known:
        raise ValueError(f'the answer "{masked(answer, _SHOWN)}" is not among the choices.')
    return Question(text, answer, category=category, choices=tuple(known))


def _cloze(line: str) -> Question:
    record = _record(line, '{"text": "I eat _____.", "answer": "rice"}')
    return read_question(line, category=_category(record))


def _last_word(line: str) -> Question:
    category = None
    text: Any = line
    if line.lstrip().startswith("{"):
        record = _record(line, '{"text": "I eat rice"}')
        text, category = record.get("text"), _category(record)
        if not isinstance(text, str):
            raise ValueError('"text" has to be there, and it has to be a text.')
    words = text.rsplit(None, 1)
    if len(words) < 2:
        raise ValueError("the passage has no word before its last one.")
    if Prompt.parse(text).blanks:
        raise ValueError(
            "the passage has a blank, and it is its last word that is asked for: write a word in place of the blank."
        )
    before, word = words
    answer = word.strip(_MARKS) or word
    opening = word[: word.index(answer)]
    return Question(f"{before} {opening}_____", answer, category=category)


def _pair(line: str) -> Pair:
    record = _record(line, '{"sentence_good": "She eats.", "sentence_bad": "She eat."}')
    good, bad = record.get("sentence_good"), record.get("sentence_bad")
    for key, value in (("sentence_good", good), ("sentence_bad", bad)):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f'"{key}" has to be there, and it has to be a text.')
        if "\n" in value or "\r" in value:
            raise ValueError(f'"{key}" has to be one line.')
    if good == bad:
        raise ValueError('"sentence_good" and "sentence_bad" are the same, so neither can be more probable.')
    return Pair(str(good), str(bad), _category(record))


def _msr(path: Path, answers: Path) -> Iterator[tuple[int, Question | TextError]]:
    letters: dict[str, tuple[int, str]] = {}
    for number, row in _csv_rows(answers, ("id", "answer")):
        if isinstance(row, TextError):
            yield number, row
        elif row["id"] in letters:
            yield (
                number,
                TextError(f"{answers}:{number}: id {masked(row['id'], _SHOWN)} has an answer already."),
            )
        else:
            letters[row["id"]] = (number, row["answer"].strip().removesuffix(")"))
    for number, row in _csv_rows(path, COLUMNS):
        if isinstance(row, TextError):
            yield number, row
            continue
        try:
            yield number, _msr_question(row, letters, answers)
        except TextError as error:
            yield number, error
        except (ValueError, UsageError) as error:
            yield number, TextError(f"{path}:{number}: {error}")


def _msr_question(row: dict[str, str], letters: dict[str, tuple[int, str]], answers: Path) -> Question:
    if row["id"] not in letters:
        raise ValueError(f"{answers} has no answer for id {masked(row['id'], _SHOWN)}.")
    line, letter = letters[row["id"]]
    if letter not in LETTERS:
        raise TextError(
            f'{answers}:{line}: the answer "{masked(letter, _SHOWN)}" is not among the choices {", ".join(LETTERS)}.'
        )
    return _checked(row["question"], [row[f"{one})"] for one in LETTERS], row[f"{letter})"])


def _csv_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | TextError]]:
    """The number of the last line of each row, and its cells by the names in the first row.

    Raises:
        TextError: a column is missing.
    """
    rows = csv.reader(io.StringIO(text_of(path), newline=""), strict=True)
    header: list[str] = []
    try:
        for row in rows:
            if not header:
                header = [cell.strip() for cell in row]
                missing = [name for name in columns if name not in header]
                if missing:
                    raise TextError(
                        f'{path}:1: the column "{missing[0]}" is missing. The first line has to name the columns '
                        f"{', '.join(columns)}."
                    )
            elif len(row) == len(header):
                yield rows.line_num, dict(zip(header, row, strict=True))
            elif row:
                yield (
                    rows.line_num,
                    TextError(
                        f"{path}:{rows.line_num}: there are {len(row)} cells, and the first line has {len(header)}. "
                        'A cell with a comma in it needs quotation marks: "a, b".'
                    ),
                )
    except csv.Error as error:
        yield rows.line_num, TextError(f"{path}:{rows.line_num}: this is not CSV ({error}).")


def _record(line: str, example: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ValueError(f"this is not a JSON object such as {example}.")  # noqa: TRY004
    return record


def _category(record: dict[str, Any]) -> str | None:
    return next((value for key in CATEGORY_KEYS if isinstance(value := record.get(key), str)), None)
