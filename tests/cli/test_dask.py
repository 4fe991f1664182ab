"""`rnn batch --on dask://HOST:PORT` with a real scheduler and two workers on this machine."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from rnn_cli.training.run_lock import is_held

pytest.importorskip("distributed")
pytestmark = pytest.mark.long

STUDY = """\
configs: tiny.yaml
set: {training: {max_epochs: 100000, max_minutes: MINUTES, validate_every_epochs: 100000, threads: null}}
seeds: 2
after: {answer.json: complete "the cat ____" --json}
"""
SEARCH = """\
configs: tiny.yaml
set: {training.max_epochs: 2}
search: {trials: 3}
sample: {training.learning_rate: {low: 1e-3, high: 1e-1, log: true}}
"""


def wait_until(condition: Callable[[], bool]) -> None:
    """For long enough on a machine that has much else to do."""
    deadline = time.monotonic() + 400
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


Process = subprocess.Popen[str]


class LocalCluster:
    """A scheduler, and workers by their addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        self.address = self._told("scheduler", r"Scheduler at:\s+tcp://(\S+)")
        self.workers: dict[str, Process] = {}
        for name in ("one", "two"):
            process = self._start(
                "worker", self.address, "--nthreads", "1", "--no-nanny", "--name", name,
                "--local-directory", str(folder / name), log=name,
            )  # fmt: skip
            self.workers[self._told(name, r"Start worker at:\s+(\S+)")] = process
            self._told(name, "(Starting established connection)")

    def _start(self, what: str, *options: str, log: str | None = None) -> Process:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options]
        file: IO[str] = (self.folder / f"{log or what}.log").open("w")
        with file:
            return subprocess.Popen(command, cwd=self.folder, stdout=file, stderr=file, text=True)

    def _told(self, log: str, pattern: str) -> str:
        path = self.folder / f"{log}.log"
        wait_until(lambda: re.search(pattern, path.read_text()) is not None)
        found = re.search(pattern, path.read_text())
        assert found is not None
        return found[1]

    def close(self) -> None:
        """End what is left of it."""
        for process in (*self.workers.values(), self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path, tiny: Path) -> Iterator[LocalCluster]:
    (tmp_path / "dask").mkdir()
    cluster = LocalCluster(tmp_path / "dask")
    yield cluster
    cluster.close()


def start(folder: Path, cluster: LocalCluster, plan: str) -> Process:
    (folder / "study.yaml").write_text(plan)
    command = [sys.executable, "-m", "rnn_cli", "batch", "study.yaml", "--on", f"dask://{cluster.address}"]
    with (folder / "err").open("w") as err:
        return subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=err, text=True, env=os.environ
        )


def trains(run: Path) -> bool:
    metrics = run / "metrics.jsonl"
    return metrics.exists() and '"event": "train"' in metrics.read_text()


