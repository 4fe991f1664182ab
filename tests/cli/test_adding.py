"""`rnn ngram`, and `--cache`, `--dynamic`, `--ngram` and `--fit` of the other commands."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rnn_cli.model_file import read_model_file, write_model_file
from rnn_cli.text.corpus import prepare_corpus
from rnn_cli.text.split import Part
from rnn_cli.text.tokenizer import Tokenizer
from tests.cli.counting_model import LINES, share, write_run
from tests.conftest import Result, Rnn

COUNTED = (
    "Counted 16 tokens into runs/meals/ngram.safetensors: n-grams 8 of order 2, 7 of order 3, 6 of order 4.\n"
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A model that knows the words I, you, eat, rice and soup; see `write_run`."""
    (tmp_path / "text.txt").write_text("".join(f"{line}\n" for line in LINES))
    return write_run(tmp_path / "runs" / "meals")


def test_the_text_of_a_training_is_counted_without_what_was_kept_apart(rnn: Rnn, run: Path) -> None:
    text = Path("many.txt").absolute()
    text.write_text(
        "".join(f"{first} eat {second}\n" for first in ("I", "you", "we") for second in "abcdefgh")
    )
    file = read_model_file(run)
    data = {"mode": "lines", "train": str(text), "encoding": "auto", "split": {"valid": 0.25, "test": 0.25}}
    write_model_file(run / "model.safetensors", replace(file, config={**file.config, "data": data}))
    tokenizer = Tokenizer.from_json(file.tokenizer_json)
    part = prepare_corpus([text], tokenizer, part=Part("train", valid=0.25, test=0.25, mode="lines"))
    assert 0 < part.tokens < 96

    assert rnn("ngram").out.startswith(
        f"Counted {part.tokens} tokens into runs/meals/ngram.safetensors: n-grams "
    )
    assert rnn("ngram", "many.txt").out.startswith("Counted 96 tokens into")
    text.unlink()
    assert rnn("ngram") == Result(
        1,
        "",
        f"error: The text that the model was trained on is not at {text}. Name it: rnn ngram TEXT\n",
    )


def test_blank_lines_that_stand_alone_are_not_counted(rnn: Rnn, run: Path) -> None:
    Path("gaps.txt").write_text("\n" + "".join(f"{line}\n\n" for line in LINES))
    assert rnn("ngram", "text.txt").out == COUNTED
    dense = json.loads(rnn("eval", "text.txt", "--ngram", "--json").out)
    assert rnn("ngram", "gaps.txt").out == COUNTED
    gaps = json.loads(rnn("eval", "gaps.txt", "--ngram", "--json").out)
    assert (gaps["tokens"], gaps["loss"]) == (dense["tokens"], dense["loss"])


def test_a_text_of_which_nothing_was_trained_on_has_nothing_to_count(rnn: Rnn, run: Path) -> None:
    text = Path("one.txt").absolute()
    text.write_text("the cat sat on the mat\n")  # which is in the validation part
    file = read_model_file(run)
    data = {"mode": "lines", "train": str(text), "split": {"valid": 0.4, "test": 0.0}}
    write_model_file(run / "model.safetensors", replace(file, config={**file.config, "data": data}))
    assert rnn("ngram") == Result(
        1,
        "",
        "error: There is nothing to count: the text that the model was trained on has no line with a token in it. "
        "Name another text: rnn ngram TEXT\n",
    )


def test_a_text_is_measured_with_all_that_is_added_and_the_terms_say_so(rnn: Rnn, run: Path) -> None:
    assert rnn("ngram", "text.txt").out == COUNTED
    plain = json.loads(rnn("eval", "text.txt", "--json").out)
    assert "added" not in plain
    for flags in (["--cache"], ["--ngram"], ["--dynamic"], ["--cache", "--dynamic", "--ngram"]):
        found = json.loads(rnn("eval", "text.txt", *flags, "--json").out)
        assert found["tokens"] == plain["tokens"]
        assert found["perplexity"] != plain["perplexity"]
        assert set(found["added"]) == {flag.removeprefix("--") for flag in flags} | {"fitted_on"}
    out = " ".join(rnn("eval", "text.txt", "--cache", "--dynamic", "--ngram").out.split())
    assert (
        "end of line counted, state reset at each line; added: a neural cache of 2,000 tokens (weight 0.2, theta 8), "
        "dynamic evaluation (rate 0.002, decay 0), an n-gram model of order 4 (weight 0.2); with default numbers)"
    ) in out


