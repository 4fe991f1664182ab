"""Arrays and texts as safetensors: what is written, and what is refused."""

import hashlib
import io
import itertools
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from rnn_cli import tensor_file
from rnn_cli.errors import ModelFileError
from rnn_cli.tensor_file import Arrays, read_metadata, read_tensor_file, write_tensor_file

DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
DTYPES += ["float16", "float32", "float64"]
TEXTS = {"b": 'ü "quoted" \\ and\nthe next line', "a": ""}

DAMAGED = "the file is damaged or cut off. Copy it again."
NOT_OURS = "this file was not written by rnn_cli. Give a file that rnn_cli wrote."
PICKLE = (
    "this is a pickle, as torch.save writes it. Opening one can run any code, so rnn_cli never does. "
    "Give a file that rnn_cli wrote."
)
NO_FILE = "this is a folder, a pipe or a device, not a file. Give a file that rnn_cli wrote."


def arrays() -> Arrays:
    shapes: list[tuple[int, ...]] = [(), (0, 3), (3,), (2, 3)]
    return {
        f"{dtype}{number}": (7 * np.arange(np.prod(shape))).reshape(shape).astype(dtype)
        for dtype, (number, shape) in itertools.product(DTYPES, enumerate(shapes))
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.safetensors"


def refusal(path: Path) -> str:
    """What is said about a file, without its name: a single line."""
    with pytest.raises(ModelFileError) as error:
        read_tensor_file(path)
    message = str(error.value)
    assert message.isprintable()
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def refusal_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return refusal(path)


def with_header(header: object, numbers: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def assert_same(found: Arrays, expected: Arrays) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        np.testing.assert_array_equal(found[name], array)


def test_what_was_written_is_read_and_may_be_changed(path: Path) -> None:
    write_tensor_file(path, arrays(), TEXTS)
    found, texts = read_tensor_file(path)
    assert_same(found, arrays())
    assert texts == TEXTS
    assert all(array.flags.writeable and array.flags.aligned for array in found.values())


def test_a_file_may_hold_nothing_but_texts_or_nothing_at_all(path: Path) -> None:
    for texts in (TEXTS, {}):
        write_tensor_file(path, {}, texts)
        assert read_tensor_file(path) == ({}, texts)


def test_texts_alone_are_read_without_the_numbers(path: Path) -> None:
    write_tensor_file(path, {"a": np.arange(9)}, TEXTS)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert read_metadata(path) == TEXTS
    assert refusal(path) == DAMAGED


def test_numbers_in_another_order_are_written_in_theirs(path: Path) -> None:
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    other_end = np.arange(6, dtype=">i4")
    write_tensor_file(path, {"turned": turned, "every second": turned[::2], "other end": other_end}, {})
    found, _ = read_tensor_file(path)
    np.testing.assert_array_equal(found["turned"], turned)
    np.testing.assert_array_equal(found["every second"], turned[::2])
    np.testing.assert_array_equal(found["other end"], other_end)
    assert found["other end"].dtype == np.int32


def test_the_safetensors_library_reads_the_same_and_each_number_lies_where_it_can_be_mapped(
    path: Path,
) -> None:
    write_tensor_file(path, arrays(), TEXTS)
    assert_same(load_file(path), arrays())
    with safe_open(path, framework="np") as file:
        assert {**file.metadata(), "sha256": ""} == {**TEXTS, "sha256": ""}
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert length % 8 == 0
    for name, array in arrays().items():
        assert header[name]["data_offsets"][0] % array.dtype.itemsize == 0


def test_the_same_content_is_always_the_same_bytes(path: Path) -> None:
    write_tensor_file(path, {"W": np.arange(3, dtype=np.float32), "a": np.ones(1, np.int64)}, TEXTS)
    checked = (
        r'[[["W", "<f4", [3]], ["a", "<i8", [1]]], '
        r'{"a": "", "b": "\u00fc \"quoted\" \\ and\nthe next line"}]'
    )
    sha256 = hashlib.sha256(checked.encode() + struct.pack("<fffq", 0, 1, 2, 1)).hexdigest()
    header = (
        r'{"W":{"data_offsets":[8,20],"dtype":"F32","shape":[3]},'
        r'"__metadata__":{"a":"","b":"ü \"quoted\" \\ and\nthe next line","sha256":"' + sha256 + r'"},'
        r'"a":{"data_offsets":[0,8],"dtype":"I64","shape":[1]}}      '
    )
    content = with_header(header.encode(), struct.pack("<qfff", 1, 0, 1, 2))
    assert path.read_bytes() == content

    write_tensor_file(
        path,
        {"a": np.ones(1, np.int64), "W": np.arange(3, dtype=np.float32)},
        dict(reversed(TEXTS.items())),
    )
    assert path.read_bytes() == content


def test_neither_writing_nor_reading_copies_the_numbers(path: Path) -> None:
    tensors = {name: np.ones(1_000_000, np.float32) for name in "abc"}  # 12 MB
    tracemalloc.start()
    write_tensor_file(path, tensors, {})
    before, peak = tracemalloc.get_traced_memory()
    assert peak < 500_000
    tracemalloc.reset_peak()
    read_tensor_file(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 12_500_000


def test_texts_too_long_for_a_header_are_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_cli.tensor_file._LONGEST_HEADER", 1000)
    with pytest.raises(ModelFileError) as error:
        write_tensor_file(path, {}, {"tokenizer": "x" * 1001})
    assert str(error.value) == (
        f"{path}: its vocabulary and other texts come to 1,112 bytes; a file may have 1,000. "
        "Make the vocabulary smaller."
    )
    assert not path.exists()


def test_a_header_whose_length_looks_like_a_pickle_is_read(path: Path) -> None:
    for start in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        write_tensor_file(path, {}, {"a": ""})
        missing = int.from_bytes(start, "little") - len(path.read_bytes()) + 8
        write_tensor_file(path, {}, {"a": "x" * missing})
        assert path.read_bytes().startswith(start)
        assert read_tensor_file(path) == ({}, {"a": "x" * missing})


def test_a_wrong_bit_anywhere_is_refused_in_one_line(path: Path) -> None:
    tensors: Arrays = {"W": np.arange(600, dtype=np.float32).reshape(20, 30), "b": np.ones(3, np.uint8)}
    write_tensor_file(path, tensors, TEXTS)
    content = path.read_bytes()
    in_header = (len(content) - 2403) * 8
    elsewhere = random.Random(1).sample(range(in_header, len(content) * 8), 2000)
    kept = 0
    with path.open("r+b", buffering=0) as file:
        for bit in [*range(in_header), *elsewhere]:
            byte = content[bit // 8]
            os.pwrite(file.fileno(), bytes([byte ^ 1 << bit % 8]), bit // 8)
            said = outcome(path, tensors, TEXTS)
            assert said.isprintable(), bit  # one line, and nothing that moves the cursor
            kept += said == ""
            os.pwrite(file.fileno(), bytes([byte]), bit // 8)
    assert kept == 0


def outcome(path: Path, tensors: Arrays, texts: dict[str, str]) -> str:
    """What is said about a file; nothing, if it holds exactly this."""
    try:
        found = read_tensor_file(path)
    except ModelFileError as error:
        return str(error)
    assert_same(found[0], tensors)
    assert found[1] == texts
    return ""


def test_a_file_of_any_other_length_is_refused(path: Path) -> None:
    write_tensor_file(path, {"W": np.arange(30, dtype=np.float32)}, {"format": "x"})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    for size in range(9):
        assert refusal_of(path, content[:size]) == NOT_OURS
    for size in range(9, 8 + length):
        assert refusal_of(path, content[:size]) == (
            f"the file is cut off: its header alone is {length:,} bytes long, and there are only "
            f"{size - 8:,}. Copy it again."
        )
    for size in range(8 + length, len(content)):
        assert refusal_of(path, content[:size]) == DAMAGED
    for more in (b"\0", b"0" * 1000):
        assert refusal_of(path, content + more) == DAMAGED


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        (b"{[1, 2]}", b""),
        (b"{", b""),
        (b'{"a": ' + b"[" * 100_000, b""),
        (b'{"a":' * 100_000, b""),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 5]}}, b"00000"),
        ({"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]}}, b"0000"),
        ({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}, b"0000"),
        ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"0000"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, b"0000"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [2**64, 2**64 + 4]}}, b"0000"),
        ({"a": {"dtype": "F32", "shape": [0, 2**63 - 1, 4], "data_offsets": [0, 0]}}, b""),
        ({"a": {"dtype": "U8", "shape": [1] * 65, "data_offsets": [0, 1]}}, b"0"),
        ({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, b"00"),
        ({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"0"),
        ({"a": {"dtype": "NONE", "shape": [1], "data_offsets": [0, 1]}}, b"0"),
        ({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}, b"0"),
    ],
)
def test_a_header_that_claims_what_is_not_so_is_refused(path: Path, header: Any, numbers: bytes) -> None:
    if isinstance(header, dict):
        header["__metadata__"] = {"sha256": "0" * 64}
    assert refusal_of(path, with_header(header, numbers)) == DAMAGED


def torch_zip() -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save({"a": torch.ones(2)}, buffer)
    content: bytes = buffer.getvalue()
    return content


def test_a_pickle_is_never_opened(path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(path.with_name("evil")),))

    for protocol in range(6):
        said = refusal_of(path, pickle.dumps(Evil(), protocol))
        assert said == (PICKLE if protocol >= 2 else NOT_OURS)  # the older ones have no mark of their own
    assert refusal_of(path, torch_zip()) == PICKLE
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"My favourite dish is sushi.\n",
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        b"\x08\x07\x12\x07pytorch\x1a\x052.0.0" + bytes(100),  # as ONNX begins
        b"GGUF\x03\0\0\0" + bytes(100),
        b"\x93NUMPY\x01\0v\0{'descr': '<f4'",
        b'{"model": {}, "format": "rnn_cli"}',
        b"\x1f\x8b\x08\0" + bytes(100),
        bytes(1000),
        b"\xff" * 1000,
        struct.pack("<Q", 2**60) + b"{" * 100,
        struct.pack("<Q", 100_000_001) + b"{" * 100,
        save({"a": np.ones(3)}, {"format": "pt"}),
        save({"a": np.ones(3)}),
    ],
)
def test_a_file_of_another_program_is_refused(path: Path, content: bytes) -> None:
    assert refusal_of(path, content) == NOT_OURS


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        assert refusal(path) == NO_FILE


