"""The command line as a whole: help, version, usage errors."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rnn_cli
from tests.conftest import Result, Rnn

COMMANDS = [
    "train", "complete", "predict", "score", "eval", "ngram", "trace", "report", "compare", "batch", "runs", "check",
    "check-grad", "init",
]  # fmt: skip


def uncoloured(text: str) -> str:
    """A continuous integration service may be taken for a terminal with colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def words(text: str) -> str:
    """The words of a help text or a usage error, without its frames and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", uncoloured(text)).split())


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("3", "3")])
def test_numpy_computes_with_one_thread_unless_told_otherwise(
    rnn: Rnn, monkeypatch: pytest.MonkeyPatch, given: str | None, threads: str
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    assert rnn("--version").code == 0
    assert os.environ["OPENBLAS_NUM_THREADS"] == threads


def test_help_names_every_command(rnn: Rnn) -> None:
    for option in ("--help", "-h"):
        result = rnn(option)
        assert (result.code, result.err) == (0, "")
        assert words(result.out).startswith("Usage: rnn [OPTIONS] COMMAND [ARGS]...")
        assert re.findall(r"^│ ([a-z][a-z-]*) ", uncoloured(result.out), re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_that_begins_with_its_usage(rnn: Rnn, command: str) -> None:
    for option in ("--help", "-h"):
        result = rnn(command, option)
        assert (result.code, result.err) == (0, "")
        assert words(result.out).startswith(f"Usage: rnn {command} [OPTIONS]")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", ["--budget", "--set", "--run-dir", "--resume", "--index", "--force", "--json"]),
        (
            "complete",
            [
                "--model", "--choices", "--pmi", "--blank-words", "--why", "--top", "--max-words", "--temperature",
                "--top-k", "--top-p", "--samples", "--seed", "--cache", "--ngram", "--context", "--json",
            ],
        ),
        ("predict", ["--model", "--top", "--pmi", "--blank-words", "--cache", "--ngram"]),
        ("score", ["--model", "--state", "--totals", "--json"]),
        (
            "eval",
            [
                "--model", "--answers", "--format", "--calibrate", "--cache", "--dynamic", "--ngram", "--fit",
                "--pmi", "--blank-words", "--batch-size", "--json",
            ],
        ),
        ("trace", ["--model", "--answer", "--html", "--json"]),
        ("batch", ["--jobs", "--run-dir", "--force", "--dry-run", "--on", "--json"]),
        ("runs", ["--json"]),
        ("check", ["--set", "--json"]),
        ("report", ["--html", "--json"]),
        ("compare", ["--perplexity", "--html", "--json"]),
        ("check-grad", ["--json"]),
        ("init", ["--schema"]),
    ],
)  # fmt: skip
def test_help_shows_every_option(rnn: Rnn, command: str, options: list[str]) -> None:
    shown = re.findall(r"^│ (--[a-z-]+)", uncoloured(rnn(command, "--help").out), re.MULTILINE)
    assert shown == [*options, "--help"]


def test_the_version_is_that_of_the_package(rnn: Rnn) -> None:
    assert rnn("--version") == Result(0, f"rnn_cli {rnn_cli.__version__}\n", "")


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_2(rnn: Rnn) -> None:
    result = rnn()
    assert result.code == 2
    assert "Usage: rnn [OPTIONS] COMMAND [ARGS]..." in words(result.out + result.err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tarin"], "No such command 'tarin'."),
        (["complete"], "Missing argument 'TEXT'."),
        (
            ["complete", "the", "dog's", "--top", "2"],
            "The text came in 2 pieces. Put it between quotation marks: ",
        ),
        (["trace", "my", "dish"], "Put it between quotation marks: 'my dish'"),
        (["complete", "a", "--topp", "1"], "No such option: --topp"),
        (["complete", "a", "--top"], "Option '--top' requires an argument."),
        (["complete", "a", "--top", "many"], "Invalid value for '--top'"),
        (["check"], "Missing argument 'CONFIG'."),
        (["batch"], "Missing argument 'PLAN'."),
        (["batch", "x", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["runs", "a", "b"], "Got unexpected extra argument(s) (b)"),
        (["init", "x"], "Got unexpected extra argument(s) (x)"),
        (["predict", "a", "b"], "Got unexpected extra argument(s) (b)"),
    ],
)
def test_a_usage_error_says_what_is_wrong_and_exits_2(rnn: Rnn, arguments: list[str], message: str) -> None:
    result = rnn(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in words(result.err)
    assert "Traceback" not in result.err


def test_python_m_rnn_cli_is_the_same_as_rnn(tmp_path: Path) -> None:
    def run(*command: str) -> Result:
        done = subprocess.run([*command], cwd=tmp_path, capture_output=True, text=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    rnn_itself = str(Path(sys.executable).with_name("rnn"))
    for arguments in (["--help"], ["check", "gone.yaml"]):
        as_module = run(sys.executable, "-m", "rnn_cli", *arguments)
        assert as_module == run(rnn_itself, *arguments)
        assert (as_module.out + as_module.err).strip()


def test_a_current_folder_that_was_removed_is_one_clear_message(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    Path(tmp_path / "gone").rmdir()
    assert rnn("train", "my.txt") == Result(
        2, "", "error: The current folder was removed. Go to one that is there: cd ~\n"
    )


def test_no_help_waits_for_torch_or_numpy() -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        f"for command in [[], *([name] for name in {COMMANDS})]:\n"
        "    try: main([*command, '--help'])\n"
        "    except SystemExit as end: assert not end.code\n"
        "print([m for m in ('torch', 'numpy', 'tokenizers', 'yaml') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("stopped", ["rnn_cli.parent.end_with_parent", "rnn_cli.inference.find_model"])
def test_ctrl_c_is_told_in_a_word(rnn: Rnn, monkeypatch: pytest.MonkeyPatch, stopped: str) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stopped, interrupted)
    assert rnn("complete", "a ____") == Result(130, "", "Stopped.\n")
