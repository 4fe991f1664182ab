"""`rnn complete`: fill a blank or continue a sentence."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.unknown import name_unknown_words, visible

if TYPE_CHECKING:
    from rnn_cli.inference import CompletionResult


def complete(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="A sentence with a blank (____), or the start of one.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help="A run folder or model file. Left out: RNN_MODEL, or the newest finished run in runs/.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", help="How many completions: 5 for a blank, 1 otherwise.", show_default=False),
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
    """Fill the blank (two or more underscores) in TEXT, or continue TEXT to the end of the sentence."""
    from rnn_cli.inference import find_model, load

    trained = load(find_model(model))
    result = trained.complete(
        text,
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
    """A blank: each word with its probability. A continuation: its text; several: each with its log-probability."""
    from rnn_cli.inference.prompt import Prompt

    if Prompt.parse(result.text).right is not None:
        for completion in result.completions:
            typer.echo(f"{completion.probability:7.2%}  {visible(' '.join(completion.words))}")
    elif len(result.completions) == 1:
        typer.echo(visible(result.completions[0].text))
    else:
        for completion in result.completions:
            typer.echo(f"{completion.log_prob:8.2f}  {visible(completion.text)}")
