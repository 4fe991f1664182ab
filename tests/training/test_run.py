"""A whole training: what it leaves behind, and that a resume is as if nothing had happened."""

import itertools
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnn_cli.config import Config
from rnn_cli.errors import Interrupted, ModelFileError
from rnn_cli.model_file import read_model_file
from rnn_cli.tensor_file import read_metadata
from rnn_cli.text.streams import StreamWindows
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.training import bptt, engine_choice, loop, run, validation
from rnn_cli.training.events import Event, Notice, Trained
from rnn_cli.training.outcome import Outcome
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from tests.training.conftest import LINES, MakeConfig


def ignore(event: Event) -> None:
    pass


def train_in(path: Path, config: Config) -> Outcome:
    with RunFolder.create(path) as folder:
        return train(config, folder, on_event=ignore)


def train_with_a_stop_at(step: int, path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Press Ctrl-C in update number `step`, then resume to the end."""
    stopped_run(path, config, step, monkeypatch)
    return resume(path, config)


def resume(path: Path, config: Config) -> Outcome:
    with RunFolder.reopen(path) as folder:
        return train(config, folder, on_event=ignore, resume=True)


def press_ctrl_c_in_measuring(monkeypatch: pytest.MonkeyPatch, module: Any, number: int = 1) -> None:
    """Press Ctrl-C when this `module` measures for the so-manieth time."""
    numbers = itertools.count(1)

    def measure(*args: Any, **settings: Any) -> Any:
        if next(numbers) == number:
            signal.raise_signal(signal.SIGINT)
        return validation.measure(*args, **settings)

    monkeypatch.setattr(module, "measure", measure)


def stopped_run(path: Path, config: Config, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that Ctrl-C ended in update number `step`."""
    with monkeypatch.context() as patched:
        press_ctrl_c_in(step, patched)
        with pytest.raises(Interrupted):
            train_in(path, config)


def press_ctrl_c_in(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = itertools.count(1)

    def train_on_window(*args: Any, **settings: Any) -> Any:
        if next(steps) == step:
            signal.raise_signal(signal.SIGINT)
        return bptt.train_on_window(*args, **settings)

    monkeypatch.setattr(loop, "train_on_window", train_on_window)


def weights(path: Path) -> dict[str, np.ndarray]:
    return read_model_file(path / "model.safetensors").tensors


VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "adamw with dropout": {"model": {"dropout": 0.3}},
    "momentum": {"training": {"optimizer": "momentum", "schedule": "plateau", "learning_rate": 0.1}},
    "sampled softmax": {"output": {"softmax": "sampled", "samples": 3}},
    "two workers, the exact softmax at the end": {
        "output": {"softmax": "sampled", "samples": 3, "exact_share": 0.5},
        "training": {"engine": "float32", "threads": 2},
    },
    "tables by adagrad": {
        "output": {"softmax": "sampled", "samples": 3},
        "training": {"table_learning_rate": 0.1, "table_optimizer": "adagrad"},
    },
    "averaged weights": {"training": {"average_share": 0.7}},
    "lines": {"data": {"mode": "lines"}},
    "gru": {"model": {"cell": "gru"}},
    "lstm of two layers": {"model": {"cell": "lstm", "num_layers": 2, "dropout": 0.2}},
    "lstm, lines": {"model": {"cell": "lstm"}, "data": {"mode": "lines"}},
    "mogrifier, two workers": {
        "model": {"cell": "mogrifier", "dropout_weights": 0.2},
        "training": {"threads": 2},
    },
    "indrnn of three layers": {"model": {"cell": "indrnn", "num_layers": 3}},
    "every dropout and penalty, two workers": {
        "model": {
            **{"num_layers": 2, "dropout": 0.2, "dropout_output": 0.4, "dropout_embedding": 0.1},
            **{"dropout_words": 0.1, "dropout_weights": 0.3, "layer_norm": True},
        },
        "training": {"activation_penalty": 1.0, "change_penalty": 1.0, "engine": "float32", "threads": 2},
    },
    "muon, random windows, a projection": {
        "model": {"embedding_size": 4},
        "output": {"tie_embeddings": True},
        "training": {"optimizer": "muon", "random_windows": True, "bptt_steps": 6, "weight_decay": 0.1},
    },
    "two layers, reference": {"model": {"num_layers": 2}, "training": {"engine": "reference"}},
}


@pytest.fixture
def three_files(tmp_path: Path) -> dict[str, Any]:
    """A text whose files are of different lengths."""
    for name, lines in {"a": LINES[:1] * 3, "b": LINES[1:3] * 4, "c": LINES}.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return {"train": [str(tmp_path / f"{name}.txt") for name in "abc"]}


@pytest.mark.parametrize("random_windows", [False, True])
def test_a_training_resumed_among_shuffled_files_ends_with_the_same_bits(
    random_windows: bool,
    three_files: dict[str, Any],
    make_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = {"random_windows": random_windows, "engine": "float32", "threads": 1}
    config = make_config(data=three_files, training=training)
    train_in(tmp_path / "straight", config)
    expected = weights(tmp_path / "straight")
    for step in (1, 4, 9, 14):
        train_with_a_stop_at(step, tmp_path / f"resumed {step}", config, monkeypatch)
        assert_same_bits(weights(tmp_path / f"resumed {step}"), expected)
    train_in(
        tmp_path / "in order", make_config(data={**three_files, "shuffle_files": False}, training=training)
    )
    assert not np.array_equal(weights(tmp_path / "in order")["V"], expected["V"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_training_ends_with_the_same_bits(
    variant: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(**VARIANTS[variant])
    straight = train_in(tmp_path / "straight", config)
    for step in (1, 8, 17):
        resumed = train_with_a_stop_at(step, tmp_path / f"resumed {step}", config, monkeypatch)
        assert_same_bits(weights(tmp_path / f"resumed {step}"), weights(tmp_path / "straight"))
        assert resumed.valid == straight.valid
        assert resumed.steps == straight.steps


def test_a_resume_goes_on_in_the_way_of_computing_that_its_config_now_names(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, here = (
        make_config(model={"dropout": 0.3}, training={"engine": engine, "threads": threads})
        for engine, threads in (("reference", 1), ("float32", 2))
    )
    train_in(tmp_path / "straight", begun)
    stopped_run(tmp_path / "moved", begun, 8, monkeypatch)
    resume(tmp_path / "moved", here)
    expected = weights(tmp_path / "straight")
    for name, tensor in weights(tmp_path / "moved").items():
        assert tensor == pytest.approx(expected[name], abs=1e-4), name


@pytest.mark.parametrize("has_them", [False, True])
def test_products_that_the_machine_only_imitates_are_told(
    has_them: bool, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "has_bfloat16_products", lambda device: has_them)
    told: list[str] = []
    with RunFolder.create(tmp_path / "run") as folder:
        train(
            make_config(training={"engine": "bfloat16", "threads": 1, "max_epochs": 1}),
            folder,
            on_event=lambda event: told.append(event.message) if isinstance(event, Notice) else None,
        )
    sentence = (
        "training.engine is bfloat16, which this device only imitates, many times as slowly as float32. Set it to "
        "auto (to go on with a run: to float32, in its config.yaml)."
    )
    assert told.count(sentence) == (0 if has_them else 1)


def assert_same_bits(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert np.array_equal(tensor, found[name]), name


def test_the_learning_rate_follows_the_length_of_a_random_window(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    settings = {"random_windows": True, "bptt_steps": 20, "batch_size": 1, "schedule": "constant"}
    config = make_config(
        training={**settings, "max_epochs": 2, "learning_rate": 0.01, "log_every_windows": 1}
    )
    train_in(tmp_path / "run", config)
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    rates = [record["learning_rate"] for record in map(json.loads, lines) if record["event"] == "train"]
    steps = [len(window.inputs) for epoch in (0, 1) for window in windows_of_random_lengths().epoch(epoch)]
    assert len(set(steps)) > 2
    assert rates == pytest.approx([0.01 * length / 20 for length in steps])


def windows_of_random_lengths() -> StreamWindows:
    """As the training above has them: 145 tokens, seed 1."""
    ids = np.zeros(145, np.int64)
    return StreamWindows(ids, eos_id=0, batch_size=1, bptt_steps=20, random_lengths_from=1)


def test_the_metrics_of_a_resumed_training_have_no_gap_and_no_double(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def figures(path: Path) -> list[tuple[Any, ...]]:
        records = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        return [(r["event"], r["step"], r["loss"]) for r in records if r["event"] in ("train", "validation")]

    config = make_config()
    train_in(tmp_path / "straight", config)
    train_with_a_stop_at(10, tmp_path / "resumed", config, monkeypatch)
    assert figures(tmp_path / "resumed") == figures(tmp_path / "straight")


def test_ctrl_c_in_a_validation_leaves_no_record_of_it_behind(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(training={"max_epochs": 1}, logging={"gradient_flow": True})

    with monkeypatch.context() as patched:
        press_ctrl_c_in_measuring(patched, loop)
        with pytest.raises(Interrupted):
            train_in(tmp_path / "run", config)
    resume(tmp_path / "run", config)
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [r["event"] for r in records if r["event"] in ("gradient_flow", "validation")] == [
        "gradient_flow",
        "validation",
    ]


def test_the_best_model_is_kept_and_not_the_last(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("mat the on sat cat the\nlog a saw a dog\n")  # what training unlearns
    config = make_config(training={"max_epochs": 12, "learning_rate": 0.05})
    outcome = train_in(tmp_path / "run", config)
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    validations = [r["perplexity"] for r in records if r["event"] == "validation"]
    assert outcome.valid is not None
    assert outcome.valid.perplexity == pytest.approx(min(validations))
    assert validations[-1] > min(validations)


def test_the_model_file_says_what_it_was_trained_on(make_config: MakeConfig, tmp_path: Path) -> None:
    train_in(tmp_path / "run", make_config())
    stored = read_model_file(tmp_path / "run/model.safetensors")
    assert stored.training_data["tokens"] == 145
    assert stored.training_data["files"][0]["name"] == "train.txt"
    assert len(stored.training_data["files"][0]["sha256"]) == 64
    assert stored.config["model"]["hidden_size"] == 6


def test_the_model_file_says_how_often_each_token_stands_in_the_training_text(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    train_in(tmp_path / "run", make_config())
    stored = read_model_file(tmp_path / "run/model.safetensors")
    tokenizer = Tokenizer.from_json(stored.tokenizer_json)
    lines = (tmp_path / "train.txt").read_text().splitlines()
    expected = Counter(id_ for line in lines for id_ in [*tokenizer.encode(line), tokenizer.eos_id])
    assert stored.counts is not None
    assert stored.counts.tolist() == [expected[id_] for id_ in range(tokenizer.vocab_size)]
    assert stored.counts.sum() == stored.training_data["tokens"]


def test_a_checkpoint_of_another_shape_is_refused(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_run(tmp_path / "run", make_config(), 1, monkeypatch)
    with pytest.raises(ModelFileError, match=r"good\.safetensors cannot be used to go on"):
        resume(tmp_path / "run", make_config(model={"hidden_size": 7}))


def test_the_loss_of_a_record_is_the_mean_over_its_words(make_config: MakeConfig, tmp_path: Path) -> None:
    losses = {}
    for every in (1, 3):
        events: list[Event] = []
        config = make_config(training={"log_every_windows": every, "max_epochs": 1})
        with RunFolder.create(tmp_path / str(every)) as folder:
            train(config, folder, on_event=events.append)
        losses[every] = [event.loss for event in events if isinstance(event, Trained)]
    # 145 tokens in 3 streams (49, 48, 48): windows of 12 words.
    assert losses[3][0] == pytest.approx(sum(losses[1][:3]) / 3)


def test_a_run_whose_text_has_changed_is_not_resumed(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_run(tmp_path / "run", make_config(), 1, monkeypatch)
    text = tmp_path / "train.txt"
    text.write_text(text.read_text().replace("cat", "fox"))
    with pytest.raises(ModelFileError, match="a text or the settings have changed since"):
        resume(tmp_path / "run", make_config())


def test_if_the_latest_state_is_damaged_the_one_before_serves_and_the_end_is_the_same(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(training={"checkpoint_windows": 5})
    train_in(tmp_path / "straight", config)
    stopped_run(tmp_path / "run", config, 8, monkeypatch)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    events: list[Event] = []
    with RunFolder.reopen(tmp_path / "run") as folder:
        train(config, folder, on_event=events.append, resume=True)
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert (f"{checkpoint} is damaged. Going on from {tmp_path}/run/good.safetensors, step 5.") in notices
    assert (tmp_path / "run/model.safetensors").read_bytes() == (
        tmp_path / "straight/model.safetensors"
    ).read_bytes()


def test_if_the_good_state_is_damaged_the_latest_takes_its_place(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(training={"checkpoint_windows": 5})
    stopped_run(tmp_path / "run", config, 8, monkeypatch)
    good = tmp_path / "run" / "good.safetensors"
    good.write_bytes(good.read_bytes()[:-1])
    with monkeypatch.context() as patched:
        press_ctrl_c_in(1, patched)
        with pytest.raises(Interrupted):
            resume(tmp_path / "run", config)
    assert json.loads(read_metadata(good)["progress"])["step"] == 8


@pytest.mark.parametrize(
    ("step", "direction"), [("measure", "both"), ("_weigh", "both"), ("_index_lines", "forward")]
)
def test_ctrl_c_behind_the_last_measuring_ends_the_command_and_a_resume_does_the_rest(
    step: str, direction: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(
        data={"test": str(tmp_path / "train.txt")},
        model={"direction": direction},
        training={"max_epochs": 1, "engine": "float32", "threads": 1},
        logging={"index": True},
    )
    done: list[str] = []

    def pressed(name: str) -> Any:
        function = getattr(run, name)

        def press(*args: Any, **settings: Any) -> Any:
            done.append(name)
            found = function(*args, **settings)
            if name == step and done.count("measure") == (2 if direction == "both" else 1):
                signal.raise_signal(signal.SIGINT)
            return found

        return press

    with monkeypatch.context() as patched:
        for name in ("measure", "_weigh", "_index_lines"):
            patched.setattr(run, name, pressed(name))
        with pytest.raises(Interrupted, match="everything is saved"):
            train_in(tmp_path / "run", config)
    assert done[-1] == step
    assert resume(tmp_path / "run", config).test is not None
    assert (tmp_path / "run/index.safetensors").exists()


def test_a_run_whose_validation_text_has_changed_is_not_resumed(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_run(tmp_path / "run", make_config(), 1, monkeypatch)
    (tmp_path / "valid.txt").write_text("a dog sat on the cow\n")
    with pytest.raises(ModelFileError, match="a text or the settings have changed since"):
        resume(tmp_path / "run", make_config())


def test_a_run_whose_test_text_has_changed_is_not_resumed(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test.txt").write_text("a dog sat on the mat\n")
    config = make_config(data={"test": str(tmp_path / "test.txt")})
    stopped_run(tmp_path / "run", config, 1, monkeypatch)
    (tmp_path / "test.txt").write_text("a dog sat on the cat\n")
    with pytest.raises(ModelFileError) as refused:
        resume(tmp_path / "run", config)
    assert str(refused.value) == (
        f"{tmp_path}/run/good.safetensors cannot be used to go on: a text or the settings have changed since. "
        "Put them back as they were, or start anew: rnn train CONFIG."
    )


def test_the_last_share_of_a_sampled_training_has_the_exact_softmax(
    tmp_path: Path, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[str] = []

    def train_on_window(*args: Any, **settings: Any) -> Any:
        losses.append(type(settings["loss_function"]).__name__)
        return bptt.train_on_window(*args, **settings)

    monkeypatch.setattr(loop, "train_on_window", train_on_window)
    train_in(tmp_path / "run", make_config(output={"softmax": "sampled", "samples": 3, "exact_share": 1 / 3}))
    assert losses == ["SampledSoftmax"] * 26 + ["ExactSoftmax"] * 13


def test_what_was_chosen_is_written_into_the_run(tmp_path: Path, make_config: MakeConfig) -> None:
    train_in(tmp_path / "run", make_config())
    assert "engine: float32\n  threads: 1\n" in (tmp_path / "run/config.yaml").read_text()