def test_a_file_that_cannot_be_opened_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(path) == "cannot be read (No such file or directory)."
    path.symlink_to(path)
    assert refusal(path).startswith("cannot be read (")
    assert refusal(path.with_name("x" * 300)) == "cannot be read (File name too long)."

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    assert refusal(path) == "cannot be read (Permission denied)."


def test_a_link_is_followed(path: Path) -> None:
    write_tensor_file(path, arrays(), TEXTS)
    link = path.with_name("link")
    link.symlink_to(path)
    assert_same(read_tensor_file(link)[0], arrays())


def test_a_file_of_terabytes_that_is_mostly_holes_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 2**42
    header = with_header({
        "__metadata__": {"sha256": "0"},
        "a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]},
    })  # fmt: skip
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    sizes = {"SC_PHYS_PAGES": 1_000_000, "SC_PAGE_SIZE": 4096}
    with monkeypatch.context() as patch:
        patch.setattr(os, "sysconf", sizes.__getitem__)
        assert refusal(path) == "the file has 4,398.0 GB, more than the 4.1 GB of memory here."
        sizes["SC_PHYS_PAGES"] = 2**40  # where memory may be promised without end
        assert refusal(path) == "there is not enough memory to read this file."


HOSTILE_HEADERS = """
yield "junk", '{' + 'x' * N
yield "brackets", '{"a":' + '[' * N
yield "braces", '{"__metadata__":' + '{"a":' * (N // 5)
yield "one text", '{"__metadata__":{"sha256":"' + 'x' * N + '"}}'
yield "escapes", '{"__metadata__":{"sha256":"0","a":"' + '\\\\n' * (N // 2) + '"}}'
yield "texts", '{"__metadata__":{"sha256":"0"' + ''.join(f',"{i}":""' for i in range(N // 12)) + '}}'
yield "dimensions", '{' + SHA256 + ',"a":{"dtype":"U8","shape":[' + '1,' * (N // 2) + '1],"data_offsets":[0,1]}}'
tensor = '"%08x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
yield "tensors", '{' + SHA256 + ''.join(',' + tensor % i for i in range(N // 55)) + '}'
"""


