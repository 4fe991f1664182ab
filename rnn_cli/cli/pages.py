"""Where a page of HTML goes."""

from pathlib import Path

from rnn_cli.errors import UsageError
from rnn_cli.files import write_text


def write_page(path: Path, html: str) -> None:
    """Write a page, whole or not at all; to a pipe or a device as it is.

    Raises:
        UsageError: no file can be written there.
    """
    try:
        # The errors: it may name a path that is not UTF-8.
        if path.exists() and not path.is_file():  # not to be replaced; to open a folder says what is wrong
            path.write_text(html, "utf-8", errors="backslashreplace")
        else:
            write_text(path, html, errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written to ({error.strerror or error}). Choose another file with --html."
        ) from error


def note_missing_plots() -> None:
    """Say what to install where matplotlib is missing; the tables of a page are there without it."""
    from rnn_cli.console import show_note
    from rnn_cli.insight.plots import HOW_TO_INSTALL, can_plot

    if not can_plot():
        show_note(HOW_TO_INSTALL)
