"""`rnn predict`: lines in, as many JSON lines out."""

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.cli.lines import LINES_AT_ONCE
from tests.cli.counting_model import COUNTS, share, write_run
from tests.conftest import Result, Rnn

COMMAND = [sys.executable, "-m", "rnn_cli", "predict"]


@pytest.fixture(autouse=True)
def run(tmp_path: Path) -> Path:
    """A model that knows the words I, you, eat, rice and soup; see `write_run`."""
    return write_run(tmp_path / "runs" / "meals")


def answers(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.out.removesuffix("\n").split("\n")]


def best_words(result: Result) -> list[list[str]]:
    return [answer["completions"][0]["words"] for answer in answers(result)]


def predict_file(rnn: Rnn, content: bytes, *options: str) -> Result:
    Path("prompts").write_bytes(content)
    return rnn("predict", "prompts", *options)


def test_each_line_gets_one_json_object_in_order(rnn: Rnn) -> None:
    result = predict_file(rnn, b'I\nyou eat\n{"text": "____ eat"}\n')
    assert (result.code, result.err) == (0, "")
    assert [answer["text"] for answer in answers(result)] == ["I", "you eat", "____ eat"]
    assert best_words(result) == [["eat"], ["rice"], ["I"]]


def test_an_answer_has_the_keys_of_complete_with_the_next_words_best_first(rnn: Rnn) -> None:
    (found,) = answers(predict_file(rnn, b"my I eat\n", "--top", "2"))
    assert found == {
        "text": "my I eat",
        "completions": [
            {
                "text": "my I eat rice",
                "words": ["rice"],
                "probability": pytest.approx(share(3, of=4), rel=1e-5),
                "log_prob": pytest.approx(math.log(share(3, of=4)), rel=1e-5),
            },
            {
                "text": "my I eat soup",
                "words": ["soup"],
                "probability": pytest.approx(share(1, of=4), rel=1e-5),
                "log_prob": pytest.approx(math.log(share(1, of=4)), rel=1e-5),
            },
        ],
        "unknown": ["my"],
    }


def test_top_says_how_many_candidates_a_line_gets(rnn: Rnn) -> None:
    for options, count in ([], 5), (["--top", "1"], 1), (["--top", "3"], 3):
        results = answers(predict_file(rnn, b"I\nI __\n", *options))
        assert [len(result["completions"]) for result in results] == [count, count]


def test_the_end_of_the_line_is_a_candidate_without_words(rnn: Rnn) -> None:
    (found,) = answers(predict_file(rnn, b"I eat rice\n", "--top", "1"))
    assert found["completions"][0]["words"] == []
    assert found["completions"][0]["text"] == "I eat rice"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            b'{"text": "I"',
            "The line begins like a JSON object but is none (Expecting ',' delimiter, column 13).",
        ),
        (b"{}", 'The JSON object has no text. Allowed: {"text": "..."}.'),
        (b'{"txt": "I"}', 'The JSON object has no text. Allowed: {"text": "..."}.'),
        (
            b'{"text": "a", "text": "b"}',
            'The JSON object has the key "text" 2 times. Keep one of them.',
        ),
        (b'{"text": {"text": "a"}}', 'The JSON object has no text. Allowed: {"text": "..."}.'),
        (b'{"text": 3}', 'The JSON object has no text. Allowed: {"text": "..."}.'),
        (b'{"text": null}', 'The JSON object has no text. Allowed: {"text": "..."}.'),
        (b'{"text": ["I"]}', 'The JSON object has no text. Allowed: {"text": "..."}.'),
        (b"I eat \xff", "The line is not UTF-8. Convert it first, for instance with iconv."),
        (b'{"text": "\xff"}', "The line is not UTF-8. Convert it first, for instance with iconv."),
        (b"__", "The text is nothing but a blank. Write words before it, behind it, or both."),
        (
            b'{"text": " ____ "}',
            "The text is nothing but a blank. Write words before it, behind it, or both.",
        ),
        (b'{"text": "I __", "choices": []}', "There are no choices. Name at least one word to rank."),
        (b'{"text": "I __", "choices": ["a", " "]}', "Choice 2 is empty. Every choice needs a word."),
        (
            b'{"text": "I", "choices": ["a"]}',
            "The text has no blank for the choices. Put ____ where one of them belongs.",
        ),
        (
            b'{"text": "I __", "choices": "a,b"}',
            'The "choices" have to be a list of texts, such as ["cat", "dog"].',
        ),
        (
            b'{"text": "I __", "choices": ["a"], "choices": ["b"]}',
            'The JSON object has the key "choices" 2 times. Keep one of them.',
        ),
        (
            b'{"text": ' + b"[" * 100_000,
            "The JSON object is nested too deeply, or holds a number of too many digits.",
        ),
        (
            b'{"text": ' + b"9" * 5_000 + b"}",
            "The JSON object is nested too deeply, or holds a number of too many digits.",
        ),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_a_bad_line_gets_an_error_of_its_own_and_the_others_go_on(rnn: Rnn, line: bytes, error: str) -> None:
    result = predict_file(rnn, b"I\n" + line + b"\nyou\n", "--top", "1")
    first, second, third = answers(result)
    assert second == {"error": error, "file": "prompts", "line": 2}
    assert [answer["completions"][0]["words"] for answer in (first, third)] == [["eat"], ["eat"]]
    assert (result.code, result.err) == (1, "")


def test_with_pmi_every_line_needs_choices(rnn: Rnn, run: Path) -> None:
    write_run(run, counts=COUNTS)
    line = b'{"text": "I eat __", "choices": ["rice", "soup"]}\n'
    assert best_words(predict_file(rnn, line)) == [["rice"]]
    result = predict_file(rnn, line + b"I eat __\n" + line, "--pmi")
    first, second, third = answers(result)
    assert (
        first
        == third
        == json.loads(rnn("complete", "I eat __", "--choices", "rice,soup", "--pmi", "--json").out)
    )
    assert first["completions"][0]["words"] == ["soup"]
    assert second == {
        "error": '--pmi ranks choices; give --choices (in JSON lines "choices") with the words to rank, or leave '
        "it out.",
        "file": "prompts",
        "line": 2,
    }
    assert result.code == 1


def test_a_model_without_counts_is_refused_before_any_line_is_read(rnn: Rnn) -> None:
    assert rnn("predict", "gone", "--pmi") == Result(
        1,
        "",
        "error: --pmi asks how frequent a word is, and this model was trained before model files said so. "
        "Leave it out, or train the model again with this rnn_cli.\n",
    )


def test_other_keys_of_a_json_object_are_left_alone(rnn: Rnn) -> None:
    result = predict_file(rnn, b'{"n": 7, "text": "I", "answer": {"text": "eat", "text": 1}, "n": 8}\n')
    assert result.code == 0
    assert best_words(result) == [["eat"]]


def test_an_id_comes_back_in_the_answer_and_in_an_error_about_it(rnn: Rnn) -> None:
    lines = [
        '{"id": [7, "a"], "text": "I eat"}',
        '{"text": "I", "id": null}',
        '{"text": "I ____", "choices": [], "id": 3}',
        '{"text": "I ____", "choices": "soup", "id": "d"}',
        '{"id": 5}',
    ]
    Path("text").write_text("\n".join(lines))
    answers = [json.loads(line) for line in rnn("predict", "text").out.splitlines()]
    assert [answer["id"] for answer in answers] == [[7, "a"], None, 3, "d", 5]
    assert ["error" in answer for answer in answers] == [False, False, True, True, True]


@pytest.mark.parametrize("line", ["[1, 2]", '"I eat"', "7", "null", "I {eat}"])
def test_json_that_is_no_object_is_a_text_like_any_other(rnn: Rnn, line: str) -> None:
    result = predict_file(rnn, line.encode() + b"\n")
    assert result.code == 0
    assert [answer["text"] for answer in answers(result)] == [line]


def test_an_empty_line_is_continued_from_nothing_so_that_answers_stay_beside_their_lines(rnn: Rnn) -> None:
    result = predict_file(rnn, b'\n  \nI\n{"text": ""}\n')
    assert result.code == 0
    assert [answer["text"] for answer in answers(result)] == ["", "  ", "I", ""]
    assert best_words(result) == [["I"], ["I"], ["eat"], ["I"]]


def test_lines_end_with_lf_or_crlf_and_the_last_one_may_end_with_neither(rnn: Rnn) -> None:
    found = answers(predict_file(rnn, "I\r\nyou\u2028I\nyou".encode()))
    assert [answer["text"] for answer in found] == ["I", "you\u2028I", "you"]


def test_a_byte_order_mark_is_not_part_of_the_first_line(rnn: Rnn) -> None:
    for content in (b"\xef\xbb\xbfI eat\n", b'\xef\xbb\xbf{"text": "I eat"}\n'):
        (found,) = answers(predict_file(rnn, content))
        assert (found["text"], found["unknown"]) == ("I eat", [])


def test_no_lines_give_no_answers(rnn: Rnn) -> None:
    assert predict_file(rnn, b"") == Result(0, "", "")


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read_where_no_file_is_named(
    rnn: Rnn, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"I\nyou\n")))
    assert best_words(rnn("predict", *arguments)) == [["eat"], ["eat"]]


