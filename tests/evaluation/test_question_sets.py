"""Files of questions, good and bad; every message word for word."""

import gzip
import json
import os
import time
from pathlib import Path

import pytest

from rnn_cli.errors import TextError, UsageError
from rnn_cli.evaluation.question_files import find_format
from rnn_cli.evaluation.question_sets import Pair, QuestionSet, read_question_set
from rnn_cli.evaluation.questions import Question

HEADER = "id,question,a),b),c),d),e)\r\n"
GOOD_ROW = '7,"I eat _____ , and you ?",rice,soup,stone,sky,sand\r\n'


def written(tmp_path: Path, content: str, name: str = "set.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def msr(tmp_path: Path, questions: str, answers: str) -> QuestionSet:
    return read_question_set(
        written(tmp_path, questions, "q.csv"), "msr", written(tmp_path, answers, "a.csv")
    )


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [
        ("q.csv", HEADER, "msr"),
        ("q.jsonl", '\ufeff{"sentence_good": "a", "sentence_bad": "b"}\n', "pairs"),
        ("q.jsonl", '{"text": "a __", "choices": [], "answer": "b"}', "choices"),
        ("q.jsonl", '\n{"text": "a __", "answer": "b"}', "cloze"),
        ("q.jsonl", '{"text": "a b"}', "last-word"),
        ("q.txt", "a text\nof lines\n", "text"),
        ("q.txt", "", "text"),
        ("q.txt", "{no JSON", "text"),
        ("q.txt", "{\\rtf1 a text}\nof lines\n", "text"),
        ("q.jsonl", '{"text": "' + "a " * 100_000 + '__", "answer": "b"}\n{"text": "a b"}\n', "cloze"),
    ],
)
def test_the_format_is_found_out(tmp_path: Path, name: str, content: str, format_: str) -> None:
    assert find_format(written(tmp_path, content, name)) == format_


def test_what_can_be_read_once_needs_its_format_named(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(TextError) as error:
        find_format(pipe)
    assert str(error.value) == (
        f"{pipe} is not a regular file, and to find out its format it is read twice: say the format with --format, "
        "or save it to a file first."
    )


def test_msr_questions_have_their_answers_in_a_second_file(tmp_path: Path) -> None:
    found = msr(tmp_path, "\ufeff" + HEADER + GOOD_ROW, "id,answer\n7,b\n")

    choices = ("rice", "soup", "stone", "sky", "sand")
    question = Question("I eat _____ , and you ?", "soup", choices=choices)
    assert found == QuestionSet("msr", [(2, question)], [])


def test_choices_cloze_and_pairs_are_json_lines_with_categories(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"text": "I eat __.", "choices": [" rice ", "soup"], "answer": "rice", "category": "food"}\n\n',
    )
    assert read_question_set(path, "choices").questions == [
        (1, Question("I eat __.", "rice", category="food", choices=("rice", "soup")))
    ]
    path = written(tmp_path, '{"text": "I eat __.", "answer": "rice", "distance": 3, "family": "food"}\r\n')
    assert read_question_set(path, "cloze").questions == [(1, Question("I eat __.", "rice", 3, "food"))]
    path = written(
        tmp_path, '{"sentence_good": "I eat.", "sentence_bad": "I eats.", "linguistics_term": "verbs"}'
    )
    assert read_question_set(path, "pairs").questions == [(1, Pair("I eat.", "I eats.", "verbs"))]


def test_the_last_word_of_a_passage_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, 'we ate soup , then  rice \n{"text": "He said: “I eat rice.”"}\n')

    assert [question for _, question in read_question_set(path, "last-word").questions] == [
        Question("we ate soup , then _____", "rice"),
        Question("He said: “I eat _____", "rice"),
    ]


@pytest.mark.parametrize(
    ("passage", "text", "answer"),
    [
        ("We ate “sushi”.", "We ate “_____", "sushi"),
        ("We ate (sushi).", "We ate (_____", "sushi"),
        ("We ate «('sushi!')»", "We ate «('_____", "sushi"),
        ('We  ate\t["sushi"] ', 'We  ate ["_____', "sushi"),
        ("We ate ‘well-known’ dogs' ", "We ate ‘well-known’ _____", "dogs"),
        ("We ate ...", "We ate _____", "..."),
    ],
)
def test_marks_round_the_last_word_are_none_of_it_and_what_opens_stands_before_the_blank(
    tmp_path: Path, passage: str, text: str, answer: str
) -> None:
    path = written(tmp_path, passage)

    assert read_question_set(path, "last-word").questions == [(1, Question(text, answer))]


