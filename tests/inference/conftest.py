"""Small models with random weights, and the vocabularies for them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnn_cli.inference import TrainedModel
from rnn_cli.model_file import ModelFile
from rnn_cli.model_tensors import Tensors, cell_shapes
from rnn_cli.text.tokenizer import Tokenizer

LINES = [
    "My favourite dish is sushi. So, my favourite cuisine is Japanese.",
    "My favourite dish is pasta. So, my favourite cuisine is Italian.",
    "Is it? It is! A well-known dish (paella), 12 of them.",
]

MakeModelFile = Callable[..., ModelFile]
MakeModel = Callable[..., TrainedModel]


def random_tensors(
    vocab_size: int,
    *,
    cell: str = "elman",
    E: int = 5,
    H: int = 6,
    num_layers: int = 1,
    scale: float = 0.8,
    tied: bool = False,
    seed: int = 7,
) -> Tensors:
    """Weights under the names of the model file; always the same ones."""
    generator = np.random.default_rng(seed)

    def some(*shape: int) -> Any:
        return (scale * generator.standard_normal(shape)).astype(np.float32)

    tensors = {"embedding": some(vocab_size, E), "c": some(vocab_size)}
    for layer in range(num_layers):
        for name, shape in cell_shapes(cell, E if layer == 0 else H, H).items():
            tensors[f"cells.{layer}.{name}"] = some(*shape)
    if not tied:
        tensors["V"] = some(vocab_size, H)
    return tensors


@pytest.fixture
def make_tensors() -> Callable[..., Tensors]:
    """`make_tensors(10, H=4)`: random weights for a vocabulary of 10."""
    return random_tensors


@pytest.fixture
def make_model_file() -> MakeModelFile:
    """`make_model_file(kind="char", num_layers=2, scale=0.0)`: the vocabulary of `lines` and random weights."""

    def make(
        lines: list[str] = LINES,
        *,
        mode: str = "stream",
        cell: str = "elman",
        E: int = 5,
        H: int = 6,
        num_layers: int = 1,
        scale: float = 0.8,
        **settings: Any,
    ) -> ModelFile:
        tokenizer = Tokenizer.train(lines, **settings)
        model = {
            "cell": cell,
            "embedding_size": E,
            "hidden_size": H,
            "num_layers": num_layers,
            "output_activation": "softmax",
        }
        if cell in ("elman", "indrnn"):
            model["hidden_activation"] = "tanh"
        config = {"data": {"mode": mode}, "model": model, "output": {"tie_embeddings": False}}
        tensors = random_tensors(
            tokenizer.vocab_size, cell=cell, E=E, H=H, num_layers=num_layers, scale=scale
        )
        return ModelFile(tensors, config, tokenizer.to_json(), {"lines": len(lines)}, {"valid": None})

    return make


@pytest.fixture
def make_model(make_model_file: MakeModelFile) -> MakeModel:
    """What `make_model_file` makes, loaded."""

    def make(*args: Any, **kwargs: Any) -> TrainedModel:
        return TrainedModel.from_model_file(make_model_file(*args, **kwargs), name="small")

    return make