def test_more_lines_than_are_read_at_once_are_answered_in_order(rnn: Rnn) -> None:
    lines = ["I", "I eat", "__ eat"] * (LINES_AT_ONCE // 2)
    result = predict_file(rnn, "\n".join(lines).encode(), "--top", "1")
    assert [answer["text"] for answer in answers(result)] == lines
    assert best_words(result) == [["eat"], ["rice"], ["I"]] * (LINES_AT_ONCE // 2)


@pytest.mark.parametrize("block", [1, 2, 7, 1 << 20])
def test_lines_are_the_same_however_the_input_comes_in_blocks(
    rnn: Rnn, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("rnn_cli.cli.lines.BYTES_AT_ONCE", block)
    found = answers(predict_file(rnn, "\ufeffI eat\n\r\n\nété\n{}\nyou".encode()))
    assert [answer.get("text", "error") for answer in found] == ["I eat", "", "", "été", "error", "you"]


def test_a_line_that_is_too_long_gets_an_error_and_is_not_kept(
    rnn: Rnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnn_cli.cli.lines.BYTES_AT_ONCE", 16)
    monkeypatch.setattr("rnn_cli.cli.lines.LONGEST_LINE", 1000)
    result = predict_file(rnn, b"I\n" + b"eat " * 500 + b"\nyou\n", "--top", "1")
    first, second, third = answers(result)
    assert second["error"] == "The line has more than 1,000 bytes, and no line may. Give a shorter text."
    assert [answer["completions"][0]["words"] for answer in (first, third)] == [["eat"], ["eat"]]
    assert result.code == 1


def test_a_prompt_that_is_too_long_gets_an_error(rnn: Rnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_cli.inference.prompt.LONGEST_PROMPT", 1000)
    (found,) = answers(predict_file(rnn, b"I eat " * 200 + b"\n"))
    assert found["error"] == (
        "The text has 1,200 characters; a prompt has at most 1,000. Give its last words only: a model remembers "
        "little of what was long before."
    )


def test_with_many_candidates_fewer_lines_are_read_at_once(rnn: Rnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_cli.cli.predict.CANDIDATES_AT_ONCE", 10)
    expected = ["I", "you", "I eat", "you eat"]
    found = answers(predict_file(rnn, "\n".join(expected).encode(), "--top", "4"))
    assert [answer["text"] for answer in found] == expected


@pytest.mark.parametrize(
    "text", ["\0", "\x1b[31m", "\u202e", "e\u0301", "_", "_ _", "\x85", "<unk>", "zzz zzz"]
)
def test_odd_text_is_continued_like_any_other(rnn: Rnn, text: str) -> None:
    (found,) = answers(predict_file(rnn, text.encode() + b"\n"))
    assert found["text"] == text
    assert found["completions"]


def test_an_error_before_the_last_lines_still_makes_the_exit_code_1(rnn: Rnn) -> None:
    result = predict_file(rnn, b"{\n" + b"I\n" * LINES_AT_ONCE)
    assert result.code == 1
    assert len(result.out.splitlines()) == LINES_AT_ONCE + 1


@pytest.fixture
def process(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`rnn predict` in a process of its own, its input a pipe."""
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        yield process
        process.kill()


def test_each_answer_comes_as_soon_as_its_line_is_there(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    for text, word in ((b"I eat", "rice"), (b"you", "eat"), (b'{"text": "__ eat"}', "I")):
        process.stdin.write(text + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["completions"][0]["words"] == [word]  # a dialogue
    process.stdin.write(b"I e")
    process.stdin.flush()
    process.stdin.write(b"at")  # a line is a line when it has ended, or the input has
    out, err = process.communicate()
    assert json.loads(out)["text"] == "I eat"
    assert (process.returncode, err) == (0, b"")


def test_a_reader_that_has_seen_enough_is_no_error_worth_a_traceback(
    process: "subprocess.Popen[bytes]",
) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"I eat\n" * LINES_AT_ONCE)
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_the_output_is_utf_8_whatever_the_terminal_is(tmp_path: Path) -> None:
    (tmp_path / "prompts").write_text("été → __\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*COMMAND, "prompts"], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout.decode("utf-8"))["text"] == "été → __"


def test_predicting_never_loads_torch(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "try: main(['predict'])\n"
        "finally: print([m for m in ('torch', 'yaml', 'fsspec', 'rich') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="I eat\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[1:] == ["[]"]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("gone.txt", "gone.txt: cannot be read (No such file or directory)."),
        ("runs", "runs: cannot be read (Is a directory)."),
        ("x" * 300, f"{'x' * 300}: cannot be read (File name too long)."),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_message(rnn: Rnn, file: str, message: str) -> None:
    assert rnn("predict", file) == Result(1, "", f"error: {message}\n")


def test_standard_input_that_is_closed_is_one_clear_message(
    rnn: Rnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert rnn("predict") == Result(
        1, "", "error: Standard input is closed. Give a FILE, or lines: echo TEXT | rnn predict\n"
    )


def test_top_out_of_its_range_is_a_usage_error(rnn: Rnn) -> None:
    assert predict_file(rnn, b"I\n", "--top", "0") == Result(
        2, "", "error: --top is 0; it has to be a whole number from 1 to 1,000.\n"
    )


def test_a_model_that_is_not_there_is_one_clear_message(rnn: Rnn) -> None:
    assert predict_file(rnn, b"I\n", "-m", "gone") == Result(
        1, "", "error: gone: there is no such file. Give a model file or the folder of a run.\n"
    )
