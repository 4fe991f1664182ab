"""The one file that a trained model is: its weights, and everything needed to use them, without pickle.

A safetensors file. Its tensors are float32, in the letters of the equations h_t = f(W·[h_{t-1}, x_t] + b) and
y_t = g(V·h_t + c):

    embedding    (vocab_size, E)      x_t, one row for each token
    cells.{i}.W  (H, H + E_i)         columns in the order [h_{t-1}, x_t]; E_0 = E, E_i = H above the first layer
    cells.{i}.b  (H,)
    V            (vocab_size, H)      absent with `output.tie_embeddings`: then V is the embedding
    c            (vocab_size,)

Its metadata are texts: `format` is "rnn_cli", `format_version` "1"; `config` (the resolved config), `tokenizer`,
`training_data` (where the text came from) and `metrics` (what the model reached) are JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rnn_cli.errors import ModelFileError
from rnn_cli.files import atomic_write

FORMAT = "rnn_cli"
FORMAT_VERSION = 1
NAME_IN_RUN_FOLDER = "model.safetensors"

_LONGEST_HEADER = 100_000_000  # bytes; what the safetensors library itself accepts at most
# What torch.save writes (a zip), and pickle.dump in protocols 2 to 5.
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
# Besides its own error safetensors lets these through, for number formats that NumPy does not have.
_DAMAGE = (SafetensorError, AttributeError, TypeError, ValueError)

Tensors = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Attributes:
        tensors: the weights by name, float32.
        config: the whole resolved config of the training.
        tokenizer_json: what `Tokenizer.to_json` wrote.
        training_data: where the training text came from.
        metrics: what the model reached.
    """

    tensors: Tensors
    config: dict[str, Any]
    tokenizer_json: str
    training_data: dict[str, Any]
    metrics: dict[str, Any]


def write_model_file(path: Path, model_file: ModelFile) -> None:
    """Write `model_file` to `path`, whole or not at all.

    Raises:
        ModelFileError: the tensors are not those that the config describes.
    """
    _check_tensors(path, model_file.tensors, model_file.config)
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "config": _to_json(model_file.config),
        "tokenizer": model_file.tokenizer_json,
        "training_data": _to_json(model_file.training_data),
        "metrics": _to_json(model_file.metrics),
    }
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in model_file.tensors.items()}
    with atomic_write(path) as file:
        file.write(save(tensors, metadata))


def read_model_file(path: Path) -> ModelFile:
    """Read a model file, or the one in a run folder.

    Nothing in the file is run, and nothing is read before its size has been compared with what it claims.

    Raises:
        ModelFileError: there is no such file, or it is not a whole model file that this version can read.
    """
    try:
        file_path = _find(path)
        _check_start(path, file_path)
        with safe_open(file_path, framework="np") as file:
            metadata = file.metadata() or {}
            _check_origin(path, metadata)
            tensors: Tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except _DAMAGE as error:
        raise ModelFileError(
            f"{path}: the model file is damaged or cut off ({error}). Copy it again."
        ) from error
    config = _read_json(path, metadata, "config")
    _check_tensors(path, tensors, config)
    return ModelFile(
        tensors=tensors,
        config=config,
        tokenizer_json=metadata["tokenizer"],
        training_data=_read_json(path, metadata, "training_data"),
        metrics=_read_json(path, metadata, "metrics"),
    )


def _find(path: Path) -> Path:
    if path.is_dir():
        inside = path / NAME_IN_RUN_FOLDER
        if not inside.is_file():
            raise ModelFileError(
                f"{path}: this folder holds no {NAME_IN_RUN_FOLDER}; give a model file or the folder of a run."
            )
        return inside
    if not path.exists():
        raise ModelFileError(f"{path}: there is no such file. Give a model file or the folder of a run.")
    return path


def _check_start(path: Path, file_path: Path) -> None:
    """Look at the first bytes: 8 of a length, then so many of JSON, if it is a model file at all."""
    with file_path.open("rb") as file:
        start = file.read(9)
        size = file.seek(0, 2)
    if start.startswith(_PICKLE_STARTS):
        raise ModelFileError(
            f"{path}: this is a pickle, as torch.save writes it. Opening one can run any code, so rnn_cli never "
            f"does; give the {NAME_IN_RUN_FOLDER} that `rnn train` wrote."
        )
    length = int.from_bytes(start[:8], "little")
    if length > _LONGEST_HEADER or start[8:] != b"{":
        raise ModelFileError(
            f"{path}: this is not a model file. A model is the {NAME_IN_RUN_FOLDER} that `rnn train` wrote."
        )
    if length > size - 8:
        raise ModelFileError(
            f"{path}: the model file is cut off: its header alone is {length:,} bytes long, and there are only "
            f"{size - 8:,}. Copy it again."
        )


def _check_origin(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise ModelFileError(
            f"{path}: this file was written by another program, not by rnn_cli. "
            f"Give the {NAME_IN_RUN_FOLDER} that `rnn train` wrote."
        )
    version = metadata.get("format_version")
    if version != str(FORMAT_VERSION):
        raise ModelFileError(
            f"{path}: the model file has format version {version}; this rnn_cli reads version {FORMAT_VERSION}. "
            "A newer rnn_cli may read it."
        )
    for key in ("config", "tokenizer", "training_data", "metrics"):
        if key not in metadata:
            raise ModelFileError(f"{path}: the model file is damaged: its header has no text {key}.")


def _read_json(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    try:
        value = json.loads(metadata[key])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelFileError(f"{path}: the model file is damaged: its {key} is not a JSON object.")
    return value


def _to_json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _check_tensors(path: Path, tensors: Tensors, config: Mapping[str, Any]) -> None:
    expected = _expected_shapes(path, tensors, config)
    for name, shape in expected.items():
        if name not in tensors:
            raise ModelFileError(f"{path}: the tensor {name} is missing; its shape would be {_shape(shape)}.")
        tensor = tensors[name]
        if tensor.dtype != np.float32:
            raise ModelFileError(f"{path}: the tensor {name} is {tensor.dtype}; it has to be float32.")
        if tensor.shape != shape:
            raise ModelFileError(
                f"{path}: the tensor {name} has the shape {_shape(tensor.shape)}; "
                f"by the model's config it has to be {_shape(shape)}."
            )
    extra = sorted(tensors.keys() - expected.keys())
    if extra:
        raise ModelFileError(f"{path}: the tensor {extra[0]} has no place in a model with this config.")


def _expected_shapes(path: Path, tensors: Tensors, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every tensor's shape by the config; the vocabulary's size is the embedding's number of rows."""
    try:
        model, tied = config["model"], bool(config["output"]["tie_embeddings"])
        E, H, num_layers = (int(model[key]) for key in ("embedding_size", "hidden_size", "num_layers"))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: the model's config is not complete ({error}).") from error
    if num_layers < 1:
        raise ModelFileError(
            f"{path}: the model's config says num_layers {num_layers}; it has to be at least 1."
        )
    vocab_size = len(tensors["embedding"]) if "embedding" in tensors and tensors["embedding"].ndim else 0
    shapes: dict[str, tuple[int, ...]] = {"embedding": (vocab_size, E), "c": (vocab_size,)}
    for layer in range(min(num_layers, len(tensors) + 1)):  # a config may claim any number of layers
        shapes[f"cells.{layer}.W"] = (H, H + (E if layer == 0 else H))
        shapes[f"cells.{layer}.b"] = (H,)
    if not tied:
        shapes["V"] = (vocab_size, H)
    return shapes


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(str(size) for size in shape) + ")"
