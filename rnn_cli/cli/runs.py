"""`rnn runs`: what lies in a folder of runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.json_line import json_line

if TYPE_CHECKING:
    from rnn_cli.batch.listing import ListedRun


def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of runs, or of studies.")] = Path(
        "runs"
    ),
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object a run.")] = False,
) -> int:
    """List the runs in FOLDER: their states and figures.

    A run is finished, running, failed, pruned (given up by a search),
    half (stopped or killed: rnn train --resume goes on with it)
    or not begun (its plan was stopped before its first step).
    """
    from rnn_cli.batch.listing import list_runs
    from rnn_cli.console import show_note, show_table

    found = list_runs(folder)
    if json_:
        for run in found:
            typer.echo(json_line(run.to_dict()))
    elif not found:
        show_note(f"No runs in {folder}.")
    else:
        columns = [
            ("run", "left"),
            ("state", "left"),
            ("done", "right"),
            ("valid", "right"),
            ("test", "right"),
        ]
        show_table([*columns, ("changed", "left")], [_row(run) for run in found])
        if any(run.in_part for run in found):
            show_note("* on a part of the text (data.measured_tokens); `rnn eval` measures all of it")
    return 0


def _row(run: "ListedRun") -> list[str]:
    if run.state == "finished":
        done = "100%"  # its time, or its patience, may have been up before its last epoch
    else:
        done = f"{run.step / run.total_windows:.0%}" if run.total_windows and run.step is not None else "-"
    mark = "*" if run.in_part else ""
    return [
        run.name,
        run.state,
        done,
        *("-" if figure is None else f"{figure:,.2f}{mark}" for figure in (run.valid, run.test)),
        f"{run.changed:%Y-%m-%d %H:%M}",
    ]
