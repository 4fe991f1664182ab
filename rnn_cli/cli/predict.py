"""`rnn predict`: many prompts in, as many JSON lines out, for scripts."""

import json
import sys
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnn_cli.errors import RnnError, TextError

if TYPE_CHECKING:
    from rnn_cli.inference import TrainedModel

LINES_AT_ONCE = 1024  # read together; memory depends on this and not on the length of the input


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
    lines = _read(file)
    while chunk := list(islice(lines, LINES_AT_ONCE)):
        for answer in _answers(trained, chunk, top):
            failed = failed or "error" in answer
            typer.echo(json.dumps(answer, ensure_ascii=False).encode())  # UTF-8, whatever the terminal is
    return 1 if failed else 0


def _read(file: str) -> Iterator[str]:
    """The lines of a file or of standard input, as they come; bytes that are no UTF-8 stay visible."""
    if file == "-" and sys.stdin is None:
        raise TextError("Standard input is closed. Give a FILE, or lines: echo TEXT | rnn predict")
    try:
        with (
            sys.stdin.buffer if file == "-" else Path(file).open("rb") as source,
            TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines,
        ):
            yield from lines
    except OSError as error:
        raise TextError(f"{file}: cannot be read ({error.strerror}).") from error


def _answers(trained: "TrainedModel", lines: Iterable[str], top: int) -> Iterator[dict[str, Any]]:
    """One JSON object for each line, in order; the lines that hold a text are read together."""
    texts = [_text(line.rstrip("\r\n")) for line in lines]
    results = iter(trained.predict([text for text in texts if isinstance(text, str)], top=top))
    for text in texts:
        answer = next(results) if isinstance(text, str) else text
        yield {"error": str(answer)} if isinstance(answer, RnnError) else answer.to_dict()


def _text(line: str) -> str | TextError:
    """The text that a line asks about, or why there is none."""
    if any("\udc80" <= character <= "\udcff" for character in line):
        return TextError("The line is not UTF-8. Convert it first, for instance with iconv.")
    if not line.lstrip().startswith("{"):
        return line
    try:
        asked = json.loads(line)
    except json.JSONDecodeError as error:
        return TextError(
            f"The line begins like a JSON object but is none ({error.msg}, column {error.colno})."
        )
    except (RecursionError, ValueError):
        return TextError("The JSON object is nested too deeply, or holds a number of too many digits.")
    if not isinstance(asked.get("text"), str):
        return TextError('The JSON object has no text. Allowed: {"text": "..."}.')
    return str(asked["text"])
