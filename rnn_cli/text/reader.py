"""Text files as a stream of lines, whatever their encoding, line ends and compression.

A file is read in blocks, so memory does not grow with its size (only with its longest line). Only "\\n",
"\\r\\n" and "\\r" end a line. What was found on the way is kept as `TextFacts`, to be shown and stored.
"""

import codecs
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol, cast

from rnn_cli.errors import TextError

BLOCK_BYTES = 1 << 20

# File name ending -> fsspec's name of the compression.
COMPRESSIONS = {".gz": "gzip", ".xz": "xz", ".bz2": "bz2", ".zst": "zstd"}

# The longer marks first: UTF-32's begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes of all files, both as they lie on disk."""


@dataclass(frozen=True)
class TextFacts:
    """What was found in one text file.

    Attributes:
        path: the file as it was named.
        encoding: the codec that read it; "utf-8-sig" is UTF-8 with a byte order mark.
        line_ends: how often each of "LF", "CRLF" and "CR" ends a line; kinds that do not occur are left out.
        lines: number of lines, blank ones too; a last line needs no line end.
        characters: code points, each line end counted as one.
        bytes: size of the file as it lies on disk.
        sha256: of the file as it lies on disk, in hexadecimal digits.
    """

    path: str
    encoding: str
    line_ends: dict[str, int]
    lines: int
    characters: int
    bytes: int
    sha256: str


def read_lines(paths: Sequence[Path], encoding: str = "auto") -> Iterator[str]:
    """The lines of all files, one after another, without their line ends.

    Args:
        encoding: "auto" (UTF-8, or what a byte order mark says) or the name of a Python codec.

    Raises:
        TextError: when a file is missing, cannot be read, unpacked or decoded, or has no text.
    """
    return iter(TextReader(paths, encoding))


class TextReader:
    """The lines of `read_lines`, and `facts`: one entry for each file that has been read to its end."""

    def __init__(
        self, paths: Sequence[Path], encoding: str = "auto", on_progress: ProgressCallback | None = None
    ) -> None:
        check_encoding(encoding)
        self.facts: list[TextFacts] = []
        self._paths = list(paths)
        self._encoding = encoding
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[str]:
        self.facts = []
        bytes_total = sum(file_status(path).st_size for path in self._paths)
        bytes_before = 0
        for path in self._paths:
            with _opened(path) as file:
                raw = _HashedFile(file)
                decoder = _Decoder(path, self._encoding)
                cutter = _LineCutter()
                for block in _unpacked_blocks(path, raw):
                    yield from cutter.cut(decoder.decode(block, cutter))
                    if self._on_progress:
                        self._on_progress(bytes_before + raw.size, bytes_total)
            yield from cutter.finish()
            if not cutter.has_text:
                raise TextError(f"{path} has no text: it is empty or holds only white space.")
            bytes_before += raw.size
            self.facts.append(_facts(path, raw, decoder, cutter))


def check_encoding(encoding: str) -> None:
    """Raise a TextError unless `encoding` is "auto" or the name of a codec that turns bytes into text."""
    if encoding == "auto":
        return
    try:
        b"text".decode(encoding, "replace")
    except (
        LookupError,
        ValueError,
    ) as error:  # ValueError: codecs that are not for files, such as "undefined"
        raise TextError(
            f"data.encoding is {encoding!r}, which is not an encoding that Python knows. "
            "Allowed are auto and names such as utf-8, utf-16, cp1252 and latin-1."
        ) from error


def file_status(path: Path) -> os.stat_result:
    """The size and times of a file that can be read as text, or a TextError that says why it cannot."""
    with _readable(path):
        status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise TextError(f"{path} is a folder; name a text file.")
    if not stat.S_ISREG(status.st_mode):
        raise TextError(
            f"{path} is not a regular file, and a text is read more than once: save it to a file first."
        )
    return status


def hash_file(path: Path) -> str:
    """The sha256 of a file as it lies on disk, in hexadecimal digits."""
    with _opened(path) as file, _readable(path):
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(path: Path, raw: "_HashedFile", decoder: "_Decoder", cutter: "_LineCutter") -> TextFacts:
    return TextFacts(
        path=str(path),
        encoding=decoder.encoding,
        line_ends={kind: count for kind, count in cutter.line_ends.items() if count},
        lines=cutter.lines,
        characters=cutter.characters,
        bytes=raw.size,
        sha256=raw.sha256.hexdigest(),
    )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into a TextError."""
    try:
        yield
    except FileNotFoundError as error:
        raise TextError(f"There is no file {path}.") from error
    except OSError as error:
        raise TextError(f"{path} cannot be read: {error.strerror or error}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    file_status(path)
    with _readable(path):
        file = path.open("rb")
    with file:
        yield file


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class _HashedFile:
    """The bytes of a file, counted and hashed as they are read."""

    def __init__(self, file: BufferedReader) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.size += len(data)
        self.sha256.update(data)
        return data


def _unpacked_blocks(path: Path, raw: _HashedFile) -> Iterator[bytes]:
    """The bytes of the text, unpacked where the file's name asks for it; an empty block marks the end."""
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        with _readable(path):
            while block := raw.read(BLOCK_BYTES):
                yield block
    else:
        try:
            with closing(_unpacker(compression, raw)) as unpacked:
                while block := unpacked.read(BLOCK_BYTES):
                    yield block
            while raw.read(BLOCK_BYTES):
                pass  # what lies behind the end of the archive is part of the file's hash
        except Exception as error:  # every compression has exceptions of its own
            raise TextError(
                f"{path} cannot be unpacked: it is damaged, cut short or not a {path.suffix} file ({error})."
            ) from error
    yield b""


