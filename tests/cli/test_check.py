"""`rnn check`: everything wrong at once, or the plan of the training."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.config import load_config
from rnn_cli.evaluation.questions import read_questions
from rnn_cli.training.engine_choice import choose_engine
from tests.conftest import Result, Rnn

CONFIGS = Path(__file__).parents[2] / "configs"


def plan(result: Result) -> Any:
    assert result.code == 0
    assert result.out.count("\n") == 1
    return json.loads(result.out)


def test_everything_wrong_is_told_at_once_with_its_place(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "data: {train: gone.txt}\nmodel: {hiden_size: 3}\ntraining: {batch_size: 0, schedule: plateau}\n"
    )
    result = rnn("check", "bad.yaml", "--set", "training.seed=x")
    assert result == Result(
        2,
        "",
        'error: bad.yaml:1:15: data.train: found "gone.txt", but there is no such file in the current folder '
        f"({tmp_path}).\n"
        'error: bad.yaml:2:9: model.hiden_size: unknown key. Did you mean "hidden_size"?\n'
        "error: bad.yaml:3:24: training.batch_size: found 0, allowed: a whole number of 1 or more.\n"
        'error: bad.yaml:3:37: training.schedule: found "plateau", which needs a text to measure on. '
        "Name one in data.valid, or change the schedule.\n"
        'error: --set training.seed=x: found "x", allowed: a whole number of 0 or more and at most 4294967295.\n',
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, 'tyni.yaml: no such file. Did you mean "tiny.yaml"?'),
        (
            b"",
            "tyni.yaml: empty. A config needs data.train at least; `rnn init` writes one to begin with.",
        ),
        (b"\x89PNG", "tyni.yaml:1:1: not UTF-8. Save the file as UTF-8 text."),
        (b"\x00", "tyni.yaml:1:1: the character U+0000 is not allowed."),
    ],
)
def test_a_file_that_is_no_config_is_one_clear_message(
    rnn: Rnn, tiny: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tiny.parent / "tyni.yaml").write_bytes(content)
    assert rnn("check", "tyni.yaml") == Result(2, "", f"error: {message}\n")


def test_an_empty_text_is_an_error_that_names_the_file(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n \n")
    assert rnn("check", "tiny.yaml") == Result(
        1,
        "",
        f"error: {tmp_path}/train.txt has no text: it is empty or holds only white space. Leave it out.\n",
    )


@pytest.mark.parametrize("command", ["check", "train"])
def test_a_gpu_that_is_asked_for_and_not_there_is_one_clear_message(
    rnn: Rnn, tiny: Path, command: str
) -> None:
    import torch

    assert rnn(command, "tiny.yaml", "--set", "training.device=cuda") == Result(
        2,
        "",
        f"error: training.device is cuda, but PyTorch {torch.__version__} finds no GPU here. Set training.device to "
        "auto (to go on with a run: in its config.yaml), or install PyTorch's CUDA build where there is a GPU.\n",
    )
    assert not (tiny.parent / "runs" / "tiny").exists()


def test_questions_that_cannot_be_read_are_found_before_any_training(rnn: Rnn, tiny: Path) -> None:
    result = rnn("check", "tiny.yaml", "--set", "data.questions={cloze: train.txt}")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {tiny.parent}/train.txt:1: ")


def test_the_plan_has_the_parameters_bytes_and_windows_of_the_training(rnn: Rnn, tiny: Path) -> None:
    found = plan(rnn("check", "tiny.yaml", "--json"))
    assert found.pop("tokens_per_s") > 0
    assert found.pop("expected_s") > 0
    tried = [
        (found.pop("engine"), found.pop("threads")),
        *((w["engine"], w["threads"]) for w in found.pop("tried")),
    ]
    assert {engine for engine, _ in tried} == {"reference"}  # the config asks for it
    # 11 words; 174 tokens in 2 streams of 87: 18 windows of up to 5 steps.
    assert found == {
        "vocab_size": 11,
        "parameters": {"embedding": 88, "V": 88, "c": 11, "cells.0.W": 128, "cells.0.b": 8},
        "model_bytes": 4 * 323 + 8 * 11,
        "training_bytes": 16 * 323,
        "train_tokens": 174,
        "windows_per_epoch": 18,
        "total_windows": 54,
        "device": "cpu",
        "softmax": "exact",
        "softmax_reason": "over all 11 words (auto: fewer than 4 times output.samples)",
        "max_minutes": None,
    }


def test_the_plan_is_that_of_the_training_that_follows(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    settings = ["--set", "data.mode=lines", "--set", "model.num_layers=2"]
    found = plan(rnn("check", "tiny.yaml", "--json", *settings))
    rnn("train", "tiny.yaml", "--json", *settings)
    records = [json.loads(line) for line in (tmp_path / "runs/tiny/metrics.jsonl").read_text().splitlines()]
    (started,) = [record for record in records if record["event"] == "start"]
    assert sum(found["parameters"].values()) == started["parameters"]
    for key in ("vocab_size", "train_tokens", "windows_per_epoch", "total_windows"):
        assert found[key] == started[key]
    model_file = (tmp_path / "runs/tiny/model.safetensors").read_bytes()
    header = 8 + int.from_bytes(model_file[:8], "little")
    assert len(model_file) - header == found["model_bytes"]


def test_an_override_counts(rnn: Rnn, tiny: Path) -> None:
    settings = ["--set", "training.max_epochs=7", "--set", "output.tie_embeddings=true"]
    found = plan(rnn("check", "tiny.yaml", "--json", *settings))
    assert found["total_windows"] == 7 * 18
    assert "V" not in found["parameters"]


def test_a_person_gets_the_plan_as_a_table(rnn: Rnn, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_cli.training.engine_choice.usable_cores", lambda: 2)
    patient = functools.partial(choose_engine, within_s=60)  # a busy machine tries one way alone
    monkeypatch.setattr("rnn_cli.training.plan.choose_engine", patient)
    result = rnn("check", "tiny.yaml")
    assert result.code == 0
    rows = dict(
        re.split(r"  +", line.strip(), maxsplit=1) for line in result.out.splitlines() if line.strip()
    )
    assert list(rows) == [
        "vocabulary", "parameters", "model file", "memory", "windows", "device", "softmax", "engine",
        "time",
    ]  # fmt: skip
    assert rows["vocabulary"] == "11 tokens"
    assert rows["parameters"] == "323 (embedding 88, V 88, c 11, cells.0.W 128, cells.0.b 8)"
    assert rows["windows"] == "18 an epoch, 54 in all"
    assert rows["device"] == "cpu"
    assert rows["softmax"] == "exact: over all 11 words (auto: fewer than 4 times output.samples)"
    assert re.match(r"\w+ on \d+ threads?, [\d,]+ tokens/s \(also tried: ", rows["engine"])
    # A busy machine may need seconds.
    assert re.fullmatch(r"about \d+ s for all epochs of 174 tokens, without validation", rows["time"])


def test_what_was_found_in_the_texts_goes_to_standard_error(rnn: Rnn, tiny: Path) -> None:
    assert rnn("check", "tiny.yaml", "--json", "--set", "training.batch_size=64").err.splitlines() == [
        "train: 24 lines, 174 tokens, 0.00% unknown; encoding utf-8; line ends LF (24)",
        "valid: 2 lines, 13 tokens, 0.00% unknown; encoding utf-8; line ends LF (2)",
        "test: 2 lines, 13 tokens, 0.00% unknown; encoding utf-8; line ends LF (2)",
        "The text has 174 tokens: batch_size 64 is reduced to 34.",
    ]


def test_checking_leaves_nothing_behind(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert rnn("check", "tiny.yaml").code == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_text_of_one_word_can_be_checked(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("cat\n")
    found = plan(rnn("check", "tiny.yaml", "--json"))
    assert (found["train_tokens"], found["windows_per_epoch"]) == (2, 1)


def test_the_configs_of_the_project_point_an_editor_at_the_schema_beside_them() -> None:
    paths = sorted(CONFIGS.glob("*.y*ml"))
    assert [path.name for path in paths] == [
        "favourites.yaml",
        "holmes.yaml",
        "holmes_both.yaml",
        "holmes_lstm.yaml",
        "wikitext2.yaml",
        "wikitext2_256.yaml",
        "wikitext2_lstm.yaml",
    ]
    for path in paths:
        launch, schema = path.read_text(encoding="utf-8").splitlines()[:2]
        assert launch.startswith(f"# rnn train configs/{path.name}")
        assert schema == "# yaml-language-server: $schema=config.schema.json"
    assert (CONFIGS / "config.schema.json").is_file()


def test_the_config_whose_texts_come_with_the_project_is_ready_to_train() -> None:
    config = load_config(CONFIGS / "favourites.yaml")
    questions = {name: read_questions(Path(path)) for name, path in config.data.questions.items()}
    assert {name: len(asked) > 100 for name, asked in questions.items()} == {
        "unseen pairings": True,
        "unseen wordings": True,
    }


def test_a_wrong_config_is_told_without_waiting_for_torch(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "try: main(['check', 'gone.yaml'])\n"
        "finally: print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "False\n")
