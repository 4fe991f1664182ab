"""docs/how-it-works.md: its commands run, they show what it shows, and its equations are where it says."""

import importlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from rnn_cli.config import load_config
from tests.conftest import Result, Rnn

ROOT = Path(__file__).parent.parent
LESSON = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
NETWORKS = {"runs/favourites": "identity", "runs/tanh": "tanh"}

TEXT = """\
My favourite dish is sushi. So, my favourite cuisine is Japanese.
My favourite dish is jiaozi. So, my favourite cuisine is Chinese.
"""
CONFIG = """\
data: {train: train.txt, valid: train.txt, mode: lines, questions: {cloze: questions.jsonl}}
model: {embedding_size: 8, hidden_size: 8, recurrent_init: half_identity}
training: {batch_size: 2, learning_rate: 1e-2, max_epochs: 20, log_every_windows: 1, threads: 1}
"""
QUESTION = {"text": "My favourite dish is sushi. So, my favourite cuisine is _____.", "answer": "Japanese"}


def blocks() -> Iterator[tuple[list[str], list[str]]]:
    """Every command of the lesson, with the lines that it shows as its output."""
    for found in re.finditer(r"^ +\$ rnn (.*)\n((?:    .*\n)*)", LESSON, re.MULTILINE):
        yield shlex.split(found[1]), [line.strip() for line in found[2].splitlines()]


def lines_of(result: Result) -> set[str]:
    return {" ".join(line.split()) for line in result.out.splitlines()}


def test_every_command_runs_and_shows_what_the_lesson_shows(
    rnn: Rnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On two tiny networks: what they say differs, the lines without a figure or a word of theirs do not."""
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "train.txt").write_text(TEXT)
    (tmp_path / "questions.jsonl").write_text(json.dumps(QUESTION))
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    ran = []
    for arguments, shown in blocks():
        ran.append(arguments[0])
        if arguments[0] == "train":
            folder = arguments[-1] if "--run-dir" in arguments else "runs/favourites"
            change = f"model.hidden_activation={NETWORKS[folder]}"
            assert rnn("train", "tiny.yaml", "--run-dir", folder, "--set", change).code == 0
            continue
        result = rnn(*arguments)
        assert result.code == 0, (arguments, result.err)
        unchanging = {
            " ".join(line.split())
            for line in shown
            if not re.search(r'[\d"…]|^\.\.\.$|No single|^completed', line)
        }
        assert unchanging <= lines_of(result), arguments
    assert ran == [
        "train", "complete", "trace", "train", "trace", "check-grad", "check-grad", "report", "compare", "complete",
        "trace",
    ]  # fmt: skip


def test_the_config_that_the_lesson_makes_for_another_cell_is_right(tmp_path: Path) -> None:
    (command,) = re.findall(r"`(sed .*) > runs/gru\.yaml`", LESSON)
    made = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (tmp_path / "gru.yaml").write_text(made.replace("../corpora", str(ROOT / "corpora")))
    assert load_config(tmp_path / "gru.yaml", ["model.cell=gru"]).model.cell == "gru"


@pytest.mark.long
def test_what_the_lesson_says_of_its_networks_is_so(rnn: Rnn) -> None:
    results = {}
    for arguments, _ in blocks():
        arguments = [str(ROOT / word) if word.startswith("configs/") else word for word in arguments]  # noqa: PLW2901
        results[" ".join(arguments[1:])] = rnn(*arguments)
    assert {result.code for result in results.values()} == {0}
    sentence = QUESTION["text"]
    traces = {name: json.loads(rnn("trace", sentence, "-m", name, "--json").out) for name in NETWORKS}
    remembers, forgets = (traces[name]["steps"] for name in NETWORKS)
    assert traces["runs/favourites"]["answer"] == "Japanese"
    assert max(remembers, key=lambda step: float(step["evidence_bits"]))["token"] == "sushi"
    assert remembers[5]["gradient_norm"] > 0.5 * remembers[-1]["gradient_norm"]
    assert forgets[5]["gradient_norm"] < 0.2 * forgets[-1]["gradient_norm"]
    factors = [
        json.loads(rnn("check-grad", name, "--json").out)["recurrences"][0]["factor"] for name in NETWORKS
    ]
    assert factors[0] == pytest.approx(1, abs=0.03)
    assert factors[1] < 0.98
    against = results[f"{sentence} -m runs/favourites --answer Chinese"].out
    assert 'What speaks most against it is "sushi"' in against


def test_every_command_is_shown_as_a_program_and_not_as_running_text() -> None:
    shown = [token.content for token in MarkdownIt().parse(LESSON) if token.type in ("code_block", "fence")]
    assert sum(block.count("$ rnn ") for block in shown) == sum(1 for _ in blocks())


def test_every_equation_is_where_the_lesson_says() -> None:
    places = re.findall(r"\[`([\w.]+)`\]\(\.\./(rnn_cli/[\w/]+)\.py\)", LESSON)
    assert len(places) == 11
    for name, path in places:
        module = importlib.import_module(path.replace("/", "."))
        assert reduce(getattr, name.split("."), module) is not None


def test_every_file_that_the_lesson_links_is_there() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", LESSON):
        assert (ROOT / "docs" / link).exists(), link


def test_the_answer_to_the_first_exercise_is_right() -> None:
    h = [0.0]
    for x in (1, 0, 0):
        h.append(0.5 * h[-1] + x)
    assert h[1:] == [1, 0.5, 0.25]
    assert round(0.5**20, 6) == 1e-6
    assert (round(1.1**20, 1), round(1.1**100)) == (6.7, 13_781)
