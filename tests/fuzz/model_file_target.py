"""Model files: what was written, or one message; never a part of it, and never the program's end."""

import json
import math
import random
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnn_cli.errors import ModelFileError
from rnn_cli.inference import TrainedModel
from rnn_cli.model_file import ModelFile, read_model_file, write_model_file
from rnn_cli.model_tensors import CELLS, COUNTS
from rnn_cli.tensor_file import write_tensor_file
from tests.fuzz import nasty
from tests.fuzz.models import KINDS, tiny_model_file

_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    -1,
    2,
    10**9,
    10**400,
    0.5,
    float("nan"),
    "",
    "x",
    [],
    {},
    [1],
    {"a": 1},
    "tanh",
    *CELLS,
)
_ODD_SHAPES = ((), (0,), (0, 5), (1, 1, 1), (2**8, 0), (6,))
_ODD_FLOATS = (math.nan, math.inf, -math.inf, 3e38, -3e38, 1e-45, 1e31, 1e20, 0.0)
_ODD_COUNTS = (-1, 0, 1, 2**53 + 1, 2**63 - 1, -(2**63))
_DTYPES = ("float64", "float16", "int32", "uint8", "bool")


@dataclass(frozen=True)
class _Seed:
    file: ModelFile
    content: bytes
    metadata: dict[str, str]


class ModelFileTarget:
    """Damages good model files byte by byte, and writes files with a right checksum and wrong content."""

    name = "model_file"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "m.safetensors"
        files = [*map(tiny_model_file, KINDS), *(tiny_model_file("word", cell) for cell in CELLS[1:])]
        self._seeds = [self._seed(file) for file in files]

    def _seed(self, file: ModelFile) -> _Seed:
        write_model_file(self._path, file)
        content = self._path.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = {key: text for key, text in header["__metadata__"].items() if key != "sha256"}
        return _Seed(file, content, metadata)

    def make(self, rng: random.Random) -> bytes:
        """A damaged file: half of them pass the checksum, so that what lies behind it is reached."""
        seed = rng.choice(self._seeds)
        if rng.random() < 0.5:
            return _damaged_file(rng, seed.content)
        tensors: dict[str, Any] = dict(seed.file.tensors)
        if seed.file.counts is not None:
            tensors[COUNTS] = seed.file.counts
        metadata = dict(seed.metadata)
        for _ in range(rng.choice((1, 1, 2))):
            if rng.random() < 0.5:
                _change_tensor(rng, tensors)
            else:
                _change_metadata(rng, metadata)
        write_tensor_file(self._path, tensors, metadata)
        return self._path.read_bytes()

    def check(self, data: bytes) -> str | None:
        """The content of a seed, or another one with its own checksum, or a message; then it completes a text."""
        self._path.write_bytes(data)
        try:
            read = read_model_file(self._path)
            model = TrainedModel.from_model_file(read, name=str(self._path))
            results = [model.complete(text, max_words=2) for text in ("My favourite __ is", "It")]
        except ModelFileError as error:
            return self._one_line(str(error))
        for result in results:
            json.dumps(result.to_dict(), allow_nan=False).encode()
        if not any(_same(read, seed.file) for seed in self._seeds):
            self._check_written_again(read)
        return None

    def _check_written_again(self, read: ModelFile) -> None:
        write_model_file(self._path, read)
        again = read_model_file(self._path)
        assert json.dumps(again.config) == json.dumps(read.config), (
            "the config changed"
        )  # NaN is not equal to NaN
        assert again.tokenizer_json == read.tokenizer_json, "the tokenizer changed"
        assert _same_tensors(again, read), "the tensors changed"
        assert np.array_equal(again.counts, read.counts), "the counts changed"  # type: ignore[arg-type]

    def _one_line(self, message: str) -> str:
        assert message.isprintable(), "a message that cannot be printed on one line"
        assert len(message) < 2000, "a message that fills the screen"
        name = f"{self._path}: "
        return message.removeprefix(name)


def _same(one: ModelFile, other: ModelFile) -> bool:
    return (
        one.tokenizer_json == other.tokenizer_json
        and one.config == other.config
        and _same_tensors(one, other)
        and np.array_equal(one.counts, other.counts)  # type: ignore[arg-type]
    )


