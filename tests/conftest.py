"""What every test stands on: a cache of its own, one thread, and the command line as a function."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

os.environ["OMP_NUM_THREADS"] = (
    "1"  # tiny products are faster so, and sums come out the same on every machine
)


class Result(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Rnn = Callable[..., Result]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("RNN_MODEL", raising=False)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """A training in this process may have left torch with more, which wait for each other in every small product."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests hold what comes out on a CPU; those marked `cuda` alone see the GPU of a machine that has one."""
    import torch

    if request.node.get_closest_marker("cuda") is None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # for processes that a test starts


@pytest.fixture
def rnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Rnn:
    """`rnn("train", "x.yaml")` in an empty folder: exit code, standard output, standard error."""
    from rnn_cli.__main__ import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([*arguments])
        out, err = capfd.readouterr()
        code = exit_.value.code
        return Result(code if isinstance(code, int) else 0, out, err)

    return run
