import json
import math
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from rnn_cli.errors import ModelFileError
from rnn_cli.model_file import ModelFile, read_model_file, write_model_file

METADATA = {
    "format": "rnn_cli",
    "format_version": "1",
    "config": json.dumps(
        {
            "model": {"embedding_size": 3, "hidden_size": 2, "num_layers": 2},
            "output": {"tie_embeddings": False},
        }
    ),
    "tokenizer": "{}",
    "training_data": "{}",
    "metrics": "{}",
}


def tensors() -> dict[str, np.ndarray]:
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


@pytest.fixture
def model_file() -> ModelFile:
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
    return refusal_of(path, save(tensors(), {**METADATA, **changed}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_what_was_written_is_read(path: Path, model_file: ModelFile) -> None:
    write_model_file(path, model_file)

    for place in (path, path.parent):
        read = read_model_file(place)

        assert read.tensors.keys() == model_file.tensors.keys()
        for name, tensor in model_file.tensors.items():
            np.testing.assert_array_equal(read.tensors[name], tensor)
            assert read.tensors[name].dtype == np.float32
        assert replace(read, tensors={}) == replace(model_file, tensors={})


def test_a_figure_without_bounds_does_not_keep_a_model_from_being_written(
    path: Path, model_file: ModelFile
) -> None:
    write_model_file(path, replace(model_file, metrics={"perplexity": math.inf}))

    assert read_model_file(path).metrics == {"perplexity": math.inf}


def test_tied_weights_are_there_once(path: Path, model_file: ModelFile) -> None:
    tied = {name: t for name, t in tensors().items() if name != "V"}
    tied["embedding"] = np.ones((5, 2), np.float32)
    tied["cells.0.W"] = np.ones((2, 4), np.float32)
    config = {
        "model": {"embedding_size": 2, "hidden_size": 2, "num_layers": 2},
        "output": {"tie_embeddings": True},
    }

    write_model_file(path, replace(model_file, tensors=tied, config=config))

    assert "V" not in read_model_file(path).tensors


def test_rows_that_do_not_lie_together_are_written_in_order(path: Path, model_file: ModelFile) -> None:
    turned = np.asfortranarray(np.arange(15, dtype=np.float32).reshape(5, 3))

    write_model_file(path, replace(model_file, tensors={**tensors(), "embedding": turned}))

    np.testing.assert_array_equal(read_model_file(path).tensors["embedding"], turned)


def test_what_is_no_model_is_not_written(path: Path, model_file: ModelFile) -> None:
    with pytest.raises(ModelFileError):
        write_model_file(path, replace(model_file, tensors={}))

    assert not path.exists()


def test_a_missing_file_is_named(path: Path) -> None:
    assert refusal(path) == "there is no such file. Give a model file or the folder of a run."


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path)
        == "this folder holds no model.safetensors; give a model file or the folder of a run."
    )


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"My favourite dish is sushi.\n", struct.pack("<Q", 2**60) + b"{" * 100]
)
def test_what_is_not_safetensors_is_refused(path: Path, content: bytes) -> None:
    assert (
        refusal_of(path, content)
        == "this is not a model file. A model is the model.safetensors that `rnn train` wrote."
    )


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02", b"\x80\x05"])
def test_a_pickle_is_never_opened(path: Path, start: bytes) -> None:
    assert refusal_of(path, start + b"0" * 100) == (
        "this is a pickle, as torch.save writes it. Opening one can run any code, so rnn_cli never does; "
        "give the model.safetensors that `rnn train` wrote."
    )


def test_a_file_cut_off_in_its_header_is_refused(path: Path, model_file: ModelFile) -> None:
    write_model_file(path, model_file)
    length = int.from_bytes(path.read_bytes()[:8], "little")

    assert refusal_of(path, path.read_bytes()[:100]) == (
        f"the model file is cut off: its header alone is {length:,} bytes long, and there are only 92. "
        "Copy it again."
    )


def test_a_file_cut_off_in_its_weights_is_refused(path: Path, model_file: ModelFile) -> None:
    write_model_file(path, model_file)

    message = refusal_of(path, path.read_bytes()[:-1])

    assert message.startswith("the model file is damaged or cut off (")
    assert message.endswith("). Copy it again.")


def test_a_header_that_is_not_json_is_refused(path: Path) -> None:
    message = refusal_of(path, struct.pack("<Q", 8) + b"{[1, 2]}")

    assert message.startswith("the model file is damaged or cut off (")


def test_number_formats_that_numpy_does_not_have_are_refused(path: Path) -> None:
    header = json.dumps(
        {"__metadata__": METADATA, "embedding": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    ).encode()

    message = refusal_of(path, struct.pack("<Q", len(header)) + header + b"00")

    assert message.startswith("the model file is damaged or cut off (")


def test_a_file_of_another_program_is_refused(path: Path) -> None:
    for metadata in ({}, {"format": "pt"}):
        assert refusal_of(path, save(tensors(), metadata)) == (
            "this file was written by another program, not by rnn_cli. "
            "Give the model.safetensors that `rnn train` wrote."
        )


def test_a_newer_format_is_refused(path: Path) -> None:
    assert refusal_of_metadata(path, format_version="2") == (
        "the model file has format version 2; this rnn_cli reads version 1. A newer rnn_cli may read it."
    )


def test_a_header_without_its_texts_is_refused(path: Path) -> None:
    metadata = {key: text for key, text in METADATA.items() if key != "tokenizer"}

    message = refusal_of(path, save(tensors(), metadata))

    assert message == "the model file is damaged: its header has no text tokenizer."


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000])
def test_metadata_that_is_no_json_object_is_refused(path: Path, text: str) -> None:
    for key in ("config", "metrics"):
        assert (
            refusal_of_metadata(path, **{key: text})
            == f"the model file is damaged: its {key} is not a JSON object."
        )


def test_a_config_that_is_not_complete_is_refused(path: Path) -> None:
    config = json.dumps(
        {"model": {"embedding_size": 3, "hidden_size": 2}, "output": {"tie_embeddings": True}}
    )

    assert refusal_of_metadata(path, config=config) == ("the model's config is not complete ('num_layers').")
    assert refusal_of_metadata(path, config="{}") == "the model's config is not complete ('model')."


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
            "the tensor cells.2.b has no place in a model with this config.",
        ),
    ],
)
def test_tensors_that_are_not_those_of_the_config_are_refused(
    path: Path, name: str, tensor: np.ndarray | None, message: str
) -> None:
    changed = tensors() | ({} if tensor is None else {name: tensor})
    if tensor is None:
        del changed[name]

    assert refusal_of(path, save(changed, METADATA)) == message


def test_a_model_without_layers_is_refused(path: Path) -> None:
    config = METADATA["config"].replace('"num_layers": 2', '"num_layers": 0')

    message = refusal_of_metadata(path, config=config)

    assert message == "the model's config says num_layers 0; it has to be at least 1."


def test_a_claim_of_a_billion_layers_is_refused_at_once(path: Path) -> None:
    config = json.loads(METADATA["config"])
    config["model"]["num_layers"] = 10**9

    message = refusal_of_metadata(path, config=json.dumps(config))

    assert message == "the tensor cells.2.W is missing; its shape would be (2, 4)."


def test_a_file_that_may_not_be_read_is_refused(
    path: Path, model_file: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model_file(path, model_file)

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything

    assert refusal(path) == "cannot be read (Permission denied)."
