"""`rnn score`: lines in, a table or JSON lines out."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.counting_model import COUNTS, share, write_run
from tests.conftest import Result, Rnn


@pytest.fixture(autouse=True)
def run(tmp_path: Path) -> Path:
    """A model that knows the words I, you, eat, rice and soup; see `write_run`."""
    return write_run(tmp_path / "runs" / "meals")


def score_file(rnn: Rnn, content: bytes, *options: str) -> Result:
    Path("text").write_bytes(content)
    return rnn("score", "text", *options)


def cells(probability: float) -> list[str]:
    return [f"{math.log(probability):.4f}", f"{-math.log2(probability):.4f}"]


def rows(result: Result) -> list[list[str]]:
    """The table, figures with four digits behind the point."""
    table = [line.split("\t") for line in result.out.splitlines()]
    return [[f"{float(cell):.4f}" if "." in cell else cell for cell in row] for row in table]


SPACES = "{lines} white space that is a token of its own (a second space, a tab): it counts in totals, in no word.\n"


def test_lines_with_white_space_of_its_own_are_counted(rnn: Rnn) -> None:
    result = score_file(rnn, b"I  eat soup\nyou eat\nI eat \n", "--json")
    assert result.err == SPACES.format(lines="2 lines have")
    first, second, _ = (json.loads(line) for line in result.out.splitlines())
    assert [token["word"] for token in first["tokens"]] == [1, None, 2, 3, None]
    assert [word["text"] for word in first["words"]] == ["I", "eat", "soup"]
    assert not any(word["unknown"] for word in first["words"])
    assert first["unknown"] == 1
    assert second["unknown"] == 0


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_ends_as_in_training(rnn: Rnn, end: bytes) -> None:
    lines = [b"I eat soup", b"", b"you eat"]
    assert score_file(rnn, end.join(lines) + end, "--totals") == score_file(
        rnn, b"\n".join(lines), "--totals"
    )


def test_every_token_has_a_row_and_every_line_a_total(rnn: Rnn) -> None:
    result = score_file(rnn, b"I eat soup\nyou\tfish\n")
    assert (result.code, result.err) == (0, SPACES.format(lines="1 line has"))
    first = [share(3, of=4), share(3, of=3), share(1, of=4), share(1, of=1)]
    assert rows(result)[:6] == [
        ["line", "token", "word", "text", "log_prob", "surprisal_bits", "rank", "unknown", "count"],
        ["1", "1", "1", "I", *cells(first[0]), "1", "0", ""],
        ["1", "2", "2", "eat", *cells(first[1]), "1", "0", ""],
        ["1", "3", "3", "soup", *cells(first[2]), "2", "0", ""],
        ["1", "4", "", "<eos>", *cells(first[3]), "1", "0", ""],
        ["1", "total", "", "", *cells(math.prod(first)), "", "0", ""],
    ]
    assert [row[:4] + row[7:] for row in rows(result)[6:]] == [
        ["2", "1", "1", "you", "0", ""],
        ["2", "2", "", "\\t", "1", ""],
        ["2", "3", "2", "fish", "1", ""],
        ["2", "4", "", "<eos>", "0", ""],
        ["2", "total", "", "", "2", ""],
    ]


def test_the_last_column_is_how_often_a_token_stands_in_the_training_text(rnn: Rnn, run: Path) -> None:
    write_run(run, counts=COUNTS)
    result = score_file(rnn, b"I eat fish\n")
    assert [(row[3], row[8]) for row in rows(result)] == [
        ("text", "count"), ("I", "3"), ("eat", "4"), ("fish", "0"), ("<eos>", "4"), ("", ""),
    ]  # fmt: skip
    (found,) = (json.loads(line) for line in score_file(rnn, b"I eat fish\n", "--json").out.splitlines())
    assert [token["count"] for token in found["tokens"]] == [3, 4, 0, 4]
    assert [word["count"] for word in found["words"]] == [3, 4, 0]


def test_totals_are_one_row_a_line(rnn: Rnn) -> None:
    result = score_file(rnn, b"I eat soup\n\nyou", "--totals")
    total = share(3, of=4) * share(3, of=3) * share(1, of=4) * share(1, of=1)
    assert rows(result)[:3] == [
        ["line", "tokens", "log_prob", "surprisal_bits", "unknown"],
        ["1", "4", *cells(total), "0"],
        ["2", "0", "0.0000", "0.0000", "0"],
    ]


def test_json_has_one_object_a_line_with_words_and_tokens(rnn: Rnn) -> None:
    result = score_file(rnn, b"I eat soup\r\nyou eat", "--json")
    first, second = (json.loads(line) for line in result.out.splitlines())
    assert list(first) == ["line", "text", "log_prob", "surprisal_bits", "unknown", "words", "tokens"]
    assert (first["line"], first["text"], second["line"], second["text"]) == (1, "I eat soup", 2, "you eat")
    assert first["log_prob"] == pytest.approx(sum(token["log_prob"] for token in first["tokens"]))
    assert [word["text"] for word in first["words"]] == ["I", "eat", "soup"]


def test_the_state_runs_on_where_it_is_asked_to(rnn: Rnn) -> None:
    tables = [rows(score_file(rnn, b"I\n\neat", *options)) for options in ([], ["--state", "reset"])]
    assert tables[0] == tables[1]  # trained on lines
    carried = rows(score_file(rnn, b"I\n\neat", "--state", "carried"))
    assert [row[3] for row in carried] == ["text", "I", "<eos>", "", "<eos>", "", "eat", "<eos>", ""]


def test_a_bad_line_fails_alone(rnn: Rnn) -> None:
    message = "The line is not UTF-8. Convert it first, for instance with iconv."
    result = score_file(rnn, b"I\nI \xff\nyou\n", "--totals")
    assert (result.code, result.err) == (1, f"error: text:2: {message}\n")
    assert [row[0] for row in rows(result)[1:]] == ["1", "2", "3"]
    assert rows(result)[2] == ["2", "", "", "", ""]  # what is pasted beside the totals stays in its line
    result = score_file(rnn, b"I\nI \xff\nyou\n", "--json")
    assert (result.code, result.err) == (1, "")
    assert json.loads(result.out.splitlines()[1]) == {"line": 2, "error": message}
    assert json.loads(result.out.splitlines()[2])["text"] == "you"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_not_scored_as_letters_and_nuls(rnn: Rnn, encoding: str) -> None:
    assert score_file(rnn, "\ufeffI eat\nyou\n".encode(encoding), "--totals") == Result(
        1,
        "",
        "error: text is UTF-16, and lines have to be UTF-8. Convert it first: "
        "iconv -f UTF-16 -t UTF-8 text > utf8.txt\n",
    )


def test_many_groups_of_lines_are_scored_like_one(rnn: Rnn, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"I eat soup\nyou eat\n\nrice I\n" * 5
    for options in (["--state", "carried"], ["--state", "reset"]):
        expected = rows(score_file(rnn, text, *options))
        with monkeypatch.context() as patch:
            patch.setattr("rnn_cli.cli.score.LINES_AT_ONCE", 1)
            patch.setattr("rnn_cli.cli.lines.BYTES_AT_ONCE", 7)
            assert rows(score_file(rnn, text, *options)) == expected


def test_a_state_that_is_neither_is_a_usage_error(rnn: Rnn) -> None:
    assert score_file(rnn, b"I\n", "--state", "kept") == Result(
        2, "", "error: --state is kept; it has to be carried (from line to line) or reset (at each line).\n"
    )


def test_a_file_that_is_not_there_is_one_clear_message(rnn: Rnn) -> None:
    assert rnn("score", "gone.txt") == Result(
        1, "", "error: gone.txt: cannot be read (No such file or directory).\n"
    )


def test_an_empty_file_is_an_empty_table(rnn: Rnn) -> None:
    assert score_file(rnn, b"", "--totals").out == "line\ttokens\tlog_prob\tsurprisal_bits\tunknown\n"
    assert score_file(rnn, b"", "--json").out == ""


def test_standard_input_is_scored_without_torch(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "try: main(['score', '--totals'])\n"
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
    assert done.stdout.splitlines()[2:] == ["[]"]
