"""The one file that a trained model is: its weights, and everything needed to use them, without pickle.

A safetensors file, read and written by `tensor_file`. Its tensors are float32, in the letters of the equations
h_t = f(W·[h_{t-1}, x_t] + b), or those of another cell, and y_t = g(V·h_t + c):

    embedding    (vocab_size, E)      x_t, one row for each token
    cells.{i}.W  (H, H + E_i)         columns in the order [h_{t-1}, x_t]; E_0 = E, E_i = H above the first layer
    cells.{i}.b  (H,)
    V            (vocab_size, H)      absent with `output.tie_embeddings`: then V is the embedding
    P            (E, H)               there if V is the embedding and E is not H: V reads P·h_t in place of h_t
    c            (vocab_size,)
    norms.{i}.gain, norms.{i}.shift   (H,), there with `model.layer_norm`

The gates of gru and lstm stand one below the other in W and b, in the orders r, z, n and i, f, g, o. mogrifier has
those of lstm, and beside them cells.{i}.L (3·E_i + 2·H, K) and cells.{i}.R (3·H + 2·E_i, K), K = min(64, E_i, H).
The W of indrnn is (H, E_i), beside cells.{i}.u (H,).

With `model.direction: both` the network that reads backwards has tensors of the same shapes, under names that begin
with `backward.`; with `backward` it is the only one, and its names are those above.

Besides the weights there is one tensor of int64, for all its networks:

    counts       (vocab_size,)        how often each token stands in the training text

Its metadata are texts: `format` is "rnn_cli", `format_version` "2", or "1" for a file without counts, as all were
once (programs of that time refuse a tensor that they do not know); `config` (the resolved config), `tokenizer`,
`training_data` (where the text came from) and `metrics` (what the model reached) are JSON. So is `calibration`, which
is there once `rnn eval --calibrate` has fitted a `temperature`, `mixture`, with the `forward_weight` of a pair, and
`additions`, once `rnn eval --fit` has fitted the numbers of what is added at prediction time.
"""

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnn_cli.errors import ModelFileError
from rnn_cli.model_tensors import BACKWARD, COUNTS, Counts, Tensors, check_finite, check_tensors
from rnn_cli.tensor_file import Arrays, read_tensor_file, write_tensor_file

FORMAT = "rnn_cli"
FORMAT_VERSION = 2
WITHOUT_COUNTS = 1  # the version of a file that lacks them
NAME_IN_RUN_FOLDER = "model.safetensors"

