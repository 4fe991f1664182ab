"""`rnn predict`: many prompts in, as many JSON lines out, for scripts."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnn_cli.cli.arguments import BlankWords, Cache, Model, Ngram, Pmi, added_to, blank_words_of
from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.lines import LINES_AT_ONCE, keys_of, line_groups, text_of
from rnn_cli.cli.notes import note_calibration, note_forward_alone
from rnn_cli.errors import RnnError, TextError

if TYPE_CHECKING:
    from rnn_cli.inference import TrainedModel

CANDIDATES_AT_ONCE = 10_000  # some 10 MB: with a large --top fewer lines are read side by side


def predict(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Text or JSON lines; - is standard input.")
    ] = "-",
    model: Model = None,
    top: Annotated[int, typer.Option("--top", help="How many candidates a line.")] = 5,
    pmi: Pmi = False,
    blank_words: BlankWords = "1",
    cache: Cache = False,
    ngram: Ngram = False,
) -> int:
    """Say what comes next, or what the blanks are, for each line of FILE: one JSON object a line.

    A line is a text, or a JSON object {"text": ...}; with "choices": [...] just these are ranked for its blank, and
    its "id" is said again in the answer. Other keys are passed over. A line that cannot be used gives {"error",
    "file", "line"}; the others go on, and the exit code is 1 at the end.
    """
    from rnn_cli.inference import find_model, load

    words = blank_words_of(blank_words)
    path = find_model(model)
    trained = load(path)
    if pmi:
        trained.check_pmi()
    note_calibration(trained)
    if cache or ngram:
        note_forward_alone(trained)
        trained = added_to(trained, path, cache=cache, ngram=ngram)
    at_once = max(1, min(LINES_AT_ONCE, CANDIDATES_AT_ONCE // max(1, top)))
    failed = False
    read = 0
    for lines in line_groups(file, command="rnn predict", at_once=at_once):
        answers = list(_answers(trained, lines, top, words, pmi))
        for read, answer in enumerate(answers, start=read + 1):  # noqa: B020 - numbers go on from group to group
            if "error" in answer:
                failed = True
                answer |= {"file": file, "line": read}
        written = "\n".join(json_line(answer, encoding="utf-8") for answer in answers)
        typer.echo(written.encode())  # UTF-8, whatever the terminal is
    return 1 if failed else 0


def _answers(
    trained: "TrainedModel",
    lines: Iterable[bytes],
    top: int,
    blank_words: tuple[int, int] = (1, 1),
    pmi: bool = False,
) -> Iterator[dict[str, Any]]:
    """One JSON object for each line, in order; the lines that hold a text are read together."""
    read = [_asked(line) for line in lines]
    asked = [one for one, _ in read]
    good = [one for one in asked if not isinstance(one, RnnError)]
    results = iter(
        trained.predict(
            [text for text, _ in good],
            top=top,
            choices=[choices for _, choices in good],
            blank_words=blank_words,
            pmi=pmi,
        )
    )
    for one, of_line in read:
        answer = one if isinstance(one, RnnError) else next(results)
        yield of_line | ({"error": str(answer)} if isinstance(answer, RnnError) else answer.to_dict())


def _asked(line: bytes) -> tuple[tuple[str, list[str] | None] | TextError, dict[str, Any]]:
    """The text that a line asks about with its choices, or why there is none; and what its answer says again."""
    text = text_of(line)
    if isinstance(text, TextError) or not text.lstrip().startswith("{"):
        return text if isinstance(text, TextError) else (text, None), {}
    try:
        found = keys_of(text, "text", "choices", "id")
    except TextError as error:
        return error, {}
    said_again = {"id": found["id"]} if "id" in found else {}
    if not isinstance(found.get("text"), str):
        return TextError('The JSON object has no text. Allowed: {"text": "..."}.'), said_again
    choices = found.get("choices")
    if choices is not None and not (isinstance(choices, list) and all(isinstance(c, str) for c in choices)):
        message = 'The "choices" have to be a list of texts, such as ["cat", "dog"].'
        return TextError(message), said_again
    return (found["text"], choices), said_again
