"""The trained-model file: what is written, and what is refused, through Python and through the command line."""

import json
import math
import pickle
import struct
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from rnn_cli.errors import ModelFileError
from rnn_cli.model_file import ModelFile, read_model_file, store_fitted, write_model_file
from rnn_cli.tensor_file import read_metadata
from tests.conftest import Result, Rnn
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
def model_file() -> ModelFile:
    return small_model_file()


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


def test_counts_are_exact_to_the_largest_and_stay_when_something_is_fitted(
    path: Path, model_file: ModelFile
) -> None:
    counts = np.array([0, 1, 2**53 + 1, 2**63 - 1, 7])
    write_model_file(path, replace(model_file, counts=counts))

    store_fitted(path, calibration={"temperature": 2.0})

    read = read_model_file(path)
    assert read.counts is not None
    assert read.counts.tolist() == counts.tolist()
    assert read.counts.dtype == np.int64
    assert read.tensors.keys() == model_file.tensors.keys()
    assert read_metadata(path)["format_version"] == "2"


def test_a_file_without_counts_is_what_it_was_before_there_were_any(
    path: Path, model_file: ModelFile
) -> None:
    write_model_file(path, model_file)

    assert read_metadata(path)["format_version"] == "1"
    assert read_model_file(path).counts is None


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (None, "the tensor counts is missing; its shape would be (5)."),
        (np.ones(5, np.float32), "the tensor counts is float32; it has to be int64."),
        (np.ones(5, np.int32), "the tensor counts is int32; it has to be int64."),
        (
            np.ones(4, np.int64),
            "the tensor counts has the shape (4); by the model's config it has to be (5).",
        ),
        (
            np.array([3, 0, -1, 0, 0]),
            "the tensor counts holds numbers below 0, so the model cannot be used. Train it anew.",
        ),
        (
            np.zeros(5, np.int64),
            "the tensor counts holds nothing but zeros, so the model cannot be used. Train it anew.",
        ),
    ],
)
def test_damaged_counts_are_refused(
    path: Path, model_file: ModelFile, counts: np.ndarray | None, message: str
) -> None:
    content = tensors() | ({} if counts is None else {"counts": counts})
    assert refusal_of_content(path, content, {**METADATA, "format_version": "2"}) == message
    path.unlink()

    if counts is not None:
        with pytest.raises(ModelFileError) as error:
            write_model_file(path, replace(model_file, counts=counts))
        assert str(error.value) == f"{path}: {message}"
        assert not path.exists()


def test_counts_have_no_place_in_a_file_of_the_first_version(path: Path) -> None:
    content = tensors() | {"counts": np.ones(5, np.int64)}
    assert refusal_of_content(path, content, METADATA) == (
        "the tensor 'counts' has no place in a model with this config."
    )


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
        "model": {"cell": "elman", "embedding_size": 2, "hidden_size": 2, "num_layers": 2},
        "output": {"tie_embeddings": True},
    }

    write_model_file(path, replace(model_file, tensors=tied, config=config))

    assert "V" not in read_model_file(path).tensors


def test_a_projection_and_norms_have_their_place_where_the_config_says_so(
    path: Path, model_file: ModelFile
) -> None:
    whole = {name: t for name, t in tensors().items() if name != "V"}  # E 3, H 2
    whole["P"] = np.ones((3, 2), np.float32)
    norms = {
        f"norms.{layer}.{name}": np.ones(2, np.float32) for layer in (0, 1) for name in ("gain", "shift")
    }
    config = {
        "model": {
            "cell": "elman",
            "embedding_size": 3,
            "hidden_size": 2,
            "num_layers": 2,
            "layer_norm": True,
        },
        "output": {"tie_embeddings": True},
    }
    write_model_file(path, replace(model_file, tensors=whole | norms, config=config))
    assert read_model_file(path).tensors.keys() == (whole | norms).keys()

    metadata = {**METADATA, "config": json.dumps(config)}
    assert refusal_of_content(path, whole, metadata) == (
        "the tensor norms.0.gain is missing; its shape would be (2)."
    )
    assert refusal_of_content(path, {**norms, **whole, "P": np.ones((2, 3), np.float32)}, metadata) == (
        "the tensor P has the shape (2, 3); by the model's config it has to be (3, 2)."
    )
    assert refusal_of_metadata(path, config=with_config("model", "layer_norm", 1)) == (
        "the model's config says layer_norm 1; it has to be true or false."
    )


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


