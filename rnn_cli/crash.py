"""What a bug of ours leaves behind: a file with the traceback, the command and the versions."""

import importlib.metadata
import platform
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

PACKAGES = ("rnn_cli", "torch", "numpy", "tokenizers", "safetensors", "pydantic", "typer", "rich")


def write_crash_file() -> Path:
    """Write the exception being handled into a new file in the folder for temporary files."""
    versions = "\n".join(f"{package} {_version(package)}" for package in PACKAGES)
    report = (
        f"command: {shlex.join(sys.argv)}\n"
        f"python {platform.python_version()} on {platform.platform()}\n{versions}\n\n{traceback.format_exc()}"
    )
    with tempfile.NamedTemporaryFile(
        "w", prefix="rnn-crash-", suffix=".txt", encoding="utf-8", errors="backslashreplace", delete=False
    ) as file:
        file.write(report)
    return Path(file.name)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
