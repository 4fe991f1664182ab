"""A text in place of a config: which files it is, what its run is called, how long it may take."""

import os
import re
from pathlib import Path

from rnn_cli.batch.names import config_name
from rnn_cli.errors import UsageError
from rnn_cli.printable import masked

CONFIG_ENDINGS = (".yaml", ".yml")
DEFAULT_BUDGET = "10m"
LEAST_BUDGET_S = 10.0
MOST_BUDGET_H = 10_000
"""More than a year; a config has a limit of its own, in minutes."""

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])", re.ASCII)


def is_config(path: Path) -> bool:
    """Whether an argument of `rnn train` is a config; anything else is a text."""
    return path.suffix.lower() in CONFIG_ENDINGS


def parse_budget(text: str) -> float:
    """Seconds of "90s", "10m" or "1.5h".

    Raises:
        UsageError: it is not written like that, too short or too long.
    """
    found = _BUDGET.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"--budget {text}: allowed are a number and s, m or h, such as 90s, 10m or 1.5h.")
    seconds = float(found[1]) * _UNITS_S[found[2]]
    if seconds < LEAST_BUDGET_S:
        raise UsageError(
            f"--budget {text}: too short to learn anything. Allowed are {LEAST_BUDGET_S:.0f}s and more."
        )
    if seconds > 3600 * MOST_BUDGET_H:
        raise UsageError(
            f"--budget {masked(text, 30)}: longer than a training can be. Allowed are {MOST_BUDGET_H}h and less."
        )
    return seconds


def check_budget(budget: str | None, paths: list[Path]) -> float:
    """The seconds that each text among `paths` may take.

    Raises:
        UsageError: the budget is wrong, or one of the paths is a config.
    """
    if budget is not None:
        for path in filter(is_config, paths):
            raise UsageError(
                f"--budget is for texts, and {path} is a config, which says itself how long it trains. "
                "Leave --budget out, or set the time: --set training.max_minutes=10"
            )
    return parse_budget(budget or DEFAULT_BUDGET)


def text_files(path: Path) -> list[Path]:
    """The file, or the files directly in the folder, by name, hidden ones left out; absolute.

    Raises:
        UsageError: there is nothing to read.
    """
    try:
        if path.is_dir():
            files = sorted(
                file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")
            )
            if not files:
                raise UsageError(
                    f"{path}: this folder has no files in it. Name a text, or a folder of texts."
                )
            return [file.absolute() for file in files]
        if path.exists():
            return [path.absolute()]
        if path.is_symlink():
            raise UsageError(
                f"{path}: this is a link to {path.readlink()}, where no text is. Mend it, or name another text."
            )
        names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from error
    from rnn_cli.config.wording import (  # only here: it brings all of the configs' machinery
        closest,
        did_you_mean,
    )

    near = closest(path.name, sorted(names), cutoff=0.75)
    meant = did_you_mean(near and f'"{path.with_name(near)}"')
    raise UsageError(f"{path}: there is no such text or config.{meant}")


def run_name(path: Path) -> str:
    """What the run of a config or text is called: the name without its endings."""
    if is_config(path):
        return config_name(path)
    name = os.path.basename(os.path.realpath(path)).lstrip(".")  # noqa: PTH119 - a circle of links has a name, too
    return name.split(".")[0] or "text"
