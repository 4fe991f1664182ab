"""Wrong configs and their messages, word for word, and what comes back from a stored config."""

from pathlib import Path

import pytest

from rnn_cli.config.loader import config_from_dict, config_to_dict, load_config
from rnn_cli.config.schema import HIDDEN_ACTIVATIONS, Config
from rnn_cli.errors import ConfigError, UsageError

ACTIVATIONS = ", ".join(f'"{name}"' for name in HIDDEN_ACTIVATIONS)
MODEL_KEYS = (
    "cell, direction, embedding_size, hidden_size, num_layers, hidden_activation, "
    "recurrent_init, output_activation, layer_norm, dropout, dropout_input, dropout_between, dropout_output, "
    "dropout_embedding, dropout_words, dropout_weights"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a text in it."""
    (tmp_path / "text.txt").write_text("a b c\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems_of(text: str, *overrides: str) -> list[str]:
    Path("c.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Path("c.yaml"), overrides)
    return caught.value.problems


# What stands below line 1, `data: {train: text.txt}`, and the message.
WRONG = {
    # unknown keys
    "modle:\n  cell: elman": '2:1: modle: unknown key. Did you mean "model"?',
    "lr: 3": "2:1: lr: unknown key. Allowed here: data, model, output, training, logging.",
    "hidden_size: 3": '2:1: hidden_size: unknown key here. It belongs under "model".',
    "tokeniser: {}": '2:1: tokeniser: unknown key. Did you mean "data.tokenizer"?',
    "model:\n  hiden_size: 3": '3:3: model.hiden_size: unknown key. Did you mean "hidden_size"?',
    "model:\n  Hidden-Size: 3": '3:3: model.Hidden-Size: unknown key. Did you mean "hidden_size"?',
    "model:\n  qqq: 3": f"3:3: model.qqq: unknown key. Allowed here: {MODEL_KEYS}.",
    "model:\n  training: {}": "3:3: model.training: unknown key here. It belongs at the top level.",
    "model:\n  kind: char": '3:3: model.kind: unknown key here. It belongs under "data.tokenizer".',
    "output:\n  sample: 9": '3:3: output.sample: unknown key. Did you mean "samples"?',
    "training:\n  epochs: 3": '3:3: training.epochs: unknown key. Did you mean "max_epochs"?',
    "training:\n  hidden_size: 3": '3:3: training.hidden_size: unknown key here. It belongs under "model".',
    "training:\n  hiden_size: 3": '3:3: training.hiden_size: unknown key. Did you mean "model.hidden_size"?',
    'training:\n  "see\\nd": 3': '3:3: training.see\\nd: unknown key. Did you mean "seed"?',
    # types
    "model: 3": "2:8: model: found 3, allowed: a mapping of keys to values.",
    "model: [cell]": "2:8: model: found a list, allowed: a mapping of keys to values.",
    "training:\n  batch_size: true": (
        "3:15: training.batch_size: found true, allowed: a whole number of 1 or more."
    ),
    'training:\n  batch_size: "32"': (
        '3:15: training.batch_size: found "32", allowed: a whole number of 1 or more. Did you mean 32?'
    ),
    "training:\n  batch_size: 2.0": (
        "3:15: training.batch_size: found 2.0, allowed: a whole number of 1 or more. Did you mean 2?"
    ),
    "training:\n  batch_size: 1_000": (
        '3:15: training.batch_size: found "1_000", allowed: a whole number of 1 or more. Did you mean 1000?'
    ),
    "training:\n  batch_size: [32]": (
        "3:15: training.batch_size: found a list, allowed: a whole number of 1 or more."
    ),
    "training:\n  batch_size: ~": (
        "3:15: training.batch_size: found null, allowed: a whole number of 1 or more."
    ),
    "training:\n  learning_rate: fast": (
        '3:18: training.learning_rate: found "fast", allowed: a number above 0 and at most 1000.'
    ),
    "training:\n  learning_rate: true": (
        "3:18: training.learning_rate: found true, allowed: a number above 0 and at most 1000."
    ),
    "training:\n  max_grad_norm: None": (
        '3:18: training.max_grad_norm: found "None", allowed: a number above 0, or null. Did you mean null?'
    ),
    "output:\n  tie_embeddings: on": (
        '3:19: output.tie_embeddings: found "on", allowed: true or false. Did you mean true?'
    ),
    "output:\n  tie_embeddings: 1": "3:19: output.tie_embeddings: found 1, allowed: true or false.",
    # ranges
    "training:\n  batch_size: 0": "3:15: training.batch_size: found 0, allowed: a whole number of 1 or more.",
    'training:\n  batch_size: "0"': (
        '3:15: training.batch_size: found "0", allowed: a whole number of 1 or more.'
    ),
    "training:\n  learning_rate: 0": (
        "3:18: training.learning_rate: found 0, allowed: a number above 0 and at most 1000."
    ),
    "training:\n  learning_rate: .inf": (
        "3:18: training.learning_rate: found .inf, allowed: a number above 0 and at most 1000."
    ),
    "training:\n  learning_rate: -.inf": (
        "3:18: training.learning_rate: found -.inf, allowed: a number above 0 and at most 1000."
    ),
    "training:\n  weight_decay: .nan": (
        "3:17: training.weight_decay: found .nan, allowed: a number of 0 or more and at most 1000."
    ),
    "training:\n  patience: 0": "3:13: training.patience: found 0, allowed: a whole number of 1 or more, or null.",
    "training:\n  seed: 4294967296": (
        "3:9: training.seed: found 4294967296, allowed: a whole number of 0 or more and at most 4294967295."
    ),
    "model:\n  dropout: 1": "3:12: model.dropout: found 1, allowed: a number of 0 or more and below 1.",
    # choices
    "model:\n  hidden_activation: tahn": (
        f'3:22: model.hidden_activation: found "tahn", allowed: {ACTIVATIONS}. Did you mean "tanh"?'
    ),
    "model:\n  hidden_activation: TANH": (
        f'3:22: model.hidden_activation: found "TANH", allowed: {ACTIVATIONS}. Did you mean "tanh"?'
    ),
    "model:\n  cell: ltsm": (
        '3:9: model.cell: found "ltsm", allowed: "elman", "gru", "lstm", "mogrifier", "indrnn". Did you mean "lstm"?'
    ),
    "model:\n  cell: null": '3:9: model.cell: found null, allowed: "elman", "gru", "lstm", "mogrifier", "indrnn".',
    "output:\n  softmax: full": '3:12: output.softmax: found "full", allowed: "auto", "exact", "sampled".',
    f"output:\n  softmax: {'x' * 99}": (
        f'3:12: output.softmax: found "{"x" * 60}…", allowed: "auto", "exact", "sampled".'
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_config_is_answered_in_one_exact_sentence(folder: Path, text: str) -> None:
    assert problems_of(f"data: {{train: text.txt}}\n{text}\n") == [f"c.yaml:{WRONG[text]}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {}\n", "c.yaml:1:1: data.train: this key is needed. Allowed: a path or a list of paths."),
        ("model: {}\ndata:\n", "c.yaml:2:1: data.train: this key is needed. Allowed: a path or a list of paths."),
        ("data: {train: ~}\n", "c.yaml:1:15: data.train: found null, allowed: a path or a list of paths."),
        (
            "data: {train: []}\n",
            "c.yaml:1:15: data.train: found an empty list, allowed: a path or a list of paths.",
        ),
        (
            "data: {train: {a: text.txt}}\n",
            "c.yaml:1:15: data.train: found a mapping, allowed: a path or a list of paths.",
        ),
        (
            "data:\n  train: [text.txt, 3]\n",
            "c.yaml:2:21: data.train: found 3, allowed: a path or a list of paths.",
        ),
        (
            "data: {train: text.txt, valid: false}\n",
            "c.yaml:1:32: data.valid: found false, allowed: a path, a list of paths, or null.",
        ),
        (
            "data: {train: text.txt, questions: text.txt}\n",
            "c.yaml:1:36: data.questions: found \"text.txt\", allowed: a mapping of names to paths.",
        ),
        (
            "data: {train: text.txt, questions: {a: 3}}\n",
            "c.yaml:1:40: data.questions.a: found 3, allowed: a path.",
        ),
        (
            "data: {train: text.txt, encoding: utf9}\n",
            'c.yaml:1:35: data.encoding: found "utf9", allowed: "auto" or a Python codec such as "utf-8" '
            'or "cp1252". Did you mean "utf-8"?',
        ),
        (
            "data: {train: text.txt, encoding: hex}\n",
            'c.yaml:1:35: data.encoding: found "hex", allowed: "auto" or a Python codec such as "utf-8" '
            'or "cp1252".',
        ),
        (
            "data: {train: text.txt, tokenizer: {kid: char}}\n",
            'c.yaml:1:37: data.tokenizer.kid: unknown key. Did you mean "kind"?',
        ),
    ],
)  # fmt: skip
def test_a_wrong_data_section_is_answered_in_one_exact_sentence(
    folder: Path, text: str, message: str
) -> None:
    assert problems_of(text) == [message]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file_and_then_of_the_overrides(
    folder: Path,
) -> None:
    text = """\
training:
  batch_size: 0
  seed: 1
  seed: 2
modle: {}
output:
  softmax: sampled
model:
  output_activation: sigmoid
data:
  train: nowhere.txt
"""
    assert problems_of(text, "training.max_epochs=none", "seed", "data.valid=missing") == [
        "c.yaml:2:15: training.batch_size: found 0, allowed: a whole number of 1 or more.",
        "c.yaml:4:3: training.seed: written twice, first at line 3. Keep one of the two.",
        'c.yaml:5:1: modle: unknown key. Did you mean "model"?',
        'c.yaml:7:12: output.softmax: found "sampled", which goes with model.output_activation "softmax", and that '
        'is "sigmoid". Allowed here: "auto", "exact".',
        'c.yaml:11:10: data.train: found "nowhere.txt", but there is no such file in the current folder '
        f"({folder}).",
        '--set training.max_epochs=none: found "none", allowed: a whole number of 1 or more.',
        "--set seed: not of the form section.key=value, such as training.seed=2.",
        f'--set data.valid=missing: found "missing", but there is no such file in the current folder ({folder}).',
    ]


def test_the_error_is_one_of_usage_and_its_text_has_a_line_for_each_problem(folder: Path) -> None:
    Path("c.yaml").write_text("data: {train: text.txt}\nlr: 3\nx: 4\n")
    with pytest.raises(UsageError) as caught:
        load_config(Path("c.yaml"))
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        "c.yaml:2:1: lr: unknown key. Allowed here: data, model, output, training, logging.\n"
        "c.yaml:3:1: x: unknown key. Allowed here: data, model, output, training, logging."
    )


def test_a_file_that_cannot_be_read_is_reported_together_with_bad_overrides(folder: Path) -> None:
    assert problems_of("data: {train: 'text.txt}\n", "training.seed=1", "training.seed=[") == [
        "c.yaml:1:15: this quote is never closed.",
        "--set training.seed=[: a value is missing here, or a bracket is not closed.",
    ]


def test_the_file_is_named_as_it_was_typed(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "c.yaml").write_text("lr: 3\ndata: {train: text.txt}\n")
    for typed in (Path("sub/c.yaml"), Path("sub/../sub/c.yaml"), folder / "sub/c.yaml"):
        with pytest.raises(ConfigError) as caught:
            load_config(typed)
        assert caught.value.problems == [
            f"{typed}:1:1: lr: unknown key. Allowed here: data, model, output, training, logging."
        ]


def test_an_override_mends_what_is_wrong_in_the_file(folder: Path) -> None:
    Path("c.yaml").write_text("data: {train: nowhere.txt}\ntraining: {seed: -1}\n")
    config = load_config(Path("c.yaml"), ["data.train=text.txt", "training.seed=7"])
    assert (config.data.train, config.training.seed) == ((str(folder / "text.txt"),), 7)


def test_an_empty_section_means_its_defaults(folder: Path) -> None:
    Path("c.yaml").write_text("data:\n  train: text.txt\n  tokenizer:\nmodel:\ntraining:\n")
    assert load_config(Path("c.yaml")) == load_config(Path("c.yaml"), ["output=null"])
    assert load_config(Path("c.yaml")).training.batch_size == 32


def test_a_whole_number_will_do_for_a_number(folder: Path) -> None:
    Path("c.yaml").write_text("data: {train: text.txt}\ntraining: {learning_rate: 1}\n")
    learning_rate = load_config(Path("c.yaml")).training.learning_rate
    assert isinstance(learning_rate, float)
    assert learning_rate == 1.0


def test_a_stored_config_comes_back_equal_whatever_its_kind_of_token() -> None:
    for kind in ("word", "char", "bpe"):
        tokenizer = {"kind": kind, "lowercase": True, "max_size": 300}
        config = config_from_dict({"data": {"train": ["a", "b"], "tokenizer": tokenizer}})
        assert config_from_dict(config_to_dict(config)) == config
        assert config_from_dict(config.model_dump(mode="json")) == config


def test_a_stored_config_leaves_out_the_keys_that_its_kind_of_token_has_no_use_for() -> None:
    config = Config.model_validate({"data": {"train": "a", "tokenizer": {"kind": "bpe"}}})
    assert config_to_dict(config)["data"] == {
        "train": "a",
        "valid": None,
        "test": None,
        "split": {"valid": 0.0, "test": 0.0},
        "measured_tokens": None,
        "mode": "stream",
        "shuffle_files": True,
        "processes": None,
        "encoding": "auto",
        "questions": {},
        "tokenizer": {"kind": "bpe", "lowercase": False, "max_size": None},
    }


def test_the_files_that_a_stored_config_names_need_not_exist() -> None:
    assert config_from_dict({"data": {"train": "gone.txt"}}).data.train == ("gone.txt",)


def test_a_stored_config_that_is_wrong_is_refused_with_every_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_dict({"data": {"train": "a"}, "model": {"cell": "esn"}, "output": {"qqq": 2}})
    assert caught.value.problems == [
        'the stored config: model.cell: found "esn", allowed: "elman", "gru", "lstm", "mogrifier", "indrnn".',
        "the stored config: output.qqq: unknown key. Allowed here: softmax, samples, exact_share, tie_embeddings.",
    ]


@pytest.mark.usefixtures("folder")
def test_a_plan_is_told_with_the_command_that_starts_it() -> None:
    assert problems_of("seeds: 2\nconfigs: a.yaml\n") == [
        "c.yaml:2:1: this is a plan for several trainings, not a config. Start it with: rnn batch c.yaml"
    ]
