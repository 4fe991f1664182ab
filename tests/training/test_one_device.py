"""All of a training lies on one device: shown with a pretended second one, whose values are those of the CPU."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.config import Config, load_config
from rnn_cli.errors import Interrupted
from rnn_cli.model.graphed import GraphedWindows
from rnn_cli.model_file import read_model_file
from rnn_cli.model_tensors import CELLS
from rnn_cli.training import build
from rnn_cli.training.events import Event, Notice, RolledBack, Started, Trained
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from tests.model.test_graphed import played_back
from tests.training.conftest import MakeConfig
from tests.training.elsewhere import ELSEWHERE, Elsewhere, Pretence, training_elsewhere
from tests.training.test_run import press_ctrl_c_in, stopped_run

SAMPLED: dict[str, Any] = {"softmax": "sampled", "samples": 3}
EXACT: dict[str, Any] = {"softmax": "exact"}
REGULARISED: dict[str, dict[str, Any]] = {
    "model": {
        "num_layers": 2, "embedding_size": 4, "layer_norm": True, "dropout": 0.2, "dropout_embedding": 0.1,
        "dropout_words": 0.1, "dropout_weights": 0.3,
    },
    "output": {"tie_embeddings": True, "softmax": "exact"},
    "training": {
        "optimizer": "muon", "random_windows": True, "bptt_steps": 6, "activation_penalty": 1.0,
        "change_penalty": 1.0, "average_share": 0.7,
    },
}  # fmt: skip
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    **{
        f"{cell}, {engine}, {output['softmax']}": {
            "model": {"cell": cell},
            "output": output,
            "training": {"engine": engine},
        }
        for cell, engine, output in itertools.product(CELLS, ("reference", "float32"), (EXACT, SAMPLED))
    },
    **{
        f"{optimizer}, sampled": {"output": SAMPLED, "training": {"optimizer": optimizer}}
        for optimizer in ("sgd", "momentum", "nesterov", "adam", "muon", "rmsprop", "adagrad")
    },
    "tables by sgd": {"output": SAMPLED, "training": {"table_learning_rate": 1.0, "optimizer": "rmsprop"}},
    "tables by adagrad": {
        "output": SAMPLED,
        "training": {"table_learning_rate": 0.1, "table_optimizer": "adagrad"},
    },
    "the exact softmax at the end": {"output": {**SAMPLED, "exact_share": 0.5}},
    "sigmoid": {"model": {"output_activation": "sigmoid"}},
    "all that regularises": REGULARISED,
    "lines": {"data": {"mode": "lines"}, "training": {"change_penalty": 1.0}},
    "both directions": {"model": {"direction": "both"}, "training": {"max_epochs": 1}},
    "by the clock": {"training": {"max_minutes": 60.0}},
}


def config_of(make_config: MakeConfig, variant: dict[str, dict[str, Any]], **training: Any) -> Config:
    keys = {
        "engine": "float32",
        "threads": 1,
        "learning_rate": 0.02,
        "max_epochs": 1,
        **variant.get("training", {}),
        **training,
    }
    return make_config(**{**variant, "training": keys})


def train_in(path: Path, config: Config, *, resume: bool = False) -> list[Event]:
    events: list[Event] = []
    with RunFolder.reopen(path) if resume else RunFolder.create(path) as folder:
        train(config, folder, on_event=events.append, resume=resume)
    return events


def assert_same_bits(found: Path, expected: Path) -> None:
    tensors, others = (read_model_file(path / "model.safetensors").tensors for path in (found, expected))
    assert tensors.keys() == others.keys()
    for name, tensor in others.items():
        np.testing.assert_array_equal(tensors[name], tensor, err_msg=name)


def test_the_pretence_lets_no_two_devices_meet() -> None:
    with Pretence():
        x = torch.ones(2, 3).to(ELSEWHERE)
        assert isinstance(x, Elsewhere)
        with pytest.raises(
            RuntimeError, match=r"^aten.add.Tensor: one tensor lies here and another elsewhere$"
        ):
            x + torch.ones(2, 3)
        with pytest.raises(
            RuntimeError, match=r"^aten.mm.default: one tensor lies here and another elsewhere$"
        ):
            torch.ones(2, 2) @ x
        with pytest.raises(RuntimeError):
            x.numpy()
        assert (x + 1).sum().item() == 12
        assert x.cpu().tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_on_another_device_mixes_no_two_and_ends_with_the_same_bits(
    variant: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(make_config, VARIANTS[variant])
    train_in(tmp_path / "here", config)
    with training_elsewhere(monkeypatch):
        events = train_in(tmp_path / "elsewhere", config)
    assert {event.device for event in events if isinstance(event, Started)} == {"meta (pretended)"}
    assert_same_bits(tmp_path / "elsewhere", tmp_path / "here")


@pytest.mark.parametrize("softmax", ["exact", "sampled"])
@pytest.mark.parametrize("cell", CELLS)
def test_bfloat16_products_on_another_device_mix_no_two_either(
    cell: str, softmax: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = {"softmax": softmax, "samples": 3}
    config = config_of(make_config, {"model": {"cell": cell}, "output": output}, engine="bfloat16")
    here = losses(train_in(tmp_path / "here", config))
    with training_elsewhere(monkeypatch):
        elsewhere = losses(train_in(tmp_path / "elsewhere", config))
    assert elsewhere == pytest.approx(here, abs=0.02)  # elsewhere sums of exponentials are not rounded


def test_a_training_that_goes_wrong_on_another_device_goes_back_there(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        "optimizer": "sgd",
        "learning_rate": 10.0,
        "max_grad_norm": None,
        "max_epochs": 2,
    }
    settings |= {"batch_size": 8, "bptt_steps": 16, "checkpoint_windows": 5}
    model = {"hidden_activation": "relu", "dropout": 0.2}
    config = config_of(make_config, {"model": model, "output": SAMPLED}, **settings)
    (tmp_path / "train.txt").write_text((tmp_path / "train.txt").read_text() * 20)
    train_in(tmp_path / "here", config)
    with training_elsewhere(monkeypatch):
        events = train_in(tmp_path / "elsewhere", config)
    assert any(isinstance(event, RolledBack) for event in events)
    assert_same_bits(tmp_path / "elsewhere", tmp_path / "here")


def test_another_device_goes_on_with_a_run_and_says_that_this_is_not_bit_for_bit(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(make_config, REGULARISED, max_epochs=4)
    train_in(tmp_path / "straight", config)
    stopped_run(tmp_path / "run", config, 20, monkeypatch)
    with training_elsewhere(monkeypatch):
        press_ctrl_c_in(8, monkeypatch)
        with pytest.raises(Interrupted):
            train_in(tmp_path / "run", config, resume=True)
    monkeypatch.undo()
    found = [
        event.message
        for event in train_in(tmp_path / "run", config, resume=True)
        if isinstance(event, Notice)
    ]
    assert found[-1] == (
        "Up to step 28 the device was meta, now it is cpu: the result will not be the same bit for bit."
    )
    assert_same_bits(tmp_path / "run", tmp_path / "straight")  # as the second device is a pretended one


def test_a_run_says_what_auto_meant_for_its_softmax_so_that_any_machine_can_go_on(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(make_config, {"output": {"softmax": "auto", "samples": 2}})
    with training_elsewhere(monkeypatch):
        train_in(tmp_path / "elsewhere", config)  # 11 words: fewer than 32 times the samples
    train_in(tmp_path / "here", config)  # more than 4 times
    kept = [load_config(tmp_path / name / "config.yaml") for name in ("elsewhere", "here")]
    assert [config.output.softmax for config in kept] == ["exact", "sampled"]
    assert [config.training.device for config in kept] == ["auto", "auto"]


@pytest.mark.parametrize("variant", ["all that regularises", "lines", "lstm, float32, sampled"])
def test_a_training_that_reads_by_graphs_is_the_one_that_reads_plainly(
    variant: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(make_config, VARIANTS[variant], max_epochs=2)
    plain = losses(train_in(tmp_path / "plain", config))
    plainly = build.window_reader
    monkeypatch.setattr(build, "window_reader", lambda config: GraphedWindows(plainly(config)))
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", played_back)
    assert losses(train_in(tmp_path / "graphed", config)) == pytest.approx(plain, rel=1e-5)


def losses(events: list[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Trained)]
