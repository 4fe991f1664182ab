"""What all ranks but the first do: train along, and keep quiet."""

import json
from pathlib import Path

from rnn_cli.config import Config
from rnn_cli.errors import Interrupted, RnnError
from rnn_cli.training.ranks import Ranks, Said
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder


def follow(ranks: Ranks) -> int:
    """Train along with the first rank, as it says; returns the exit code.

    Raises:
        RnnError: what went wrong, if no other rank says it.
    """
    try:
        order = json.loads(ranks.from_first(lambda: Said({}, {})).texts["order"])
        train(
            Config.model_validate(order["config"]),
            RunFolder(Path(order["run"])),  # to name it: it is the first rank's alone
            on_event=lambda _: None,
            resume=order["resume"],
            ranks=ranks,
        )
    except RnnError as error:
        if isinstance(error, Interrupted) or ranks.is_told(error):
            return error.exit_code
        raise
    return 0
