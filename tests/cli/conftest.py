"""A text and a config so small that a training takes a second."""

from pathlib import Path

import pytest

LINES = ["the cat sat on the mat", "the dog sat on the log", "a cat saw the dog", "a dog saw a cat on a mat"]

CONFIG = """\
data:
  train: train.txt
  valid: valid.txt
  test: valid.txt
model: {embedding_size: 8, hidden_size: 8}
training:
  batch_size: 2
  bptt_steps: 5
  learning_rate: 1e-2
  max_epochs: 3
  log_every_windows: 1
  engine: reference
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """tiny.yaml beside train.txt and valid.txt, in the folder that the commands run in."""
    (tmp_path / "train.txt").write_text("\n".join(LINES * 6) + "\n")
    (tmp_path / "valid.txt").write_text("the cat saw the log\na dog sat on the mat\n")
    config = tmp_path / "tiny.yaml"
    config.write_text(CONFIG)
    return config
