"""What the bytes of a file are: text, in which encoding, or something that is no text at all."""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnn_cli.errors import TextError

# File name ending -> fsspec's name of the compression.
COMPRESSIONS = {".gz": "gzip", ".xz": "xz", ".bz2": "bz2", ".zst": "zstd"}

INVALID = "\udfff"
"""Stands in decoded text for a byte that its encoding does not know. No codec for text makes it by itself."""

# The longer marks first: UTF-32's begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED = (
    (b"\x1f\x8b\x08", ".gz"),
    (b"\xfd7zXZ\0", ".xz"),
    (b"BZh", ".bz2"),
    (b"\x28\xb5\x2f\xfd", ".zst"),
)
_NO_TEXTS = (
    (b"PK\x03\x04", "a ZIP archive, as documents such as .docx, .odt and .epub are, too"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a Java class or a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
)
_TAR_AT = 257  # where a tar archive says "ustar"

_LOOKED_AT = 1 << 16  # bytes at the beginning that show whether a file is text
_MOSTLY = 0.8  # share of places with a NUL that makes ASCII of a UTF-16 text
# Tab, the line ends, form feed, backspace and escape occur in texts that were made for a printer or terminal.
_NOT_IN_TEXT = re.compile("[\0-\x07\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")
_FEW = 4
_MOST_IN_TEXT = {False: 0.3, True: 0.1}  # by whether there are bytes that are not UTF-8

_UNDEFINED_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_ASCII = bytes(range(128))


@dataclass(frozen=True)
class Encoding:
    """What a text is read with.

    Attributes:
        name: of the codec.
        is_guess: whether it is a single-byte encoding that was taken only because the bytes are not UTF-8.
    """

    name: str
    is_guess: bool = False


def check_encoding(encoding: str) -> None:
    """Raise a TextError unless `encoding` is "auto" or the name of a codec that turns bytes into text."""
    if encoding == "auto":
        return
    try:
        b"text".decode(encoding, "replace")
    # ValueError: codecs that are not for files, such as "undefined"
    except (LookupError, ValueError) as error:
        raise TextError(
            f"data.encoding is {encoding!r}, which is not an encoding that Python knows. "
            "Allowed are auto and names such as utf-8, utf-16, cp1252 and latin-1."
        ) from error


def find_encoding(path: Path, asked: str, read: Callable[[], Iterable[bytes]]) -> Encoding:
    """The encoding of a text: the one that was `asked` for, or with "auto" what its bytes say.

    A byte order mark decides; then NUL bytes at every second place (UTF-16); then whether all of it is UTF-8.
    If not, it is UTF-8 with some damage where it holds more valid characters beyond ASCII than invalid bytes,
    and else a single-byte encoding, cp1252 or latin-1.

    Args:
        path: names the file in messages, and its ending says how it is packed.
        read: begins to read the file anew, unpacked and block by block.

    Raises:
        TextError: the file is no text.
    """
    beginning = next(iter(read()), b"")
    _refuse_what_is_no_text(path, beginning)
    if asked != "auto":
        return Encoding(codecs.lookup(asked).name)
    for mark, name in _BYTE_ORDER_MARKS:
        if beginning.startswith(mark):
            return Encoding(name)
    found = _utf_16_without_mark(beginning)
    is_utf_8 = found is None and _is_utf_8(read())
    if found is None:
        found = Encoding("utf-8") if is_utf_8 else _of_what_is_not_utf_8(read())
    _refuse_control_characters(path, beginning[:_LOOKED_AT].decode(found.name, "replace"), is_utf_8=is_utf_8)
    return found


def incremental_decoder(name: str) -> codecs.IncrementalDecoder:
    """A decoder that gives `INVALID` for each byte that it cannot decode."""
    return codecs.getincrementaldecoder(name)("rnn_cli.invalid")


def _mark_invalid(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return INVALID * (error.end - error.start), error.end


codecs.register_error("rnn_cli.invalid", _mark_invalid)


def _refuse_what_is_no_text(path: Path, beginning: bytes) -> None:
    """Refuse a file by what it begins with."""
    for mark, ending in _PACKED:
        if beginning.startswith(mark) and (ending != ".bz2" or beginning[4:10] == b"1AY&SY"):
            if path.suffix.lower() in COMPRESSIONS:
                raise TextError(f"{path} is packed twice, with {ending} data inside. Unpack it once.")
            raise TextError(
                f"{path} is packed, but its name does not say so. Rename it to {path.name}{ending}, and it is "
                "unpacked while it is read."
            )
    for mark, what in _NO_TEXTS:
        if beginning.startswith(mark):
            raise TextError(f"{path} is {what}, not plain text. Name a text file.")
    if beginning[_TAR_AT:].startswith(b"ustar"):
        raise TextError(f"{path} is a tar archive, not plain text. Unpack it and name the files in it.")


def _refuse_control_characters(path: Path, beginning: str, *, is_utf_8: bool) -> None:
    strange = len(_NOT_IN_TEXT.findall(beginning))
    share = strange / max(len(beginning), 1)
    if strange >= _FEW and share > _MOST_IN_TEXT[not is_utf_8]:
        raise TextError(
            f"{path} is no text that can be recognised: {share:.0%} of its beginning would be control characters. "
            "If it is text, name its encoding in data.encoding."
        )


def _utf_16_without_mark(beginning: bytes) -> Encoding | None:
    """UTF-16 whose high bytes are nearly all 0, as in every language with Latin letters."""
    if len(beginning) % 2:
        return None
    pairs = len(beginning) // 2
    high_be, high_le = beginning[::2].count(0), beginning[1::2].count(0)
    if high_le > _MOSTLY * pairs and high_be <= pairs - high_le:
        return Encoding("utf-16-le")
    if high_be > _MOSTLY * pairs and high_le <= pairs - high_be:
        return Encoding("utf-16-be")
    return None


def _is_utf_8(blocks: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in blocks:
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _of_what_is_not_utf_8(blocks: Iterable[bytes]) -> Encoding:
    """UTF-8 with damage, or a single-byte encoding."""
    decoder = incremental_decoder("utf-8")
    invalid = beyond_ascii = 0
    bytes_seen: set[int] = set()

    def texts() -> Iterator[str]:
        for block in blocks:
            bytes_seen.update(block.translate(None, _ASCII))
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)

    for text in texts():
        if not text.isascii():
            invalid += text.count(INVALID)
            beyond_ascii += len(text) - len(text.encode("ascii", "ignore"))
    if beyond_ascii - invalid > invalid:
        return Encoding("utf-8")
    between = {byte for byte in bytes_seen if byte < 0xA0}  # control characters, where cp1252 has letters
    is_cp1252 = between and not between & _UNDEFINED_IN_CP1252
    return Encoding("cp1252" if is_cp1252 else "latin-1", is_guess=True)