def test_the_last_word_behind_a_very_long_one_is_found_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "x" * 50_000 + " y")
    start = time.process_time()

    assert read_question_set(path, "last-word").questions == [(1, Question("x" * 50_000 + " _____", "y"))]

    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("format_", "line", "message"),
    [
        (
            "choices",
            "no",
            "this is not a JSON object such as "
            '{"text": "I eat _____.", "choices": ["rice", "soup"], "answer": "rice"}.',
        ),
        (
            "choices",
            '{"text": "I __", "choices": "a,b", "answer": "a"}',
            '"text" and "answer" have to be texts, and "choices" a list of texts.',
        ),
        (
            "choices",
            '{"text": "I __", "choices": [], "answer": "a"}',
            "There are no choices. Name at least one word to rank.",
        ),
        (
            "choices",
            '{"text": "I __", "choices": ["b"], "answer": "a"}',
            'the answer "a" is not among the choices.',
        ),
        (
            "choices",
            '{"text": "I", "choices": ["a"], "answer": "a"}',
            "The text has no blank for the choices. Put ____ where one of them belongs.",
        ),
        (
            "choices",
            '{"text": "__", "choices": ["a"], "answer": "a"}',
            "The text is nothing but a blank. Write words before it, behind it, or both.",
        ),
        (
            "cloze",
            '{"text": "I eat", "answer": "a"}',
            '"text" has no blank: put _____ where the answer belongs.',
        ),
        ("last-word", " word ", "the passage has no word before its last one."),
        ("last-word", '{"text": " "}', "the passage has no word before its last one."),
        (
            "last-word",
            "I eat __ and rice",
            "the passage has a blank, and it is its last word that is asked for: write a word in place of the blank.",
        ),
        (
            "last-word",
            "I eat rice___",
            "the passage has a blank, and it is its last word that is asked for: write a word in place of the blank.",
        ),
        ("last-word", '{"x": 1}', '"text" has to be there, and it has to be a text.'),
        ("pairs", '{"sentence_good": "a"}', '"sentence_bad" has to be there, and it has to be a text.'),
        (
            "pairs",
            '{"sentence_good": "a\\nb", "sentence_bad": "c"}',
            '"sentence_good" has to be one line.',
        ),
        (
            "pairs",
            '{"sentence_good": "a b", "sentence_bad": "a b"}',
            '"sentence_good" and "sentence_bad" are the same, so neither can be more probable.',
        ),
    ],
)
def test_a_line_that_is_no_question_is_named_and_left_out(
    tmp_path: Path, format_: str, line: str, message: str
) -> None:
    good = {
        "choices": {"text": "I __", "choices": ["a"], "answer": "a"},
        "cloze": {"text": "I __", "answer": "a"},
        "last-word": {"text": "I eat"},
        "pairs": {"sentence_good": "a", "sentence_bad": "b"},
    }[format_]
    path = written(tmp_path, f"{json.dumps(good)}\n{line}\n")

    found = read_question_set(path, format_)

    assert [number for number, _ in found.questions] == [1]
    assert found.problems == [f"{path}:2: {message}"]


@pytest.mark.parametrize(
    ("row", "answers", "problem"),
    [
        (
            "8,I eat rice,a,b,c,d,e\n",
            "8,a\n",
            "q.csv:3: The text has no blank for the choices. Put ____ where one of them belongs.",
        ),
        ("8,I __,a,b,c,d\n", "8,a\n", None),
        ("8,I __,a,b,,d,e\n", "8,a\n", "q.csv:3: Choice 3 is empty. Every choice needs a word."),
        ("8,I __,a,b,c,d,e\n", "", "q.csv:3: {tmp_path}/a.csv has no answer for id 8."),
        (
            "8,I __,a,b,c,d,e\n",
            "8,f\n",
            'a.csv:3: the answer "f" is not among the choices a, b, c, d, e.',
        ),
        ("", "7,c\n", "a.csv:3: id 7 has an answer already."),
    ],
)
def test_a_row_that_is_no_question_is_named_and_left_out(
    tmp_path: Path, row: str, answers: str, problem: str | None
) -> None:
    found = msr(tmp_path, HEADER + GOOD_ROW + row, "id,answer\n7,b)\n" + answers)

    assert [number for number, _ in found.questions] == [2]
    expected = problem or (
        "q.csv:3: there are 6 cells, and the first line has 7. "
        'A cell with a comma in it needs quotation marks: "a, b".'
    )
    assert found.problems == [f"{tmp_path}/{expected.format(tmp_path=tmp_path)}"]


