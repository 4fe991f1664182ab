"""`rnn trace`: watch a network read a sentence, and see what its answer came from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_cli.cli.arguments import Model, one_text
from rnn_cli.cli.json_line import json_line
from rnn_cli.cli.unknown import name_unknown_words

if TYPE_CHECKING:
    from rnn_cli.insight.trace import Step, Trace

BAR_WIDTH = 10
UNITS_SHOWN = PREDICTIONS_SHOWN = 2  # what 80 columns have room for; --html and --json have more
LEAST_SHOWN = 0.005  # a probability below that would be shown as 0%
LONGEST_SHOWN = 14  # characters of a token


def trace(
    typed: typer.Context,
    sentence: Annotated[
        str, typer.Argument(metavar="SENTENCE", help="A sentence with a blank (____), or the start of one.")
    ],
    model: Model = None,
    answer: Annotated[
        str | None,
        typer.Option(
            "--answer", help="The word to explain at the end. Left out: the model's best.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with all of it, for a browser.", show_default=False
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Show what the network does at each word of SENTENCE, and going back from its answer, which word decided it."""
    from rnn_cli.cli.pages import write_page
    from rnn_cli.inference import find_model, load
    from rnn_cli.insight.trace import trace as follow
    from rnn_cli.insight.trace_page import trace_page

    whole_sentence = one_text(sentence, typed)
    trained = load(find_model(model))
    found = follow(trained, whole_sentence, answer=answer)
    name_unknown_words(trained, found.unknown)
    if html is not None:
        write_page(html, trace_page(found))
    if json_:
        typer.echo(json_line(found.to_dict()))
    else:
        _show(found)
    return 0


def _show(found: "Trace") -> None:
    from rnn_cli.console import bar, show_line, show_table

    hardest = max((step.error_bits or 0 for step in found.steps), default=0)
    show_table(
        [
            ("read", "left"), ("|h|", "right"), ("change", "right"), ("moved most", "left"), ("predicts", "left"),
            ("bits", "right"), ("", "left"),
        ],
        [
            (
                _shortened(step.token),
                f"{step.norm:.1f}",
                f"{step.change:.1f}",
                " ".join(str(unit) for unit in step.units[:UNITS_SHOWN]),
                _predictions(step),
                "" if step.error_bits is None else f"{step.error_bits:.1f}",
                bar(step.error_bits or 0, of=hardest, width=BAR_WIDTH // 2),
            )
            for step in found.steps
        ],
        title="forward: each word read, and what the network expects next",
    )  # fmt: skip
    largest = max(step.gradient_norm for step in found.steps)
    most = max(abs(step.evidence_bits) for step in found.steps)
    show_table(
        [
            ("read", "left"), ("∂Loss/∂h", "right"), ("", "left"), ("P without it", "right"),
            ("evidence", "right"), ("", "left"), ("estimate", "right"),
        ],
        [
            (
                _shortened(step.token),
                f"{step.gradient_norm:#.2g}",
                bar(step.gradient_norm, of=largest, width=BAR_WIDTH),
                f"{step.probability_without:.1%}",
                f"{step.evidence_bits:+z.1f}",
                bar(step.evidence_bits, of=most, width=BAR_WIDTH),
                f"{step.gradient_times_input_bits:+z.1f}",
            )
            for step in found.steps
        ],
        title=f'backward: what "{found.answer}" came from',
    )  # fmt: skip
    for sentence in found.verdict():
        show_line(sentence)


def _predictions(step: "Step") -> str:
    best, *others = step.predictions[:PREDICTIONS_SHOWN]
    shown = [best, *(other for other in others if other.probability >= LEAST_SHOWN)]
    return ", ".join(f"{_shortened(one.token)} {one.probability:.0%}" for one in shown)


def _shortened(token: str) -> str:
    return token if len(token) <= LONGEST_SHOWN else token[: LONGEST_SHOWN - 1] + "…"