def test_numbers_are_fitted_stored_applied_and_said(rnn: Rnn, run: Path) -> None:
    Path("valid.txt").write_text("you eat soup\nI eat soup\n" * 3)
    rnn("ngram", "text.txt")
    result = rnn("eval", "text.txt", "--cache", "--ngram", "--fit", "valid.txt", "--json")
    found = json.loads(result.out)
    stored = (read_model_file(run).additions or {})["cache+ngram"]
    assert found["fitted"] == stored
    assert found["added"]["cache"]["weight"] == stored["cache_weight"]
    assert found["added"]["fitted_on"] == "valid.txt"
    assert result.err == (
        f"Fitted --cache and --ngram on 24 tokens of valid.txt (loss {stored['loss_before']:.4f} before, "
        f"{stored['loss_after']:.4f} with it) and stored the numbers in the model.\n"
    )
    again = json.loads(rnn("eval", "text.txt", "--cache", "--ngram", "--json").out)
    assert again["perplexity"] == found["perplexity"]
    other = json.loads(rnn("eval", "text.txt", "--ngram", "--json").out)  # numbers of its own
    assert other["added"]["fitted_on"] is None


def test_fitting_on_what_is_measured_is_said(rnn: Rnn, run: Path) -> None:
    result = rnn("eval", "text.txt", "--cache", "--fit", "text.txt")
    assert (
        "The text that is measured is the very one that was fitted on, so its figures are better than others will be."
        in (" ".join(result.err.split()))
    )


def test_passages_that_hold_their_answer_are_counted_apart_with_and_without_a_cache(
    rnn: Rnn, run: Path
) -> None:
    Path("set").write_text("soup soup I eat soup\nyou eat rice\n")
    command = ["eval", "set", "--format", "last-word", "--json"]
    plain = json.loads(rnn(*command).out)["by_occurrence"]
    assert {name: (part["total"], part["correct"]) for name, part in plain.items()} == {
        "in the passage": (1, 0),  # rice is as good a guess
        "not in the passage": (1, 1),
    }
    Path("valid.txt").write_text("soup soup soup soup\n" * 9)
    rnn("eval", "valid.txt", "--cache", "--fit", "valid.txt")
    found = json.loads(rnn(*command, "--cache").out)
    assert found["by_occurrence"]["in the passage"]["correct"] == 1
    assert found["added"]["cache"]["window"] == 2000
    lines = [line.split() for line in rnn(*command[:-1], "--cache").out.splitlines()]
    assert ["answer", "in", "the", "passage", "1", "100.0%"] in lines


def test_a_completion_and_predictions_take_what_is_added(rnn: Rnn, run: Path) -> None:
    rnn("ngram", "text.txt")
    Path("before.txt").write_text("soup soup soup\nsoup soup\n")
    plain = json.loads(rnn("complete", "I eat ____", "--json").out)
    for flags in (["--cache", "--context", "before.txt"], ["--ngram"], ["--cache", "--ngram"]):
        found = json.loads(rnn("complete", "I eat ____", *flags, "--json").out)
        assert found["completions"][0]["log_prob"] != plain["completions"][0]["log_prob"]
        assert math.fsum(c["probability"] for c in found["completions"]) == pytest.approx(1, abs=1e-4)
    Path("ask.txt").write_text("I eat ____\n")
    found = json.loads(rnn("complete", "I eat ____", "--cache", "--ngram", "--json").out)
    assert (
        json.loads(rnn("predict", "ask.txt", "--cache", "--ngram").out)["completions"] == found["completions"]
    )


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (
            ["eval", "text.txt", "--ngram"],
            Result(
                1,
                "",
                "error: runs/meals/ngram.safetensors: there is no n-gram model. "
                "Count one with: rnn ngram -m runs/meals\n",
            ),
        ),
        (
            ["eval", "text.txt", "--fit", "text.txt"],
            Result(2, "", "error: --fit is for what is added: give --cache, --dynamic or --ngram with it.\n"),
        ),
        (
            ["eval", "set.jsonl", "--dynamic"],
            Result(2, "", "error: --dynamic is for measuring a text. Leave it out.\n"),
        ),
        (
            ["eval", "pairs.jsonl", "--cache"],
            Result(
                2,
                "",
                "error: --cache is for texts and for questions with a blank, not for pairs. Leave it out.\n",
            ),
        ),
        (
            ["complete", "I ____", "--why", "--cache"],
            Result(
                2,
                "",
                "error: --why leaves words out that --cache would still remember. Leave one of the two out.\n",
            ),
        ),
        (
            ["complete", "I ____", "--context", "text.txt"],
            Result(
                2,
                "",
                "error: --context is nothing to this model: it has learnt each line alone (data.mode lines). With "
                "--cache it remembers the words of the context.\n",
            ),
        ),
        (
            ["ngram", "text.txt", "--order", "1"],
            Result(2, "", "error: --order is 1; it has to be a whole number from 2 to 12.\n"),
        ),
        (
            ["ngram"],
            Result(
                1, "", "error: The model does not say what it was trained on. Name the text: rnn ngram TEXT\n"
            ),
        ),
    ],
)
def test_what_cannot_be_added_is_one_clear_message(
    rnn: Rnn, run: Path, arguments: list[str], result: Result
) -> None:
    Path("set.jsonl").write_text('{"text": "I eat __", "choices": ["rice", "soup"], "answer": "rice"}\n')
    Path("pairs.jsonl").write_text('{"sentence_good": "I eat", "sentence_bad": "eat I"}\n')
    assert rnn(*arguments) == result


