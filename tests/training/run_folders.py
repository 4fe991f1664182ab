"""Run folders that hold something, and what is said about them."""

import json
from pathlib import Path

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.training.events import Event, Trained
from rnn_cli.training.run_folder import RunFolder

ELSEWHERE = "Choose another folder with --run-dir"


def trained(step: int) -> Trained:
    return Trained(
        step=step,
        epoch=1,
        loss=2.0,
        perplexity=7.4,
        tokens_per_s=100.0,
        gradient_norm=1.0,
        learning_rate=0.1,
        elapsed_s=1.0,
    )


def folder_with(path: Path, *events: Event) -> RunFolder:
    """A run that has begun, with these events, and that nobody holds any more."""
    folder = RunFolder.create(path)
    folder.begin("data: {train: a.txt}\n")
    for event in events:
        folder.record(event)
    folder.close()
    return folder


def recorded(folder: RunFolder) -> list[tuple[str, int | None]]:
    """The kind and the step of each record."""
    records = [json.loads(line) for line in folder.metrics.read_text(encoding="utf-8").splitlines()]
    return [(record["event"], record.get("step")) for record in records]


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def contents(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.iterdir()}


def refusal(path: Path, *, force: bool = False) -> str:
    before = contents(path)
    with pytest.raises(UsageError) as error:
        RunFolder.create(path, force=force)
    assert contents(path) == before
    return str(error.value)
