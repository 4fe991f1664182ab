"""The mean of the last weights: what is in it, and that it is what is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rnn_cli.model_file import read_model_file
from rnn_cli.training import bptt, loop, run
from rnn_cli.training.averaging import WeightAverage, updates_apart
from rnn_cli.training.events import Event, Notice
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


def test_weights_stand_ten_updates_apart_where_there_are_many() -> None:
    assert [updates_apart(updates) for updates in (0.4, 19, 20, 99, 100, 1e6)] == [1, 1, 2, 9, 10, 10]


@pytest.mark.parametrize(
    ("share", "taken"),
    [(0.5, range(20, 40)), (1.0, range(3, 40, 3)), (0.05, (37, 38, 39)), (0.001, (38, 39))],
)
def test_a_training_keeps_the_mean_of_its_last_weights(
    share: float,
    taken: Sequence[int],
    tmp_path: Path,
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    after: list[torch.Tensor] = []

    def train_on_window(model: Any, *args: Any, **settings: Any) -> Any:
        outcome = bptt.train_on_window(model, *args, **settings)
        after.append(model.V.detach().clone())
        return outcome

    monkeypatch.setattr(loop, "train_on_window", train_on_window)
    config = make_config(data={"valid": None}, training={"average_share": share})
    with RunFolder.create(tmp_path / "run") as folder:
        run.train(config, folder, on_event=lambda _: None)
    assert len(after) == 39
    expected = torch.stack([after[step - 1] for step in taken]).mean(0)
    found = torch.from_numpy(read_model_file(tmp_path / "run/model.safetensors").tensors["V"])
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.equal(found, after[-1])


UNLEARNT = "mat the on sat cat the\nlog a saw a dog\n"


def test_an_early_stop_before_the_last_share_says_what_never_came(
    tmp_path: Path, make_config: MakeConfig
) -> None:
    (tmp_path / "valid.txt").write_text(UNLEARNT)
    assert never_came(tmp_path / "early", make_config, patience=2, max_epochs=30) == [
        "training.average_share: no weights were averaged, for training ended before its last 30 % (stopped early). "
        "More training.patience lets it come.",
        "output.exact_share: the softmax stayed sampled, for training ended before its last 0.1 % (stopped early). "
        "More training.patience lets it come.",
    ]
    assert never_came(tmp_path / "to the end", make_config, max_epochs=2) == []


def never_came(path: Path, make_config: MakeConfig, **settings: Any) -> list[str]:
    config = make_config(
        output={"softmax": "sampled", "samples": 3, "exact_share": 0.001},
        training={"average_share": 0.3, "learning_rate": 0.05, **settings},
    )
    events: list[Event] = []
    with RunFolder.create(path) as folder:
        run.train(config, folder, on_event=events.append)
    said = [event.message for event in events if isinstance(event, Notice)]
    return [message for message in said if "ended before its last" in message]
