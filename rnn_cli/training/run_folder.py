"""The folder that one training writes to, and nothing else writes to."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnn_cli.errors import ModelFileError, UsageError
from rnn_cli.files import atomic_write, write_text
from rnn_cli.training.events import Event


class RunFolder:
    """Where a training keeps what it makes.

    config.yaml             the resolved config: runs again by itself
    metrics.jsonl           one record an event
    model.safetensors       the best model so far
    checkpoint.safetensors  what `rnn train --resume` needs
    summary.json            the final figures; a run that has it is finished
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.model = path / "model.safetensors"
        self.checkpoint = path / "checkpoint.safetensors"
        self.summary = path / "summary.json"

    @classmethod
    def create(cls, path: Path, config_yaml: str) -> "RunFolder":
        """Begin a new run in `path`. A folder that already holds a run is left alone.

        Raises:
            UsageError: the folder holds a run, or cannot be made.
        """
        folder = cls(path)
        try:
            if folder.summary.exists():
                raise UsageError(f"{path} holds a finished run. Choose another folder with --run-dir.")
            if folder.checkpoint.exists():
                raise UsageError(
                    f"{path} holds a run that is not finished. "
                    f"Go on with it: rnn train --resume {path}. Or choose another folder with --run-dir."
                )
            path.mkdir(parents=True, exist_ok=True)
            write_text(folder.config, config_yaml)
            write_text(folder.metrics, "")
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written to ({error.strerror}). Choose another --run-dir."
            ) from error
        return folder

    @classmethod
    def reopen(cls, path: Path) -> "RunFolder":
        """The folder of a run that stopped before its end.

        Raises:
            ModelFileError: there is nothing to go on with.
        """
        folder = cls(path)
        try:
            if folder.summary.exists():
                raise ModelFileError(f"{path} is finished: there is nothing left to train.")
            if not folder.checkpoint.exists():
                raise ModelFileError(f"{path} has no checkpoint to go on from. Start anew: rnn train CONFIG.")
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be read ({error.strerror}).") from error
        return folder

    def record(self, event: Event) -> None:
        """Append one event to the metrics."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event.to_record(), ensure_ascii=False) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the metrics of what came after the checkpoint: it will happen again."""
        kept = []
        for line in self._metrics_lines():
            with suppress(ValueError):  # the last line, where the training was killed while it wrote
                record = json.loads(line)
                if record.get("step", 0) <= step and record["event"] != "end":
                    kept.append(line + "\n")
        write_text(self.metrics, "".join(kept))

    def _metrics_lines(self) -> list[str]:
        if not self.metrics.exists():
            return []
        return self.metrics.read_text(encoding="utf-8", errors="replace").split("\n")

    def finish(self, summary: dict[str, Any]) -> None:
        """Write the final figures; the checkpoint has done its work and goes."""
        with atomic_write(self.summary) as file:
            file.write((json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))
        self.checkpoint.unlink(missing_ok=True)


def new_run_path(runs: Path, name: str) -> Path:
    """`runs/name`, or `runs/name-2`, `-3`, ... where that is taken."""
    path = runs / name
    number = 2
    while path.exists():
        path = runs / f"{name}-{number}"
        number += 1
    return path
