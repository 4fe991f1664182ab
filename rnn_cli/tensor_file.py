"""Named arrays and texts in one file: safetensors, whole or not there, with a checksum over everything in it.

A safetensors file is 8 bytes of length, so many bytes of JSON that say what each tensor is called, its dtype, its
shape and where its numbers lie, then the numbers. Nothing in it can be run. Its texts (`__metadata__`) hold a
`sha256` besides those that were given, so that a file with a single wrong bit is refused.

The safetensors library judges the headers. It does not write the file, because its texts then come in an order that
changes from process to process, all numbers are copied twice, and a full disk is no OSError. It does not read the
numbers either, because it panics where there is too little memory for them.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from rnn_cli.errors import ModelFileError
from rnn_cli.files import atomic_write

Arrays = dict[str, npt.NDArray[Any]]
Read = TypeVar("Read")

_LONGEST_HEADER = 100_000_000  # bytes; what the safetensors library accepts at most
# Besides its texts a header has some 50 characters and 10 quotation marks for each tensor. Many more of them would
# be a quick way to fill the memory with small objects.
_MOST_STRUCTURE = 5_000_000
_MOST_QUOTES = 1_000_000
_MOST_READINGS = 20  # of a file that is replaced again and again
# What torch.save writes (a zip), and pickle.dump in protocols 2 to 5.
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_DTYPES = {
    "BOOL": np.dtype("?"),
    **{f"{kind.upper()}{8 * size}": np.dtype(f"<{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class _Header:
    """What stands before the numbers.

    Attributes:
        texts: the metadata, `sha256` included.
        tensors: dtype and shape by name.
        length: bytes from the start of the file to the numbers.
    """

    texts: dict[str, str]
    tensors: dict[str, tuple[np.dtype[Any], list[int]]]
    length: int


def write_tensor_file(
    path: Path, tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write arrays and texts to `path`, whole or not at all. The same content makes the same bytes.

    Args:
        tensors: booleans, whole numbers or floats of any shape. They are not copied if they lie in C order.
        metadata: texts under any names but `sha256`.

    Raises:
        ModelFileError: the texts are longer than a header may be.
        OSError: the file cannot be written; one that was there before stays.
    """
    dtypes = {name: array.dtype for name, array in tensors.items()}
    arrays = {name: _in_order(tensors[name]) for name in _order(dtypes)}
    header: dict[str, Any] = {"__metadata__": {**metadata, "sha256": _checksum(arrays, metadata)}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        dtype = _DTYPE_NAMES[array.dtype]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST_HEADER:
        raise ModelFileError(
            f"{path}: its vocabulary and other texts come to {len(text):,} bytes; a file may have "
            f"{_LONGEST_HEADER:,}. Make the vocabulary smaller."
        )
    with atomic_write(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(_bytes(array))


def read_tensor_file(
    path: Path, *, mend: str = "Give a file that rnn_cli wrote."
) -> tuple[Arrays, dict[str, str]]:
    """Read what `write_tensor_file` wrote: the arrays, writable, and the texts.

    Time and memory are bounded by the size of the file, whatever its header claims.

    Args:
        mend: the last sentence of a message about a file that is not one of ours.

    Raises:
        ModelFileError: there is no such file, or it is not exactly what was written.
    """
    return _read_at_rest(path, lambda: _read(path, mend))


def read_metadata(path: Path, *, mend: str = "Give a file that rnn_cli wrote.") -> dict[str, str]:
    """Only the texts of a file. The numbers are not read, so the checksum is not compared.

    Raises:
        ModelFileError: there is no such file, or its header cannot be one that was written here.
    """
    texts = _read_at_rest(path, lambda: _read_header(path, mend)).texts
    return {name: text for name, text in texts.items() if name != "sha256"}


def _read_at_rest(path: Path, read: Callable[[], Read]) -> Read:
    """Read again where another file took the place of this one meanwhile, as a training's better model does.

    The file is opened more than once, so header and numbers can be those of two files.
    """
    for _ in range(_MOST_READINGS - 1):
        before = _identity(path)
        try:
            with _one_message(path):
                return read()
        except ModelFileError:
            if _identity(path) == before:
                raise
    with _one_message(path):
        return read()


def _identity(path: Path) -> tuple[int, int, int] | None:
    """By which a file is told from one that takes its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _read(path: Path, mend: str) -> tuple[Arrays, dict[str, str]]:
    header = _read_header(path, mend)
    order = _order({name: dtype for name, (dtype, _) in header.tensors.items()})
    with path.open("rb") as file:
        file.seek(header.length)
        arrays = {name: _read_array(file, *header.tensors[name]) for name in order}
    texts = dict(header.texts)
    if texts.pop("sha256") != _checksum(arrays, texts):
        raise SafetensorError("the checksum is another one")
    return arrays, texts


@contextmanager
def _one_message(path: Path) -> Iterator[None]:
    """Whatever keeps a file from being read, in our words."""
    try:
        yield
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except MemoryError as error:
        raise ModelFileError(f"{path}: there is not enough memory to read this file.") from error
    except SafetensorError as error:
        raise ModelFileError(f"{path}: the file is damaged or cut off. Copy it again.") from error


def _read_header(path: Path, mend: str) -> _Header:
    text = _header_text(path, mend)
    _check_structure(text)
    with safe_open(path, framework="np") as file:
        texts = file.metadata() or {}
        if "sha256" not in texts:
            raise ModelFileError(f"{path}: this file was not written by rnn_cli. {mend}")
        tensors = {}
        for name in file.keys():  # noqa: SIM118 - no mapping
            form = file.get_slice(name)
            if form.get_dtype() not in _DTYPES:
                raise SafetensorError(f"NumPy has no {form.get_dtype()}")
            tensors[name] = (_DTYPES[form.get_dtype()], form.get_shape())
    return _Header(texts, tensors, 8 + len(text))


def _header_text(path: Path, mend: str) -> bytes:
    """The JSON at the beginning, if the file may be one of ours: 8 bytes of a length, then so many of JSON."""
    if path.exists() and not path.is_file():  # a pipe could be waited for without end
        raise ModelFileError(f"{path}: this is a folder, a pipe or a device, not a file. {mend}")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(9)
        length = int.from_bytes(start[:8], "little")
        if length > _LONGEST_HEADER or start[8:] != b"{":
            # Only now: the length of a header may happen to look like the beginning of a pickle.
            if start.startswith(_PICKLE_STARTS):
                raise ModelFileError(
                    f"{path}: this is a pickle, as torch.save writes it. Opening one can run any code, so rnn_cli "
                    f"never does. {mend}"
                )
            raise ModelFileError(f"{path}: this file was not written by rnn_cli. {mend}")
        if length > size - 8:
            raise ModelFileError(
                f"{path}: the file is cut off: its header alone is {length:,} bytes long, and there are only "
                f"{size - 8:,}. Copy it again."
            )
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if size > memory:  # a file with holes is as large as it says at no cost
            raise ModelFileError(
                f"{path}: the file has {size / 1e9:,.1f} GB, more than the {memory / 1e9:,.1f} GB of memory here."
            )
        file.seek(8)
        return file.read(length)


def _check_structure(header: bytes) -> None:
    """See that there is not much in a header besides long texts, before objects are made of it."""
    # Without escapes each quotation mark begins or ends a text.
    unescaped = header.replace(rb"\\", b"").replace(rb"\"", b"")
    quotes = unescaped.count(b'"')
    if quotes > _MOST_QUOTES or sum(map(len, unescaped.split(b'"')[::2])) > _MOST_STRUCTURE:
        raise SafetensorError("the header has more in it than any file of rnn_cli")


def _order(dtypes: Mapping[str, np.dtype[Any]]) -> list[str]:
    """The names as their numbers follow each other: largest dtype first, so that each can be mapped, then by name."""
    return sorted(dtypes, key=lambda name: (-dtypes[name].itemsize, name))


def _read_array(file: IO[bytes], dtype: np.dtype[Any], shape: list[int]) -> npt.NDArray[Any]:
    try:
        array = np.empty(shape, dtype)
    except ValueError as error:  # too many dimensions, or a size beyond all numbers beside one of 0
        raise SafetensorError(str(error)) from error
    if file.readinto(_bytes(array)) != array.nbytes:  # type: ignore[attr-defined]
        raise SafetensorError("the file became shorter while it was read")
    return array


def _checksum(arrays: Mapping[str, npt.NDArray[Any]], texts: Mapping[str, str]) -> str:
    """The sha256 of names, dtypes, shapes and texts as JSON, then of the numbers, by name."""
    by_name = sorted(arrays.items())
    forms = [[name, array.dtype.str, array.shape] for name, array in by_name]
    digest = hashlib.sha256(json.dumps([forms, texts], sort_keys=True).encode("ascii"))
    for _, array in by_name:
        digest.update(_bytes(array))
    return digest.hexdigest()


def _in_order(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in C order with the lowest byte first; itself, if it is so."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    """The array's own memory, byte by byte."""
    return array.reshape(-1).view(np.uint8).data
