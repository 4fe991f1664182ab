"""`rnn complete` as scripts meet it: its JSON, its standard error and its exit codes."""

import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnn_cli.model_file import ModelFile, write_model_file
from rnn_cli.text.tokenizer import Tokenizer
from tests.conftest import Result, Rnn

LINES = ["I eat rice", "I eat rice", "I eat soup", "you eat rice"]
UNSEEN = 0.01  # what every pair of tokens counts for besides how often it occurs


def pair_counts(tokenizer: Tokenizer) -> np.ndarray:
    """How often each token comes after each other one in LINES: (vocab_size, vocab_size)."""
    counts = np.full((tokenizer.vocab_size, tokenizer.vocab_size), UNSEEN)
    for line in LINES:
        ids = [tokenizer.eos_id, *tokenizer.encode(line), tokenizer.eos_id]
        for before, after in itertools.pairwise(ids):
            counts[before, after] += 1
    return counts


def share(count: float, of: float) -> float:
    """The probability of a word that follows `count` times, after a word that occurs `of` times."""
    return (count + UNSEEN) / (of + 7 * UNSEEN)  # five words, <unk> and <eos>


COUNTS = (0, 4, 4, 3, 30, 1, 1)
"""Of <unk>, <eos>, eat, I, rice, soup and you in a text with much more rice than LINES: of 43 tokens."""


def write_run(folder: Path, *, seconds: int = 0, counts: Sequence[int] | None = None) -> Path:
    """A finished run whose model gives each next word exactly its share among the pairs in LINES.

    x_t is one-hot, h_t = W·[h_{t-1}, x_t] = x_t, and V holds the logarithms of the counts.
    """
    tokenizer = Tokenizer.train(LINES)
    N = tokenizer.vocab_size
    none, one = np.zeros((N, N), np.float32), np.eye(N, dtype=np.float32)
    model = {"cell": "elman", "embedding_size": N, "hidden_size": N, "num_layers": 1}
    model |= {"hidden_activation": "identity", "output_activation": "softmax"}
    config = {"data": {"mode": "lines"}, "model": model, "output": {"tie_embeddings": False}}
    tensors = {
        "embedding": one,
        "cells.0.W": np.concatenate([none, one], axis=1),
        "cells.0.b": none[0],
        "V": np.log(pair_counts(tokenizer)).T.astype(np.float32),
        "c": none[0],
    }
    write_model_file(
        folder / "model.safetensors",
        ModelFile(
            tensors,
            config,
            tokenizer.to_json(),
            {"lines": 4},
            {},
            counts=None if counts is None else np.array(counts),
        ),
    )
    (folder / "summary.json").write_text("{}")
    os.utime(folder / "summary.json", (seconds, seconds))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "meals")


def answer(result: Result) -> Any:
    assert result.code == 0
    return json.loads(result.out)


def words(result: Result) -> list[list[str]]:
    return [completion["words"] for completion in answer(result)["completions"]]


def test_a_blank_is_filled_with_each_word_and_its_share_of_all_words(rnn: Rnn, run: Path) -> None:
    found = answer(rnn("complete", "I eat ____ .", "--top", "2", "--json"))  # the full stop is not known
    joint = np.array([share(3, of=4), share(1, of=4)])
    first, second = joint / (joint.sum() + 3 * share(0, of=4))
    assert found == {
        "text": "I eat ____ .",
        "completions": [
            {
                "text": "I eat rice .",
                "words": ["rice"],
                "probability": pytest.approx(first, rel=1e-5),
                "log_prob": pytest.approx(math.log(first), rel=1e-5),
                "fills": [["rice"]],
                "joint_log_prob": pytest.approx(math.log(joint[0]), rel=1e-5),
            },
            {
                "text": "I eat soup .",
                "words": ["soup"],
                "probability": pytest.approx(second, rel=1e-5),
                "log_prob": pytest.approx(math.log(second), rel=1e-5),
                "fills": [["soup"]],
                "joint_log_prob": pytest.approx(math.log(joint[1]), rel=1e-5),
            },
        ],
        "unknown": ["."],
        "ranked": {
            "count": 5,
            "tokens_behind": 1,
            "direction": "forward",
            "probabilities": "normalised over the ranked",
        },
    }


def test_the_words_behind_a_blank_count(rnn: Rnn, run: Path) -> None:
    assert words(rnn("complete", "I __", "--top", "1", "--json")) == [["eat"]]
    assert words(rnn("complete", "__ eat", "--top", "1", "--json")) == [["I"]]
    assert words(rnn("complete", "I __ rice", "--top", "1", "--json")) == [["eat"]]
    assert words(rnn("complete", "you __", "--top", "1", "--json")) == [["eat"]]
    assert words(rnn("complete", "rice __ soup", "--top", "1", "--json")) == [["eat"]]