def where(folder: Path, run: str) -> str:
    """The worker that a run is trained at, as it was told."""
    pattern = rf"^{re.escape(run)} is trained at (\S+)$"
    wait_until(lambda: re.search(pattern, (folder / "err").read_text(), re.MULTILINE) is not None)
    found = re.search(pattern, (folder / "err").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_run_of_a_worker_that_is_killed_goes_on_at_the_other(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    process = start(tmp_path, cluster, STUDY.replace("MINUTES", "0.3"))
    runs = [tmp_path / f"runs/study/tiny,seed={seed}" for seed in (1, 2)]
    wait_until(lambda: all(trains(run) for run in runs))
    killed, other = where(tmp_path, "tiny,seed=1"), where(tmp_path, "tiny,seed=2")
    assert {killed, other} == set(cluster.workers)
    cluster.workers[killed].kill()
    out, _ = process.communicate(timeout=500)
    err = (tmp_path / "err").read_text()
    assert process.returncode == 0, err
    assert err.splitlines()[0] == f"2 runs; on 2 workers of dask://{cluster.address}, 1 thread each"
    assert f"tiny,seed=1: its machine is gone; it is done again at {other}" in err.splitlines()
    assert out.splitlines()[0].split() == ["config", "runs", "valid.perplexity", "±"]
    for run in runs:
        assert json.loads((run / "summary.json").read_text())["steps"] > 0
        assert len(json.loads((run / "after/answer.json").read_text())["completions"]) == 5
    assert '"resumed": true' in (runs[0] / "metrics.jsonl").read_text()
    assert '"resumed": true' not in (runs[1] / "metrics.jsonl").read_text()
    assert "everything is saved" in (runs[0] / "train.log").read_text()  # it saw its worker die


def test_ctrl_c_lets_the_workers_save_and_the_same_plan_goes_on_without_them(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    process = start(tmp_path, cluster, STUDY.replace("MINUTES", "30").replace("seeds: 2", "seeds: 3"))
    wait_until(lambda: sum(map(trains, (tmp_path / "runs/study").glob("tiny,*"))) == 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=400)
    err = (tmp_path / "err").read_text()
    assert process.returncode == 130
    assert "Stopping: 2 runs are saving." in err
    again = f"rnn batch study.yaml --on dask://{cluster.address}"
    assert err.splitlines()[-1] == f"Stopped: 0 of 3 runs are finished. Go on with: {again}"
    half = [run for run in (tmp_path / "runs/study").glob("tiny,*") if trains(run)]
    for run in half:
        assert "everything is saved" in (run / "train.log").read_text()
        assert (run / "checkpoint.safetensors").exists() or (run / "good.safetensors").exists()
        assert not is_held(run)


def test_when_rnn_batch_is_killed_the_workers_stop_what_nobody_waits_for(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    process = start(tmp_path, cluster, STUDY.replace("MINUTES", "30"))
    runs = [tmp_path / f"runs/study/tiny,seed={seed}" for seed in (1, 2)]
    wait_until(lambda: all(trains(run) for run in runs))
    process.kill()
    process.communicate()
    wait_until(lambda: not any(is_held(run) for run in runs))
    # The last word comes after the folder is let go.
    wait_until(lambda: all("everything is saved" in (run / "train.log").read_text() for run in runs))


def test_when_the_scheduler_dies_the_results_so_far_are_written_and_the_plan_can_go_on(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    process = start(tmp_path, cluster, STUDY.replace("MINUTES", "30"))
    runs = [tmp_path / f"runs/study/tiny,seed={seed}" for seed in (1, 2)]
    wait_until(lambda: all(trains(run) for run in runs))
    cluster.scheduler.kill()
    process.communicate(timeout=400)
    assert process.returncode == 1
    again = f"rnn batch study.yaml --on dask://{cluster.address}"
    last = (tmp_path / "err").read_text().splitlines()[-1]
    assert last == f"error: 2 of 2 runs are not finished. Go on with: {again}"
    results = json.loads((tmp_path / "runs/study/results.json").read_text())
    assert {(run["state"], run["reason"]) for run in results["runs"]} == {
        ("stopped", "the connection to the cluster was lost. Start the same plan again to go on.")
    }
    wait_until(lambda: not any(is_held(run) for run in runs))
    # The last word comes after the folder is let go.
    wait_until(lambda: all("everything is saved" in (run / "train.log").read_text() for run in runs))


def test_a_search_has_its_trials_trained_by_the_workers(cluster: LocalCluster, tmp_path: Path) -> None:
    process = start(tmp_path, cluster, SEARCH)
    process.communicate(timeout=500)
    assert process.returncode == 0, (tmp_path / "err").read_text()
    results = json.loads((tmp_path / "runs/study/results.json").read_text())
    assert [run["state"] for run in results["runs"]] == ["finished"] * 3
    places = re.findall(r"is trained at (\S+)$", (tmp_path / "err").read_text(), re.MULTILINE)
    assert set(places) == set(cluster.workers)
