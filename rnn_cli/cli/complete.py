"""`rnn complete`: fill a blank or continue a sentence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.arguments import (
    BlankWords,
    Cache,
    Model,
    Ngram,
    Pmi,
    added_to,
    blank_words_of,
    choices_of,
    one_text,
)
from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.notes import note_calibration, note_forward_alone
from rnn_cli.cli.unknown import name_unknown_words, shortened, visible

if TYPE_CHECKING:
    from rnn_cli.inference import CompletionResult
    from rnn_cli.inference.completion import Evidence
    from rnn_cli.inference.line_index import NearLine

MOST_EVIDENCE_SHOWN = 5
MOST_AROUND_SHOWN = 60  # characters of a training line on each side of its word


def complete(
    typed: typer.Context,
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
    pmi: Pmi = False,
    blank_words: BlankWords = "1",
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Also show which words moved the best answer, and the nearest training lines."
        ),
    ] = False,
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

    whole_text = one_text(text, typed)
    path = find_model(model)
    trained = load(path)
    note_calibration(trained)
    if cache or ngram or context is not None:
        note_forward_alone(trained)
        trained = added_to(trained, path, cache=cache, ngram=ngram, context=context)
    result = trained.complete(
        whole_text,
        choices=choices_of(choices),
        blank_words=blank_words_of(blank_words),
        pmi=pmi,
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
        typer.echo(json_line(result.to_dict()))
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
    """The words that moved the answer most, and what each brings to its odds."""
    answer = visible(" ".join(why.answer))
    if why.log_odds_bits is None:
        typer.echo(f"Why {answer}: there was nothing else to weigh it against.")
        return
    rivals = f"the {why.candidates - 1} next best" if why.candidates > 2 else "the next best"
    typer.echo(
        f"Why {answer}: log2 of its odds against {rivals} is {why.log_odds_bits:+z.1f}, and each word brings"
    )
    for word in why.words[:MOST_EVIDENCE_SHOWN]:
        typer.echo(f"{word.bits:+z8.1f} bits  {shortened(visible(word.word))}")
    if why.nearest is not None:
        typer.echo(
            "Training lines in which the network's state was most like the one at the blank, before [word]:"
        )
        for line in why.nearest:
            typer.echo(f"{line.likeness:8.3f}  {visible(_marked(line))}")


def _marked(line: "NearLine") -> str:
    """The line with its word in brackets, and not too much on either side."""
    start, end = line.position, line.position + len(line.word)
    before, behind = line.text[:start], line.text[end:]
    before = before if len(before) <= MOST_AROUND_SHOWN else "…" + before[-MOST_AROUND_SHOWN:]
    behind = behind if len(behind) <= MOST_AROUND_SHOWN else behind[:MOST_AROUND_SHOWN] + "…"
    return f"{before}[{line.text[start:end]}]{behind}"