def test_the_same_model_is_always_the_same_bytes(path: Path, model_file: ModelFile) -> None:
    write_model_file(path, model_file)
    content = path.read_bytes()

    write_model_file(path, replace(model_file, tensors=dict(reversed(model_file.tensors.items()))))

    assert path.read_bytes() == content


def test_a_path_with_bytes_that_are_no_text_does_not_keep_a_model_from_being_written(
    path: Path, model_file: ModelFile
) -> None:
    write_model_file(path, replace(model_file, training_data={"path": "caf\udce9.txt"}))

    assert read_model_file(path).training_data == {"path": "caf\udce9.txt"}


GIVE = "Give the model.safetensors that `rnn train` wrote."
NOT_OURS = f"this file was not written by rnn_cli. {GIVE}"
DAMAGED = "the file is damaged or cut off. Copy it again."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", NOT_OURS),
        (b"My favourite dish is sushi.\n", NOT_OURS),
        (save({"W": np.ones(3)}, {"format": "pt"}), NOT_OURS),
        (
            pickle.dumps({"W": [1.0]}),
            "this is a pickle, as torch.save writes it. Opening one can run any code, so rnn_cli never does. "
            + GIVE,
        ),
        (
            struct.pack("<Q", 1000) + b"{}",
            "the file is cut off: its header alone is 1,000 bytes long, and there are only 2. Copy it again.",
        ),
        (struct.pack("<Q", 8) + b"{[1, 2]}", DAMAGED),
    ],
)
def test_the_command_line_refuses_it_in_one_line(rnn: Rnn, path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)

    assert rnn("complete", "the cat", "-m", str(path)) == Result(1, "", f"error: {path}: {message}\n")
    assert refusal(path) == message


def test_a_checkpoint_is_no_model(path: Path) -> None:
    assert (
        refusal_of_metadata(path, format="rnn_cli checkpoint")
        == f"this file of rnn_cli is not a model. {GIVE}"
    )


def test_a_newer_format_is_refused(path: Path) -> None:
    assert refusal_of_metadata(path, format_version="3\n" * 999).isprintable()
    assert refusal_of_metadata(path, format_version="3") == (
        "the model file has format version '3'; this rnn_cli reads versions 1 and 2. A newer rnn_cli may read it."
    )


def test_a_header_without_its_texts_is_refused(path: Path) -> None:
    metadata = {key: text for key, text in METADATA.items() if key != "tokenizer"}

    message = refusal_of_content(path, tensors(), metadata)

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
        {
            "model": {"cell": "elman", "embedding_size": 3, "hidden_size": 2},
            "output": {"tie_embeddings": True},
        }
    )

    assert refusal_of_metadata(path, config=config) == ("the model's config is not complete ('num_layers').")
    assert refusal_of_metadata(path, config="{}") == "the model's config is not complete ('model')."


def test_texts_made_to_fill_the_memory_are_refused_unread(path: Path) -> None:
    start = time.perf_counter()

    assert refusal_of_metadata(path, metrics='{"a": [' + "[]," * 3_400_000 + "[]]}") == (
        "the model's metrics is 10,200,011 characters long; 10,000,000 are allowed."
    )
    assert time.perf_counter() - start < 5


def test_what_would_be_refused_is_not_written(path: Path, model_file: ModelFile) -> None:
    files = [{"name": "x" * 940, "sha256": "0" * 64, "bytes": 1}] * 10_000
    with pytest.raises(ModelFileError) as error:
        write_model_file(path, replace(model_file, training_data={"files": files}))
    assert str(error.value) == (
        f"{path}: the model's training_data would be 10,440,011 characters long; 10,000,000 are allowed. "
        "Where it lists very many texts, join them into fewer files."
    )
    assert not path.exists()


def test_a_link_to_a_model_is_followed(path: Path, model_file: ModelFile) -> None:
    write_model_file(path, model_file)
    link, folder = path.with_name("link"), path.with_name("folder")
    link.symlink_to(path)
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(path)

    assert read_model_file(link).metrics == read_model_file(folder).metrics == model_file.metrics


def test_a_name_that_no_file_can_have_is_refused(path: Path) -> None:
    assert refusal(path.with_name("x" * 300)) == "cannot be read (File name too long)."


def test_a_file_that_may_not_be_read_is_refused(
    path: Path, model_file: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model_file(path, model_file)

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything

    assert refusal(path) == "cannot be read (Permission denied)."
