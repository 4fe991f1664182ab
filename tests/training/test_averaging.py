"""The mean of the last weights: what is in it, and that it is what is kept."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rnn_cli.model_file import read_model_file
from rnn_cli.training import averaging, bptt, loop, run
from rnn_cli.training.averaging import WeightAverage
from rnn_cli.training.run_folder import RunFolder
from tests.training.conftest import MakeConfig


def test_the_mean_is_that_of_all_weights_taken() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = WeightAverage(0.5)
    for weight in (1.0, 2.0, 6.0):
        nn.init.constant_(model.weight, weight)
        average.take(model)
    with average.in_place(model):
        assert model.weight.item() == pytest.approx(3.0)
    assert model.weight.item() == 6.0


def test_the_network_has_its_own_weights_again_after_an_error() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = WeightAverage(0.5)
    nn.init.constant_(model.weight, 1.0)
    average.take(model)
    nn.init.constant_(model.weight, 5.0)
    with pytest.raises(RuntimeError), average.in_place(model):
        raise RuntimeError
    assert model.weight.item() == 5.0


def test_before_the_first_one_is_taken_the_network_keeps_its_own() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 4.0)
    with WeightAverage(0.5).in_place(model):
        assert model.weight.item() == 4.0


def test_a_training_keeps_the_mean_of_its_last_weights(
    tmp_path: Path, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    after: list[torch.Tensor] = []

    def train_on_window(model: Any, *args: Any, **settings: Any) -> Any:
        outcome = bptt.train_on_window(model, *args, **settings)
        after.append(model.V.detach().clone())
        return outcome

    monkeypatch.setattr(loop, "train_on_window", train_on_window)
    config = make_config(data={"valid": None}, training={"average_share": 0.5})
    with RunFolder.create(tmp_path / "run") as folder:
        run.train(config, folder, on_event=lambda _: None)
    assert len(after) == 39
    taken = [
        weights for step, weights in enumerate(after, 1) if step % averaging.UPDATES_APART == 0 and step >= 20
    ]
    expected = torch.stack(taken).mean(0)
    assert len(taken) == 2
    found = torch.from_numpy(read_model_file(tmp_path / "run/model.safetensors").tensors["V"])
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(found, after[-1], atol=1e-3)
