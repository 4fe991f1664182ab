"""What a study remembers of a run: what it was trained with, how it ended, which commands followed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from rnn_cli.batch.progress import MetricsReader
from rnn_cli.config import Config, config_from_dict, config_to_dict
from rnn_cli.config.nodes import dotted_keys, plain
from rnn_cli.config.sources import read_file
from rnn_cli.errors import ConfigError, Interrupted
from rnn_cli.files import write_text
from rnn_cli.training.run_folder import RunFolder

NAME = "batch.json"
NEXT = "batch.next.json"
"""Beside it, from when a training is to take another's place until its end is in `batch.json`."""

_TEXTS = ("train", "valid", "test")
_LEFT_OPEN = (("output", "softmax", "auto"), ("training", "engine", "auto"), ("training", "threads", None))
"""What a plan may leave to the training, and how it says so: the config of a run says what was taken."""


@dataclass
class Followed:
    """A command that was run on the model: its words, and its exit code."""

    command: list[str]
    exit_code: int


@dataclass
class Record:
    """The file `batch.json` in the folder of a run.

    Attributes:
        config: the config as planned, its paths left out.
        texts: the sha256 of each file that it names, by key.
        exit_code: the exit code of the last training; None while it has not come to an end.
        reason: why the training failed; empty where it did not.
        after: the commands that followed, by name.
        pruned: whether a search gave the training up.
    """

    config: dict[str, Any]
    texts: dict[str, list[str]]
    exit_code: int | None = None
    reason: str = ""
    after: dict[str, Followed] = field(default_factory=dict)
    pruned: bool = False

    @property
    def was_cut_off(self) -> bool:
        """Whether a signal ended the training, which by itself would have gone on."""
        return self.exit_code is not None and (self.exit_code < 0 or self.exit_code == Interrupted.exit_code)

    @classmethod
    def of(cls, config: Config, digests: "Digests") -> Self:
        """What a training of this config will be known by."""
        data = config.data
        paths = {name: list(getattr(data, name)) for name in _TEXTS}
        paths |= {f"questions.{name}": [path] for name, path in data.questions.items()}
        texts = {f"data.{key}": [digests.of(Path(path)) for path in files] for key, files in paths.items()}
        settings = config_to_dict(config)
        settings["data"] = {
            key: value for key, value in settings["data"].items() if key not in (*_TEXTS, "questions")
        }
        return cls(settings, texts)

    @classmethod
    def of_run(cls, config_file: Path, planned: "Record", digests: "Digests") -> "Record | None":
        """What the config in the folder of a run says, as the plan would say it; None where it cannot be read."""
        root, _ = read_file(config_file)
        try:
            found = None if root is None else cls.of(config_from_dict(plain(root)), digests)
        except (ConfigError, KeyError, TypeError):  # of another version
            return None
        if found is None:
            return None
        for section, key, left_open in _LEFT_OPEN:
            if planned.config[section][key] == left_open:
                found.config[section][key] = left_open
        found.config["training"]["device"] = planned.config["training"]["device"]  # a run may go on elsewhere
        # A text that is no longer there, as where the folder was moved, tells nothing.
        found.texts |= {key: planned.texts.get(key, []) for key, said in found.texts.items() if "" in said}
        return found

    @classmethod
    def read(cls, run: Path) -> "Record | None":
        """The record in the folder of a run; None where there is none that can be read."""
        try:
            stored = json.loads((run / NAME).read_text(encoding="utf-8"))
            after = {name: Followed(**followed) for name, followed in stored.pop("after").items()}
            return cls(**stored, after=after)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, run: Path) -> None:
        """Write it into the folder of the run, whole or not at all."""
        # In ASCII: the words of a command may hold a path that is not UTF-8.
        write_text(run / NAME, json.dumps(asdict(self), indent=2) + "\n")
        (run / NEXT).unlink(missing_ok=True)

    def announce(self, run: Path) -> None:
        """Write down that a training of this is to take the place of the one in the folder."""
        before = MetricsReader(RunFolder(run).metrics).stamp()
        announced = {"record": asdict(self), "metrics_before": before}
        write_text(run / NEXT, json.dumps(announced, indent=2) + "\n")

    @classmethod
    def announced(cls, run: Path) -> "Record | None":
        """The record of a training that has taken another's place and whose end nobody has written down."""
        try:
            announced = json.loads((run / NEXT).read_text(encoding="utf-8"))
            now = MetricsReader(RunFolder(run).metrics).stamp()
            return None if announced["metrics_before"] == now else cls(**announced["record"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def changes(self, planned: "Record") -> list[str]:
        """How the plan differs from what the run was trained with, in words; empty where it does not."""
        before, now = dotted_keys(_with_defaults(self.config)), dotted_keys(planned.config)
        return changes_told(before, now) + [
            f"{key} has another text"
            for key in sorted(self.texts.keys() | planned.texts.keys())
            if self.texts.get(key, []) != planned.texts.get(key, [])
        ]


def changes_told(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """How mappings of keys in full differ, in words."""
    return [
        f"{key} was {_shown(before, key)} and is {_shown(now, key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


class Digests:
    """The sha256 of files, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """In hexadecimal; empty where the file cannot be read, about which its training will complain."""
        if path not in self._known:
            try:
                with path.open("rb") as file:
                    self._known[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                self._known[path] = ""
        return self._known[path]


def _with_defaults(stored: dict[str, Any]) -> dict[str, Any]:
    """A config from before a key was there means the key's default."""
    try:
        config = config_to_dict(config_from_dict({**stored, "data": {**stored["data"], "train": "-"}}))
    except (ConfigError, KeyError, TypeError):
        return stored
    config["data"] = {key: value for key, value in config["data"].items() if key in stored["data"]}
    return config


def _shown(flat: Mapping[str, Any], key: str) -> str:
    return json.dumps(flat[key], ensure_ascii=False) if key in flat else "not there"
