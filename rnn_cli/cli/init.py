"""`rnn init`: a first config, or the schema that editors check configs with."""

from typing import Annotated

import typer


def init(
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of configs instead.")
    ] = False,
) -> int:
    """Print a commented starting config: rnn init > config.yaml"""
    from rnn_cli.config import json_schema, starter_yaml

    typer.echo(json_schema() if schema else starter_yaml(), nl=False)
    return 0
