"""The file that a bug of ours leaves behind."""

import platform
import sys
from pathlib import Path

import pytest
import torch

import rnn_cli
import rnn_cli.inference
from rnn_cli import crash
from rnn_cli.crash import remember, report, write_crash_file
from tests.conftest import Result, Rnn


@pytest.fixture(autouse=True)
def _own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["rnn", "complete", "the cat", "--top", "1"])
    monkeypatch.setattr(crash, "_remembered", {})


def crash_with(message: str) -> Path:
    def fail() -> None:
        raise RuntimeError(message)

    try:
        fail()
    except RuntimeError:
        return write_crash_file(report())
    raise AssertionError("nothing was raised")


def test_the_file_lies_in_the_cache_and_says_what_it_is(tmp_path: Path) -> None:
    path = crash_with("a bug")
    assert path.parent == tmp_path / "cache" / "crashes"
    assert path.name.startswith("crash-")
    assert path.suffix == ".txt"
    assert path.stat().st_mode & 0o077 == 0  # a prompt may be private


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


def test_what_was_remembered_stands_before_the_traceback() -> None:
    remember("config", "model:\n  cell: gru\n")
    remember("config", "model:\n  cell: elman\n")
    lines = crash_with("a bug").read_text(encoding="utf-8").splitlines()
    assert lines[10:16] == [
        "",
        "config:",
        "model:",
        "  cell: elman",
        "",
        "Traceback (most recent call last):",
    ]


def test_the_environment_and_the_values_of_variables_stay_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "opensesame")
    password = "swordfish"  # noqa: F841 - on the stack, as the user's text would be
    text = crash_with("a bug").read_text(encoding="utf-8")
    assert "opensesame" not in text
    assert "swordfish" not in text


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


BUG = "error: this is a bug in rnn_cli, not a mistake of yours. "


@pytest.fixture
def _bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(given: str | None) -> Path:
        raise ZeroDivisionError("one over none")

    monkeypatch.setattr(rnn_cli.inference, "find_model", broken)


@pytest.mark.usefixtures("_bug")
def test_the_command_line_exits_3_and_prints_where_the_file_is(rnn: Rnn, tmp_path: Path) -> None:
    result = rnn("complete", "the cat")
    (file,) = (tmp_path / "cache" / "crashes").iterdir()
    assert result == Result(
        3, "", f"{BUG}What happened is written in {file}; please report it with that file.\n"
    )
    assert file.read_text(encoding="utf-8").endswith("ZeroDivisionError: one over none\n")


@pytest.mark.usefixtures("_bug")
def test_without_a_place_for_the_file_the_report_is_printed(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")
    code, out, err = rnn("complete", "the cat")
    assert (code, out) == (3, "")
    assert err.startswith(
        f"{BUG}It could not be written to a file ([Errno 20] Not a directory: "
        f"'{tmp_path / 'cache' / 'crashes'}'); please report it with what follows.\n\n"
        "command: rnn complete 'the cat' --top 1\n"
    )
    assert err.endswith("ZeroDivisionError: one over none\n\n")


@pytest.mark.usefixtures("_bug")
def test_without_a_home_folder_the_report_is_printed(rnn: Rnn, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("RNN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    code, out, err = rnn("complete", "the cat")
    assert (code, out) == (3, "")
    assert err.startswith(
        f"{BUG}It could not be written to a file (There is no place for the cache: this user has no home folder. "
    )
    assert err.endswith("ZeroDivisionError: one over none\n\n")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB."),
    ],
)
def test_too_little_memory_is_no_bug(error: Exception, rnn: Rnn, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(given: str | None) -> Path:
        raise error

    monkeypatch.setattr(rnn_cli.inference, "find_model", greedy)
    assert rnn("complete", "the cat") == Result(
        1, "", "error: memory ran out. Close other programs, or ask for less at once.\n"
    )
