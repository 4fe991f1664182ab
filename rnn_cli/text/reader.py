"""Text files as a stream of lines, whatever their encoding, line ends and compression.

A file is read in blocks, so memory does not grow with its size (only with its longest line). Only "\\n",
"\\r\\n" and "\\r" end a line. What was found on the way is kept as `TextFacts`, to be shown and stored.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Protocol, cast

from rnn_cli.errors import TextError
from rnn_cli.text.encoding import (
    COMPRESSIONS,
    INVALID,
    Encoding,
    check_encoding,
    find_encoding,
    incremental_decoder,
)

BLOCK_BYTES = 1 << 20

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes of all files, both as they lie on disk."""


@dataclass(frozen=True)
class TextFacts:
    """What was found in one text file.

    Attributes:
        path: the file as it was named.
        encoding: the codec that read it; "utf-8-sig" is UTF-8 with a byte order mark.
        encoding_is_a_guess: it is a single-byte encoding, taken only because the bytes are not UTF-8.
        invalid_bytes: how many bytes the encoding does not know; each became a U+FFFD.
        first_invalid_line: the number, from 1, of the line of the first of them; None without any.
        line_ends: how often each of "LF", "CRLF" and "CR" ends a line; kinds that do not occur are left out.
        lines: number of lines, blank ones too; a last line needs no line end.
        characters: code points, each line end counted as one.
        bytes: size of the file as it lies on disk.
        sha256: of the file as it lies on disk, in hexadecimal digits.
    """

    path: str
    encoding: str
    encoding_is_a_guess: bool
    invalid_bytes: int
    first_invalid_line: int | None
    line_ends: dict[str, int]
    lines: int
    characters: int
    bytes: int
    sha256: str


def read_lines(paths: Sequence[Path], encoding: str = "auto") -> Iterator[str]:
    """The lines of all files, one after another, without their line ends.

    Args:
        encoding: "auto" (found out from the bytes, see `find_encoding`) or the name of a Python codec.

    Raises:
        TextError: when a file is missing, cannot be read or unpacked, is binary or empty, or mostly undecodable.
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

    @property
    def file(self) -> int:
        """The number, from 0, of the file that the latest line is from."""
        return len(self.facts)  # those of a file come when it has been read to its end

    def __iter__(self) -> Iterator[str]:
        self.facts = []
        bytes_total = sum(file_status(path).st_size for path in self._paths)
        bytes_before = 0
        for path in self._paths:
            encoding = find_encoding(path, self._encoding, partial(blocks_of, path))
            with _opened(path) as file:
                raw = _HashedFile(file)
                decoder = _Decoder(path, encoding.name)
                cutter = _LineCutter()
                for block in _unpacked_blocks(path, raw):
                    yield from cutter.cut(decoder.decode(block))
                    if self._on_progress:
                        self._on_progress(bytes_before + raw.size, bytes_total)
            yield from cutter.finish()
            _check_text(path, encoding, cutter)
            bytes_before += raw.size
            self.facts.append(_facts(path, raw, encoding, cutter))


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


def _check_text(path: Path, encoding: Encoding, cutter: "_LineCutter") -> None:
    """Refuse a file that was read to its end and gave no text."""
    if not cutter.has_text:
        raise TextError(f"{path} has no text: it is empty or holds only white space. Leave it out.")
    if 2 * cutter.invalid_bytes > cutter.characters:
        raise TextError(
            f"{path} cannot be read as {encoding.name}: {cutter.invalid_bytes:,} bytes are invalid, and only "
            f"{cutter.characters - cutter.invalid_bytes:,} characters are not. Name the encoding that the text was "
            "written with in data.encoding; auto finds it out from the bytes."
        )


def _facts(path: Path, raw: "_HashedFile", encoding: Encoding, cutter: "_LineCutter") -> TextFacts:
    return TextFacts(
        path=str(path),
        encoding=encoding.name,
        encoding_is_a_guess=encoding.is_guess,
        invalid_bytes=cutter.invalid_bytes,
        first_invalid_line=cutter.first_invalid_line,
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


def blocks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file from its beginning on, unpacked where its name asks for it; an empty block marks the end.

    Raises:
        TextError: it cannot be read or unpacked.
    """
    with _opened(path) as file:
        yield from _unpacked_blocks(path, file)


def _unpacked_blocks(path: Path, raw: "_HashedFile | BufferedReader") -> Iterator[bytes]:
    """See `blocks_of`."""
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
            if "too much memory" in str(error):
                raise TextError(
                    f"{path} needs more memory to be unpacked than is given to that (zstd --long). Pack it anew "
                    "without --long."
                ) from error
            raise TextError(
                f"{path} cannot be unpacked: it is damaged, cut short or not a {path.suffix} file ({error})."
            ) from error
    yield b""


def _unpacker(compression: str, raw: "_HashedFile | BufferedReader") -> _Readable:
    from fsspec.compression import compr  # takes 0.2 s: only where a file is compressed

    return cast(_Readable, compr[compression](raw, mode="rb"))


# What gives no halves of surrogate pairs; a few odd codecs, such as utf-7, can.
_WITHOUT_SURROGATES = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Decoder:
    """Bytes to text, block by block, with `INVALID` for each byte that cannot be decoded."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self._codec = incremental_decoder(encoding)
        self._is_at_start = True

    def decode(self, block: bytes) -> str:
        """The text of the next block; an empty block marks the end."""
        try:
            text = self._codec.decode(block, final=not block)
        except UnicodeError as error:
            reason = str(error)
            if self._encoding in {"utf-16", "utf-32"}:
                reason = (
                    "it does not begin with a byte order mark. "
                    f"Set data.encoding to {self._encoding}-le or {self._encoding}-be, or to auto"
                )
            raise TextError(f"{self._path} cannot be read as {self._encoding}: {reason}.") from error
        if not text.isascii() and self._encoding not in _WITHOUT_SURROGATES:
            text = _SURROGATE.sub(INVALID, text)
        if self._is_at_start and text:
            text = text.removeprefix("\ufeff")  # a byte order mark that the named codec leaves in the text
            self._is_at_start = False
        return text


class _LineCutter:
    """Cuts blocks of text into lines and counts what it sees."""

    def __init__(self) -> None:
        self.line_ends = {"LF": 0, "CRLF": 0, "CR": 0}
        self.lines = 0
        self.characters = 0
        self.has_text = False
        self.invalid_bytes = 0
        self.first_invalid_line: int | None = None
        self._begun: list[str] = []  # parts of a line whose end has not been seen; joined once, however long
        self._held = ""  # a "\r" at the end of a block: the next block tells whether it is half of a "\r\n"

    def cut(self, text: str, *, is_last: bool = False) -> list[str]:
        """The lines that end within the next block of text."""
        text = self._held + text
        self._held = "\r" if text.endswith("\r") and not is_last else ""
        text = self._with_plain_ends(text.removesuffix(self._held))
        if INVALID in text:
            text = self._without_invalid(text)
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

    def _without_invalid(self, text: str) -> str:
        if self.first_invalid_line is None:
            self.first_invalid_line = self.lines + 1 + text.count("\n", 0, text.index(INVALID))
        self.invalid_bytes += text.count(INVALID)
        return text.replace(INVALID, "\ufffd")