@pytest.mark.parametrize(
    ("questions", "answers", "message"),
    [
        (
            HEADER.replace(",c)", ""),
            "id,answer\n",
            'q.csv:1: the column "c)" is missing. The first line has to name the columns '
            "id, question, a), b), c), d), e).",
        ),
        (
            HEADER + GOOD_ROW,
            "id,letter\n",
            'a.csv:1: the column "answer" is missing. The first line has to name the columns id, answer.',
        ),
        (
            HEADER,
            "id,answer\n",
            "q.csv: there are no questions of the format msr. Another one is named with --format.",
        ),
        (
            "",
            "id,answer\n",
            "q.csv: there are no questions of the format msr. Another one is named with --format.",
        ),
    ],
)
def test_a_file_that_holds_no_questions_is_refused(
    tmp_path: Path, questions: str, answers: str, message: str
) -> None:
    with pytest.raises(TextError) as error:
        msr(tmp_path, questions, answers)

    assert str(error.value) == f"{tmp_path}/{message}"


def test_csv_that_is_broken_is_named(tmp_path: Path) -> None:
    found = msr(tmp_path, HEADER + GOOD_ROW + '8,"I __', "id,answer\n7,b\n8,a\n")

    assert len(found.questions) == 1
    assert found.problems == [f"{tmp_path}/q.csv:3: this is not CSV (unexpected end of data)."]


def test_answers_go_with_the_format_msr_and_no_other(tmp_path: Path) -> None:
    path = written(tmp_path, '{"text": "I __", "answer": "a"}')
    with pytest.raises(UsageError) as error:
        read_question_set(path, "msr")
    assert str(error.value) == (
        "The answers to questions of the format msr are in a second file. Name it with --answers FILE."
    )
    with pytest.raises(UsageError) as error:
        read_question_set(path, "cloze", path)
    assert str(error.value) == (
        f"--answers is for questions of the format msr, and {path} has the format cloze. Leave it out."
    )


@pytest.mark.parametrize(
    ("name", "line", "format_"),
    [
        ("q.jsonl.gz", '{"text": "I __", "answer": "rice"}', "cloze"),
        ("q.gz", '{"sentence_good": "She eats.", "sentence_bad": "She eat."}', "pairs"),
        ("Q.CSV.GZ", "id,question,a),b),c),d),e)", "msr"),
        ("novel.txt.gz", "I eat rice", "text"),
    ],
)
def test_a_packed_file_is_what_it_holds(tmp_path: Path, name: str, line: str, format_: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(f"{line}\n{line}\n".encode()))
    assert find_format(path) == format_
    if format_ in ("cloze", "pairs"):
        assert len(read_question_set(path, format_).questions) == 2
    path.write_text(line)
    with pytest.raises(TextError, match=r"cannot be unpacked: it is damaged, cut short or not a"):
        read_question_set(path, "cloze")


def test_the_first_line_may_be_longer_than_what_is_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"text": "I __" + " so" * 100_000, "answer": "a"}))
    assert find_format(path) == "cloze"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TextError) as error:
        find_format(tmp_path / "gone")
    assert str(error.value) == f"{tmp_path}/gone: cannot be read (No such file or directory)."
    path = tmp_path / "latin.jsonl"
    path.write_bytes('{"text": "Zoë __", "answer": "b"}'.encode("latin-1"))
    assert find_format(path) == "cloze"
    with pytest.raises(TextError) as error:
        read_question_set(path, "cloze")
    assert str(error.value) == f"{path}: the questions are not UTF-8 (byte 12). Save them as UTF-8."
