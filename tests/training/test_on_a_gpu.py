"""Trainings on a GPU beside those on the CPU. Where there is none, all of these are skipped; none has run yet."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.inference import load
from rnn_cli.model.graphed import GraphedWindows
from rnn_cli.model_file import read_model_file
from rnn_cli.model_tensors import CELLS
from rnn_cli.training.build import build_model
from rnn_cli.training.device import device_name, training_device
from rnn_cli.training.events import Measured, Notice, Started
from tests.training.conftest import MakeConfig
from tests.training.test_one_device import VARIANTS, config_of, losses, train_in
from tests.training.test_run import stopped_run

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"),
    pytest.mark.timeout(600),
]


def test_on_a_gpu_auto_takes_it_and_says_which(make_config: MakeConfig, tmp_path: Path) -> None:
    device = training_device(make_config())
    assert device.type == "cuda"
    (started,) = [e for e in train_in(tmp_path / "run", make_config()) if isinstance(e, Started)]
    assert started.device == device_name(device)


def test_on_a_gpu_a_network_begins_with_the_weights_that_it_has_on_a_cpu(make_config: MakeConfig) -> None:
    def weights(device: str) -> list[torch.Tensor]:
        torch.manual_seed(1)
        model = build_model(make_config(training={"device": device}), np.arange(11))
        assert isinstance(model.window_reader, GraphedWindows) == (device == "cuda")
        return [parameter.detach().cpu() for parameter in model.parameters()]

    for found, expected in zip(weights("cuda"), weights("cpu"), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_on_a_gpu_losses_are_those_of_the_cpu_but_for_rounding(
    variant: str, make_config: MakeConfig, tmp_path: Path
) -> None:
    found = {
        device: train_in(tmp_path / device, config_of(make_config, VARIANTS[variant], device=device))
        for device in ("cpu", "cuda")
    }
    assert losses(found["cuda"]) == pytest.approx(losses(found["cpu"]), rel=1e-3)
    validations = {
        device: [event.result.loss for event in events if isinstance(event, Measured)]
        for device, events in found.items()
    }
    assert validations["cuda"] == pytest.approx(validations["cpu"], rel=1e-3)


@pytest.mark.parametrize("softmax", ["exact", "sampled"])
@pytest.mark.parametrize("cell", CELLS)
def test_on_a_gpu_bfloat16_stays_near_float32(
    cell: str, softmax: str, make_config: MakeConfig, tmp_path: Path
) -> None:
    def found(engine: str) -> list[float]:
        output: dict[str, Any] = {"softmax": softmax, "samples": 3}
        config = config_of(make_config, {"model": {"cell": cell}, "output": output}, engine=engine)
        return losses(train_in(tmp_path / engine, config))

    assert found("bfloat16") == pytest.approx(found("float32"), abs=0.05)


def test_a_model_trained_on_a_gpu_is_used_without_one(make_config: MakeConfig, tmp_path: Path) -> None:
    train_in(tmp_path / "run", make_config(training={"device": "cuda"}))
    tensors = read_model_file(tmp_path / "run" / "model.safetensors").tensors
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype("float32")}
    assert load(tmp_path / "run").engine.vocab_size == 11


@pytest.mark.parametrize(("first", "then"), [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cuda")])
def test_on_a_gpu_and_off_it_a_run_goes_on(
    first: str, then: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = VARIANTS["all that regularises"]
    straight = train_in(tmp_path / "straight", config_of(make_config, variant, device=first, max_epochs=3))
    stopped_run(
        tmp_path / "run", config_of(make_config, variant, device=first, max_epochs=3), 20, monkeypatch
    )
    resumed = train_in(
        tmp_path / "run", config_of(make_config, variant, device=then, max_epochs=3), resume=True
    )
    notice = f"Up to step 20 the device was {first}, now it is {then}: the result will not be the same bit for bit."
    assert (notice in [event.message for event in resumed if isinstance(event, Notice)]) == (first != then)
    assert losses(resumed)[-1] == pytest.approx(losses(straight)[-1], rel=1e-2)


def test_on_a_gpu_what_auto_chooses_trains_as_the_reference_on_a_cpu(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(training={"device": "cuda", "engine": "auto", "threads": None, "max_epochs": 1})
    reference = make_config(training={"device": "cpu", "engine": "reference", "threads": 1, "max_epochs": 1})
    found, expected = (
        losses(train_in(tmp_path / name, c)) for name, c in (("gpu", config), ("cpu", reference))
    )
    assert found == pytest.approx(expected, rel=0.02)
