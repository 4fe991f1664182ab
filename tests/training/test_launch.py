"""How a training was started, and what goes on with it."""

from pathlib import Path

import pytest

from rnn_cli.errors import TrainingError
from rnn_cli.training.launch import on_several_machines, resume_command, started_together
from rnn_cli.training.run_folder import RunFolder

TORCHRUN = {
    "RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500",
}  # fmt: skip


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under `torchrun --nproc-per-node 2`."""
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)


def test_a_process_by_itself_goes_on_by_rnn() -> None:
    assert not started_together()
    assert resume_command(Path("runs/a run")) == "rnn train --resume 'runs/a run'"


@pytest.mark.usefixtures("torchrun")
def test_processes_together_go_on_by_torchrun_with_as_many() -> None:
    assert started_together()
    assert resume_command(Path("run")) == "torchrun --nproc-per-node 2 -m rnn_cli train --resume run"


@pytest.mark.usefixtures("torchrun")
def test_processes_on_several_machines_meet_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "4")
    assert resume_command(Path("run")) == (
        "torchrun --nnodes 4 --rdzv-backend c10d --rdzv-endpoint HOST:PORT --nproc-per-node 2 "
        "-m rnn_cli train --resume run"
    )


@pytest.mark.parametrize(
    ("here", "of_all", "several"), [("2", "2", False), ("2", "8", True), (None, "8", False)]
)
def test_several_machines_are_told_by_the_processes_on_this_one(
    monkeypatch: pytest.MonkeyPatch, here: str | None, of_all: str, several: bool
) -> None:
    monkeypatch.setenv("WORLD_SIZE", of_all)
    if here is None:
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    else:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", here)
    assert on_several_machines() == several


def test_a_single_process_of_torchrun_is_a_process_by_itself(
    torchrun: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not started_together()
    assert resume_command(Path("run")) == "rnn train --resume run"


@pytest.mark.usefixtures("torchrun")
def test_a_full_disk_under_torchrun_names_torchrun(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.good.touch()
    with pytest.raises(TrainingError) as error, folder.writing():
        raise OSError(28, "No space left on device")
    assert str(error.value) == (
        f"{tmp_path} cannot be written to (No space left on device). Make room, then go on from the last "
        f"checkpoint: torchrun --nproc-per-node 2 -m rnn_cli train --resume {tmp_path}"
    )
