"""`rnn report`: one page on a run."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.unknown import shortened_within

if TYPE_CHECKING:
    from rnn_cli.insight.report import Report

PAGE = "report.html"


def report(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN",
            help="A run folder. Left out: RNN_MODEL, or the newest finished run in runs/.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help=f"Where to write the page. Left out: RUN/{PAGE}.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print what was measured as one JSON object.")
    ] = False,
) -> int:
    """Write a page on RUN: curves, how far back errors reach and its model remembers, rare words, calibration.

    The page also has what it said on the way and says now, the texts and the config.

    Plots need matplotlib; without it, what to install is said.
    """
    from rnn_cli.cli.pages import note_missing_plots, write_page
    from rnn_cli.console import show_line
    from rnn_cli.inference import find_model
    from rnn_cli.insight.report import make_report
    from rnn_cli.insight.report_page import report_page
    from rnn_cli.insight.runs import read_run
    from rnn_cli.model_file import NAME_IN_RUN_FOLDER

    path = run or find_model(None)
    if path.name == NAME_IN_RUN_FOLDER and os.path.isfile(path):  # noqa: PTH113 - is_file may not be allowed to look
        path = path.parent  # RNN_MODEL may name the file
    found = make_report(read_run(path))
    page = html or path / PAGE
    write_page(page, report_page(found))
    note_missing_plots()
    if json_:
        typer.echo(json_line(found.to_dict()))
        return 0
    _show(found)
    show_line(f"The report is in {page}.")
    return 0


def _show(found: "Report") -> None:
    from rnn_cli.console import show_line, show_note, show_table
    from rnn_cli.insight.moments import flow_table, prompt_table, writing_table

    for sentence in found.missing:
        show_note(sentence)
    columns, rows = flow_table(found.run)
    if rows:
        show_table(columns, rows, title="how far an error reached back, after so many tokens")
    columns, rows = prompt_table(found.run)
    if rows:
        cut = [[shortened_within(prompt), *said] for prompt, *said in rows]
        show_table(columns, cut, title="what it said next, after so many tokens")
    columns, rows = writing_table(found.run)
    if rows:
        show_table(columns, rows)
    measured = found.measured
    if measured is None:
        return
    show_table(
        [("last words seen", "right"), ("rise of the loss, nats", "right")],
        [
            (f"{point.words:,}", f"{point.rise:z.3f} ± {point.standard_error:.3f}")
            for point in measured.memory
        ],
        title=f"how far back it remembers, on the {measured.split} text",
    )
    show_line(
        f"Loss {measured.loss:.3f}, {measured.accuracy:.1%} right at the first guess, probabilities "
        f"{measured.reliability.error:.1%} off ({measured.tokens:,} tokens)."
    )