def test_without_json_every_filling_has_its_probability_and_what_was_ranked_is_said(
    rnn: Rnn, run: Path
) -> None:
    result = rnn("complete", "I eat __", "--top", "2")
    total = share(3, of=4) + share(1, of=4) + 3 * share(0, of=4)
    rice, soup = share(3, of=4) / total, share(1, of=4) / total
    assert result.out == f"{rice:7.2%}  rice\n{soup:7.2%}  soup\n"
    assert (
        result.err
        == "(5 fillings were ranked by the whole text; the probabilities of all of them sum to 1.)\n"
    )


def test_just_the_choices_are_ranked_unknown_ones_among_them(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I eat __", "--choices", "soup, rice ,fish", "--json")
    found = answer(result)
    assert [c["words"] for c in found["completions"]] == [["rice"], ["soup"], ["fish"]]
    shares = np.array([share(n, of=4) for n in (3, 1, 0)])
    assert [c["probability"] for c in found["completions"]] == pytest.approx(shares / shares.sum(), rel=1e-4)
    assert found["unknown"] == ["fish"]
    assert found["ranked"]["count"] == 3
    assert words(rnn("complete", "I eat __", "--choices", "soup,rice", "--top", "1", "--json")) == [["rice"]]


def test_choices_are_ranked_as_if_all_were_equally_frequent(rnn: Rnn, run: Path) -> None:
    write_run(run, counts=COUNTS)
    choices = ["complete", "I eat __", "--choices", "rice,soup,fish"]
    odds = {
        "rice": share(3, of=4) / (31 / 50),
        "soup": share(1, of=4) / (2 / 50),
        "fish": share(0, of=4) / (1 / 50),  # <unk> stood nowhere
    }
    best = sorted(odds, key=lambda word: -odds[word])
    assert best == ["soup", "rice", "fish"]
    assert words(rnn(*choices, "--json")) == [["rice"], ["soup"], ["fish"]]

    found = answer(rnn(*choices, "--pmi", "--json"))

    assert [c["words"] for c in found["completions"]] == [[word] for word in best]
    assert [c["pmi"] for c in found["completions"]] == pytest.approx(
        [math.log(odds[word]) for word in best], rel=1e-4
    )
    shares = [odds[word] / sum(odds.values()) for word in best]
    assert [c["probability"] for c in found["completions"]] == pytest.approx(shares, rel=1e-4)
    assert list(found["completions"][0]) == [
        "text", "words", "probability", "log_prob", "fills", "joint_log_prob", "pmi",
    ]  # fmt: skip
    shown = rnn(*choices, "--pmi")
    assert shown.out == "".join(f"{s:7.2%}  {word}\n" for word, s in zip(best, shares, strict=True))
    assert shown.err == (
        'The model does not know "fish".\n'
        "(3 fillings were ranked by the whole text, as if all choices were equally frequent (PMI); the probabilities "
        "of all of them sum to 1.)\n"
    )


def test_pmi_needs_choices_and_counts(rnn: Rnn, run: Path) -> None:
    assert rnn("complete", "I eat __", "--choices", "rice,soup", "--pmi") == Result(
        1,
        "",
        "error: --pmi asks how frequent a word is, and this model was trained before model files said so. "
        "Leave it out, or train the model again with this rnn_cli.\n",
    )
    for text in ("I eat __", "I eat"):
        assert rnn("complete", text, "--pmi") == Result(
            2,
            "",
            'error: --pmi ranks choices; give --choices (in JSON lines "choices") with the words to rank, or leave '
            "it out.\n",
        )


def test_a_choice_of_several_words_counts_with_all_of_them(rnn: Rnn, run: Path) -> None:
    found = answer(
        rnn("complete", "I __", "--choices", "eat rice,eat soup,eat", "--blank-words", "1-2", "--json")
    )
    joint = [share(3, of=3), share(3, of=3) * share(3, of=4), share(3, of=3) * share(1, of=4)]
    assert [c["text"] for c in found["completions"]] == ["I eat", "I eat rice", "I eat soup"]
    assert [c["joint_log_prob"] for c in found["completions"]] == pytest.approx(np.log(joint), rel=1e-4)


def test_a_blank_may_hold_several_words(rnn: Rnn, run: Path) -> None:
    found = answer(rnn("complete", "__ rice", "--blank-words", "2", "--top", "1", "--json"))
    assert found["completions"][0]["fills"] == [["I", "eat"]]
    found = answer(rnn("complete", "__ rice", "--blank-words", "1-2", "--top", "30", "--json"))
    assert {len(c["words"]) for c in found["completions"]} == {1, 2}
    assert found["ranked"]["count"] == 5 + 25


def test_a_text_without_a_blank_is_continued_to_the_end_of_its_sentence(rnn: Rnn, run: Path) -> None:
    found = answer(rnn("complete", "you", "--json"))
    probability = share(1, of=1) * share(3, of=4) * share(3, of=3)  # eat, rice, and the line ends
    assert found == {
        "text": "you",
        "completions": [
            {
                "text": "you eat rice",
                "words": ["eat", "rice"],
                "probability": pytest.approx(probability, rel=1e-5),
                "log_prob": pytest.approx(math.log(probability), rel=1e-5),
            }
        ],
        "unknown": [],
    }


def test_the_json_is_one_line_on_standard_output_and_nothing_else(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I eat __", "--json")
    assert result.out.count("\n") == 1
    assert result.out.endswith("}\n")
    assert result.err == ""


def test_completions_come_best_first(rnn: Rnn, run: Path) -> None:
    assert words(rnn("complete", "I", "--top", "2", "--json")) == [["eat", "rice"], ["eat", "soup"]]
    assert words(rnn("complete", "____ eat", "--top", "2", "--json")) == [["I"], ["you"]]


def test_five_words_fill_a_blank_and_one_continuation_is_enough_unless_more_are_asked_for(
    rnn: Rnn, run: Path
) -> None:
    assert len(words(rnn("complete", "I __", "--json"))) == 5
    assert len(words(rnn("complete", "I", "--json"))) == 1
    assert len(words(rnn("complete", "I", "--top", "3", "--json"))) == 3


@pytest.mark.parametrize(("text", "is_blank"), [("I eat_", False), ("I __", True), ("I __________", True)])
def test_two_or_more_underscores_are_a_blank(rnn: Rnn, run: Path, text: str, is_blank: bool) -> None:
    found = answer(rnn("complete", text, "--json"))
    assert (len(found["completions"]) == 5) is is_blank
    assert all("__" not in completion["text"] for completion in found["completions"])


def test_an_empty_text_is_continued_from_nothing(rnn: Rnn, run: Path) -> None:
    assert words(rnn("complete", "", "--json")) == [["I", "eat", "rice"]]


def test_max_words_ends_a_continuation(rnn: Rnn, run: Path) -> None:
    assert words(rnn("complete", "", "--max-words", "1", "--json")) == [["I"]]


def test_the_same_seed_draws_the_same_and_every_sample_is_shown(rnn: Rnn, run: Path) -> None:
    drawing = ["complete", "", "--samples", "8", "--temperature", "2", "--json"]
    first = words(rnn(*drawing, "--seed", "3"))
    assert len(first) == 8
    assert words(rnn(*drawing, "--seed", "3")) == first
    assert words(rnn(*drawing, "--seed", "4")) != first


@pytest.mark.parametrize("option", [["--temperature", "0"], ["--top-k", "1"], ["--top-p", "0.01"]])
def test_chance_can_be_narrowed_down_to_the_best(rnn: Rnn, run: Path, option: list[str]) -> None:
    found = words(rnn("complete", "", "--samples", "3", *option, "--json"))
    assert found == [["I", "eat", "rice"]] * 3


def test_top_keeps_the_best_of_those_drawn(rnn: Rnn, run: Path) -> None:
    drawing = ["complete", "", "--samples", "8", "--temperature", "2", "--seed", "3", "--json"]
    assert words(rnn(*drawing, "--top", "2")) == words(rnn(*drawing))[:2]


def test_unknown_words_are_named_on_standard_error_with_the_nearest_known_ones(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I eat Rise, zzz __", "--top", "1", "--json")
    assert result.code == 0
    assert result.err == (
        'The model does not know "Rise". Nearest known words: "rice".\n'
        'The model does not know ",".\n'
        'The model does not know "zzz".\n'
    )
    assert json.loads(result.out)["unknown"] == ["Rise", ",", "zzz"]


def test_of_many_unknown_words_ten_are_named_and_the_others_counted(rnn: Rnn, run: Path) -> None:
    unknown = [f"zz{number}" for number in range(1234)]
    result = rnn("complete", " ".join(unknown), "--json")
    assert json.loads(result.out)["unknown"] == unknown
    assert result.err.splitlines() == [
        *(f'The model does not know "{word}".' for word in unknown[:10]),
        "The model does not know 1,224 more of these words.",
    ]


def test_a_very_long_unknown_word_is_shortened(rnn: Rnn, run: Path) -> None:
    assert rnn("complete", "z" * 100_000).err == f'The model does not know "{"z" * 60}…".\n'


def test_control_characters_are_shown_and_not_obeyed(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "\x1b[2J\u202e I", "--top", "1")
    assert result.code == 0
    assert result.out == "\\x1b[2J\\u202e I eat rice\n"
    assert result.err.splitlines()[0] == 'The model does not know "\\x1b".'


@pytest.mark.parametrize("text", ["_", "\0", "<unk>", "zzz", "\u0301", "\u202e", ".\t\t"])
def test_odd_text_is_completed(rnn: Rnn, run: Path, text: str) -> None:
    assert words(rnn("complete", text, "--json"))
    assert len(words(rnn("complete", text + " __", "--json"))) == 5


@pytest.mark.parametrize("temperature", ["1e-300", "5e-324", "1e308"])
def test_an_extreme_temperature_still_draws(rnn: Rnn, run: Path, temperature: str) -> None:
    assert len(words(rnn("complete", "I", "--temperature", temperature, "--json"))) == 1


def test_text_that_is_not_ascii_stays_as_it_is(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "été __", "--top", "1", "--json")
    assert '"text": "été __"' in result.out
    assert json.loads(result.out)["completions"][0]["text"].startswith("été ")


def test_bytes_that_are_no_text_are_unknown_words(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I \udcff __", "--json")  # how Python passes the byte FF of a command line
    assert answer(result)["unknown"] == ["\ufffd"]


def test_without_standard_error_the_result_still_comes(rnn: Rnn, run: Path) -> None:
    expected = rnn("complete", "I zzqq __").out
    command = f"{sys.executable} -m rnn_cli complete 'I zzqq __'"
    for closed in ("2>&-", "2</dev/null"):  # nice and others open a closed one for reading
        words = ["sh", "-c", f"{command} {closed}"]
        result = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
        assert (result.returncode, result.stdout) == (0, expected)


def test_without_standard_output_nothing_goes_wrong(rnn: Rnn, run: Path) -> None:
    command = f"{sys.executable} -m rnn_cli complete 'I zzqq __'"
    for options, closed in (([], ">&-"), (["--json"], ">&-"), (["--json"], "1</dev/null")):
        expected = rnn("complete", "I zzqq __", *options).err
        words = ["sh", "-c", " ".join([command, *options, closed])]
        result = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, expected)


def test_the_model_is_a_run_folder_or_a_model_file(rnn: Rnn, run: Path) -> None:
    expected = words(rnn("complete", "I", "--json"))
    for model in ("runs/meals", "runs/meals/model.safetensors", str(run)):
        assert words(rnn("complete", "I", "-m", model, "--json")) == expected
        assert words(rnn("complete", "I", "--model", model, "--json")) == expected


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
        "RNN_MODEL. Make a model with: rnn train configs/favourites.yaml\n",
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


def test_several_blanks_are_filled_together(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "__ eat __", "--top", "2")
    assert result.code == 0
    # I eat: 3 of 4 sentences; rice: 3 of 4; among the 25 pairs of known words.
    shares = [share(3, of=4) * share(n, of=4) * share(3, of=3) for n in (3, 1)]
    whole = answer(rnn("complete", "__ eat __", "--top", "2", "--json"))
    assert [c["joint_log_prob"] for c in whole["completions"]] == pytest.approx(np.log(shares), rel=1e-4)
    assert [line.split("  ")[1] for line in result.out.splitlines()] == ["I … rice", "I … soup"]
    assert whole["completions"][0]["fills"] == [["I"], ["rice"]]
    assert whole["ranked"] == {
        "count": 25,
        "tokens_behind": 0,
        "direction": "forward",
        "probabilities": "normalised over the ranked",
    }


def test_an_option_of_chance_does_not_go_with_a_blank(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I __", "--samples", "2")
    assert result == Result(
        2,
        "",
        "error: --samples is for drawing a continuation; the words for a blank are ranked, not drawn. "
        "Leave it out.\n",
    )


def test_the_words_that_moved_the_answer_are_shown(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "you eat __", "--choices", "rice,I", "--why")
    rice, i = share(3, of=4), share(0, of=4)
    odds = math.log2(rice / i)
    assert result.out.splitlines()[2:] == [
        f"Why rice: log2 of its odds against the next best is {odds:+.1f}, and each word brings",
        f"{odds:+8.1f} bits  eat",  # after you neither was ever seen: 1 to 1
        "    +0.0 bits  you",
    ]
    assert rnn("complete", "you eat __", "--choices", "rice", "--why").out.splitlines()[1:] == [
        "Why rice: there was nothing else to weigh it against."
    ]
    assert rnn("complete", "you eat", "--why") == Result(
        2, "", "error: --why is for one blank, and the text has none.\n"
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


def test_completing_never_loads_torch(run: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "try: main(['complete', 'I eat __', '--json'])\n"
        "finally: print([m for m in ('torch', 'yaml', 'fsspec') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[1:] == ["[]"]
