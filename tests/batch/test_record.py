"""What a run is known by, and how a plan differs from it."""

import json
from pathlib import Path

import pytest

from rnn_cli.batch.record import NAME, Digests, Followed, Record
from rnn_cli.config import Config
from tests.batch.conftest import LoadPlan


def config(plan_of: LoadPlan, changes: str = "") -> Config:
    return plan_of(f"configs: tiny.yaml\nset: {{{changes}}}").runs[0].config


def test_a_record_comes_back_as_it_was_written(plan_of: LoadPlan, folder: Path) -> None:
    record = Record.of(config(plan_of), Digests())
    record.exit_code, record.reason, record.after = 1, "it failed", {"a.txt": Followed(["predict", "x"], 0)}
    record.write(folder)
    assert Record.read(folder) == record


def test_the_same_config_and_texts_are_no_change_wherever_they_lie(plan_of: LoadPlan, folder: Path) -> None:
    before = Record.of(config(plan_of), Digests())
    (folder / "moved.txt").write_bytes((folder / "train.txt").read_bytes())
    assert before.changes(Record.of(config(plan_of, "data.train: moved.txt"), Digests())) == []


def test_a_changed_key_and_a_changed_text_are_told(plan_of: LoadPlan, folder: Path) -> None:
    before = Record.of(config(plan_of), Digests())
    (folder / "train.txt").write_text("another text\n")
    after = Record.of(config(plan_of, "model.dropout: 0.5, data.tokenizer: char"), Digests())
    assert before.changes(after) == [
        'data.tokenizer.kind was "word" and is "char"',
        'data.tokenizer.split was "punctuation" and is not there',
        "model.dropout was 0.0 and is 0.5",
        "data.train has another text",
    ]


def test_a_key_that_came_with_a_later_version_is_no_change(plan_of: LoadPlan) -> None:
    before, now = (Record.of(config(plan_of), Digests()) for _ in range(2))
    del before.config["training"]["max_rollbacks"]
    assert before.changes(now) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": {}, "after": {"a": 1}}', "\0"])
def test_what_is_no_record_is_none(text: str, tmp_path: Path) -> None:
    assert Record.read(tmp_path) is None
    (tmp_path / NAME).write_text(text)
    assert Record.read(tmp_path) is None


def test_the_record_is_readable_json(plan_of: LoadPlan, folder: Path) -> None:
    Record.of(config(plan_of), Digests()).write(folder)
    stored = json.loads((folder / NAME).read_text())
    assert list(stored) == ["config", "texts", "exit_code", "reason", "after", "pruned"]
    assert len(stored["texts"]["data.train"][0]) == 64


def test_a_record_holds_commands_with_paths_that_are_not_utf_8(tmp_path: Path) -> None:
    record = Record({}, {}, after={"a": Followed(["eval", "caf\udce9"], 0)})
    record.write(tmp_path)
    assert Record.read(tmp_path) == record
