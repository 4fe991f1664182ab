"""The starting config, the resolved config and the JSON Schema."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rnn_cli.config.conflicts import without_keys_of_no_use
from rnn_cli.config.loader import config_from_dict, config_to_dict, load_config
from rnn_cli.config.nodes import Source, plain
from rnn_cli.config.schema import HIDDEN_ACTIVATIONS, Config, Section
from rnn_cli.config.writer import config_to_yaml, json_schema, starter_yaml
from rnn_cli.config.yaml_reader import read_yaml

SCHEMA: dict[str, Any] = json.loads(json_schema())
CONFIGS = Path(__file__).parents[2] / "configs"


def read(text: str) -> Any:
    node, problems = read_yaml(text, Source("c.yaml"))
    assert problems == []
    assert node is not None
    return plain(node)


def keys_of(section: Any) -> Any:
    """The keys of a section of the schema in their order, with the keys below them; None for a value."""
    if not (isinstance(section, type) and issubclass(section, Section)):
        return None
    return {name: keys_of(field.annotation) for name, field in section.model_fields.items()}


def keys_in(data: Any) -> Any:
    """The same of data, where `{}` is a value."""
    return {name: keys_in(value) for name, value in data.items()} if isinstance(data, dict) and data else None


def test_the_starting_config_opens_with_its_launch_command_and_the_schema_for_editors() -> None:
    assert starter_yaml().splitlines()[:2] == [
        "# rnn train config.yaml",
        "# yaml-language-server: $schema=config.schema.json",
    ]


def test_the_starting_config_holds_every_key_in_the_order_of_the_schema() -> None:
    data = read(starter_yaml())
    assert keys_in(data) == keys_of(Config)
    assert list(data["training"]) == list(keys_of(Config)["training"])


def test_the_starting_config_holds_every_default_and_measures_on_a_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a b c\n")
    (tmp_path / "config.yaml").write_text(starter_yaml(), encoding="utf-8")
    config = load_config(tmp_path / "config.yaml")
    data = {"train": str(tmp_path / "text.txt"), "split": {"valid": 0.05}}
    assert config == Config.model_validate({"data": data})


def test_the_starting_config_says_what_each_key_is_for_on_lines_of_at_most_110_characters() -> None:
    text = starter_yaml()
    assert max(len(line) for line in text.splitlines()) <= 110
    assert (
        "  batch_size: 32              # streams (with mode lines: lines) read side by side in one update\n"
        in text
    )
    assert (
        "  mode: stream                # stream | lines\n"
        "                              # stream reads on over line ends; lines starts each line with no memory\n"
    ) in text
    assert "\n# How the weights are found.\ntraining:\n" in text


def test_every_key_has_a_description_that_fits_on_two_lines_beside_it() -> None:
    for section in SCHEMA["$defs"].values():
        for name, schema in section["properties"].items():
            if "$ref" not in schema:
                assert 0 < len(schema["description"]) <= 2 * 78, name


def test_the_resolved_config_is_short_plain_yaml() -> None:
    config = config_from_dict({"data": {"train": ["a", "b"], "tokenizer": {"kind": "char"}}})
    assert config_to_yaml(config).startswith(
        """\
# rnn train config.yaml
data:
  train:
  - a
  - b
  valid: null
  test: null
  split:
    valid: 0.0
    test: 0.0
  measured_tokens: null
  mode: stream
  shuffle_files: true
  processes: null
  encoding: auto
  questions: {}
  tokenizer:
    kind: char
    lowercase: false
    min_count: 1
    max_size: null
model:
  cell: elman
"""
    )


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any config that keeps the rules, with strange texts where texts are free."""
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
    strange = text | st.sampled_from(
        ["1e-3", "off", "null", "~", "010", "a: b", "# c", "- d", " e ", "!f", "&g", "'"]
    )
    kind = draw(st.sampled_from(["word", "char", "bpe"]))
    data = {
        "train": draw(strange | st.lists(strange, min_size=1, max_size=3)),
        "valid": draw(st.none() | strange),
        "questions": draw(st.dictionaries(strange, strange, max_size=2)),
        "tokenizer": {"kind": kind, "max_size": draw(st.none() | st.integers(257, 99999))},
    }
    cell = draw(st.sampled_from(["elman", "gru", "lstm", "mogrifier", "indrnn"]))
    model = {
        "cell": cell,
        "dropout": draw(st.floats(0, 1, exclude_max=True)),
    }
    if cell in ("elman", "indrnn"):
        model["hidden_activation"] = draw(st.sampled_from(HIDDEN_ACTIVATIONS))
    training = {
        "learning_rate": draw(st.floats(0, 1000, exclude_min=True)),
        "max_grad_norm": draw(st.none() | st.floats(1e-9, 1e300)),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }
    return config_from_dict({"data": data, "model": model, "training": training})


