"""Lines of a file or of standard input, for commands that answer line by line in constant memory."""

import json
import shlex
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

from rnn_cli.errors import TextError

LINES_AT_ONCE = 1024  # read side by side
BYTES_AT_ONCE = 1 << 20  # memory depends on this and on the longest line, not on the length of the input
LONGEST_LINE = 50_000_000  # bytes: the longest prompt, and a little JSON around it


def line_groups(file: str, *, command: str, at_once: int = LINES_AT_ONCE) -> Iterator[list[bytes]]:
    """The lines of a file or of standard input, in groups: what has come so far, and no more than `at_once`.

    A line ends with LF, CR LF or CR, as in training.
    So a program that waits for each answer gets it, and many lines that are there are read side by side.
    """
    if file == "-" and sys.stdin is None:
        raise TextError(f"Standard input is closed. Give a FILE, or lines: echo TEXT | {command}")
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as source:
            for number, lines in enumerate(_complete_lines(cast(BufferedIOBase, source))):
                if number == 0 and lines[0].startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                    name, text = ("Standard input", "FILE") if file == "-" else (file, shlex.quote(file))
                    raise TextError(
                        f"{name} is UTF-16, and lines have to be UTF-8. "
                        f"Convert it first: iconv -f UTF-16 -t UTF-8 {text} > utf8.txt"
                    )
                parts = [part for line in lines for part in line.removesuffix(b"\r").split(b"\r")]
                yield from (parts[i : i + at_once] for i in range(0, len(parts), at_once))
    except OSError as error:
        raise TextError(f"{file}: cannot be read ({error.strerror}).") from error


def _complete_lines(source: BufferedIOBase) -> Iterator[list[bytes]]:
    """The lines that have come to an end, as often as something comes; a line that is too long is cut."""
    begun = bytearray()
    while block := source.read1(BYTES_AT_ONCE):  # what has come, without waiting for more
        first, *others = block.split(b"\n")
        if len(begun) <= LONGEST_LINE:
            begun += first
        if others:
            yield [bytes(begun), *others[:-1]]
            begun = bytearray(others[-1])
    if begun:
        yield [bytes(begun)]


def text_of(line: bytes) -> str | TextError:
    """A line as text, or why it is none."""
    if len(line) > LONGEST_LINE:
        return TextError(
            f"The line has more than {LONGEST_LINE:,} bytes, and no line may. Give a shorter text."
        )
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return TextError("The line is not UTF-8. Convert it first, for instance with iconv.")


def keys_of(line: str, *keys: str) -> dict[str, Any]:
    """Those of the `keys` that the JSON object of a line has; its other keys are left alone.

    Raises:
        TextError: it is no JSON object, or has one of the keys more than once.
    """
    try:
        pairs = json.loads(line, object_pairs_hook=list)  # in a dict the last of two equal keys would win
    except json.JSONDecodeError as error:
        raise TextError(
            f"The line begins like a JSON object but is none ({error.msg}, column {error.colno})."
        ) from error
    except (RecursionError, ValueError) as error:
        raise TextError(
            "The JSON object is nested too deeply, or holds a number of too many digits."
        ) from error
    for key in keys:
        times = sum(key == name for name, _ in pairs)
        if times > 1:
            raise TextError(f'The JSON object has the key "{key}" {times} times. Keep one of them.')
    return {name: value for name, value in pairs if name in keys}
