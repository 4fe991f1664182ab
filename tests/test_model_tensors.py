"""The tensors of a model file: just those that its config asks for, of their shapes, and finite."""

import json
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.model_file import read_model_file, write_model_file
from rnn_cli.model_tensors import CELLS, cell_shapes
from rnn_cli.tensor_file import write_tensor_file
from tests.small_model_file import (
    METADATA,
    refusal,
    refusal_of_content,
    refusal_of_metadata,
    small_model_file,
    tensors,
    with_config,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("cells.1.b", None, "the tensor cells.1.b is missing; its shape would be (2)."),
        ("V", None, "the tensor V is missing; its shape would be (5, 2)."),
        (
            "cells.0.W",
            np.ones((2, 4), np.float32),
            "the tensor cells.0.W has the shape (2, 4); by the model's config it has to be (2, 5).",
        ),
        (
            "embedding",
            np.ones((6, 3), np.float32),
            "the tensor c has the shape (5); by the model's config it has to be (6).",
        ),
        ("c", np.ones(5), "the tensor c is float64; it has to be float32."),
        (
            "cells.2.b",
            np.ones(2, np.float32),
            "the tensor 'cells.2.b' has no place in a model with this config.",
        ),
    ],
)
def test_tensors_that_are_not_those_of_the_config_are_refused(
    path: Path, name: str, tensor: np.ndarray | None, message: str
) -> None:
    changed = tensors() | ({} if tensor is None else {name: tensor})
    if tensor is None:
        del changed[name]

    assert refusal_of_content(path, changed, METADATA) == message


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_tensors_of_every_cell_have_their_place_and_no_others(path: Path, cell: str, tied: bool) -> None:
    E, H = (2, 2) if tied else (3, 2)
    config = {
        "model": {"cell": cell, "embedding_size": E, "hidden_size": H, "num_layers": 2},
        "output": {"tie_embeddings": tied},
    }
    whole = {"embedding": np.ones((5, E), np.float32), "c": np.ones(5, np.float32)}
    whole |= {} if tied else {"V": np.ones((5, H), np.float32)}
    for layer, below in enumerate((E, H)):
        for name, shape in cell_shapes(cell, below, H).items():
            whole[f"cells.{layer}.{name}"] = np.ones(shape, np.float32)
    write_model_file(path, replace(small_model_file(), tensors=whole, config=config))
    assert read_model_file(path).tensors.keys() == whole.keys()

    metadata = {**METADATA, "config": json.dumps(config)}
    without = {name: tensor for name, tensor in whole.items() if name != "cells.1.b"}
    assert refusal_of_content(path, without, metadata).startswith("the tensor cells.1.b is missing; ")
    one_more = {**whole, "cells.1.U": np.ones(H, np.float32)}
    assert refusal_of_content(path, one_more, metadata) == (
        "the tensor 'cells.1.U' has no place in a model with this config."
    )


@pytest.mark.parametrize(
    ("cell", "shape"), [("gru", "(6, 5)"), ("lstm", "(8, 5)"), ("mogrifier", "(8, 5)"), ("indrnn", "(2, 3)")]
)
def test_the_tensors_of_another_cell_are_refused(path: Path, cell: str, shape: str) -> None:
    assert refusal_of_metadata(path, config=with_config("model", "cell", cell)) == (
        f"the tensor cells.0.W has the shape (2, 5); by the model's config it has to be {shape}."
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [("esn", "'esn'"), (None, "None"), ([1], "[1]"), ({"a": 1}, "{'a': 1}"), (True, "True")],
)
def test_a_cell_that_is_not_known_is_refused(path: Path, value: object, shown: str) -> None:
    assert refusal_of_metadata(path, config=with_config("model", "cell", value)) == (
        f"the model's cell is {shown}, which this rnn_cli does not know. A newer rnn_cli may."
    )


@pytest.mark.parametrize("key", ["embedding_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (-1, "-1"), (2.0, "2.0"), (True, "True"), ("2", "'2'"), (None, "None"), (math.inf, "inf"),
        ([2], "[2]"), ("2" * 99, "'222222222222...2222222222222'"),
    ],
)  # fmt: skip
def test_a_size_that_is_no_whole_number_is_refused(path: Path, key: str, value: object, shown: str) -> None:
    assert refusal_of_metadata(path, config=with_config("model", key, value)) == (
        f"the model's config says {key} {shown}; it has to be a whole number from 1 to 1,000,000,000."
    )


def test_weights_may_be_tied_or_not_and_nothing_else(path: Path) -> None:
    assert refusal_of_metadata(path, config=with_config("output", "tie_embeddings", "no")) == (
        "the model's config says tie_embeddings 'no'; it has to be true or false."
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_refused(path: Path, value: float) -> None:
    content = tensors()
    content["cells.1.W"][1, 2] = value

    assert refusal_of_content(path, content, METADATA) == (
        "the tensor cells.1.W holds values that are not finite, so the model cannot be used. Train it anew."
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "hidden_size",
            10**9,
            "the tensor cells.0.W has the shape (2, 5); by the model's config it has to be "
            "(1000000000, 1000000003).",
        ),
        ("num_layers", 10**9, "the tensor cells.2.W is missing; its shape would be (2, 4)."),
        (
            "num_layers",
            10**4000,
            "the model's config says num_layers 100000000000000000...0000000000000000000; "
            "it has to be a whole number from 1 to 1,000,000,000.",
        ),
        (
            "embedding_size",
            10**9,
            "the tensor embedding has the shape (5, 3); by the model's config it has to be (5, 1000000000).",
        ),
    ],
)
def test_a_config_that_claims_huge_sizes_is_refused_at_once(
    path: Path, key: str, value: int, message: str
) -> None:
    write_tensor_file(path, tensors(), {**METADATA, "config": with_config("model", key, value)})
    start = time.perf_counter()

    assert refusal(path) == message
    assert time.perf_counter() - start < 1
