"""`rnn eval` as scripts and people meet it."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_cli.model_file import read_model_file
from tests.cli.counting_model import COUNTS, share, write_run
from tests.conftest import Result, Rnn

CHOICES = '{"text": "I eat __", "choices": ["rice", "soup"], "answer": "rice", "category": "food"}\n'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A model that knows the words I, you, eat, rice and soup; see `write_run`."""
    return write_run(tmp_path / "runs" / "meals")


def test_a_text_is_measured_with_its_terms(rnn: Rnn, run: Path) -> None:
    Path("text.txt").write_text("I eat soup\n\nyou fish\n")
    result = rnn("eval", "text.txt", "--json")
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    nll = -math.log(share(3, of=4) * share(3, of=3) * share(1, of=4) * share(1, of=1))
    nll -= math.log(share(1, of=4) * share(0, of=1) / 7)  # you, <unk>; after <unk> all are alike
    assert found["loss"] == pytest.approx(nll / 7, rel=1e-4)
    assert found["perplexity"] == pytest.approx(math.exp(nll / 7), rel=1e-4)
    assert found["bits_per_character"] == pytest.approx(nll / math.log(2) / 20, rel=1e-4)
    assert (found["tokens"], found["unknown"], found["state"]) == (7, 1, "reset")
    assert found["format"] == "text"


def test_the_terms_stand_beside_the_figures_in_the_terminal(rnn: Rnn, run: Path) -> None:
    Path("text.txt").write_text("I eat soup\nyou fish\n")
    result = rnn("eval", "text.txt")
    assert result.code == 0
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[0] == "text.txt"
    for name in (
        "perplexity",
        "bits per character",
        "right at the first guess",
        "among the first 10 guesses",
    ):
        assert any(line.startswith(name) for line in lines)
    assert "(7 tokens, unknown words counted (1), end of line counted, state reset at each line)" in lines
    assert "how far its probabilities can be believed" in lines


def test_what_training_measured_is_measured_again(rnn: Rnn, tiny: Path) -> None:
    for mode in ("stream", "lines"):
        summary = json.loads(rnn("train", "tiny.yaml", "--set", f"data.mode={mode}", "--force", "--json").out)
        for batch_size in ("1", "64"):
            found = json.loads(rnn("eval", "valid.txt", "--batch-size", batch_size, "--json").out)
            assert found["perplexity"] == pytest.approx(summary["valid"]["perplexity"], rel=1e-5)
            assert found["tokens"] == summary["valid"]["tokens"]


def test_questions_have_an_accuracy_and_a_table_by_category(rnn: Rnn, run: Path) -> None:
    wrong = CHOICES.replace('"answer": "rice", "category": "food"', '"answer": "soup", "category": "wet"')
    Path("set.jsonl").write_text(CHOICES * 3 + wrong)
    found = json.loads(rnn("eval", "set.jsonl", "--json").out)
    assert (found["format"], found["accuracy"], found["total"], found["correct"]) == ("choices", 0.75, 4, 3)
    assert found["by_category"]["wet"]["accuracy"] == 0
    lines = [line.split() for line in rnn("eval", "set.jsonl").out.splitlines()]
    assert ["food", "3", "100.0%"] in lines
    assert ["all", "4", "75.0%", "±", "21.7%"] in lines


def test_a_category_that_is_called_like_a_distance_has_a_row_of_its_own(rnn: Rnn, run: Path) -> None:
    question = {"text": "I eat __", "answer": "rice", "distance": 3}
    other = {**question, "answer": "soup", "category": "distance 1-10"}
    Path("set.jsonl").write_text(f"{json.dumps(question)}\n{json.dumps(other)}\n")
    rows = [line.split() for line in rnn("eval", "set.jsonl").out.splitlines() if line.startswith("distance")]
    assert rows == [["distance", "1-10", "1", "0.0%"], ["distance", "1-10", "2", "50.0%"]]


def test_a_category_cannot_move_the_cursor(rnn: Rnn, run: Path) -> None:
    Path("set.jsonl").write_text(CHOICES.replace('"food"', '"\\u001b[2Jfood\\nall 9"'))
    result = rnn("eval", "set.jsonl")
    assert "\x1b" not in result.out
    assert ["\\x1b[2Jfood\\nall", "9", "1", "100.0%"] in [line.split() for line in result.out.splitlines()]


