"""Which model is meant where none is named."""

import os
from pathlib import Path

from rnn_cli.errors import ModelFileError
from rnn_cli.model_file import NAME_IN_RUN_FOLDER

RUNS = Path("runs")
VARIABLE = "RNN_MODEL"


def find_model(given: str | None) -> Path:
    """Where the model is: the path given, else the variable RNN_MODEL, else the newest finished run in ./runs.

    Raises:
        ModelFileError: none is given, and no run has finished.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    summaries = [
        summary for summary in RUNS.glob("*/summary.json") if (summary.parent / NAME_IN_RUN_FOLDER).is_file()
    ]
    if not summaries:
        raise ModelFileError(
            f"There is no finished run in ./{RUNS}, and no model is named with --model or in the variable "
            f"{VARIABLE}. Make a model with: rnn train my.txt"
        )
    return max(summaries, key=lambda summary: summary.stat().st_mtime).parent
