"""Which model `rnn complete` takes, and what it says where there is none or the request makes no sense."""

from pathlib import Path

import pytest

from tests.cli.counting_model import write_run
from tests.conftest import Result, Rnn


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "meals")


def test_without_model_the_variable_decides_and_then_the_newest_finished_run(
    rnn: Rnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "runs/old", seconds=1_000)
    newest = write_run(tmp_path / "runs/newest", seconds=3_000)
    (newest / "model.safetensors").write_text("broken")  # shows in the message which model was taken
    write_run(tmp_path / "runs/not-finished", seconds=9_000).joinpath("summary.json").unlink()
    assert rnn("complete", "I").err.startswith("error: runs/newest/model.safetensors: ")
    monkeypatch.setenv("RNN_MODEL", "runs/old")
    assert rnn("complete", "I").code == 0
    monkeypatch.setenv("RNN_MODEL", "elsewhere")
    assert rnn("complete", "I").err.startswith("error: elsewhere: ")
    assert rnn("complete", "I", "-m", "runs/old").code == 0


def test_without_any_model_the_message_says_how_to_make_one(rnn: Rnn) -> None:
    result = rnn("complete", "I eat __")
    assert result == Result(
        1,
        "",
        "error: There is no finished run in ./runs, and no model is named with --model or in the variable "
        "RNN_MODEL. Make a model with: rnn train my.txt\n",
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("gone", "there is no such file. Give a model file or the folder of a run."),
        (
            "empty-folder",
            "this folder holds no model.safetensors; give a model file or the folder of a run.",
        ),
        (
            "empty-file",
            "this file was not written by rnn_cli. Give the model.safetensors that `rnn train` wrote.",
        ),
        ("text", "this file was not written by rnn_cli. Give the model.safetensors that `rnn train` wrote."),
        (
            "cut-off",
            "the file is cut off: its header alone is {header:,} bytes long, and there are only 92. "
            "Copy it again.",
        ),
    ],
)
def test_a_model_that_cannot_be_used_is_one_clear_message(
    rnn: Rnn, run: Path, tmp_path: Path, model: str, message: str
) -> None:
    whole = (run / "model.safetensors").read_bytes()
    header = int.from_bytes(whole[:8], "little")
    (tmp_path / "empty-folder").mkdir()
    (tmp_path / "empty-file").touch()
    (tmp_path / "text").write_text("This is a text about models.\n")
    (tmp_path / "cut-off").write_bytes(whole[:100])
    result = rnn("complete", "I", "-m", model)
    assert result == Result(1, "", f"error: {model}: {message.format(header=header)}\n")


def test_a_sentence_given_as_the_model_is_one_clear_message(rnn: Rnn, run: Path) -> None:
    sentence = "I eat rice and " * 20  # too long for the name of a file
    result = rnn("complete", "-m", sentence, "meals")
    assert result == Result(1, "", f"error: {sentence}: cannot be read (File name too long).\n")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--temperature", "-1", "--temperature is -1.0; it has to be a number of at least 0."),
        ("--temperature", "inf", "--temperature is inf; it has to be a number of at least 0."),
        ("--temperature", "nan", "--temperature is nan; it has to be a number of at least 0."),
        ("--top", "1000000000000", "--top is 1000000000000; it has to be a whole number from 1 to 1,000."),
        ("--samples", "1000000000", "--samples is 1000000000; it has to be a whole number from 1 to 1,000."),
        (
            "--max-words",
            "1000000000",
            "--max-words is 1000000000; it has to be a whole number from 1 to 1,000.",
        ),
        ("--top-k", "0", "--top-k is 0; it has to be a whole number of at least 1."),
        ("--top-p", "2", "--top-p is 2.0; it has to be a number above 0 and at most 1."),
        ("--top-p", "nan", "--top-p is nan; it has to be a number above 0 and at most 1."),
        ("--seed", "-1", "--seed is -1; it has to be a whole number of at least 0."),
        ("--top", "0", "--top is 0; it has to be a whole number from 1 to 1,000."),
        ("--max-words", "0", "--max-words is 0; it has to be a whole number from 1 to 1,000."),
        ("--samples", "1001", "--samples is 1001; it has to be a whole number from 1 to 1,000."),
    ],
)
def test_an_option_out_of_its_range_is_a_usage_error(
    rnn: Rnn, run: Path, option: str, value: str, message: str
) -> None:
    assert rnn("complete", "I", option, value) == Result(2, "", f"error: {message}\n")


def test_an_option_of_chance_does_not_go_with_a_blank(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I __", "--samples", "2")
    assert result == Result(
        2,
        "",
        "error: --samples is for drawing a continuation; the words for a blank are ranked, not drawn. "
        "Leave it out.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["__"], "The text is nothing but a blank. Write words before it, behind it, or both."),
        (["I eat __", "--choices", ""], "There are no choices. Name at least one word to rank."),
        (["I eat __", "--choices", "a,,b"], "Choice 2 is empty. Every choice needs a word."),
        (["I eat __", "--choices", "a,b,a"], 'The choice "a" is there twice. Keep one of them.'),
        (
            ["I eat __", "--choices", "rice,New York"],
            'The choice "New York" has 2 words, and the blank is for 1. Longer blanks: --blank-words 1-2.',
        ),
        (
            ["I eat", "--choices", "a,b"],
            "The text has no blank for the choices. Put ____ where one of them belongs.",
        ),
        (
            ["__ eat __", "--choices", "a,b"],
            "The text has 2 blanks; choices are for one. Write words in place of the others.",
        ),
        (
            ["I eat __", "--blank-words", "3-1"],
            "--blank-words is 3-1; it has to be a number of words from 1 to 5, such as 2, or a range, such as 1-3.",
        ),
        (
            ["I eat __", "--blank-words", "6"],
            "--blank-words is 6; it has to be a number of words from 1 to 5, such as 2, or a range, such as 1-3.",
        ),
        (
            ["I eat __", "--blank-words", "two"],
            "--blank-words is two; it has to be a number of words from 1 to 5, such as 2, or a range, such as 1-3.",
        ),
        (
            ["I eat", "--blank-words", "2"],
            "--blank-words is for a blank, and the text has none. Put ____ where words are missing.",
        ),
    ],
)
def test_what_cannot_be_filled_is_a_usage_error(
    rnn: Rnn, run: Path, arguments: list[str], message: str
) -> None:
    assert rnn("complete", *arguments) == Result(2, "", f"error: {message}\n")
