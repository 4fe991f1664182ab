"""`rnn complete`: fill a blank or continue a sentence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.arguments import BlankWords, Cache, Model, Ngram, added_to, blank_words_of, choices_of
from rnn_cli.cli.notes import note_calibration
from rnn_cli.cli.unknown import name_unknown_words, shortened, visible

if TYPE_CHECKING:
    from rnn_cli.inference import CompletionResult
    from rnn_cli.inference.completion import Evidence

MOST_EVIDENCE_SHOWN = 5


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
    cache: Cache = False,
    ngram: Ngram = False,
    context: Annotated[
        Path | None,
        typer.Option("--context", metavar="FILE", help="A text that stands before TEXT.", show_default=False),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Fill the blanks (two or more underscores) in TEXT, or continue TEXT to the end of the sentence.

    What is put into a blank is ranked by the probability of the whole TEXT with it in place. --cache remembers what
    stands before the blank, and FILE.
    """
    from rnn_cli.inference import find_model, load

    path = find_model(model)
    trained = load(path)
    note_calibration(trained)
    if cache or ngram or context is not None:
        trained = added_to(trained, path, cache=cache, ngram=ngram, context=context)
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
    name_unknown_words(trained, result.unknown)
    if json_:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False))
    else:
        _show(result)
    return 0


def _show(result: "CompletionResult") -> None:
    """What goes into the blanks, with its probability; or a continuation; or several with their log-probability."""
    if result.ranked is not None:
        for completion in result.completions:
            fills = " … ".join(" ".join(words) for words in completion.fills or ())
            typer.echo(f"{completion.probability:7.2%}  {visible(fills)}")
        typer.echo(f"({result.ranked})", err=True)
        if result.why is not None:
            _show_why(result.why)
    elif len(result.completions) == 1:
        typer.echo(visible(result.completions[0].text))
    else:
        for completion in result.completions:
            typer.echo(f"{completion.log_prob:8.2f}  {visible(completion.text)}")


def _show_why(why: "Evidence") -> None:
    """The words that moved the answer most, and by how much its log-probability changes without each."""
    typer.echo(
        f"Why {visible(' '.join(why.answer))}: its log-probability among the {why.candidates} best is "
        f"{why.log_prob:.2f}, and without the word it changes by"
    )
    for word in why.words[:MOST_EVIDENCE_SHOWN]:
        typer.echo(f"{word.change:+8.2f}  {shortened(visible(word.word))}")
