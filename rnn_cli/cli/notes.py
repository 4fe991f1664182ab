"""What several commands say on standard error besides their results."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rnn_cli.inference import TrainedModel


def note_calibration(trained: "TrainedModel") -> None:
    """Say that probabilities are not those of training; nothing where they are."""
    if trained.temperature != 1:
        typer.echo(f"(Probabilities are calibrated: temperature {trained.temperature:.3f}.)", err=True)


def note_direction(trained: "TrainedModel") -> None:
    """Say from which side each token is judged, where that is not the only way or not the usual one."""
    if trained.direction == "backward":
        typer.echo("(The model reads backwards: each token is judged by those behind it.)", err=True)
    elif trained.backward is not None:
        typer.echo(
            "(Each token is judged by those before it, with the network that reads forward.)", err=True
        )


def note_forward_alone(trained: "TrainedModel") -> None:
    """Say that of a pair, to which something is added, one network is left out."""
    if trained.backward is not None:
        typer.echo("(With what is added, only the network that reads forward is asked.)", err=True)
