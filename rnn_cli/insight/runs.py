"""What a training left in its run folder: its config, what it recorded, and its final figures."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rnn_cli.config.loader import config_error
from rnn_cli.config.nodes import Keys, Node, Problem, dotted_keys, plain, walk
from rnn_cli.config.sources import read_file
from rnn_cli.config.wording import found_and_allowed
from rnn_cli.errors import ModelFileError
from rnn_cli.model_file import NAME_IN_RUN_FOLDER

Record = dict[str, Any]
"""A line of metrics.jsonl; the keys are those of the events in `training.events`."""

Checks = dict[str, Callable[[Any], bool]]
"""Whether what stands under a key is right."""


def _is_mapping(found: Any) -> bool:
    return isinstance(found, dict)


def _is_text(found: Any) -> bool:
    return isinstance(found, str)


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float)


def _is_count(found: Any) -> bool:
    return isinstance(found, int) and found >= 0


def _is_perplexity(found: Any) -> bool:
    return found is None or (_is_number(found) and 0 < found < math.inf)  # null where it is beyond a float


def _is_flow(found: Any) -> bool:
    return isinstance(found, list) and all(norm is None or _is_number(norm) for norm in found)


def _is_said(found: Any) -> bool:
    keys: Checks = {"prompt": _is_text, "word": _is_text, "probability": _is_number}
    return isinstance(found, list) and all(_is_mapping(one) and _holds(one, keys) for one in found)


_KEYS: dict[str, Checks] = {
    "start": {
        **dict.fromkeys(("parameters", "vocab_size", "train_tokens", "batch_size"), _is_count),
        "windows_per_epoch": lambda found: _is_count(found) and found > 0,
    },
    "notice": {"message": _is_text},
    "train": {
        "step": _is_count,
        "perplexity": _is_perplexity,
        **dict.fromkeys(("loss", "tokens_per_s", "gradient_norm", "learning_rate", "elapsed_s"), _is_number),
    },
    "validation": {"step": _is_count, "perplexity": _is_perplexity, "elapsed_s": _is_number},
    "gradient_flow": {"step": _is_count, "by_lag": _is_flow},
    "sample": {"step": _is_count, "text": _is_text},
}
"""What is asked of each kind of record; others, and further keys, are of another version."""

_MEASURED: Checks = {
    **dict.fromkeys(("tokens", "of_tokens"), _is_count),
    "perplexity_standard_error": _is_number,
}
_KEYS_OF_LATER: dict[str, Checks] = {"validation": _MEASURED, "sample": {"completions": _is_said}}
"""What is asked of keys that records of earlier versions do not have, where they are there and not null."""


@dataclass(frozen=True)
class Run:
    """A run folder as it was read.

    Attributes:
        name: what the user called it.
        config: every key of config.yaml, nested as it stands there; it may be of another version.
        start: the record of the beginning.
        notices: what the user was told, such as the facts of the texts.
        train: the records of windows trained on, by step; training cuts what it takes back out of its metrics. Of a
            pair they are its first network's.
        validations: the records of measurements on the validation text, by step; of a pair as with train.
        gradient_flow, samples: what was recorded at the validations, by step; see `training.events`.
        summary: summary.json; None where the training is not finished.
    """

    name: str
    path: Path
    config: Record
    start: Record
    notices: list[str]
    train: list[Record]
    validations: list[Record]
    gradient_flow: list[Record]
    samples: list[Record]
    summary: Record | None

    @property
    def has_model(self) -> bool:
        """Whether there is a model in it yet."""
        return (self.path / NAME_IN_RUN_FOLDER).is_file()

    @cached_property
    def flat_config(self) -> dict[str, Any]:
        """The config as section.key: value."""
        return dotted_keys(self.config)

    @property
    def best(self) -> Record | None:
        """The validation with the lowest perplexity."""
        finite = [record for record in self.validations if record["perplexity"] is not None]
        return min(finite, key=lambda record: float(record["perplexity"]), default=None)

    def tokens(self, step: int) -> int:
        """How many tokens were trained on by a step; a window counts as the mean one."""
        tokens_of_window: float = self.start["train_tokens"] / self.start["windows_per_epoch"]
        return round(step * tokens_of_window)


def read_run(path: Path) -> Run:
    """Read what a training left in a folder, finished or not.

    Raises:
        ModelFileError: this is no run folder, or its training has not begun.
        ConfigError: its config cannot be read, or what it says of the texts is no such thing.
    """
    config_file, metrics_file = path / "config.yaml", path / "metrics.jsonl"
    try:
        if not path.is_dir():
            raise ModelFileError(
                f"{path}: this is no folder. Give the folder of a run, which `rnn train` makes."
            )
        for file in (config_file, metrics_file):
            if not file.is_file():
                raise ModelFileError(
                    f"{path}: there is no {file.name} in it; give the folder of a run, which `rnn train` makes."
                )
    except OSError as error:  # its name is too long, or nobody may look into it
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}).") from error
    root, problems = read_file(config_file)
    if root is None or (problems := [*_of_other_types(root)]):
        raise config_error(problems)
    records = [record for record in _records(metrics_file) if "network" not in record]
    start = next((record for record in records if record["event"] == "start"), None)
    if start is None:
        raise ModelFileError(f"{path}: the training has not begun: {metrics_file.name} tells of no start.")
    return Run(
        name=str(path),
        path=path,
        config=plain(root),
        start=start,
        notices=[record["message"] for record in records if record["event"] == "notice"],
        train=_of_kind(records, "train"),
        validations=_of_kind(records, "validation"),
        gradient_flow=_of_kind(records, "gradient_flow"),
        samples=_of_kind(records, "sample"),
        summary=_summary(path / "summary.json"),
    )


def _of_other_types(root: Node) -> Iterator[Problem]:
    """What somebody has written into a config since, that is not what the key is for."""
    for keys, is_right in _IN_CONFIG.items():
        way = walk(root, keys)
        value = plain(way[-1])
        if len(way) > len(keys) and value is not None and not is_right(value):
            yield Problem(way[-1].place, keys, found_and_allowed(value, keys))


def _is_path(found: Any) -> bool:
    return isinstance(found, str) and "\0" not in found  # which no name of a file has


def _is_paths(found: Any) -> bool:
    return _is_path(found) or (isinstance(found, list) and all(map(_is_path, found)))


_IN_CONFIG: dict[Keys, Callable[[Any], bool]] = {
    ("data",): _is_mapping,
    **{("data", name): _is_paths for name in ("train", "valid", "test")},
    ("data", "split"): _is_mapping,
    **{("data", "split", name): _is_number for name in ("valid", "test")},
    ("data", "mode"): _is_text,
    ("data", "encoding"): _is_text,
    ("data", "questions"): lambda found: _is_mapping(found) and all(map(_is_path, found.values())),
}
"""What is asked of the keys of a config that the texts are found by, where they are there and not null."""


def _records(path: Path) -> Iterator[Record]:
    # Not splitlines, which also cuts at characters that JSON may hold in its texts, such as U+2028.
    lines = _text(path).removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if _is_record(record):
            yield record
        elif number < len(lines):  # the last may be cut off where a training was killed
            raise ModelFileError(f"{path}:{number}: this is no record of a training.")


def _is_record(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        return False
    event = found["event"]
    return _holds(found, _KEYS.get(event, {})) and _holds_where_there(found, _KEYS_OF_LATER.get(event, {}))


def _holds(found: Record, checks: Checks) -> bool:
    return all(key in found and is_right(found[key]) for key, is_right in checks.items())


def _holds_where_there(found: Record, checks: Checks) -> bool:
    return all(found.get(key) is None or is_right(found[key]) for key, is_right in checks.items())


def _of_kind(records: list[Record], event: str) -> list[Record]:
    return [record for record in records if record["event"] == event]


def _summary(path: Path) -> Record | None:
    if not path.is_file():
        return None
    try:
        summary = json.loads(_text(path))
    except ValueError:
        summary = None
    if not isinstance(summary, dict):
        raise ModelFileError(f"{path}: the summary is damaged: it is not a JSON object.")
    for key, is_right in _IN_SUMMARY.items():
        if summary.get(key) is not None and not is_right(summary[key]):
            raise ModelFileError(f"{path}: the summary is damaged: this is no {key} of a training.")
    return summary


def _is_test(found: Any) -> bool:
    keys: Checks = {"perplexity": _is_perplexity}
    return _is_mapping(found) and _holds(found, keys) and _holds_where_there(found, _MEASURED)


def _is_answered(found: Any) -> bool:
    return _is_mapping(found) and _holds(found, dict.fromkeys(("accuracy", "standard_error"), _is_number))


_IN_SUMMARY: Checks = {
    "elapsed_s": _is_number,
    "rollbacks": lambda found: isinstance(found, list),
    "test": _is_test,
    "questions": lambda found: _is_mapping(found) and all(map(_is_answered, found.values())),
}
"""What is asked of the keys of a summary where they are there and not null."""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ModelFileError(f"{path}: cannot be read ({reason}).") from error