def test_what_was_fitted_with_other_ngrams_is_forgotten(rnn: Rnn, run: Path) -> None:
    rnn("ngram", "text.txt")
    Path("valid.txt").write_text("I eat rice\nyou eat soup\n")
    for flags in (["--ngram"], ["--cache"]):
        assert rnn("eval", "text.txt", *flags, "--fit", "valid.txt").code == 0
    again = rnn("ngram", "text.txt")
    assert (again.code, again.err) == (0, "")
    assert set(read_model_file(run).additions or {}) == {"ngram", "cache"}
    other = rnn("ngram", "text.txt", "--order", "2")
    assert other.err == (
        "What was fitted with other n-grams is forgotten. Fit it anew: rnn eval TEXT --ngram --fit OTHER_TEXT\n"
    )
    assert set(read_model_file(run).additions or {}) == {"cache"}
    assert json.loads(rnn("eval", "text.txt", "--ngram", "--json").out)["added"]["fitted_on"] is None


def test_ngrams_of_another_vocabulary_are_refused(rnn: Rnn, run: Path) -> None:
    rnn("ngram", "text.txt")
    other = write_run(Path("runs") / "other")
    (other / "ngram.safetensors").write_bytes((run / "ngram.safetensors").read_bytes())
    assert rnn("eval", "text.txt", "--ngram", "-m", "runs/other").code == 0
    file = read_model_file(other)
    words = Tokenizer.train(["a b c d e"])
    assert words.vocab_size == len(file.tensors["c"])
    write_model_file(other / "model.safetensors", replace(file, tokenizer_json=words.to_json()))
    assert rnn("eval", "text.txt", "--ngram", "-m", "runs/other") == Result(
        1,
        "",
        "error: runs/other/ngram.safetensors: the n-grams were counted with another vocabulary than this model's. "
        "Count them anew with: rnn ngram -m runs/other\n",
    )


def test_nothing_that_is_added_loads_torch(run: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "def go(*arguments):\n"
        "    try: main([*arguments])\n"
        "    except SystemExit as done: assert not done.code, done.code\n"
        "go('ngram', 'text.txt')\n"
        "go('eval', 'text.txt', '--cache', '--dynamic', '--ngram', '--fit', 'text.txt')\n"
        "go('complete', 'I eat ____', '--cache', '--ngram')\n"
        "print([m for m in ('torch', 'yaml') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_share_of_the_fixture_is_what_is_mixed(rnn: Rnn, run: Path) -> None:
    """Of a network that says 3/4 and 1/4, and an n-gram model, the choices get the weighted sum."""
    rnn("ngram", "text.txt")
    plain = json.loads(rnn("complete", "I eat ____", "--choices", "rice,soup", "--json").out)
    mixed = json.loads(rnn("complete", "I eat ____", "--choices", "rice,soup", "--ngram", "--json").out)
    network = {c["words"][0]: math.exp(c["joint_log_prob"]) for c in plain["completions"]}
    both = {c["words"][0]: math.exp(c["joint_log_prob"]) for c in mixed["completions"]}
    assert network["rice"] == pytest.approx(share(3, of=4), rel=1e-4)
    ngram = {word: (both[word] - 0.8 * network[word]) / 0.2 for word in both}
    assert 0 < ngram["soup"] < ngram["rice"] < 1
