"""A small text and a config object for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.config import Config
from rnn_cli.inference import mixture

LINES = ["the cat sat on the mat", "the dog sat on the log", "a cat saw the dog", "a dog saw a cat on a mat"]

MakeConfig = Callable[..., Config]


@pytest.fixture(autouse=True)
def weigh_pairs_by_few_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand, which is what so small networks can afford, take longer than their training."""
    monkeypatch.setattr(mixture, "MOST_BLANKS", 20)


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """`make_config(training={"max_epochs": 2}, data={"mode": "lines"})`."""
    (tmp_path / "train.txt").write_text("\n".join(LINES * 5) + "\n")
    (tmp_path / "valid.txt").write_text("the cat saw the log\na dog sat on the cow\n")
    base: dict[str, dict[str, Any]] = {
        "data": {"train": str(tmp_path / "train.txt"), "valid": str(tmp_path / "valid.txt")},
        "model": {"embedding_size": 6, "hidden_size": 6},
        "output": {"softmax": "exact"},
        "training": {"batch_size": 3, "bptt_steps": 4, "max_epochs": 3, "log_every_windows": 4},
        "logging": {},
    }

    def make(**sections: dict[str, Any]) -> Config:
        return Config.model_validate(
            {name: {**keys, **sections.get(name, {})} for name, keys in base.items()}
        )

    return make
