"""`rnn predict`: many prompts in, as many JSON lines out, for scripts."""

import json
import sys
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from rnn_cli.errors import RnnError, TextError

if TYPE_CHECKING:
    from rnn_cli.inference import TrainedModel

LINES_AT_ONCE = 1024  # read side by side
CANDIDATES_AT_ONCE = 10_000  # some 10 MB: with a large --top fewer lines are read side by side
BYTES_AT_ONCE = 1 << 20  # memory depends on this and on the longest line, not on the length of the input
LONGEST_LINE = 50_000_000  # bytes: the longest prompt, and a little JSON around it


def predict(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Text or JSON lines; - is standard input.")
    ] = "-",
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help="A run folder or model file. Left out: RNN_MODEL, or the newest finished run in runs/.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", help="How many candidates a line.")] = 5,
) -> int:
    """Say what comes next, or what the blank is, for each line of FILE: one JSON object a line.

    A line is a text, or a JSON object {"text": ...} whose other keys are left alone. A line that cannot be used
    gives {"error": ...}; the others go on, and the exit code is 1 at the end.
    """
    from rnn_cli.inference import find_model, load

    trained = load(find_model(model))
    failed = False
    for lines in _groups(file, at_once=max(1, min(LINES_AT_ONCE, CANDIDATES_AT_ONCE // max(1, top)))):
        answers = list(_answers(trained, lines, top))
        failed = failed or any("error" in answer for answer in answers)
        written = "\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers)
        typer.echo(written.encode())  # UTF-8, whatever the terminal is
    return 1 if failed else 0


def _groups(file: str, at_once: int) -> Iterator[list[bytes]]:
    """The lines of a file or of standard input, in groups: what has come so far, and no more than `at_once`.

    So a program that waits for each answer gets it, and many lines that are there are read side by side.
    """
    if file == "-" and sys.stdin is None:
        raise TextError("Standard input is closed. Give a FILE, or lines: echo TEXT | rnn predict")
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as source:
            for lines in _complete_lines(cast(BufferedIOBase, source)):
                yield from (lines[i : i + at_once] for i in range(0, len(lines), at_once))
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


def _answers(trained: "TrainedModel", lines: Iterable[bytes], top: int) -> Iterator[dict[str, Any]]:
    """One JSON object for each line, in order; the lines that hold a text are read together."""
    texts = [_text(line.rstrip(b"\r")) for line in lines]
    results = iter(trained.predict([text for text in texts if isinstance(text, str)], top=top))
    for text in texts:
        answer = next(results) if isinstance(text, str) else text
        yield {"error": str(answer)} if isinstance(answer, RnnError) else answer.to_dict()


def _text(line: bytes) -> str | TextError:
    """The text that a line asks about, or why there is none."""
    if len(line) > LONGEST_LINE:
        return TextError(
            f"The line has more than {LONGEST_LINE:,} bytes, and no line may. Give a shorter text."
        )
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return TextError("The line is not UTF-8. Convert it first, for instance with iconv.")
    return _text_in_json(text) if text.lstrip().startswith("{") else text


def _text_in_json(line: str) -> str | TextError:
    try:
        asked = json.loads(line, object_pairs_hook=list)  # in a dict the last of two equal keys would win
    except json.JSONDecodeError as error:
        return TextError(
            f"The line begins like a JSON object but is none ({error.msg}, column {error.colno})."
        )
    except (RecursionError, ValueError):
        return TextError("The JSON object is nested too deeply, or holds a number of too many digits.")
    values = [value for key, value in asked if key == "text"]
    if len(values) > 1:
        return TextError(f'The JSON object has the key "text" {len(values)} times. Keep one of them.')
    if not values or not isinstance(values[0], str):
        return TextError('The JSON object has no text. Allowed: {"text": "..."}.')
    return values[0]
