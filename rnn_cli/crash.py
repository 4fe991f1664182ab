"""What a bug of ours leaves behind: a file with the command, the versions, the config and the traceback."""

import importlib.metadata
import platform
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

from rnn_cli.cache import cache_folder

PACKAGES = ("rnn_cli", "torch", "numpy", "tokenizers", "safetensors", "pydantic", "typer", "rich")

_remembered: dict[str, str] = {}


def remember(name: str, text: str) -> None:
    """Keep a text for the report, should there be one; a later text of the same name takes its place."""
    _remembered[name] = text


def report() -> str:
    """The exception being handled, and what is needed to see it happen again. Nothing else of the user's."""
    versions = "\n".join(f"{package} {_version(package)}" for package in PACKAGES)
    remembered = "".join(f"{name}:\n{text.rstrip()}\n\n" for name, text in _remembered.items())
    return (
        f"command: {shlex.join(sys.argv)}\n"
        f"python {platform.python_version()} on {platform.platform()}\n{versions}\n\n"
        f"{remembered}{traceback.format_exc()}"
    )


def write_crash_file(text: str) -> Path:
    """Write a report into a new file in the folder `crashes` of the cache.

    Raises:
        OSError, RnnError: it cannot be written, or there is no home folder.
    """
    folder = cache_folder() / "crashes"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w",
        prefix="crash-",
        suffix=".txt",
        encoding="utf-8",
        errors="backslashreplace",
        dir=folder,
        delete=False,
    ) as file:
        file.write(text)
    return Path(file.name)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
