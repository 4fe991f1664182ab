"""`tokenizer: char` for `tokenizer: {kind: char}`, in files, overrides, errors and the schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from rnn_cli.config import json_schema, load_config
from rnn_cli.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("a")
    path = tmp_path / "c.yaml"
    path.write_text("data: {train: text.txt, tokenizer: char}\n")
    return path


def test_a_tokenizer_may_be_named_by_its_kind_alone(config: Path) -> None:
    assert load_config(config).data.tokenizer.kind == "char"


def test_an_override_may_change_a_part_of_it(config: Path) -> None:
    tokenizer = load_config(config, ["data.tokenizer.min_count=2"]).data.tokenizer
    assert (tokenizer.kind, tokenizer.min_count) == ("char", 2)


def test_an_override_by_kind_alone_replaces_the_whole(config: Path) -> None:
    config.write_text("data: {train: text.txt, tokenizer: {kind: word, split: whitespace}}\n")
    tokenizer = load_config(config, ["data.tokenizer=bpe"]).data.tokenizer
    assert tokenizer.kind == "bpe"


def test_a_misspelt_kind_is_an_error_at_its_place(config: Path) -> None:
    config.write_text("data: {train: text.txt, tokenizer: chr}\n")
    with pytest.raises(ConfigError) as error:
        load_config(config)
    assert error.value.problems == [
        f'{config}:1:36: data.tokenizer.kind: found "chr", allowed: "word", "char", "bpe". Did you mean "char"?'
    ]


@pytest.mark.parametrize(("tokenizer", "valid"), [("char", True), ({"kind": "bpe"}, True), ("chr", False)])
def test_the_schema_knows_the_short_form(tokenizer: object, valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(json_schema()))
    assert validator.is_valid({"data": {"train": "t", "tokenizer": tokenizer}}) == valid
