"""`rnn init`: a config to begin with, and the schema for editors."""

import json
from pathlib import Path

from tests.conftest import Rnn

ROOT = Path(__file__).parents[2]


def test_the_starting_config_passes_check_once_there_is_a_text(rnn: Rnn, tmp_path: Path) -> None:
    result = rnn("init")
    assert (result.code, result.err) == (0, "")
    (tmp_path / "config.yaml").write_text(result.out, encoding="utf-8")
    without_text = rnn("check", "config.yaml")
    assert without_text.code == 2
    assert without_text.err == (
        'error: config.yaml:10:10: data.train: found "text.txt", but there is no such file in the current folder '
        f"({tmp_path}).\n"
    )
    (tmp_path / "text.txt").write_text("some words to learn\nand some more\n" * 20)
    assert rnn("check", "config.yaml").code == 0


def test_the_starting_config_begins_with_its_launch_command(rnn: Rnn) -> None:
    assert rnn("init").out.startswith("# rnn train config.yaml\n")


def test_the_schema_is_the_one_beside_the_configs_of_the_project(rnn: Rnn) -> None:
    result = rnn("init", "--schema")
    assert (result.code, result.err) == (0, "")
    assert result.out == (ROOT / "configs/config.schema.json").read_text(encoding="utf-8")
    assert json.loads(result.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_nothing_is_written_but_to_standard_output(rnn: Rnn, tmp_path: Path) -> None:
    rnn("init")
    rnn("init", "--schema")
    assert list(tmp_path.iterdir()) == []
