"""`rnn train` in several processes: as a launcher starts them, and under torchrun itself."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.model_file import read_model_file
from tests.cli.test_killed import write_config
from tests.training.test_ranks import ROOT, start_together

pytestmark = pytest.mark.timeout(1200)  # cold starts, on a machine that may be busy
SET = ("--set", "training.threads=1", "--set", "training.engine=float32")


def test_the_first_process_alone_says_what_came_out_and_what_is_wrong(tiny: Path) -> None:
    processes = start_together(2, "rnn_cli", "train", "tiny.yaml", *SET, cwd=tiny.parent)
    (out, err), others = [process.communicate(timeout=380) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], (err, others)
    assert "2 processes train together; each reads its share of the 2 streams.\n" in err
    assert "test perplexity" in out
    assert others == ("", "")
    assert sorted(path.name for path in (tiny.parent / "runs").iterdir()) == ["tiny"]


def start(count: int, *arguments: str) -> subprocess.Popen[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return subprocess.Popen(
        [*torchrun, "-m", "rnn_cli", "train", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_a_state(torchrun: subprocess.Popen[str], run: Path) -> None:
    """Until the training has saved something to go on from."""
    while not (run / "good.safetensors").exists():
        assert torchrun.poll() is None, torchrun.communicate()[1]
        time.sleep(0.05)


def process_of(rank: int, torchrun: subprocess.Popen[str]) -> int:
    """Its number, by the environment that torchrun gave it."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(re.findall(r"PPid:\s+(\d+)", (path / "status").read_text())[0])
            if parent == torchrun.pid and f"\0RANK={rank}\0" in "\0" + (path / "environ").read_text():
                return int(path.name)
        except OSError:
            continue
    raise AssertionError(f"torchrun has no rank {rank}")


@pytest.mark.long
def test_processes_together_train_one_config(tiny: Path) -> None:
    torchrun = start(2, str(tiny.parent / "train.txt"))
    _, err = torchrun.communicate(timeout=380)
    assert torchrun.returncode == 1
    assert re.findall("^error: .*", err, re.MULTILINE) == [
        "error: 2 processes together train one config: give one. For a text, let a single process choose first, and "
        "train with the config.yaml in its run."
    ]


@pytest.mark.long
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_job_with_a_message(rank: int, tmp_path: Path) -> None:
    config, run = write_config(tmp_path, epochs=200), tmp_path / "run"
    torchrun = start(2, str(config), "--run-dir", str(run))
    wait_for_a_state(torchrun, run)
    os.kill(process_of(rank, torchrun), signal.SIGKILL)
    _, err = torchrun.communicate(timeout=400)
    assert torchrun.returncode == 1
    said = (
        r"error: Another process of this training has ended or cannot be reached \(.*\)\. Go on from the last "
        r"checkpoint, with as many processes or others: "
        rf"torchrun --nproc-per-node 2 -m rnn_cli train --resume {run}\n"
    )
    assert len(re.findall(said, err)) == 1, err
    assert "Signal 9 (SIGKILL)" in err  # torchrun says which one it was


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_job_saves_and_any_number_of_processes_goes_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    config, run = write_config(tmp_path, epochs=4), tmp_path / "run"
    # exact: its result does not depend on how the streams are shared; sgd: the last bits of a sum do not grow
    learning = ("training.optimizer=sgd", "training.learning_rate=0.1", "output.softmax=exact")
    arguments = [str(config), *SET, *(word for key in learning for word in ("--set", key))]
    alone = start(1, *arguments, "--run-dir", str(tmp_path / "alone"))
    _, err = alone.communicate(timeout=400)
    assert alone.returncode == 0, err
    torchrun = start(3, *arguments, "--run-dir", str(run))
    wait_for_a_state(torchrun, run)
    time.sleep(0.3)
    torchrun.send_signal(number)
    _, err = torchrun.communicate(timeout=400)
    assert re.search(r"Stopped at step [1-9]\d*; everything is saved.", err), err
    assert not (run / "summary.json").exists()

    resumed = start(2, "--resume", str(run))
    _, err = resumed.communicate(timeout=400)
    assert resumed.returncode == 0, err
    assert "the number of processes was 3, now it is 2: the result will not be the same bit for bit." in err
    one, other = (read_model_file(path / "model.safetensors").tensors for path in (tmp_path / "alone", run))
    for name, tensor in one.items():
        np.testing.assert_allclose(other[name], tensor, atol=1e-5, err_msg=name)
    figures = [json.loads((path / "summary.json").read_text()) for path in (tmp_path / "alone", run)]
    assert figures[1]["test"]["perplexity"] == pytest.approx(figures[0]["test"]["perplexity"], rel=1e-4)
