"""`rnn check-grad`: the gradients of a window, found in several ways, and how far back they reach."""

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.texts import is_config

if TYPE_CHECKING:
    from rnn_cli.insight.first_window import FirstWindow
    from rnn_cli.insight.gradient_check import GradientCheck

TEXT_WIDTH = 80


def check_grad(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG|MODEL",
            help="A YAML file (new weights), or a run folder or model file (learnt ones). "
            "Left out: RNN_MODEL, or the newest finished run in runs/.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check the gradients of a window against each other, and say whether they vanish or explode on the way back.

    The exit code is 1 if they disagree.
    """
    from rnn_cli.console import show_error

    found = _check(_first_window(what))
    if json_:
        typer.echo(json_line(found.to_dict()))
    else:
        _show(found)
    if found.agrees:
        return 0
    wrong = ", ".join(parameter.name for parameter in found.parameters if not parameter.agrees)
    show_error(f"The gradients of {wrong} disagree: one of the ways to compute them has a mistake in it.")
    return 1


def _first_window(what: str | None) -> "FirstWindow":
    """What is to be checked, with mistakes in a config told before torch is waited for."""
    from rnn_cli.config import load_config
    from rnn_cli.console import TrainingDisplay
    from rnn_cli.inference import find_model

    config = load_config(Path(what)) if what is not None and is_config(Path(what)) else None
    path = find_model(what) if config is None else None
    from rnn_cli.insight.first_window import of_config, of_model

    with TrainingDisplay(max_epochs=1) as display:
        if config is not None:
            return of_config(config, display.show)
        assert path is not None
        return of_model(path, display.show)


def _check(first: "FirstWindow") -> "GradientCheck":
    from rnn_cli.insight.gradient_check import check_gradients

    return check_gradients(
        first.model,
        first.window,
        cell=first.cell,
        hidden_activation=first.hidden_activation,
        output_activation=first.output_activation,
    )


def _show(found: "GradientCheck") -> None:
    from rnn_cli.console import show_line, show_table
    from rnn_cli.insight.recurrence import WAYS_BACK

    show_table(
        [
            ("parameter", "left"), ("shape", "left"), ("largest", "right"), ("reference", "right"),
            ("fast", "right"), ("differences", "right"), ("", "left"),
        ],
        [
            (
                parameter.name,
                " × ".join(f"{size:,}" for size in parameter.shape),
                f"{parameter.largest:.2g}",
                f"{parameter.reference:.0e}",
                "-" if parameter.fast is None else f"{parameter.fast:.0e}",
                f"{parameter.finite_differences:.0e}",
                "agrees" if parameter.agrees else "disagrees",
            )
            for parameter in found.parameters
        ],
        title=f"gradients of a window of {found.steps} steps and {found.streams} streams, loss {found.loss:.3f}",
    )  # fmt: skip
    show_line(
        "Relative to autograd through one long graph; differences: "
        f"{max(parameter.entries for parameter in found.parameters)} weights each."
    )
    names = list(found.recurrences[0].weights)
    show_table(
        [
            ("layer", "left"), *((name, "right") for name in names),
            (f"mean {found.recurrences[0].lets_through}", "right"), ("a step back, measured", "right"),
        ],
        [
            (
                str(recurrence.layer),
                *(f"{recurrence.weights[name]:.3f}" for name in names),
                f"{recurrence.mean:.3f}",
                f"× {recurrence.factor:.3f}",
            )
            for recurrence in found.recurrences
        ],
        title=f"back through the recurrence of {found.cell}",
    )  # fmt: skip
    for line in wrap(WAYS_BACK[found.cell], TEXT_WIDTH):
        show_line(line)
    for recurrence in found.recurrences:
        show_line(f"Layer {recurrence.layer}: going back, a gradient {recurrence.meaning()}.")
