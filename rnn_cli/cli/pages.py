"""Where a page of HTML goes."""

from pathlib import Path

from rnn_cli.errors import UsageError
from rnn_cli.files import write_text


def write_page(path: Path, html: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        UsageError: no file can be written there.
    """
    try:
        write_text(path, html)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written to ({error.strerror or error}). Choose another file with --html."
        ) from error
