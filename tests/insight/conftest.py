"""Small networks with random weights, as the NumPy engine and as torch sees them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.inference import TrainedModel
from rnn_cli.inference.engine import Engine
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_file import ModelFile
from rnn_cli.text.tokenizer import Tokenizer
from tests.inference.conftest import random_tensors

LINES = ["I eat rice", "you eat soup and rice", "I drink tea ."]

MakePair = Callable[..., tuple[Engine, LanguageModel]]
MakeModel = Callable[..., TrainedModel]


@pytest.fixture
def make_pair() -> MakePair:
    """`make_pair(hidden="relu", output="sigmoid", num_layers=2)`: one network, in NumPy and in torch (float64)."""

    def make(
        *, hidden: str = "tanh", output: str = "softmax", num_layers: int = 1, tied: bool = False
    ) -> tuple[Engine, LanguageModel]:
        E = 6 if tied else 5
        tensors = random_tensors(9, E=E, num_layers=num_layers, tied=tied)
        engine = Engine(tensors, num_layers=num_layers, hidden_activation=hidden, output_activation=output)
        model = LanguageModel(
            vocab_size=9,
            embedding_size=E,
            hidden_size=6,
            num_layers=num_layers,
            hidden_activation=hidden,
            tie_embeddings=tied,
        ).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(torch.from_numpy(tensors[name]))
        return engine, model

    return make


@pytest.fixture
def make_model() -> MakeModel:
    """`make_model(num_layers=2, kind="char")`: the vocabulary of LINES and random weights."""

    def make(
        *,
        num_layers: int = 1,
        mode: str = "stream",
        output: str = "softmax",
        scale: float = 0.8,
        **settings: Any,
    ) -> TrainedModel:
        tokenizer = Tokenizer.train(LINES, **settings)
        config = {
            "data": {"mode": mode},
            "model": {
                "cell": "elman",
                "num_layers": num_layers,
                "hidden_activation": "tanh",
                "output_activation": output,
            },
        }
        tensors = random_tensors(tokenizer.vocab_size, num_layers=num_layers, scale=scale)
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
