"""Keys that do not go together."""

from pathlib import Path

import pytest

from rnn_cli.config.conflicts import without_keys_of_no_use
from rnn_cli.config.loader import load_config
from rnn_cli.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("a b c\n")
    monkeypatch.chdir(tmp_path)


def problems_of(text: str, *overrides: str) -> list[str]:
    Path("c.yaml").write_text(text)
    try:
        load_config(Path("c.yaml"), overrides)
    except ConfigError as error:
        return error.problems
    return []


NEEDS_A_TEXT = "which needs a text to measure on. Name one in data.valid, or"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "data: {train: a, tokenizer: {kind: char, split: whitespace}}",
            '1:42: data.tokenizer.split: only kind "word" is split by it, and kind is "char". Take this key out.',
        ),
        (
            "data: {train: a, tokenizer: {split: punctuation, kind: bpe}}",
            '1:30: data.tokenizer.split: only kind "word" is split by it, and kind is "bpe". Take this key out.',
        ),
        (
            "data: {train: a, tokenizer: {kind: bpe, min_count: 2}}",
            '1:41: data.tokenizer.min_count: only the kinds "word" and "char" have it, and kind is "bpe". '
            "Take this key out.",
        ),
        (
            "data: {train: a, tokenizer: {kind: bpe, max_size: 256}}",
            '1:51: data.tokenizer.max_size: found 256, allowed with kind "bpe": '
            "a whole number of 257 or more, or null.",
        ),
        (
            "data: {train: a, mode: lines, shuffle_files: false}",
            '1:46: data.shuffle_files: found false, but with data.mode "lines" all lines are shuffled. '
            "Take this key out.",
        ),
        (
            "data: {train: a}\nmodel: {cell: gru, hidden_activation: relu}",
            '2:20: model.hidden_activation: only the cells "elman" and "indrnn" have it, and model.cell is "gru". '
            "Take this key out.",
        ),
        (
            "data: {train: a}\nmodel: {cell: lstm, hidden_activation: tanh}",
            '2:21: model.hidden_activation: only the cells "elman" and "indrnn" have it, and model.cell is "lstm". '
            "Take this key out.",
        ),
        (
            "data: {train: a}\nmodel: {recurrent_init: identity, cell: indrnn}",
            '2:9: model.recurrent_init: only the cell "elman" has it, and model.cell is "indrnn". '
            "Take this key out.",
        ),
        (
            "data: {train: a}\ntraining: {table_optimizer: adagrad}",
            '2:12: training.table_optimizer: found "adagrad", which needs training.table_learning_rate, and that is '
            "null. Give one, or take this key out.",
        ),
        (
            "data: {train: a, mode: lines}\ntraining: {random_windows: true}",
            '2:28: training.random_windows: found true, which goes with data.mode "stream", and that is "lines". '
            "Take this key out.",
        ),
        (
            "data: {train: a}\noutput: {softmax: sampled}\nmodel: {output_activation: sigmoid}",
            '2:19: output.softmax: found "sampled", which goes with model.output_activation "softmax", '
            'and that is "sigmoid". Allowed here: "auto", "exact".',
        ),
        (
            "data: {train: a}\ntraining: {schedule: plateau}",
            f'2:22: training.schedule: found "plateau", {NEEDS_A_TEXT} change the schedule.',
        ),
        (
            "data: {train: a, valid: []}\ntraining: {patience: 3}",
            f"2:22: training.patience: found 3, {NEEDS_A_TEXT} take patience out.",
        ),
    ],
)  # fmt: skip
def test_keys_that_do_not_go_together_are_answered_in_one_exact_sentence(text: str, message: str) -> None:
    assert problems_of(text) == [f"c.yaml:{message}"]


@pytest.mark.parametrize(
    "text",
    [
        "data: {train: a, tokenizer: {kind: char, min_count: 2}}",
        "data: {train: a, tokenizer: {kind: bpe, max_size: 257}}",
        "data: {train: a, tokenizer: {kind: bpe}}",
        "data: {train: a}\noutput: {tie_embeddings: true}\nmodel: {hidden_size: 256}",
        "data: {train: a, mode: lines}\ntraining: {random_windows: false}",
        "data: {train: a}\ntraining: {table_learning_rate: 0.1, table_optimizer: adagrad}",
        "data: {train: a}\ntraining: {random_windows: true}",
        "data: {train: a}\nmodel: {cell: lstm, num_layers: 2}",
        "data: {train: a}\nmodel: {cell: indrnn, hidden_activation: tanh}",
        "data: {train: a}\noutput: {softmax: auto}\nmodel: {output_activation: sigmoid}",
        "data: {train: a, valid: a}\ntraining: {schedule: plateau, patience: 3}",
    ],
)
def test_keys_that_go_together_are_accepted(text: str) -> None:
    assert problems_of(text) == []


def test_a_conflict_with_an_override_is_reported_where_the_key_to_blame_was_written() -> None:
    text = "data: {train: a, tokenizer: {split: whitespace}}\n"
    assert problems_of(text, "data.tokenizer.kind=char") == [
        'c.yaml:1:30: data.tokenizer.split: only kind "word" is split by it, and kind is "char". Take this key out.'
    ]
    assert problems_of("data: {train: a}\n", "training.patience=3") == [
        f"--set training.patience=3: found 3, {NEEDS_A_TEXT} take patience out."
    ]


def test_a_part_kept_apart_takes_the_place_of_a_text_but_not_both() -> None:
    assert (
        problems_of("data: {train: a, split: {valid: 0.1}}\ntraining: {patience: 3, schedule: plateau}\n")
        == []
    )
    assert problems_of("data: {train: a, valid: a, test: a, split: {valid: 0.1, test: 0.1}}\n") == [
        "c.yaml:1:52: data.split.valid: found 0.1, but data.valid names a text already. Take one of the two out.",
        "c.yaml:1:63: data.split.test: found 0.1, but data.test names a text already. Take one of the two out.",
    ]


def test_a_rule_about_a_value_that_is_wrong_by_itself_is_not_asked() -> None:
    assert problems_of("data: {train: a, valid: gone}\ntraining: {patience: 3}\n", "data.valid=3") == [
        "--set data.valid=3: found 3, allowed: a path, a list of paths, or null."
    ]
    assert problems_of("data: {train: a}\nmodel: 3\noutput: {softmax: sampled}\n") == [
        "c.yaml:2:8: model: found 3, allowed: a mapping of keys to values."
    ]


def test_conflicts_are_told_beside_other_problems() -> None:
    text = "data: {train: a}\nlr: 3\ntraining: {patience: 3}\nmodel: {hidden_size: 2, cell: esn}\n"
    assert problems_of(text) == [
        "c.yaml:2:1: lr: unknown key. Allowed here: data, model, output, training, logging.",
        f"c.yaml:3:22: training.patience: found 3, {NEEDS_A_TEXT} take patience out.",
        'c.yaml:4:31: model.cell: found "esn", allowed: "elman", "gru", "lstm", "mogrifier", "indrnn".',
    ]


def test_keys_of_no_use_are_taken_out_of_a_copy() -> None:
    data = {"data": {"tokenizer": {"kind": "bpe", "split": "whitespace", "min_count": 1, "max_size": 300}}}
    assert without_keys_of_no_use(data) == {"data": {"tokenizer": {"kind": "bpe", "max_size": 300}}}
    assert "split" in data["data"]["tokenizer"]
    assert without_keys_of_no_use({"model": {"cell": "elman"}}) == {"model": {"cell": "elman"}}
    settings = {"hidden_activation": "tanh", "recurrent_init": "orthogonal", "dropout": 0.1}
    kept = {
        cell: without_keys_of_no_use({"model": {"cell": cell, **settings}}) for cell in ("lstm", "indrnn")
    }
    assert kept["lstm"] == {"model": {"cell": "lstm", "dropout": 0.1}}
    assert kept["indrnn"] == {"model": {"cell": "indrnn", "hidden_activation": "tanh", "dropout": 0.1}}
