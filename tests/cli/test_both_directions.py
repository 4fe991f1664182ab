"""`direction` and `--index` as people meet them: one command trains, one file answers."""

import json
from pathlib import Path

import pytest

from rnn_cli.model_file import read_model_file
from tests.conftest import Rnn

QUESTION = '{"text": "the __ sat on the mat", "choices": ["cat", "log"], "answer": "cat"}\n'


def test_a_pair_is_trained_by_one_command_and_says_how_it_reads(rnn: Rnn, tiny: Path) -> None:
    Path("set.jsonl").write_text(QUESTION)
    trained = rnn("train", "tiny.yaml", "--set", "model.direction=both", "--index")
    assert trained.code == 0
    lines = [line.strip() for line in trained.out.splitlines()]
    assert lines[0] == "The network that reads forward:"
    assert "The network that reads backwards:" in lines
    assert sum(line.startswith("validation perplexity") for line in lines) == 2
    assert sum(line.startswith("test perplexity") for line in lines) == 2
    assert "Now the network that reads backwards." in trained.err
    summary = json.loads(Path("runs/tiny/summary.json").read_text())
    weight = summary["mixture"]["forward_weight"]
    assert any(line.startswith(f"The network that reads forward weighs {weight:.2f}") for line in lines)
    assert summary["parameters"] == 2 * summary["backward"]["parameters"]

    filled = rnn("complete", "the __ sat on the mat", "--json")
    assert json.loads(filled.out)["ranked"]["direction"] == "both"
    shown = rnn("complete", "the __ sat on the mat")
    assert "fillings were ranked by the whole text, read from both ends; the probabilities" in shown.err

    why = rnn("complete", "the __ sat on the mat", "--why").out.splitlines()
    at = why.index(
        "Training lines in which the network's state was most like the one at the blank, before [word]:"
    )
    assert why[at + 1].split(maxsplit=1)[1] in ("the [cat] sat on the mat", "the [dog] sat on the log")
    nearest = json.loads(rnn("complete", "the __ sat", "--why", "--json").out)["why"]["nearest"]
    assert [line["likeness"] for line in nearest] == sorted((n["likeness"] for n in nearest), reverse=True)

    asked = json.loads(rnn("eval", "set.jsonl", "--json").out)
    assert (asked["direction"], asked["forward_weight"]) == ("both", weight)
    assert (
        f"(read from both ends: forward weighs {weight:.2f}, backward {1 - weight:.2f})"
        in rnn("eval", "set.jsonl").out
    )
    text = rnn("eval", "valid.txt", "--json")
    assert json.loads(text.out)["perplexity"] == pytest.approx(summary["valid"]["perplexity"], rel=1e-5)
    note = "(Each token is judged by those before it, with the network that reads forward.)\n"
    assert text.err == note
    assert rnn("score", "valid.txt").err == note
    assert "mean" not in rnn("report", "--json").err

    # What is added goes to the network that reads forward.
    alone = "(With what is added, only the network that reads forward is asked.)\n"
    assert rnn("ngram").code == 0
    added = rnn("eval", "set.jsonl", "--cache", "--ngram", "--json")
    assert (json.loads(added.out)["direction"], added.err) == ("forward", alone)
    for flag in ("--cache", "--dynamic", "--ngram"):
        measured = rnn("eval", "valid.txt", flag, "--json")
        assert (json.loads(measured.out)["direction"], measured.err) == ("forward", note)
    assert alone in rnn("complete", "the __ sat on the mat", "--cache").err

    # Calibrating fits both temperatures and the weights anew.
    calibrated = json.loads(rnn("eval", "set.jsonl", "--calibrate", "valid.txt", "--json").out)["calibration"]
    stored = read_model_file(Path("runs/tiny"))
    assert stored.calibration is not None
    assert stored.mixture is not None
    assert stored.calibration["temperature"] == calibrated["temperature"]
    assert stored.calibration["backward_temperature"] == calibrated["backward_temperature"]
    assert stored.mixture["forward_weight"] == calibrated["mixture"]["forward_weight"]
    assert stored.mixture["text"] == "valid.txt"
    plan = json.loads(rnn("check", "tiny.yaml", "--set", "model.direction=both", "--json").out)
    assert sum(plan["parameters"].values()) == summary["parameters"]


def test_what_a_backward_model_cannot_do_is_said_and_fails_on_its_own_line(rnn: Rnn, tiny: Path) -> None:
    trained = rnn("train", "tiny.yaml", "--set", "model.direction=backward", "--set", "training.max_epochs=1")
    assert trained.code == 0
    assert "rnn complete '____ the cat sat' -m runs/tiny" in trained.out
    message = (
        "This model reads backwards, so it cannot go on with a text. Put ____ where a word is missing, or train with "
        "model.direction forward or both."
    )
    assert rnn("complete", "the cat").err == f"error: {message}\n"
    Path("lines.txt").write_text("the __ sat\nthe cat\nthe dog __\n")
    answers = rnn("predict", "lines.txt")
    assert answers.code == 1
    first, second, third = (json.loads(line) for line in answers.out.splitlines())
    assert "completions" in first
    assert second["error"] == message
    assert "completions" in third
    trace = rnn("trace", "the cat")
    assert (trace.code, trace.err) == (
        2,
        "error: rnn trace follows a text from its first word to its last, and this model reads backwards. Give a "
        "model with model.direction forward or both; rnn complete --why works for every direction.\n",
    )
    Path("text.txt").write_text("the cat\na dog\n")
    whole = rnn("score", "text.txt", "--json")
    assert whole.err == "(The model reads backwards: each token is judged by those behind it.)\n"
    assert [json.loads(line)["text"] for line in whole.out.splitlines()] == ["the cat", "a dog"]
    for command in (
        ["eval", "text.txt", "--cache"],
        ["complete", "the __", "--cache"],
        ["ngram", "text.txt"],
    ):
        assert rnn(*command).err == (
            "error: --cache, --dynamic, --ngram and --context are for a network that reads forward, and this model "
            "reads backwards. Leave them out, or train with model.direction forward or both.\n"
        )
    wrong = rnn("check", "tiny.yaml", "--set", "model.direction=backward", "--set", "logging.index=true")
    assert wrong.err.endswith(
        'found true, which needs a network that reads forward, and model.direction is "backward". '
        "Take one of the two out.\n"
    )


def test_without_an_index_no_lines_are_named_and_a_wrong_one_is_one_message(rnn: Rnn, tiny: Path) -> None:
    assert rnn("train", "tiny.yaml", "--set", "training.max_epochs=1").code == 0
    assert "nearest" not in json.loads(rnn("complete", "the __", "--why", "--json").out)["why"]
    Path("runs/tiny/index.safetensors").write_bytes(b"no index")
    result = rnn("complete", "the __", "--why")
    assert result.code == 1
    assert result.err.startswith("error: runs/tiny/index.safetensors")
    assert rnn("complete", "the __").code == 0
    assert rnn("train", "--resume", "runs/tiny", "--index").err == (
        "error: --resume goes on with a run as it is: give it alone, without CONFIG, --set, --run-dir, --budget, "
        "--index or --force.\n"
    )