def test_the_challenge_is_two_csv_files(rnn: Rnn, run: Path) -> None:
    Path("q.csv").write_text("id,question,a),b),c),d),e)\n1,I eat _____,I,soup,you,rice,fish\n")
    Path("a.csv").write_text("id,answer\n1,d\n")
    found = json.loads(rnn("eval", "q.csv", "--answers", "a.csv", "--json").out)
    assert (found["format"], found["accuracy"], found["unknown_answers"]) == ("msr", 1.0, 0)


def test_the_last_words_of_lines_are_asked_for_with_format(rnn: Rnn, run: Path) -> None:
    Path("passages").write_text("I eat rice\nyou eat soup\n")
    found = json.loads(rnn("eval", "passages", "--format", "last-word", "--json").out)
    assert (found["total"], found["accuracy"]) == (2, 0.5)


def test_a_line_that_is_no_question_is_named_and_the_exit_code_is_1(rnn: Rnn, run: Path) -> None:
    Path("set.jsonl").write_text(CHOICES + '{"text": "I __", "choices": ["a"], "answer": "b"}\n' * 25)
    result = rnn("eval", "set.jsonl", "--json")
    assert result.code == 1
    assert json.loads(result.out)["total"] == 1
    assert result.err.splitlines() == [
        *(f'error: set.jsonl:{number}: the answer "b" is not among the choices.' for number in range(2, 22)),
        "error: 5 more lines could not be used.",
    ]


def test_choices_of_several_words_are_for_longer_blanks(rnn: Rnn, run: Path) -> None:
    Path("set.jsonl").write_text(CHOICES + CHOICES.replace("soup", "New York"))
    refused = rnn("eval", "set.jsonl", "--json")
    assert (refused.code, json.loads(refused.out)["total"]) == (1, 1)
    assert refused.err == (
        'error: set.jsonl:2: The choice "New York" has 2 words, and the blank is for 1. '
        "Longer blanks: --blank-words 1-2.\n"
    )
    ranked = rnn("eval", "set.jsonl", "--blank-words", "1-2", "--json")
    assert (ranked.code, json.loads(ranked.out)["correct"]) == (0, 2)


def test_choices_are_ranked_by_pmi_where_it_is_asked_for_and_the_terms_say_so(rnn: Rnn, run: Path) -> None:
    write_run(run, counts=COUNTS)
    Path("set.jsonl").write_text(CHOICES + CHOICES.replace('"answer": "rice"', '"answer": "soup"') * 2)
    Path("q.csv").write_text("id,question,a),b),c),d),e)\n1,I eat _____,I,soup,you,rice,fish\n")
    Path("a.csv").write_text("id,answer\n1,b\n")
    plain = json.loads(rnn("eval", "set.jsonl", "--json").out)
    found = json.loads(rnn("eval", "set.jsonl", "--pmi", "--json").out)
    assert ("pmi" in plain, plain["correct"], found["pmi"], found["correct"]) == (False, 1, True, 2)
    odds = [share(1, of=4) / (2 / 50), share(3, of=4) / (31 / 50)]
    (band,) = found["reliability"]["bands"]
    assert band["confidence"] == pytest.approx(odds[0] / sum(odds), rel=1e-4)
    msr = json.loads(rnn("eval", "q.csv", "--answers", "a.csv", "--pmi", "--json").out)
    assert (msr["pmi"], msr["accuracy"]) == (True, 1.0)
    terms = (
        "(choices ranked as if all were equally frequent: by PMI, ln P(text with the choice) - ln P(choice by its "
        "frequency))"
    )
    shown = [" ".join(rnn("eval", "set.jsonl", *options).out.split()) for options in (["--pmi"], [])]
    assert [terms in out for out in shown] == [True, False]


@pytest.mark.parametrize(
    ("file", "format_"),
    [("text.txt", "text"), ("pairs.jsonl", "pairs"), ("cloze.jsonl", "cloze"), ("last.jsonl", "last-word")],
)
def test_pmi_is_refused_where_there_are_no_choices(rnn: Rnn, run: Path, file: str, format_: str) -> None:
    Path("text.txt").write_text("I eat soup\n")
    Path("pairs.jsonl").write_text('{"sentence_good": "I eat", "sentence_bad": "eat I"}\n')
    Path("cloze.jsonl").write_text('{"text": "I eat __", "answer": "rice"}\n')
    Path("last.jsonl").write_text('{"text": "I eat rice"}\n')
    write_run(run, counts=COUNTS)
    model = (run / "model.safetensors").read_bytes()
    for options in ([], ["--calibrate", "text.txt"]):
        assert rnn("eval", file, "--pmi", *options) == Result(
            2,
            "",
            f"error: --pmi ranks choices: it is for questions of the formats msr and choices, and {file} has the "
            f"format {format_}. Leave it out.\n",
        )
    assert (run / "model.safetensors").read_bytes() == model


