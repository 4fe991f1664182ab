"""Where a training computes: what the config says, what this machine has, and what is refused."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import cuda as benchmark
from rnn_cli.errors import TrainingError, UsageError
from rnn_cli.model.graphed import GraphedWindows
from rnn_cli.training import run
from rnn_cli.training.build import (
    build_model,
    build_workers,
    product_dtype,
    softmax_kind,
    softmax_reason,
    window_reader,
    with_softmax,
)
from rnn_cli.training.device import CPU, device_name, has_bfloat16_products, training_device
from rnn_cli.training.engine_choice import _open_ways
from rnn_cli.training.plan import make_plan
from rnn_cli.training.ranks import Ranks
from rnn_cli.training.run_folder import RunFolder
from tests.training.conftest import MakeConfig

NO_GPU = (
    f"training.device is cuda, but PyTorch {torch.__version__} finds no GPU here. Set training.device to auto (to go "
    "on with a run: in its config.yaml), or install PyTorch's CUDA build where there is a GPU."
)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs, as far as one can ask for them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Make {device.index}")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *, including_emulation: including_emulation)
    memory = SimpleNamespace(total_memory=8 * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: memory)
    monkeypatch.delenv("LOCAL_RANK", raising=False)


@pytest.mark.parametrize("wanted", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_trains(make_config: MakeConfig, wanted: str) -> None:
    assert training_device(make_config(training={"device": wanted})) == CPU
    assert device_name(CPU) == "cpu"


def test_a_gpu_that_is_asked_for_and_not_there_is_refused(make_config: MakeConfig) -> None:
    with pytest.raises(UsageError) as error:
        training_device(make_config(training={"device": "cuda"}))
    assert str(error.value) == NO_GPU


def test_it_is_refused_before_a_text_is_read(make_config: MakeConfig, tmp_path: Any) -> None:
    config = make_config(training={"device": "cuda"})
    (tmp_path / "train.txt").unlink()
    with pytest.raises(UsageError, match="finds no GPU here"):
        make_plan(config, on_event=lambda event: None)
    with RunFolder.create(tmp_path / "run") as folder, pytest.raises(UsageError, match="finds no GPU here"):
        run.train(config, folder, on_event=lambda event: None)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("wanted", "expected"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cpu", "cpu")])
def test_where_there_is_a_gpu_auto_takes_it(make_config: MakeConfig, wanted: str, expected: str) -> None:
    assert str(training_device(make_config(training={"device": wanted}))) == expected


@pytest.mark.usefixtures("two_gpus")
def test_processes_that_train_together_have_a_gpu_each(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert training_device(make_config()) == torch.device("cuda", 1)
    assert device_name(training_device(make_config())) == "cuda:1 (Make 1)"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError) as error:
        training_device(make_config())
    assert str(error.value) == (
        "This machine has a GPU for 2 processes, and more were started. Start as many as there are GPUs, or set "
        "training.device to cpu."
    )
    assert training_device(make_config(training={"device": "cpu"})) == CPU


@pytest.mark.parametrize(("with_gpu", "agrees"), [(0, True), (1, False), (2, False), (3, True)])
def test_processes_of_which_only_some_have_a_gpu_do_not_train_together(
    monkeypatch: pytest.MonkeyPatch, with_gpu: int, agrees: bool
) -> None:
    ranks = Ranks(0, 3)
    monkeypatch.setattr(ranks, "sum", lambda flag: (float(with_gpu),))
    if agrees:
        ranks.agree_on(CPU)
        return
    with pytest.raises(TrainingError) as error:
        ranks.agree_on(CPU)
    assert str(error.value) == (
        f"Of 3 processes that train together {with_gpu} found a GPU, the others none. Set training.device to cpu, or "
        "start them where each has one."
    )


@pytest.mark.usefixtures("two_gpus")
def test_on_a_gpu_windows_are_read_by_graphs_and_one_thread_is_enough(make_config: MakeConfig) -> None:
    assert isinstance(window_reader(make_config()), GraphedWindows)
    assert not isinstance(window_reader(make_config(training={"engine": "reference"})), GraphedWindows)
    assert not isinstance(window_reader(make_config(training={"device": "cpu"})), GraphedWindows)
    assert build_workers(make_config(training={"threads": 3})).count == 1


@pytest.mark.usefixtures("two_gpus")
def test_on_a_gpu_float32_and_bfloat16_are_tried_where_it_has_both(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(model={"hidden_size": 256})
    assert not has_bfloat16_products(training_device(config))  # it imitates them
    assert product_dtype(config) == torch.float32
    assert list(_open_ways(config)) == [("float32", 1)]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *, including_emulation: True)
    assert product_dtype(config) == torch.bfloat16
    assert list(_open_ways(config)) == [("bfloat16", 1), ("float32", 1)]


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("vocab_size", "kind", "reason"),
    [
        (319, "exact", "over all 319 words (auto: fewer than 32 times output.samples)"),
        (320, "sampled", "10 words drawn for a window and those that come in it, of 320 (auto: at least 32 times "
         "output.samples)"),
    ],
)  # fmt: skip
def test_on_a_gpu_auto_sums_over_larger_vocabularies(
    make_config: MakeConfig, vocab_size: int, kind: str, reason: str
) -> None:
    config = make_config(output={"softmax": "auto", "samples": 10})
    assert (softmax_kind(config, vocab_size), softmax_reason(config, vocab_size)) == (kind, reason)
    assert with_softmax(config, vocab_size).output.softmax == kind


@pytest.mark.usefixtures("two_gpus")
def test_a_network_larger_than_the_gpu_is_refused(make_config: MakeConfig) -> None:
    with pytest.raises(TrainingError) as error:
        build_model(make_config(model={"hidden_size": 64, "embedding_size": 10**8}), np.ones(10))
    assert str(error.value) == (
        "The network would have 7,400,004,810 parameters and take about 118 GB to train; this GPU has 8 GB. Lower "
        "model.hidden_size, model.embedding_size, model.num_layers or data.tokenizer.max_size."
    )


def test_the_benchmark_of_a_gpu_refuses_in_one_line_where_there_is_none() -> None:
    with pytest.raises(SystemExit) as error:
        benchmark.main([])
    assert str(error.value) == (
        f"benchmarks.cuda needs a GPU, and PyTorch {torch.__version__} finds none here."
    )


def test_a_full_gpu_is_one_clear_message(
    make_config: MakeConfig, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(run, "assemble", full)
    with RunFolder.create(tmp_path / "run") as folder, pytest.raises(TrainingError) as error:
        run.train(make_config(), folder, on_event=lambda event: None)
    assert str(error.value) == (
        "The GPU has not the memory for this training. Lower training.batch_size, training.bptt_steps or the sizes "
        "in model, or set training.device to cpu."
    )
