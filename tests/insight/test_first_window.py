"""What check-grad checks: networks and windows of the right size, from a config and from a model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rnn_cli.config import Config
from rnn_cli.insight import first_window
from rnn_cli.insight.first_window import of_config, of_model
from rnn_cli.training.events import Event, Notice
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder

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
