"""What several commands say on standard error besides their results."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rnn_cli.inference import TrainedModel


def note_calibration(trained: "TrainedModel") -> None:
    """Say that probabilities are not those of training; nothing where they are."""
    if trained.temperature != 1:
        typer.echo(f"(Probabilities are calibrated: temperature {trained.temperature:.3f}.)", err=True)
