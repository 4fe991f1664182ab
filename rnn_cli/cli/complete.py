"""`rnn complete`: fill a blank or continue a sentence."""

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.arguments import BlankWords, Model, blank_words_of, choices_of
from rnn_cli.cli.notes import note_calibration

if TYPE_CHECKING:
    from rnn_cli.inference import CompletionResult, TrainedModel
    from rnn_cli.inference.completion import Evidence

MOST_UNKNOWN_NAMED = 10  # to find the words that look like one of them takes up to 50 ms
MOST_EVIDENCE_SHOWN = 5
LONGEST_NAMED = 60  # characters of an unknown word that are shown
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def complete(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="A sentence with blanks (____), or the start of one.")
    ],
    model: Model = None,
    choices: Annotated[
        str | None,
        typer.Option(
            "--choices", metavar="A,B,C", help="Rank just these words for the blank.", show_default=False
        ),
    ] = None,
    blank_words: BlankWords = "1",
    why: Annotated[bool, typer.Option("--why", help="Also show which words moved the best answer.")] = False,
    top: Annotated[
        int | None,
        typer.Option(
            "--top", help="How many completions: 5 for a blank, all choices, 1 otherwise.", show_default=False
        ),
    ] = None,
    max_words: Annotated[int, typer.Option("--max-words", help="Longest continuation, in words.")] = 30,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature", help="Draw at random: below 1 safer, above 1 bolder.", show_default=False
        ),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Draw from the K likeliest words only.", show_default=False)
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p", help="Draw from the likeliest words that make up this share.", show_default=False
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", help="Draw this many continuations.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Make the draws repeatable.", show_default=False)
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Fill the blanks (two or more underscores) in TEXT, or continue TEXT to the end of the sentence.

    What is put into a blank is ranked by the probability of the whole TEXT with it in place.
    """
    from rnn_cli.inference import find_model, load

    trained = load(find_model(model))
    note_calibration(trained)
    result = trained.complete(
        text,
        choices=choices_of(choices),
        blank_words=blank_words_of(blank_words),
        why=why,
        top=top,
        max_words=max_words,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        samples=samples,
        seed=seed,
    )
    _name_unknown_words(trained, result)
    if json_:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False))
    else:
        _show(result)
    return 0


def _name_unknown_words(trained: "TrainedModel", result: "CompletionResult") -> None:
    for word in result.unknown[:MOST_UNKNOWN_NAMED]:
        near = ", ".join(f'"{_visible(known)}"' for known in trained.nearest_words(word))
        typer.echo(
            f'The model does not know "{_shortened(_visible(word))}".'
            + (f" Nearest known words: {near}." if near else ""),
            err=True,
        )
    further = len(result.unknown) - MOST_UNKNOWN_NAMED
    if further > 0:
        typer.echo(f"The model does not know {further:,} more of these words.", err=True)


def _show(result: "CompletionResult") -> None:
    """What goes into the blanks, with its probability; or a continuation; or several with their log-probability."""
    if result.ranked is not None:
        for completion in result.completions:
            fills = " … ".join(" ".join(words) for words in completion.fills or ())
            typer.echo(f"{completion.probability:7.2%}  {_visible(fills)}")
        typer.echo(f"({result.ranked})", err=True)
        if result.why is not None:
            _show_why(result.why)
    elif len(result.completions) == 1:
        typer.echo(_visible(result.completions[0].text))
    else:
        for completion in result.completions:
            typer.echo(f"{completion.log_prob:8.2f}  {_visible(completion.text)}")


def _show_why(why: "Evidence") -> None:
    """The words that moved the answer most, and by how much its log-probability changes without each."""
    typer.echo(
        f"Why {_visible(' '.join(why.answer))}: its log-probability among the {why.candidates} best is "
        f"{why.log_prob:.2f}, and without the word it changes by"
    )
    for word in why.words[:MOST_EVIDENCE_SHOWN]:
        typer.echo(f"{word.change:+8.2f}  {_shortened(_visible(word.word))}")


def _visible(text: str) -> str:
    """Control characters as escapes, but for tabs and line feeds: a terminal would obey them, not show them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _shortened(word: str) -> str:
    return word if len(word) <= LONGEST_NAMED else word[:LONGEST_NAMED] + "…"
