"""`rnn compare`: runs side by side."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.unknown import shortened_within
from rnn_cli.errors import UsageError

if TYPE_CHECKING:
    from rnn_cli.insight.comparison import Comparison

PROMPTS = 20  # tried with each model


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, two or more.")],
    perplexity: Annotated[
        list[float] | None,
        typer.Option(
            "--perplexity",
            metavar="P",
            help="When did each run reach it? As often as you like. Left out: the best of each run.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a page with it, and with plots where matplotlib is installed.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Compare RUNs: what was set differently, final figures, time to a perplexity, prompts completed differently."""
    from rnn_cli.insight.comparison import compare as side_by_side
    from rnn_cli.insight.prompts import prompts_of
    from rnn_cli.insight.runs import read_run

    if len(runs) < 2:
        raise UsageError("Give two runs or more: rnn compare RUN RUN...")
    if unusable := [level for level in perplexity or [] if not 1 <= level < math.inf]:
        raise UsageError(f"--perplexity is {unusable[0]:g}; it has to be a number of at least 1.")
    read = [read_run(path) for path in runs]
    found = side_by_side(
        read, perplexities=perplexity or [], prompts=prompts_of(read[0].config.get("data") or {}, PROMPTS)
    )
    if html is not None:
        from rnn_cli.cli.pages import note_missing_plots, write_page
        from rnn_cli.insight.comparison_page import comparison_page

        write_page(html, comparison_page(found, read))
        note_missing_plots()
    if json_:
        typer.echo(json_line(found.to_dict()))
    else:
        _show(found)
    return 0


def _show(found: "Comparison") -> None:
    from rnn_cli.console import show_line, show_table
    from rnn_cli.insight.comparison_page import difference_rows, level_rows

    names = [(name, "left") for name in found.names]
    show_table([("what they came to", "left"), *names], difference_rows(found.figures))
    if found.caution is not None:
        show_line(found.caution)
    if found.config:
        show_table([("what was set differently", "left"), *names], difference_rows(found.config))
    else:
        show_line("Their configs are the same.")
    if found.levels:
        show_table([("perplexity reached after", "left"), *names], level_rows(found))
    if found.completions:
        rows = [[shortened_within(prompt), *words] for prompt, *words in difference_rows(found.completions)]
        show_table([("completed differently", "left"), *names], rows)
    if found.prompts:
        show_line(f"{len(found.completions)} of {found.prompts} prompts are completed differently.")