def _unpacker(compression: str, raw: _HashedFile) -> _Readable:
    from fsspec.compression import compr  # takes 0.2 s: only where a file is compressed

    return cast(_Readable, compr[compression](raw, mode="rb"))


class _Decoder:
    """Bytes to text, block by block."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.encoding = encoding  # the codec's own name, once the first block has been seen
        self._path = path
        self._detects = encoding == "auto"
        self._codec: codecs.IncrementalDecoder | None = None
        self._is_at_start = True
        self._bytes = 0

    def decode(self, block: bytes, cutter: "_LineCutter") -> str:
        """The text of the next block; `cutter` knows in which line an invalid byte lies."""
        codec = self._codec or self._begin(block)
        state = codec.getstate()
        self._bytes += len(block)
        try:
            text = codec.decode(block, final=not block)
        except UnicodeDecodeError as error:
            valid = error.start - (len(error.object) - len(block))  # the object may begin in the block before
            codec.setstate(state)
            cutter.cut(codec.decode(block[: max(valid, 0)]))
            raise TextError(self._complaint(error, cutter.line_at_end)) from error
        except UnicodeError as error:  # such as UTF-16 without a byte order mark
            raise TextError(f"{self._path} cannot be read as {self.encoding}: {error}.") from error
        if self._is_at_start and text:
            text = text.removeprefix("\ufeff")  # a byte order mark that the named codec leaves in the text
            self._is_at_start = False
        return text

    def _begin(self, block: bytes) -> codecs.IncrementalDecoder:
        if self._detects:
            self.encoding = next(
                (name for mark, name in _BYTE_ORDER_MARKS if block.startswith(mark)), "utf-8"
            )
        else:
            self.encoding = codecs.lookup(self.encoding).name
        self._codec = codecs.getincrementaldecoder(self.encoding)()
        return self._codec

    def _complaint(self, error: UnicodeDecodeError, line: int) -> str:
        offset = self._bytes - len(error.object) + error.start
        unpacked = " of the unpacked text" if self._path.suffix.lower() in COMPRESSIONS else ""
        encoding = self.encoding.removesuffix("-sig")
        what = (
            f"{self._path}, line {line}: byte 0x{error.object[error.start]:02X} at offset {offset}{unpacked}"
        )
        if self._detects:
            return (
                f"{what} is not {encoding.upper()}. If the text was written with another encoding, "
                "name it, for instance data.encoding: cp1252."
            )
        return (
            f"{what} is not {encoding}, which data.encoding asks for. Name the encoding that the text was "
            "written with, or let data.encoding: auto find UTF-8 and UTF-16."
        )


class _LineCutter:
    """Cuts blocks of text into lines and counts what it sees."""

    def __init__(self) -> None:
        self.line_ends = {"LF": 0, "CRLF": 0, "CR": 0}
        self.lines = 0
        self.characters = 0
        self.has_text = False
        self._begun: list[str] = []  # parts of a line whose end has not been seen; joined once, however long
        self._held = ""  # a "\r" at the end of a block: the next block tells whether it is half of a "\r\n"

    @property
    def line_at_end(self) -> int:
        """The number, from 1, of the line that the next character belongs to."""
        return self.lines + 1 + len(self._held)

    def cut(self, text: str, *, is_last: bool = False) -> list[str]:
        """The lines that end within the next block of text."""
        text = self._held + text
        self._held = "\r" if text.endswith("\r") and not is_last else ""
        text = self._with_plain_ends(text.removesuffix(self._held))
        self.characters += len(text)
        self.has_text = self.has_text or bool(text.strip())
        first, *others = text.split("\n")
        self._begun.append(first)
        if not others:
            return []
        lines = ["".join(self._begun), *others[:-1]]
        self._begun = [others[-1]]
        self.lines += len(lines)
        return lines

    def finish(self) -> list[str]:
        """The lines that are left when the file ends; the last one needs no line end."""
        lines = self.cut("", is_last=True)
        rest = "".join(self._begun)
        self.lines += bool(rest)
        return [*lines, rest] if rest else lines

    def _with_plain_ends(self, text: str) -> str:
        if "\r" in text:
            pairs = text.count("\r\n")
            text = text.replace("\r\n", "\n")
            singles = text.count("\r")
            text = text.replace("\r", "\n")
        else:
            pairs = singles = 0
        self.line_ends["CRLF"] += pairs
        self.line_ends["CR"] += singles
        self.line_ends["LF"] += text.count("\n") - pairs - singles
        return text