def test_pmi_is_refused_where_the_model_has_no_counts(rnn: Rnn, run: Path) -> None:
    Path("set.jsonl").write_text(CHOICES)
    assert rnn("eval", "set.jsonl", "--pmi") == Result(
        1,
        "",
        "error: --pmi asks how frequent a word is, and this model was trained before model files said so. "
        "Leave it out, or train the model again with this rnn_cli.\n",
    )


def test_a_temperature_is_fitted_stored_applied_and_said(rnn: Rnn, run: Path) -> None:
    Path("valid.txt").write_text("I eat soup\nyou eat soup\n")
    Path("set.jsonl").write_text(CHOICES)
    before = json.loads(rnn("eval", "valid.txt", "--json").out)
    result = rnn("eval", "valid.txt", "--calibrate", "valid.txt", "--json")
    after = json.loads(result.out)
    temperature = after["temperature"]
    assert temperature > 1  # it was sure of rice
    assert after["calibration"] == read_model_file(run).calibration
    assert after["calibration"]["loss_before"] == pytest.approx(before["loss"], rel=1e-5)
    assert after["calibration"]["loss_after"] == pytest.approx(after["loss"], rel=1e-5)
    assert after["loss"] < before["loss"]
    said = f"(Probabilities are calibrated: temperature {temperature:.3f}.)\n"
    assert result.err == (
        f"Fitted temperature {temperature:.3f} on 8 tokens of valid.txt (loss {before['loss']:.4f} before, "
        f"{after['loss']:.4f} with it) and stored it in the model.\n"
        "The text that is measured is the very one that was fitted on, so its figures are better than others "
        f"will be.\n{said}"
    )
    for command in (["complete", "I eat __", "--json"], ["eval", "set.jsonl"], ["score", "valid.txt"]):
        assert rnn(*command).err == said
    assert rnn("predict", "valid.txt").err == said


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (
            ["set.jsonl", "--format", "csv"],
            Result(
                2,
                "",
                "error: --format is csv; it has to be one of text, msr, choices, cloze, last-word, pairs.\n",
            ),
        ),
        (
            ["set.jsonl", "--batch-size", "0"],
            Result(2, "", "error: --batch-size is 0; it has to be a whole number from 1 to 4,096.\n"),
        ),
        (
            ["text.txt", "--answers", "a.csv"],
            Result(
                2,
                "",
                "error: --answers is for questions of the format msr, not for a text. Leave it out.\n",
            ),
        ),
        (
            ["gone.csv", "--answers", "text.txt"],
            Result(1, "", "error: gone.csv: cannot be read (No such file or directory).\n"),
        ),
        (
            ["set.csv", "--answers", "gone"],
            Result(1, "", "error: gone: cannot be read (No such file or directory).\n"),
        ),
        (["gone"], Result(1, "", "error: gone: cannot be read (No such file or directory).\n")),
    ],
)
def test_what_cannot_be_measured_is_one_clear_message(
    rnn: Rnn, run: Path, arguments: list[str], result: Result
) -> None:
    Path("set.jsonl").write_text(CHOICES)
    Path("set.csv").write_text("id,question,a),b),c),d),e)\n")
    Path("text.txt").write_text("I eat\n")
    model = (run / "model.safetensors").read_bytes()
    for fit in ([], ["--calibrate", "text.txt"], ["--cache", "--fit", "text.txt"]):
        assert rnn("eval", *arguments, *fit) == result
    assert (run / "model.safetensors").read_bytes() == model


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fit", "text.txt"], "--fit is for what is added: give --cache, --dynamic or --ngram with it."),
        (["--cache", "--fit", "gone"], "gone: cannot be read (No such file or directory)."),
        (["--cache", "--fit", "."], ".: cannot be read (Is a directory)."),
    ],
)
def test_a_model_is_not_calibrated_where_something_else_cannot_be(
    rnn: Rnn, run: Path, arguments: list[str], message: str
) -> None:
    Path("text.txt").write_text("I eat soup\n")
    model = (run / "model.safetensors").read_bytes()
    result = rnn("eval", "text.txt", "--calibrate", "text.txt", *arguments)
    assert (result.code in (1, 2), result.out, result.err) == (True, "", f"error: {message}\n")
    assert (run / "model.safetensors").read_bytes() == model


def test_measuring_never_loads_torch(run: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("I eat soup\n")
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "try: main(['eval', 'text.txt', '--calibrate', 'text.txt'])\n"
        "finally: print([m for m in ('torch', 'yaml', 'fsspec') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "[]"
