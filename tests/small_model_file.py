"""A small model file, whole or with something wrong in it, and what is said about that."""

import json
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError
from rnn_cli.model_file import ModelFile, read_model_file
from rnn_cli.tensor_file import write_tensor_file

METADATA = {
    "format": "rnn_cli",
    "format_version": "1",
    "config": json.dumps(
        {
            "model": {"cell": "elman", "embedding_size": 3, "hidden_size": 2, "num_layers": 2},
            "output": {"tie_embeddings": False},
        }
    ),
    "tokenizer": "{}",
    "training_data": "{}",
    "metrics": "{}",
}


def tensors() -> dict[str, np.ndarray]:
    """Those of the config in METADATA."""
    shapes = {
        "embedding": (5, 3),
        "cells.0.W": (2, 5),
        "cells.0.b": (2,),
        "cells.1.W": (2, 4),
        "cells.1.b": (2,),
        "V": (5, 2),
        "c": (5,),
    }
    return {
        name: np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for name, shape in shapes.items()
    }


def small_model_file() -> ModelFile:
    """A model file of two layers that hold these."""
    return ModelFile(
        tensors=tensors(),
        config=json.loads(METADATA["config"]),
        tokenizer_json='{"tokens": ["ü"]}',
        training_data={"train": {"lines": 3}},
        metrics={"valid": {"perplexity": 12.5}},
    )


def refusal(path: Path) -> str:
    """What is said about a file, without its name."""
    with pytest.raises(ModelFileError) as error:
        read_model_file(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def refusal_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return refusal(path)


def refusal_of_metadata(path: Path, **changed: str) -> str:
    """What is said about a model file with other metadata."""
    return refusal_of_content(path, tensors(), {**METADATA, **changed})


def refusal_of_content(path: Path, content: dict[str, np.ndarray], metadata: dict[str, str]) -> str:
    """What is said about a whole file of ours with any tensors and texts."""
    write_tensor_file(path, content, metadata)
    return refusal(path)


def with_config(section: str, key: str, value: object) -> str:
    """The config in METADATA with another value."""
    config = json.loads(METADATA["config"])
    config[section][key] = value
    return json.dumps(config)
