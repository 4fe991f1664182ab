"""Files of questions as they lie there: what format one looks like, and its text. They may be packed."""

import json
import stat
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from rnn_cli.errors import TextError
from rnn_cli.text.encoding import COMPRESSIONS
from rnn_cli.text.reader import blocks_of

_LOOKED_AT = 1 << 16  # bytes, to find out whether a first record may begin there


def find_format(path: Path) -> str:
    """What a file looks like: by its name (.csv), by the keys of the JSON object in its first line, or else text.

    Raises:
        TextError: it cannot be read, or only once.
    """
    unpacked = path.with_suffix("") if _is_packed(path) else path
    if unpacked.suffix.lower() == ".csv":
        return "msr"
    keys = _first_keys(path)
    if keys is None:
        return "text"
    if keys & {"sentence_good", "sentence_bad"}:
        return "pairs"
    if "choices" in keys:
        return "choices"
    return "cloze" if "answer" in keys else "last-word"


def _first_keys(path: Path) -> set[str] | None:
    """The keys of the JSON object that the first line holds that is not empty; None where it holds none."""
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # to open a folder says what is wrong
            raise TextError(
                f"{path} is not a regular file, and to find out its format it is read twice: say the format with "
                "--format, or save it to a file first."
            )
        with closing(_blocks_of(path)) as blocks:
            start = next(blocks, b"").removeprefix(b"\xef\xbb\xbf").lstrip()
            if not start.startswith(b"{"):
                return None
            parts = [start]
            while b"\n" not in parts[-1] and (block := next(blocks, b"")):
                parts.append(block)
    except OSError as error:
        raise TextError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        # Of a file in another encoding the keys are known all the same; its reader says what is wrong with it.
        return set(json.loads(b"".join(parts).split(b"\n")[0].decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() in COMPRESSIONS


def _blocks_of(path: Path) -> Generator[bytes, None, None]:
    """The bytes of a file, unpacked where its name asks for it."""
    if _is_packed(path):
        yield from blocks_of(path)
        return
    with path.open("rb") as file:
        while block := file.read(_LOOKED_AT):
            yield block


def check_can_be_read(path: Path) -> None:
    """Refuse a file that cannot be opened. A pipe, which can be read only once, is left alone.

    Raises:
        TextError: it cannot be.
    """
    try:
        if not path.is_fifo():
            path.open("rb").close()
    except OSError as error:
        raise TextError(f"{path}: cannot be read ({error.strerror}).") from error


def text_of(path: Path) -> str:
    """All that a file holds, which has to be UTF-8.

    Raises:
        TextError: it cannot be read or unpacked, or is none.
    """
    try:
        return b"".join(_blocks_of(path)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(
            f"{path}: the questions are not UTF-8 (byte {error.start:,}). Save them as UTF-8."
        ) from error
    except OSError as error:
        raise TextError(f"{path}: the questions cannot be read ({error.strerror}).") from error
