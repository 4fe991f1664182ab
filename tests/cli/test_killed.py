"""SIGKILL at random moments, resumed each time: the end is that of a training that nobody disturbed."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PARTS = ".*.part"  # files that are being written

RESUMED = ("start",)  # recorded each time that a training goes on
TIMES = ("elapsed_s", "update_cpu_s", "tokens_per_s")


def write_config(folder: Path, epochs: int) -> Path:
    """A network whose states are some megabytes, so that they take time to write; one is saved at every step."""
    draw = random.Random(5)
    words = [f"w{number}" for number in range(4000)]
    for name, lines in (("train", 500), ("valid", 20), ("test", 20)):
        text = "".join(" ".join(draw.choices(words, k=10)) + "\n" for _ in range(lines))
        (folder / f"{name}.txt").write_text(text)
    config = folder / "killed.yaml"
    config.write_text(
        "data: {train: train.txt, valid: valid.txt, test: test.txt}\n"
        "model: {embedding_size: 32, hidden_size: 48, dropout: 0.3}\n"
        "output: {softmax: sampled, samples: 20}\n"
        "training: {batch_size: 8, bptt_steps: 20, threads: 1, log_every_windows: 1, checkpoint_windows: 7,\n"
        f"  checkpoint_minutes: 1e-6, schedule: plateau, max_epochs: {epochs}}}\n"
    )
    return config


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "rnn_cli", "train", *arguments]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=os.environ)


def wait_until_training(process: subprocess.Popen[bytes], run: Path) -> None:
    """Until the process has written something more to the metrics than there was."""
    metrics = run / "metrics.jsonl"
    before = metrics.stat().st_mtime_ns if metrics.exists() else 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and metrics.stat().st_size and metrics.stat().st_mtime_ns != before:
            return
        time.sleep(0.01)


def wait_until_writing(process: subprocess.Popen[bytes], run: Path) -> None:
    """Until a file that is being written lies in the folder."""
    while process.poll() is None and not any(run.glob(PARTS)):
        pass


def records(run: Path) -> list[dict[str, Any]]:
    """The metrics without what differs between two runs that are the same: times, and the resumes themselves."""
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in record.items() if key not in TIMES}
        for record in found
        if record["event"] not in RESUMED
    ]


@pytest.mark.parametrize(
    ("kills", "epochs"), [(4, 3), pytest.param(20, 12, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_a_training_that_was_killed_again_and_again_ends_with_the_same_bytes(
    kills: int, epochs: int, tmp_path: Path
) -> None:
    config = write_config(tmp_path, epochs)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert start(str(config), "--run-dir", str(straight)).wait() == 0

    moments = random.Random(7)
    half_written = 0
    arguments = [str(config), "--run-dir", str(killed)]
    for number in range(kills):
        process = start(*arguments)
        wait_until_training(process, killed)
        time.sleep(moments.uniform(0, 0.5))
        if number % 2:
            wait_until_writing(process, killed)
        process.kill()
        assert process.wait() == -9, "it ended before it could be killed"
        half_written += any(killed.glob(PARTS))
        arguments = ["--resume", str(killed)]
    assert half_written >= kills // 4

    assert start("--resume", str(killed)).wait() == 0
    assert records(killed) == records(straight)
    assert (killed / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in straight.iterdir())