def test_headers_made_to_fill_the_memory_are_refused_in_little_time_and_memory(path: Path) -> None:
    headers = HOSTILE_HEADERS.replace("\n", "\n    ")
    script = f"""
import resource, struct, sys, time
from pathlib import Path
from rnn_cli.errors import ModelFileError
from rnn_cli.tensor_file import read_tensor_file
SHA256 = '"__metadata__":{{"sha256":"0"}}'
def headers(N):
    {headers}
path = Path({str(path)!r})
resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000))
for N in (4_000_000, 16_000_000):
    for name, header in headers(N):
        path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"0")
        del header
        start = time.perf_counter()
        try:
            read_tensor_file(path)
        except ModelFileError as error:
            assert str(error) == f"{{path}}: {DAMAGED}", error
        else:
            raise AssertionError(name)
        assert time.perf_counter() - start < 5, (name, N)  # far more than it takes
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=environment)


@pytest.mark.parametrize("times", [1, 3])
def test_a_file_that_another_takes_the_place_of_while_it_is_read_is_read_again(
    path: Path, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `rnn complete` reads the model of a run that goes on."""
    write_tensor_file(path, {"W": np.zeros(3, np.float32)}, {"number": "0"})
    written: list[int] = []

    def replace_after(header_text: Callable[[Path, str], bytes]) -> Callable[[Path, str], bytes]:
        def read(path: Path, mend: str) -> bytes:
            text = header_text(path, mend)
            if len(written) < times:
                written.append(len(written) + 1)
                texts = {"number": str(written[-1]), "longer": "x" * 100 * written[-1]}
                write_tensor_file(path, {"W": np.full(3, written[-1], np.float32)}, texts)
            return text

        return read

    monkeypatch.setattr(tensor_file, "_header_text", replace_after(tensor_file._header_text))
    tensors, texts = read_tensor_file(path)
    assert texts["number"] == str(times)
    assert tensors["W"].tolist() == [times] * 3


def test_a_damaged_file_that_stays_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tensor_file(path, {"W": np.zeros(3, np.float32)}, {})
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    header_text = tensor_file._header_text
    times: list[Path] = []

    def counted(path: Path, mend: str) -> bytes:
        times.append(path)
        return header_text(path, mend)

    monkeypatch.setattr(tensor_file, "_header_text", counted)
    assert refusal(path) == DAMAGED
    assert len(times) == 1
