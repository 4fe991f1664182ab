"""Types, defaults and limits, and that the config room stays light."""

import subprocess
import sys
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import rnn_cli.config
from rnn_cli.config.schema import (
    HIDDEN_ACTIVATIONS,
    Config,
    ModelConfig,
    OutputConfig,
    Section,
    TokenizerConfig,
    TrainingConfig,
)
from rnn_cli.text import rules

DATA = {"train": "a"}


def test_every_key_has_the_default_that_the_manual_says() -> None:
    assert Config.model_validate({"data": DATA}).model_dump() == {
        "data": {
            "train": ("a",),
            "valid": (),
            "test": (),
            "split": {"valid": 0.0, "test": 0.0},
            "measured_tokens": None,
            "mode": "stream",
            "shuffle_files": True,
            "processes": None,
            "encoding": "auto",
            "questions": {},
            "tokenizer": {
                "kind": "word",
                "split": "punctuation",
                "lowercase": False,
                "min_count": 1,
                "max_size": None,
            },
        },
        "model": {
            "cell": "elman",
            "direction": "forward",
            "embedding_size": 128,
            "hidden_size": 128,
            "num_layers": 1,
            "hidden_activation": "tanh",
            "recurrent_init": "orthogonal",
            "output_activation": "softmax",
            "layer_norm": False,
            "dropout": 0.0,
            "dropout_input": None,
            "dropout_between": None,
            "dropout_output": None,
            "dropout_embedding": 0.0,
            "dropout_words": 0.0,
            "dropout_weights": 0.0,
        },
        "output": {"softmax": "auto", "samples": 2048, "exact_share": 0.0, "tie_embeddings": False},
        "training": {
            "batch_size": 32,
            "bptt_steps": 35,
            "random_windows": False,
            "optimizer": "adamw",
            "learning_rate": 0.002,
            "table_learning_rate": None,
            "table_optimizer": "sgd",
            "weight_decay": 0.0,
            "activation_penalty": 0.0,
            "change_penalty": 0.0,
            "schedule": "linear",
            "warmup_steps": 0,
            "average_share": 0.0,
            "max_grad_norm": 1.0,
            "max_epochs": 10,
            "max_minutes": None,
            "patience": None,
            "validate_every_epochs": 1,
            "seed": 1,
            "device": "auto",
            "engine": "auto",
            "threads": None,
            "log_every_windows": 10,
            "checkpoint_windows": 1000,
            "checkpoint_minutes": 10.0,
            "max_rollbacks": 8,
        },
        "logging": {"gradient_flow": True, "samples": True, "index": False, "tensorboard": False},
    }


@pytest.mark.parametrize("paths", ["a", ["a"], ("a",)])
def test_a_path_and_a_list_of_one_path_are_the_same(paths: Any) -> None:
    assert Config.model_validate({"data": {"train": paths}}).data.train == ("a",)


@pytest.mark.parametrize("codec", ["auto", "utf-8", "utf-16", "UTF8", "cp1252", "latin-1", "shift_jis"])
def test_an_encoding_is_auto_or_a_codec_of_python(codec: str) -> None:
    assert Config.model_validate({"data": {**DATA, "encoding": codec}}).data.encoding == codec


@pytest.mark.parametrize("codec", ["hex", "rot13", "undefined", "utf9", "", "a\0b"])
def test_what_is_no_codec_for_text_is_no_encoding(codec: str) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"data": {**DATA, "encoding": codec}})


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        ("batch_size", 1, 10**9),
        ("bptt_steps", 1, 10**9),
        ("learning_rate", 1e-300, 1000),
        ("table_learning_rate", 1e-300, 1000),
        ("weight_decay", 0, 1000),
        ("warmup_steps", 0, 10**9),
        ("max_grad_norm", 1e-300, 1e300),
        ("max_epochs", 1, 10**9),
        ("patience", 1, 10**9),
        ("validate_every_epochs", 1, 10**9),
        ("seed", 0, 2**32 - 1),
        ("threads", 1, 4096),
        ("max_minutes", 1e-300, 10**6),
        ("log_every_windows", 1, 10**9),
    ],
)
def test_numbers_reach_their_limits_and_not_beyond(key: str, lowest: float, highest: float) -> None:
    for value in (lowest, highest):
        assert getattr(TrainingConfig.model_validate({key: value}), key) == value
    for value in (-1, float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            TrainingConfig.model_validate({key: value})


@pytest.mark.parametrize(
    ("section", "key", "highest"),
    [
        (TokenizerConfig, "max_size", 10**7),
        (OutputConfig, "samples", 10**7),
        (TrainingConfig, "max_minutes", 10**6),
        (TrainingConfig, "threads", 4096),
        (TrainingConfig, "learning_rate", 1000),
        (TrainingConfig, "table_learning_rate", 1000),
        (TrainingConfig, "weight_decay", 1000),
    ],
)
def test_numbers_that_no_machine_can_take_are_refused(section: type[Section], key: str, highest: int) -> None:
    assert getattr(section.model_validate({key: highest}), key) == highest
    for value in (highest + 1, 10**20):
        with pytest.raises(ValidationError):
            section.model_validate({key: value})


@pytest.mark.parametrize("value", [True, "32", 2.0, None, [1]])
def test_only_a_whole_number_is_a_whole_number(value: Any) -> None:
    with pytest.raises(ValidationError):
        ModelConfig.model_validate({"hidden_size": value})


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_only_true_and_false_are_truth_values(value: Any) -> None:
    with pytest.raises(ValidationError):
        OutputConfig.model_validate({"tie_embeddings": value})


def test_a_config_cannot_be_changed() -> None:
    config = Config.model_validate({"data": DATA})
    with pytest.raises(ValidationError):
        config.training.seed = 2


def test_two_configs_do_not_share_their_questions() -> None:
    first, second = Config.model_validate({"data": DATA}), Config.model_validate({"data": DATA})
    assert first.data.questions is not second.data.questions


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"cell": "elman"}, "tanh"),
        ({"cell": "indrnn"}, "relu"),
        ({"cell": "indrnn", "hidden_activation": "tanh"}, "tanh"),
    ],
)
def test_f_is_tanh_where_none_is_given_and_relu_for_indrnn(model: dict[str, str], expected: str) -> None:
    config = Config.model_validate({"data": DATA, "model": model})
    assert config.model.hidden_activation == expected


def test_the_hidden_activations_are_twenty_one_different_names() -> None:
    assert len(set(HIDDEN_ACTIVATIONS)) == len(HIDDEN_ACTIVATIONS) == 21
    assert get_args(ModelConfig.model_fields["hidden_activation"].annotation) == HIDDEN_ACTIVATIONS


def test_the_tokenizer_knows_the_same_kinds_and_splits() -> None:
    fields = TokenizerConfig.model_fields
    assert get_args(fields["kind"].annotation) == rules.KINDS
    assert get_args(fields["split"].annotation) == rules.SPLITS


def test_the_room_is_light_to_enter() -> None:
    code = "import sys, rnn_cli.config; print(sorted({'torch', 'numpy', 'rich', 'tokenizers'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == "[]\n"


def test_the_room_shows_what_its_door_says() -> None:
    assert rnn_cli.config.__all__ == sorted(
        rnn_cli.config.__all__, key=lambda name: (not name.isupper(), name)
    )
    assert all(hasattr(rnn_cli.config, name) for name in rnn_cli.config.__all__)
