"""`rnn check`: everything wrong with a config at once; if nothing is, what a training would be."""

from pathlib import Path
from typing import Annotated

import typer

from rnn_cli.cli.json_line import json_line


def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file to check.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY.PATH=VALUE", help="Change a key of the config, as often as you like."
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON object.")] = False,
) -> int:
    """Check CONFIG, then show the plan: parameters, bytes, windows and the expected time."""
    from rnn_cli import crash
    from rnn_cli.config import config_to_yaml, load_config
    from rnn_cli.console import TrainingDisplay, show_table
    from rnn_cli.evaluation.questions import read_questions

    checked = load_config(config, set_ or [])
    crash.remember("config", config_to_yaml(checked))
    for questions in checked.data.questions.values():
        read_questions(Path(questions))

    from rnn_cli.training.plan import make_plan  # torch: mistakes are told without waiting for it

    with TrainingDisplay(max_epochs=checked.training.max_epochs) as display:
        plan = make_plan(checked, on_event=display.show)
    if json_:
        typer.echo(json_line(plan.to_dict()))
    else:
        show_table([("", "left"), ("", "left")], plan.rows())
    return 0
