"""What check-grad checks: networks and windows of the right size, from a config and from a model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rnn_cli.config import Config
from rnn_cli.insight import first_window
from rnn_cli.insight.first_window import of_config, of_model
from rnn_cli.training.build import build_windows
from rnn_cli.training.events import Event, Notice
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.texts import build_texts

TEXT = "the cat sat on the mat\n" * 40


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "train.txt").write_text(TEXT)
    return Config.model_validate(
        {
            "data": {"train": str(tmp_path / "train.txt")},
            "model": {"embedding_size": 3, "hidden_size": 4, "hidden_activation": "relu"},
            "training": {"batch_size": 8, "bptt_steps": 6, "max_epochs": 1},
        }
    )


def ignore(event: Event) -> None:
    """Nobody is told."""


def test_a_config_gives_new_weights_and_its_first_window(config: Config) -> None:
    found = of_config(config, ignore)
    assert found.window.inputs.shape == (6, 4)  # four of its eight streams
    assert found.window.mask is None
    assert (found.hidden_activation, found.output_activation) == ("relu", "softmax")
    again = of_config(config, ignore)
    assert torch.equal(found.model.embedding, again.model.embedding)


def test_a_large_vocabulary_leaves_fewer_streams(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_window, "MOST_SCORES", 100)  # 6 steps, 7 words
    assert of_config(config, ignore).window.inputs.shape == (6, 2)
    monkeypatch.setattr(first_window, "MOST_SCORES", 1)
    assert of_config(config, ignore).window.inputs.shape == (6, 1)


def in_direction(config: Config, direction: str) -> Config:
    return config.model_copy(update={"model": config.model.model_copy(update={"direction": direction})})


def test_a_network_that_reads_from_the_end_is_given_the_end_of_the_text_first(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "train.txt").write_text("end here\n" + TEXT + "begin there\n")
    texts = build_texts(config, ignore)
    window = next(iter(build_windows(config, texts.train.backwards(), ignore).epoch(0)))
    backward = in_direction(config, "backward")
    found = of_config(backward, ignore)
    assert np.array_equal(found.window.inputs, window.inputs[:, :4])
    assert not np.array_equal(found.window.inputs, of_config(config, ignore).window.inputs)
    with RunFolder.create(tmp_path / "run") as folder:
        train(backward, folder, on_event=ignore)
    assert np.array_equal(of_model(tmp_path / "run", ignore).window.inputs, found.window.inputs)


def test_of_a_pair_the_network_that_reads_forward_is_checked_and_that_is_said(config: Config) -> None:
    told: list[Event] = []
    found = of_config(in_direction(config, "both"), told.append)
    assert np.array_equal(found.window.inputs, of_config(config, ignore).window.inputs)
    assert Notice("There are two networks; the one that reads forward is checked.") in told


def test_a_model_gives_its_own_weights_and_its_text_or_random_words(config: Config, tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        train(config, folder, on_event=ignore)
    found = of_model(tmp_path / "run", ignore)
    assert np.array_equal(found.window.inputs, of_config(config, ignore).window.inputs)
    assert not torch.equal(found.model.embedding, of_config(config, ignore).model.embedding)

    (tmp_path / "train.txt").unlink()
    told: list[Event] = []
    random = of_model(tmp_path / "run", told.append)
    assert torch.equal(random.model.embedding, found.model.embedding)
    assert not np.array_equal(random.window.inputs, found.window.inputs)
    assert Notice(f"There is no file {tmp_path}/train.txt. The window holds random words instead.") in told
