"""What a training recorded as lines of a plot."""

import math

from rnn_cli.insight.plots import Line
from rnn_cli.insight.runs import Run


def loss_lines(run: Run, number: int = 0, name: str = "") -> list[Line]:
    """The losses of a run by tokens: a line for training, marks for validation; those that there are."""
    found = []
    for kind, records, points in (("training", run.train, False), ("validation", run.validations, True)):
        finite = [record for record in records if record["perplexity"] is not None]
        if finite:
            x = [run.tokens(record["step"]) for record in finite]
            y = [math.log(record["perplexity"]) for record in finite]
            found.append(Line(f"{name}{kind}", x, y, number, points))
    return found
