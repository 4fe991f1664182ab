"""Which tensors a model has, by its config, and whether those of a file are just these.

What they are is said in `model_file`.
"""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import ModelFileError
from rnn_cli.tensor_file import Arrays

CELLS = ("elman", "gru", "lstm", "mogrifier", "indrnn")
DIRECTIONS = ("forward", "backward", "both")
BACKWARD = "backward."
"""How the names of a pair's second network begin."""
COUNTS = "counts"
MOGRIFIER_RANK = 64  # as in `model.gated_cells`

_LARGEST_SIZE = 1_000_000_000

Tensors = dict[str, npt.NDArray[np.float32]]
Counts = npt.NDArray[np.int64]


def cell_shapes(cell: str, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """The tensors of one cell and their shapes.

    Raises:
        KeyError: `cell` is none of `CELLS`.
    """
    E, H = input_size, hidden_size
    K = min(MOGRIFIER_RANK, E, H)
    return {
        "elman": {"W": (H, H + E), "b": (H,)},
        "gru": {"W": (3 * H, H + E), "b": (3 * H,)},
        "lstm": {"W": (4 * H, H + E), "b": (4 * H,)},
        "mogrifier": {"W": (4 * H, H + E), "b": (4 * H,), "L": (3 * E + 2 * H, K), "R": (3 * H + 2 * E, K)},
        "indrnn": {"W": (H, E), "u": (H,), "b": (H,)},
    }[cell]


def network_shapes(
    vocab_size: int,
    *,
    cell: str,
    embedding_size: int,
    hidden_size: int,
    num_layers: int,
    tied: bool,
    layer_norm: bool,
) -> dict[str, tuple[int, ...]]:
    """All tensors of a network and their shapes.

    Raises:
        KeyError: `cell` is none of `CELLS`.
    """
    E, H = embedding_size, hidden_size
    shapes: dict[str, tuple[int, ...]] = {"embedding": (vocab_size, E), "c": (vocab_size,)}
    for layer in range(num_layers):
        of_cell = cell_shapes(cell, E if layer == 0 else H, H)
        shapes |= {f"cells.{layer}.{name}": shape for name, shape in of_cell.items()}
        if layer_norm:
            shapes |= {f"norms.{layer}.gain": (H,), f"norms.{layer}.shift": (H,)}
    if not tied:
        shapes["V"] = (vocab_size, H)
    elif E != H:
        shapes["P"] = (E, H)
    return shapes


def check_tensors(path: Path, tensors: Arrays, config: Mapping[str, Any], *, counted: bool) -> None:
    """See that just the tensors are there that belong there, of their shapes and types.

    Args:
        counted: whether the file says how often each token stands in the training text.

    Raises:
        ModelFileError: they are not, or the config describes no network.
    """
    expected = _expected_shapes(path, tensors, config)
    if counted:
        expected[COUNTS] = expected["c"]
    for name, shape in expected.items():
        if name not in tensors:
            raise ModelFileError(f"{path}: the tensor {name} is missing; its shape would be {_shape(shape)}.")
        tensor, dtype = tensors[name], np.dtype(np.int64 if name == COUNTS else np.float32)
        if tensor.dtype != dtype:
            raise ModelFileError(f"{path}: the tensor {name} is {tensor.dtype}; it has to be {dtype}.")
        if tensor.shape != shape:
            raise ModelFileError(
                f"{path}: the tensor {name} has the shape {_shape(tensor.shape)}; "
                f"by the model's config it has to be {_shape(shape)}."
            )
    extra = sorted(tensors.keys() - expected.keys())
    if extra:
        raise ModelFileError(
            f"{path}: the tensor {reprlib.repr(extra[0])} has no place in a model with this config."
        )
    if COUNTS in expected:
        _check_counts(path, tensors[COUNTS])


def _expected_shapes(path: Path, tensors: Arrays, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every tensor's shape by the config; the vocabulary's size is the embedding's number of rows."""
    try:
        model, tied = config["model"], config["output"]["tie_embeddings"]
        cell, direction = model["cell"], model.get("direction", "forward")
        layer_norm = model.get("layer_norm", False)
        E, H, num_layers = (model[key] for key in ("embedding_size", "hidden_size", "num_layers"))
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{path}: the model's config is not complete ({error}).") from error
    for what, value, known in (("cell", cell, CELLS), ("direction", direction, DIRECTIONS)):
        if value not in known:
            raise ModelFileError(
                f"{path}: the model's {what} is {reprlib.repr(value)}, which this rnn_cli does not know. "
                "A newer rnn_cli may."
            )
    for key, size in (("embedding_size", E), ("hidden_size", H), ("num_layers", num_layers)):
        if type(size) is not int or not 1 <= size <= _LARGEST_SIZE:
            raise ModelFileError(
                f"{path}: the model's config says {key} {reprlib.repr(size)}; "
                f"it has to be a whole number from 1 to {_LARGEST_SIZE:,}."
            )
    for key, said in (("tie_embeddings", tied), ("layer_norm", layer_norm)):
        if type(said) is not bool:
            raise ModelFileError(
                f"{path}: the model's config says {key} {reprlib.repr(said)}; it has to be true or false."
            )
    shapes = network_shapes(
        len(tensors["embedding"]) if "embedding" in tensors and tensors["embedding"].ndim else 0,
        cell=cell,
        embedding_size=E,
        hidden_size=H,
        num_layers=min(num_layers, len(tensors) + 1),  # a config may claim any number of layers
        tied=tied,
        layer_norm=layer_norm,
    )
    if direction == "both":
        shapes |= {f"{BACKWARD}{name}": shape for name, shape in shapes.items()}
    return shapes


def check_finite(path: Path, tensors: Tensors) -> None:
    """Refuse weights that no network can be used with.

    Raises:
        ModelFileError: some are infinite or no numbers.
    """
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ModelFileError(
                f"{path}: the tensor {name} holds values that are not finite, so the model cannot be used. "
                "Train it anew."
            )


def _check_counts(path: Path, counts: Counts) -> None:
    """A text has some tokens, and none of them less often than never."""
    for what, found in (("numbers below 0", (counts < 0).any()), ("nothing but zeros", not counts.any())):
        if found:
            raise ModelFileError(
                f"{path}: the tensor {COUNTS} holds {what}, so the model cannot be used. Train it anew."
            )


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(str(size) for size in shape) + ")"
