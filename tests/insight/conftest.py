"""Small networks with weights that are known, and run folders written by hand."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.inference import TrainedModel
from rnn_cli.inference.cells import WITH_ACTIVATION
from rnn_cli.inference.engine import Engine
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_file import ModelFile, write_model_file
from rnn_cli.text.tokenizer import Tokenizer
from tests.inference.conftest import random_tensors

LINES = ["I eat rice", "you eat soup and rice", "I drink tea ."]

MakePair = Callable[..., tuple[Engine, LanguageModel]]
MakeModel = Callable[..., TrainedModel]


@pytest.fixture
def make_pair() -> MakePair:
    """`make_pair(cell="gru", output="sigmoid", num_layers=2)`: one network, in NumPy and in torch (float64)."""

    def make(
        *,
        cell: str = "elman",
        hidden: str = "tanh",
        output: str = "softmax",
        num_layers: int = 1,
        tied: bool = False,
        projected: bool = False,
        normed: bool = False,
        temperature: float = 1.0,
    ) -> tuple[Engine, LanguageModel]:
        E = 6 if tied and not projected else 5
        tensors = random_tensors(9, cell=cell, E=E, num_layers=num_layers, tied=tied)
        if projected:
            tensors["P"] = np.linspace(-0.8, 0.9, 30, dtype=np.float32).reshape(5, 6)
        for layer in range(num_layers if normed else 0):
            tensors[f"norms.{layer}.gain"] = np.linspace(0.5, 1.5, 6, dtype=np.float32)
            tensors[f"norms.{layer}.shift"] = np.linspace(-0.3, 0.2, 6, dtype=np.float32)
        engine = Engine(
            tensors,
            num_layers=num_layers,
            cell=cell,
            hidden_activation=hidden if cell in WITH_ACTIVATION else None,
            output_activation=output,
            temperature=temperature,
        )
        model = LanguageModel(
            vocab_size=9,
            embedding_size=E,
            hidden_size=6,
            num_layers=num_layers,
            cell=cell,
            hidden_activation=hidden,
            tie_embeddings=tied,
            layer_norm=normed,
        ).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(torch.from_numpy(tensors[name]))
        return engine, model

    return make


@pytest.fixture
def make_model() -> MakeModel:
    """`make_model(num_layers=2, kind="char")`: the vocabulary of LINES, or of others, and random weights."""

    def make(
        *,
        cell: str = "elman",
        num_layers: int = 1,
        mode: str = "stream",
        output: str = "softmax",
        scale: float = 0.8,
        lines: Sequence[str] = LINES,
        **settings: Any,
    ) -> TrainedModel:
        tokenizer = Tokenizer.train(lines, **settings)
        config = {
            "data": {"mode": mode},
            "model": {
                "cell": cell,
                "num_layers": num_layers,
                "hidden_activation": "tanh",
                "output_activation": output,
            },
        }
        tensors = random_tensors(tokenizer.vocab_size, cell=cell, num_layers=num_layers, scale=scale)
        return TrainedModel.from_model_file(
            ModelFile(tensors, config, tokenizer.to_json(), {}, {}), name="small"
        )

    return make


def make_linear_model() -> TrainedModel:
    """A network that adds up its inputs: h_t = h_{t-1} + x_t, where only "soup" says that "tea" comes next.

    The scores are z = V·h + c: "tea" has 0 and all others -ln 2, so 2 against 1; each "soup" read adds ln 8 to it,
    which are 3 bits.
    """
    tokenizer = Tokenizer.train(LINES)
    N = tokenizer.vocab_size
    (soup,), (tea,) = tokenizer.encode("soup"), tokenizer.encode("tea")
    embedding = np.zeros((N, 1), np.float32)
    embedding[soup] = np.log(8)
    V = np.zeros((N, 1), np.float32)
    V[tea] = 1
    c = np.full(N, -np.log(2), np.float32)
    c[tea] = 0
    tensors = {
        "embedding": embedding,
        "cells.0.W": np.ones((1, 2), np.float32),
        "cells.0.b": np.zeros(1, np.float32),
        "V": V,
        "c": c,
    }
    model = {
        "cell": "elman",
        "num_layers": 1,
        "hidden_activation": "identity",
        "output_activation": "softmax",
    }
    config = {"data": {"mode": "lines"}, "model": model}
    return TrainedModel.from_model_file(
        ModelFile(tensors, config, tokenizer.to_json(), {}, {}), name="linear"
    )


def write_model(folder: Path, model: TrainedModel) -> None:
    """The model file of a plain model in a run folder."""
    weights = model.engine.weights
    sizes = {"embedding_size": weights["embedding"].shape[1], "hidden_size": weights["V"].shape[1]}
    config = {
        **model.config,
        "model": {**model.config["model"], **sizes},
        "output": {"tie_embeddings": False},
    }
    write_model_file(
        folder / "model.safetensors",
        ModelFile(dict(model.engine.weights), config, model.tokenizer.to_json(), {}, {}),
    )


def trained(step: int, *, perplexity: float, norm: float = 1.0) -> dict[str, Any]:
    """A record of windows trained on: ten a second, 1,000 tokens a second."""
    return {
        "event": "train", "step": step, "epoch": 1, "loss": math.log(perplexity), "perplexity": perplexity,
        "tokens_per_s": 1000.0, "gradient_norm": norm, "learning_rate": 0.01 / step, "elapsed_s": step / 10,
    }  # fmt: skip


def validated(step: int, *, perplexity: float | None) -> dict[str, Any]:
    """A record of a validation."""
    loss = None if perplexity is None else math.log(perplexity)
    return {
        "event": "validation", "step": step, "epoch": 1, "split": "valid", "best": True, "elapsed_s": step / 10,
        "perplexity": perplexity, "loss": loss, "tokens": 50, "unknown": 0, "end_of_line_counted": True,
        "state": "reset",
    }  # fmt: skip


def flowed(step: int, by_lag: list[float | None]) -> dict[str, Any]:
    """A record of how far back an error reached."""
    return {"event": "gradient_flow", "step": step, "epoch": 1, "by_lag": by_lag}


def sampled(step: int, text: str, **said: tuple[str, float]) -> dict[str, Any]:
    """A record of what was written, and said in prompts of one word."""
    completions = [{"prompt": p, "word": word, "probability": share} for p, (word, share) in said.items()]
    return {"event": "sample", "step": step, "text": text, "completions": completions}


NOTICE = {"event": "notice", "message": "train: 3 lines, 400 tokens"}
STARTED = {
    "event": "start", "step": 0, "parameters": 1234, "vocab_size": 11, "train_tokens": 400,
    "windows_per_epoch": 40, "total_windows": 80, "batch_size": 2, "resumed": False,
}  # fmt: skip


def write_run(
    folder: Path,
    records: Sequence[dict[str, Any]],
    *,
    config: str = "data: {train: train.txt}\n",
    summary: dict[str, Any] | None = None,
) -> Path:
    """A run folder with these records after the start; a window has 10 tokens."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config)
    lines = [json.dumps(record) + "\n" for record in (NOTICE, STARTED, *records)]
    (folder / "metrics.jsonl").write_text("".join(lines))
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder
