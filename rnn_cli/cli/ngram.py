"""`rnn ngram`: count the n-grams of a model's training text, for `--ngram`."""

from pathlib import Path
from typing import Annotated

import typer

from rnn_cli.cli.arguments import Model


def ngram(
    text: Annotated[
        Path | None,
        typer.Argument(
            metavar="[TEXT]",
            help="Count this text. Left out: what the model was trained on, without what was kept apart.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    order: Annotated[
        int | None,
        typer.Option(
            "--order", help="Tokens in the longest n-grams: 4, or 8 for characters.", show_default=False
        ),
    ] = None,
) -> int:
    """Count n-grams with a model's vocabulary, and put them beside the model as ngram.safetensors.

    rnn eval, complete and predict mix them with the network when asked to with --ngram.
    """
    import rnn_cli
    from rnn_cli.console import show_note
    from rnn_cli.evaluation.counting import count_text
    from rnn_cli.inference import find_model
    from rnn_cli.inference.ngram import NAME, write_ngram_file
    from rnn_cli.model_file import find_model_file, forget_additions

    path = find_model_file(find_model(model))
    counted = count_text(rnn_cli.load(path), text, order=order)
    out = path.with_name(NAME)
    before = out.read_bytes() if out.is_file() else b""
    write_ngram_file(out, counted)
    if out.read_bytes() != before and forget_additions(path, "ngram"):
        show_note(
            "What was fitted with other n-grams is forgotten. Fit it anew: rnn eval TEXT --ngram --fit OTHER_TEXT"
        )
    sizes = ", ".join(
        f"{len(level.words):,} of order {number}"
        for number, level in enumerate(counted.ngrams.levels, start=2)
    )
    if order is not None and counted.order < order:
        show_note(
            f"Order {counted.order + 1} would have too many n-grams for memory; this is order {counted.order}."
        )
    typer.echo(f"Counted {counted.counted['tokens']:,} tokens into {out}: n-grams {sizes}.")
    return 0