@settings(derandomize=True, deadline=None, max_examples=60)
@given(configs())
def test_the_resolved_config_reads_back_equal_whatever_the_texts_in_it(config: Config) -> None:
    assert read(config_to_yaml(config)) == config_to_dict(config)
    assert config_from_dict(read(config_to_yaml(config))) == config


@pytest.mark.parametrize("kind", ["word", "char", "bpe"])
def test_the_resolved_config_runs_again_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "a ünï #1: off.txt").write_text("a b c\n")
    (tmp_path / "c.yaml").write_text(
        "data: {train: 'a ünï #1: off.txt', test: ['a ünï #1: off.txt']}\n", "utf-8"
    )
    overrides = [f"data.tokenizer.kind={kind}", "training.learning_rate=1e-5", "training.max_grad_norm=null"]
    config = load_config(tmp_path / "c.yaml", overrides)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.yaml").write_text(config_to_yaml(config), encoding="utf-8")
    monkeypatch.chdir("/")
    assert load_config(tmp_path / "run/config.yaml") == config


def test_the_json_schema_is_one_of_draft_2020_12_that_forbids_unknown_keys() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["required"] == ["data"]
    for section in [SCHEMA, *SCHEMA["$defs"].values()]:
        assert section["additionalProperties"] is False


def test_the_json_schema_tells_editors_the_choices_limits_defaults_and_reasons() -> None:
    training = SCHEMA["$defs"]["TrainingConfig"]["properties"]
    assert training["schedule"] == {
        "default": "linear",
        "description": "how the learning rate falls: evenly, in a wave, or where data.valid stalls",
        "enum": ["constant", "linear", "cosine", "plateau"],
        "type": "string",
    }
    assert training["threads"] == {
        "anyOf": [{"maximum": 4096, "minimum": 1, "type": "integer"}, {"type": "null"}],
        "default": None,
        "description": "CPU threads that train side by side, each on its own streams; "
        "null = measure, take the fastest",
    }


def test_the_json_schema_accepts_the_starting_and_the_resolved_config() -> None:
    validator = Draft202012Validator(SCHEMA)
    validator.validate(read(starter_yaml()))
    validator.validate(read(config_to_yaml(config_from_dict({"data": {"train": ["a", "b"]}}))))


@pytest.mark.parametrize(
    "text",
    [
        "model: {}",
        "data: {train: []}",
        "data: {train: ''}",
        "data: {train: null}",
        "data: {train: a, valid: 3}",
        "data: {train: a, questions: {b: 3}}",
        "data: {train: a}\nlr: 3",
        "data: {train: a}\nmodel: {cell: ltsm}",
        "data: {train: a}\nmodel: {dropout: 1}",
        "data: {train: a}\nmodel: {hidden_activation: tahn}",
        "data: {train: a}\ntraining: {batch_size: 0}",
        "data: {train: a}\ntraining: {batch_size: '32'}",
        "data: {train: a}\ntraining: {learning_rate: true}",
    ],
)
def test_the_json_schema_refuses_what_the_loader_refuses(text: str) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid(read(text))


def test_every_config_that_comes_with_the_project_is_right_whether_or_not_its_texts_are_here() -> None:
    paths = sorted(CONFIGS.glob("*.yaml"))
    assert paths
    for path in paths:
        text = path.read_text(encoding="utf-8")
        Draft202012Validator(SCHEMA).validate(read(text))
        config_from_dict(read(text))
        assert without_keys_of_no_use(read(text)) == read(text), path
        assert text.startswith(f"# rnn train configs/{path.name}"), path


def test_pyyaml_itself_still_writes_its_own_dialect() -> None:
    assert yaml.safe_dump(["off", "1e-3"]) == "- 'off'\n- 1e-3\n"