def _same_tensors(one: ModelFile, other: ModelFile) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        np.array_equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items()
    )


def _damaged_file(rng: random.Random, content: bytes) -> bytes:
    """Bytes changed anywhere, or the header as JSON changed and its length put right."""
    if rng.random() < 0.5:
        return nasty.damaged(rng, content)
    end = 8 + int.from_bytes(content[:8], "little")
    if rng.random() < 0.3:
        text = nasty.damaged(rng, content[8:end])
    else:
        header = json.loads(content[8:end])
        _change_json(rng, header)
        text = json.dumps(header).encode()
    length = len(text) if rng.random() < 0.9 else rng.choice((0, len(text) - 1, 2**31, 2**63, 99_999_999))
    return length.to_bytes(8, "little", signed=False) + text + content[end:]


def _change_metadata(rng: random.Random, metadata: dict[str, str]) -> None:
    key = rng.choice(list(metadata))
    way = rng.randrange(6)
    if way == 0:
        del metadata[key]
    elif way == 1:
        metadata[key] = nasty.damaged(rng, metadata[key].encode()).decode("utf-8", "replace")
    elif way == 2:
        metadata[key] = _whole(nasty.text(rng, ("1", "null", "{}", "[]", '"', "[" * 2000)))
    elif key.startswith("format"):
        metadata[key] = str(rng.choice(("", "2", "-1", "1.0", "é", "\n", "9" * 5000)))
    else:
        with suppress(ValueError, RecursionError):  # damaged before
            value = json.loads(metadata[key])
            if isinstance(value, dict):
                _change_json(rng, value)
                metadata[key] = json.dumps(value)


def _whole(text: str) -> str:
    """Without half surrogates, which no file can hold."""
    return text.encode("utf-8", "ignore").decode()


def _change_json(rng: random.Random, value: Any) -> None:
    """Change, leave out or add something at a random place of a JSON object, in place."""
    holder: Any = value
    while True:
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not places:
            return
        place = rng.choice(places)
        if isinstance(holder[place], (dict, list)) and len(holder[place]) and rng.random() < 0.7:
            holder = holder[place]
            continue
        break
    match rng.randrange(5):
        case 0:
            del holder[place]
        case 1:
            holder[place] = [holder[place]]
        case 2 if isinstance(holder[place], int):
            holder[place] += rng.choice((-1, 1, 2**31, -(2**31), 2**64))
        case 3 if isinstance(holder, dict):
            holder[nasty.text(rng, ("a", "V", "sha256"), 2).encode("utf-8", "ignore").decode()] = holder[
                place
            ]
        case _:
            holder[place] = rng.choice(_ODD_VALUES)


def _change_tensor(rng: random.Random, tensors: dict[str, Any]) -> None:
    name = rng.choice(list(tensors))
    tensor = tensors[name]
    match rng.randrange(9):  # mostly values: only they are accepted
        case 0:
            del tensors[name]
        case 1:
            tensors[rng.choice(("cells.1.W", "V2", "", "é\n", "__metadata"))] = tensor
        case 2:
            tensors[name] = np.zeros(rng.choice(_ODD_SHAPES), np.float32)
        case 3:
            tensors[name] = tensor[:-1] if tensor.ndim else tensor
        case 4:
            tensors[name] = np.zeros(tensor.shape, rng.choice(_DTYPES))
        case _ if tensor.size and tensor.dtype == np.float32:  # not one that was changed before
            changed = tensor.copy()
            changed.flat[rng.randrange(changed.size)] = rng.choice(_ODD_FLOATS)
            tensors[name] = changed if rng.random() < 0.7 else np.full_like(tensor, rng.choice(_ODD_FLOATS))
        case _ if tensor.size and tensor.dtype == np.int64:
            changed = tensor.copy()
            changed.flat[rng.randrange(changed.size)] = rng.choice(_ODD_COUNTS)
            tensors[name] = changed if rng.random() < 0.7 else np.full_like(tensor, rng.choice(_ODD_COUNTS))
