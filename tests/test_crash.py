"""The file that a bug of ours leaves behind."""

import platform
import sys
import tempfile
from pathlib import Path

import pytest

import rnn_cli
from rnn_cli import crash
from rnn_cli.crash import write_crash_file


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["rnn", "complete", "the cat", "--top", "1"])


def crash_with(message: str) -> Path:
    def fail() -> None:
        raise RuntimeError(message)

    try:
        fail()
    except RuntimeError:
        return write_crash_file()
    raise AssertionError("nothing was raised")


def test_the_file_lies_in_the_folder_for_temporary_files_and_says_what_it_is(tmp_path: Path) -> None:
    path = crash_with("a bug")
    assert path.parent == tmp_path
    assert path.name.startswith("rnn-crash-")
    assert path.suffix == ".txt"


def test_the_file_holds_the_command_the_versions_and_the_traceback() -> None:
    lines = crash_with("a bug").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "command: rnn complete 'the cat' --top 1"
    assert lines[1] == f"python {platform.python_version()} on {platform.platform()}"
    assert lines[2] == f"rnn_cli {rnn_cli.__version__}"
    assert [line.split()[0] for line in lines[2:10]] == [
        "rnn_cli", "torch", "numpy", "tokenizers", "safetensors", "pydantic", "typer", "rich",
    ]  # fmt: skip
    assert lines[10] == ""
    assert lines[11] == "Traceback (most recent call last):"
    assert lines[-1] == "RuntimeError: a bug"


def test_a_second_crash_gets_a_file_of_its_own() -> None:
    first, second = crash_with("one"), crash_with("two")
    assert first.read_text().endswith("one\n")
    assert second.read_text().endswith("two\n")


def test_a_package_that_is_not_installed_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "PACKAGES", ("rnn_cli", "no-such-package"))
    assert "\nno-such-package not installed\n\n" in crash_with("a bug").read_text()


def test_bytes_that_are_no_text_do_not_stand_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["rnn", "complete", "\udcff"])
    lines = crash_with("\ud800").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "command: rnn complete '\\udcff'"
    assert lines[-1] == "RuntimeError: \\ud800"
