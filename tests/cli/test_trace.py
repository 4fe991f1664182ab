"""`rnn trace`: the tables, the page and the JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Result, Rnn
from tests.insight.conftest import make_linear_model, write_model


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run whose model adds up its inputs; see `make_linear_model`."""
    folder = tmp_path / "runs" / "linear"
    write_model(folder, make_linear_model())
    (folder / "summary.json").write_text("{}")
    return folder


def rows(result: Result) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in result.out.splitlines()]


def test_the_tables_show_each_step_forward_and_backward(rnn: Rnn, run: Path) -> None:
    result = rnn("trace", "you eat soup ____.")
    assert (result.code, result.err) == (0, "")
    assert rows(result) == [
        ["forward: each word read, and what the network expects next"],
        ["read", "|h|", "change", "moved most", "predicts", "bits"],
        ["<eos>", "0.0", "0.0", "tea 17%, <unk> 8%", "3.6", "█████"],
        ["you", "0.0", "0.0", "tea 17%, <unk> 8%", "3.6", "█████"],
        ["eat", "0.0", "0.0", "tea 17%, <unk> 8%", "3.6", "█████"],
        ["soup", "2.1", "2.1", "1+", "tea 62%, I 4%"],
        ['backward: what "tea" came from'],
        ["read", "∂Loss/∂h", "P without it", "evidence", "estimate"],
        ["<eos>", "0.38", "██████████", "61.5%", "+0.0", "+0.0"],
        ["you", "0.38", "██████████", "61.5%", "+0.0", "+0.0"],
        ["eat", "0.38", "██████████", "61.5%", "+0.0", "+0.0"],
        ["soup", "0.38", "██████████", "16.7%", "+3.0", "██████████", "+3.0"],
        ['The model gives "tea" 61.5%.'],
        ['What speaks most for it is "soup": without that word it would be 16.7%.'],
    ]


def test_the_tables_fit_into_80_columns(rnn: Rnn, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = rnn("trace", "you eat soup and rice and soup and rice ____").out
    assert len(out.splitlines()) == 2 * (2 + 10) + 2  # no row takes two lines
    assert max(map(len, out.splitlines())) <= 80


def test_the_json_has_every_step_and_nothing_else_is_printed(rnn: Rnn, run: Path) -> None:
    result = rnn("trace", "you eat soup ____", "--json")
    assert (result.code, result.err, result.out.count("\n")) == (0, "", 1)
    found = json.loads(result.out)
    assert found["answer"] == "tea"
    assert [step["token"] for step in found["steps"]] == ["<eos>", "you", "eat", "soup"]
    assert found["steps"][3]["evidence_bits"] == pytest.approx(3, abs=1e-5)


def test_the_page_is_written_beside_the_tables(rnn: Rnn, run: Path, tmp_path: Path) -> None:
    result = rnn("trace", "you eat soup ____", "--html", "pages/soup.html")
    assert result.code == 0
    assert result.out.startswith("forward")
    page = (tmp_path / "pages" / "soup.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "tea" in page


def test_an_answer_can_be_named(rnn: Rnn, run: Path) -> None:
    assert 'The model gives "rice" 3.8%.\n' in rnn("trace", "soup ____", "--answer", "rice").out
    assert rnn("trace", "soup ____", "--answer", "rise") == Result(
        2, "", 'error: --answer: the model does not know "rise". Nearest known words: "rice".\n'
    )


def test_unknown_words_are_named_with_the_nearest_known_ones(rnn: Rnn, run: Path) -> None:
    assert rnn("trace", "I eat soop ____").err == (
        'The model does not know "soop". Nearest known words: "soup".\n'
    )


def test_a_page_that_cannot_be_written_is_one_message(rnn: Rnn, run: Path) -> None:
    assert rnn("trace", "soup ____", "--html", "runs") == Result(
        2,
        "",
        "error: runs: cannot be written to (Is a directory). Choose another file with --html.\n",
    )


def test_without_a_model_it_is_said_how_to_make_one(rnn: Rnn) -> None:
    result = rnn("trace", "soup ____")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        "error: There is no finished run in ./runs, and no model is named with --model"
    )


def test_a_trace_does_not_wait_for_torch(run: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "try: main(['trace', 'soup ____', '--html', 'x.html'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
