"""Words that a model read but does not know, told to the person who typed them."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rnn_cli.inference import TrainedModel

MOST_UNKNOWN_NAMED = 10  # to find the words that look like one of them takes up to 50 ms
LONGEST_NAMED = 60  # characters of an unknown word that are shown
SHOWN_OF_EACH_END = 20  # characters of a prompt in a table
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def name_unknown_words(trained: "TrainedModel", unknown: Sequence[str]) -> None:
    """A line on standard error for each word: where else it is known, or the known words that look like it."""
    for word in unknown[:MOST_UNKNOWN_NAMED]:
        shown = f'"{shortened(visible(word))}"'
        near = ", ".join(f'"{visible(known)}"' for known in trained.nearest_words(word))
        if (place := _known_place(trained, word)) is not None:
            typer.echo(f"The model knows {shown} only where {place} stands before it.", err=True)
        elif near:
            typer.echo(f"The model does not know {shown}. Nearest known words: {near}.", err=True)
        else:
            typer.echo(f"The model does not know {shown}.", err=True)
    further = len(unknown) - MOST_UNKNOWN_NAMED
    if further > 0:
        typer.echo(f"The model does not know {further:,} more of these words.", err=True)


def _known_place(trained: "TrainedModel", word: str) -> str | None:
    """What stands before this word in the places where the model knows it; None where it knows it in none."""
    tokenizer = trained.tokenizer
    plain = word.lower() if tokenizer.lowercase else word
    if not tokenizer.joins_with_space:
        return None
    if f" {plain}" in tokenizer.pieces:
        return "a space"
    return "no space" if plain in tokenizer.pieces else None


def visible(text: str) -> str:
    """Control characters as escapes, but for tabs and line feeds: a terminal would obey them, not show them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shortened(word: str) -> str:
    """The beginning of a long word."""
    return word if len(word) <= LONGEST_NAMED else word[:LONGEST_NAMED] + "…"


def shortened_within(prompt: str) -> str:
    """Both ends of a long prompt."""
    if len(prompt) <= 2 * SHOWN_OF_EACH_END + 1:
        return prompt
    return f"{prompt[:SHOWN_OF_EACH_END]}…{prompt[-SHOWN_OF_EACH_END:]}"