_MEND = f"Give the {NAME_IN_RUN_FOLDER} that `rnn train` wrote."
_LONGEST_JSON = 10_000_000  # characters; as Python objects they may take thirty times as many bytes


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Attributes:
        tensors: the weights by name, float32.
        config: the whole resolved config of the training.
        tokenizer_json: what `Tokenizer.to_json` wrote.
        training_data: where the training text came from.
        metrics: what the model reached.
        calibration: the temperature of its probabilities, and what it was fitted on; None where none was.
        mixture: how much a pair's first network weighs against its second, and what that was fitted on; None where
            it was not.
        additions: fitted numbers of what is added at prediction time, by the name of the combination; None: none.
        counts: how often each token stands in the training text, (vocab_size,); None in files from before there were
            any.
    """

    tensors: Tensors
    config: dict[str, Any]
    tokenizer_json: str
    training_data: dict[str, Any]
    metrics: dict[str, Any]
    calibration: dict[str, Any] | None = None
    mixture: dict[str, Any] | None = None
    additions: dict[str, Any] | None = None
    counts: Counts | None = None

    @property
    def direction(self) -> str:
        """From which end its networks read; models from before there was a choice read forward."""
        return str(self.config["model"].get("direction", "forward"))

    def network(self, *, backwards: bool) -> Tensors:
        """The tensors of one network of a pair, under the names of a single one."""
        return {
            name.removeprefix(BACKWARD): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(BACKWARD) == backwards
        }


def write_model_file(path: Path, model_file: ModelFile) -> None:
    """Write `model_file` to `path`, whole or not at all.

    Raises:
        ModelFileError: the tensors are not those that the config describes, or a text is too long to be read again.
    """
    tensors: Arrays = {**model_file.tensors}
    version = WITHOUT_COUNTS
    if model_file.counts is not None:
        tensors[COUNTS], version = model_file.counts, FORMAT_VERSION
    check_tensors(path, tensors, model_file.config, counted=model_file.counts is not None)
    check_lengths(path, model_file)
    metadata = {
        "format": FORMAT,
        "format_version": str(version),
        "config": _to_json(model_file.config),
        "tokenizer": model_file.tokenizer_json,
        "training_data": _to_json(model_file.training_data),
        "metrics": _to_json(model_file.metrics),
    }
    if model_file.calibration is not None:
        metadata["calibration"] = _to_json(model_file.calibration)
    if model_file.mixture is not None:
        metadata["mixture"] = _to_json(model_file.mixture)
    if model_file.additions is not None:
        metadata["additions"] = _to_json(model_file.additions)
    write_tensor_file(path, tensors, metadata)


def check_lengths(path: Path, model_file: ModelFile) -> None:
    """Nothing is written that `read_model_file` would refuse.

    Raises:
        ModelFileError: a text is too long.
    """
    for key in ("config", "training_data", "metrics", "calibration", "mixture", "additions"):
        length = len(_to_json(getattr(model_file, key) or {}))
        if length > _LONGEST_JSON:
            raise ModelFileError(
                f"{path}: the model's {key} would be {length:,} characters long; {_LONGEST_JSON:,} are allowed. "
                "Where it lists very many texts, join them into fewer files."
            )


def read_model_file(path: Path) -> ModelFile:
    """Read a model file, or the one in a run folder.

    Nothing in the file is run, and time and memory are bounded by its size, whatever it claims.

    Raises:
        ModelFileError: there is no such file, or it is not a whole model file that this version can read.
    """
    path = find_model_file(path)
    tensors, metadata = read_tensor_file(path, mend=_MEND)
    version = _checked_version(path, metadata)
    config = _read_json(path, metadata, "config")
    check_tensors(path, tensors, config, counted=version != WITHOUT_COUNTS)
    check_finite(path, tensors)
    counts = tensors.pop(COUNTS, None)
    return ModelFile(
        tensors=tensors,
        config=config,
        tokenizer_json=metadata["tokenizer"],
        training_data=_read_json(path, metadata, "training_data"),
        metrics=_read_json(path, metadata, "metrics"),
        calibration=_read_json(path, metadata, "calibration") if "calibration" in metadata else None,
        mixture=_read_json(path, metadata, "mixture") if "mixture" in metadata else None,
        additions=_read_json(path, metadata, "additions") if "additions" in metadata else None,
        counts=counts,
    )


def store_fitted(
    path: Path, *, calibration: dict[str, Any] | None = None, mixture: dict[str, Any] | None = None
) -> None:
    """Put what was fitted into a model file, or the one in a run folder; all else in it stays. Whole or not at all.

    Raises:
        ModelFileError: it is no model file, or cannot be written.
    """
    path = find_model_file(path)
    model_file = read_model_file(path)
    model_file = replace(
        model_file, calibration=calibration or model_file.calibration, mixture=mixture or model_file.mixture
    )
    _write_again(path, model_file)


def store_addition(path: Path, combination: str, numbers: dict[str, Any]) -> None:
    """Put the fitted numbers of one combination into a model file; all else in it stays. Whole or not at all.

    Raises:
        ModelFileError: it is no model file, or cannot be written.
    """
    path = find_model_file(path)
    model_file = read_model_file(path)
    _write_again(path, replace(model_file, additions={**(model_file.additions or {}), combination: numbers}))


def forget_additions(path: Path, name: str) -> bool:
    """Take out of a model file what was fitted together with an addition, such as ngram. Whether there was any.

    Raises:
        ModelFileError: it is no model file, or cannot be written.
    """
    path = find_model_file(path)
    model_file = read_model_file(path)
    fitted = model_file.additions or {}
    kept = {key: numbers for key, numbers in fitted.items() if name not in key.split("+")}
    if len(kept) == len(fitted):
        return False
    _write_again(path, replace(model_file, additions=kept or None))
    return True


def _write_again(path: Path, model_file: ModelFile) -> None:
    try:
        write_model_file(path, model_file)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be written ({error.strerror or error}).") from error


def find_model_file(path: Path) -> Path:
    """The path, or that of the model in it if it is the folder of a run.

    Raises:
        ModelFileError: there is no such file.
    """
    try:
        if path.is_dir():
            if not (path / NAME_IN_RUN_FOLDER).is_file():
                raise ModelFileError(
                    f"{path}: this folder holds no {NAME_IN_RUN_FOLDER}; give a model file or the folder of a run."
                )
            return path / NAME_IN_RUN_FOLDER
        if not path.exists():
            raise ModelFileError(f"{path}: there is no such file. Give a model file or the folder of a run.")
    except OSError as error:  # a name too long, or a folder that may not be entered
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return path


def _checked_version(path: Path, metadata: Mapping[str, str]) -> int:
    if metadata.get("format") != FORMAT:
        raise ModelFileError(f"{path}: this file of rnn_cli is not a model. {_MEND}")
    version = metadata.get("format_version")
    if version not in (str(WITHOUT_COUNTS), str(FORMAT_VERSION)):
        raise ModelFileError(
            f"{path}: the model file has format version {reprlib.repr(version)}; this rnn_cli reads "
            f"versions {WITHOUT_COUNTS} and {FORMAT_VERSION}. A newer rnn_cli may read it."
        )
    for key in ("config", "tokenizer", "training_data", "metrics"):
        if key not in metadata:
            raise ModelFileError(f"{path}: the model file is damaged: its header has no text {key}.")
    return int(version)


def _read_json(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    text = metadata[key]
    if len(text) > _LONGEST_JSON:
        raise ModelFileError(
            f"{path}: the model's {key} is {len(text):,} characters long; {_LONGEST_JSON:,} are allowed."
        )
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelFileError(f"{path}: the model file is damaged: its {key} is not a JSON object.")
    return value


def _to_json(value: dict[str, Any]) -> str:
    return json.dumps(value)  # in ASCII: a path may hold bytes that are no text, and these cannot be written
