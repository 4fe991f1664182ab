"""`rnn complete` as scripts meet it: its JSON, its standard error and its exit codes."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.counting_model import COUNTS, share, write_run
from tests.conftest import Result, Rnn


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


def test_a_choice_with_a_comma_stands_in_quotation_marks(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I eat ____", "--choices", '"1,200", rice', "--blank-words", "1-4", "--json")
    found = json.loads(result.out)
    assert {completion["text"] for completion in found["completions"]} == {"I eat 1,200", "I eat rice"}


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


def test_a_word_that_is_known_elsewhere_is_told_with_where(rnn: Rnn, run: Path) -> None:
    result = rnn("complete", "I (rice __", "--top", "1")
    assert result.err.splitlines()[:2] == [
        'The model does not know "(".',
        'The model knows "rice" only where a space stands before it.',
    ]


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
