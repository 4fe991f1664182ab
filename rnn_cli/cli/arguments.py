"""Arguments that several commands share, and what is typed for them as values."""

import csv
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.errors import UsageError

if TYPE_CHECKING:
    from rnn_cli.inference import TrainedModel

Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        help="A run folder or model file. Left out: RNN_MODEL, or the newest finished run in runs/.",
        show_default=False,
    ),
]
BlankWords = Annotated[
    str, typer.Option("--blank-words", metavar="N|N-M", help="How many words a blank holds, such as 1-3.")
]
Pmi = Annotated[bool, typer.Option("--pmi", help="Rank choices as if all were equally frequent.")]
Cache = Annotated[
    bool, typer.Option("--cache", help="Add a neural cache: words that came in a like place come again.")
]
Ngram = Annotated[
    bool, typer.Option("--ngram", help="Add the n-gram model that `rnn ngram` put beside the model.")
]
State = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="carried|reset",
        help="Whether the memory runs on from line to line. Left out: as the model was trained.",
        show_default=False,
    ),
]


def ngram_file(model: Path) -> Path:
    """Where the n-gram model of a run folder or model file lies: beside the model."""
    from rnn_cli.inference.ngram import NAME
    from rnn_cli.model_file import find_model_file

    return find_model_file(model).with_name(NAME)


def added_to(
    trained: "TrainedModel", path: Path, *, cache: bool, ngram: bool, context: Path | None = None
) -> "TrainedModel":
    """The model with what the options ask for.

    Raises:
        UsageError: there is a context that nothing would read.
        RnnError: a file cannot be read.
    """
    from rnn_cli.text.reader import read_lines

    if context is not None and not cache and trained.config["data"]["mode"] == "lines":
        raise UsageError(
            "--context is nothing to this model: it has learnt each line alone (data.mode lines). With --cache it "
            "remembers the words of the context."
        )
    additions = trained.additions(cache=cache, ngram=ngram_file(path) if ngram else None)
    return trained.with_additions(additions, context=() if context is None else read_lines([context]))


def one_text(first: str, typed: typer.Context) -> str:
    """The text that was typed as one argument.

    Args:
        typed: of a command that allows extra arguments; it holds those behind the first.

    Raises:
        UsageError: the shell has cut the text at its spaces.
    """
    if not typed.args:
        return first
    pieces = [first, *typed.args]
    raise UsageError(
        f"The text came in {len(pieces)} pieces. Put it between quotation marks: {shlex.quote(' '.join(pieces))}"
    )


def blank_words_of(typed: str) -> tuple[int, int]:
    """The smallest and the largest number in "2" or "1-3"; their range is checked by the library.

    Raises:
        UsageError: it is neither.
    """
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", typed.strip())
    if not found:
        from rnn_cli.inference.options import blank_words_out_of_range

        raise UsageError(blank_words_out_of_range(typed))
    return int(found[1]), int(found[2] or found[1])


def choices_of(typed: str | None) -> list[str] | None:
    """The choices between the commas, those with a comma of their own in quotation marks; none for an empty text."""
    if typed is None:
        return None
    if not typed.strip():
        return []
    try:
        (choices,) = csv.reader([typed.replace("\n", " ")], skipinitialspace=True)
    except csv.Error:  # one of more than 131,072 characters
        choices = typed.split(",")
    return [choice.strip() for choice in choices]


def state_carried_of(typed: str | None) -> bool | None:
    """Whether the state is carried; None where nothing is typed.

    Raises:
        UsageError: it is neither of the two words.
    """
    if typed not in (None, "carried", "reset"):
        raise UsageError(
            f"--state is {typed}; it has to be carried (from line to line) or reset (at each line)."
        )
    return None if typed is None else typed == "carried"
