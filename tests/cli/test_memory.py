"""`rnn train` where there is too little memory."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rnn_cli.config import Config
from rnn_cli.training import loop, run
from rnn_cli.training.assembly import assemble
from rnn_cli.training.parts import Training
from tests.conftest import Rnn

LESS = (
    "error: Memory ran out. A smaller network, training.batch_size or training.bptt_steps needs less, as do fewer "
    "trainings side by side."
)


def test_a_training_without_memory_is_one_message_and_the_next_config_has_its_turn(
    rnn: Rnn, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_text(tiny.read_text().replace("max_epochs: 3", "max_epochs: 1"))
    (tmp_path / "large.yaml").write_text(tiny.read_text().replace("hidden_size: 8", "hidden_size: 9"))

    def greedy(config: Config, *args: Any) -> Training:
        if config.model.hidden_size == 9:
            raise MemoryError
        return assemble(config, *args)

    monkeypatch.setattr(run, "assemble", greedy)
    result = rnn("train", "large.yaml", "tiny.yaml")
    assert result.code == 1
    assert [line for line in result.err.splitlines() if line.startswith("error")] == [LESS]
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["tiny"]


def test_memory_that_runs_out_in_the_middle_leaves_a_state_to_go_on_from(
    rnn: Rnn, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*args: object, **settings: object) -> object:
        torch.empty(10**15)
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_on_window", greedy)
        result = rnn("train", str(tiny), "--run-dir", "run")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (f"{LESS} Go on from the last checkpoint: rnn train --resume run")
    assert rnn("train", "--resume", "run").code == 0
