"""A disk that is full: one clear message, and the last good checkpoint goes on to the same end."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Rnn
from tests.training.test_run import press_ctrl_c_in


def train_with_files_up_to(size: int, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`rnn train` where no file may become larger than `size` bytes: to the program, the disk is full."""
    return subprocess.run(
        [sys.executable, "-m", "rnn_cli", "train", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def test_a_full_disk_is_one_message_and_the_last_good_checkpoint_goes_on_to_the_same_end(
    rnn: Rnn, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rnn("train", str(tiny), "--run-dir", "straight").code == 0
    with monkeypatch.context() as patched:
        press_ctrl_c_in(20, patched)
        assert rnn("train", str(tiny), "--run-dir", "run").code == 130
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    whole = checkpoint.read_bytes()

    # The numbers of seconds in a state take some digits more or less each time.
    result = train_with_files_up_to(len(whole) - 200, "--resume", "run", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "error: run cannot be written to (File too large). "
        "Make room, then go on from the last checkpoint: rnn train --resume run"
    )
    assert "Traceback" not in result.stderr
    assert checkpoint.read_bytes() == whole
    assert not list((tmp_path / "run").glob(".*"))

    assert rnn("train", "--resume", "run").code == 0
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("straight", "run")]
    assert models[0] == models[1]


def test_a_disk_that_is_full_from_the_start_is_one_message_whose_advice_works(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    result = train_with_files_up_to(2000, str(tiny), "--run-dir", "run", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "error: run cannot be written to (File too large). "
        "Make room and start again, or choose another folder with --run-dir."
    )
    assert rnn("train", str(tiny), "--run-dir", "run").code == 0
