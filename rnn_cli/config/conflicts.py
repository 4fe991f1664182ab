"""Rules that tie one key of a config to another."""

from collections.abc import Callable, Iterator, Mapping, Set
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from rnn_cli.config.nodes import Keys, Node, Problem, plain, walk
from rnn_cli.config.schema import Config

_SMALLEST_BPE = 257  # <eos> and the 256 bytes


@dataclass(frozen=True)
class Rule:
    """What may not be together.

    Attributes:
        keys: the keys concerned; the problem is reported at the first.
        broken: called with their values, in that order.
        text: the message; {0}, {1} ... are the values.
        of_no_use: whether the first key is of no use then: it may not be written at all.
    """

    keys: tuple[Keys, ...]
    broken: Callable[..., bool]
    text: str
    of_no_use: bool = False


_KIND = ("data", "tokenizer", "kind")
_SPLIT = ("data", "tokenizer", "split")
_MIN_COUNT = ("data", "tokenizer", "min_count")
_MAX_SIZE = ("data", "tokenizer", "max_size")
_MODE = ("data", "mode")
_SHUFFLE_FILES = ("data", "shuffle_files")
_VALID = ("data", "valid")
_TEST = ("data", "test")
_VALID_SHARE = ("data", "split", "valid")
_TEST_SHARE = ("data", "split", "test")
_DIRECTION = ("model", "direction")
_CELL = ("model", "cell")
_HIDDEN_ACTIVATION = ("model", "hidden_activation")
_RECURRENT_INIT = ("model", "recurrent_init")
_OUTPUT_ACTIVATION = ("model", "output_activation")
_SOFTMAX = ("output", "softmax")
_RANDOM_WINDOWS = ("training", "random_windows")
_TABLE_RATE = ("training", "table_learning_rate")
_TABLE_OPTIMIZER = ("training", "table_optimizer")
_INDEX = ("logging", "index")
_SCHEDULE = ("training", "schedule")
_PATIENCE = ("training", "patience")

RULES = (
    Rule(
        (_SPLIT, _KIND),
        lambda _, kind: kind != "word",
        'only kind "word" is split by it, and kind is "{1}". Take this key out.',
        of_no_use=True,
    ),
    Rule(
        (_MIN_COUNT, _KIND),
        lambda _, kind: kind == "bpe",
        'only the kinds "word" and "char" have it, and kind is "{1}". Take this key out.',
        of_no_use=True,
    ),
    Rule(
        (_MAX_SIZE, _KIND),
        lambda size, kind: kind == "bpe" and size is not None and size < _SMALLEST_BPE,
        'found {0}, allowed with kind "bpe": a whole number of 257 or more, or null.',
    ),
    Rule(
        (_HIDDEN_ACTIVATION, _CELL),
        lambda _, cell: cell in ("gru", "lstm", "mogrifier"),
        'only the cells "elman" and "indrnn" have it, and model.cell is "{1}". Take this key out.',
        of_no_use=True,
    ),
    Rule(
        (_RECURRENT_INIT, _CELL),
        lambda _, cell: cell != "elman",
        'only the cell "elman" has it, and model.cell is "{1}". Take this key out.',
        of_no_use=True,
    ),
    Rule(
        (_SOFTMAX, _OUTPUT_ACTIVATION),
        lambda softmax, activation: softmax == "sampled" and activation == "sigmoid",
        'found "sampled", which goes with model.output_activation "softmax", and that is "sigmoid". '
        'Allowed here: "auto", "exact".',
    ),
    Rule(
        (_RANDOM_WINDOWS, _MODE),
        lambda random, mode: random and mode == "lines",
        'found true, which goes with data.mode "stream", and that is "lines". Take this key out.',
    ),
    Rule(
        (_TABLE_OPTIMIZER, _TABLE_RATE),
        lambda kind, rate: kind != "sgd" and rate is None,
        'found "{0}", which needs training.table_learning_rate, and that is null. Give one, or take this key out.',
        of_no_use=True,
    ),
    Rule(
        (_INDEX, _DIRECTION),
        lambda index, direction: index and direction == "backward",
        'found true, which needs a network that reads forward, and model.direction is "{1}". '
        "Take one of the two out.",
    ),
    Rule(
        (_SHUFFLE_FILES, _MODE),
        lambda shuffled, mode: not shuffled and mode == "lines",
        'found false, but with data.mode "lines" all lines are shuffled. Take this key out.',
    ),
    Rule(
        (_VALID_SHARE, _VALID),
        lambda share, valid: share > 0 and bool(valid),
        "found {0}, but data.valid names a text already. Take one of the two out.",
    ),
    Rule(
        (_TEST_SHARE, _TEST),
        lambda share, test: share > 0 and bool(test),
        "found {0}, but data.test names a text already. Take one of the two out.",
    ),
    Rule(
        (_SCHEDULE, _VALID, _VALID_SHARE),
        lambda schedule, valid, share: schedule == "plateau" and not (valid or share),
        'found "plateau", which needs a text to measure on. Name one in data.valid, or change the schedule.',
    ),
    Rule(
        (_PATIENCE, _VALID, _VALID_SHARE),
        lambda patience, valid, share: patience is not None and not (valid or share),
        "found {0}, which needs a text to measure on. Name one in data.valid, or take patience out.",
    ),
)


def conflicts(root: Node, bad: Set[Keys]) -> Iterator[Problem]:
    """The rules that a config breaks.

    Args:
        bad: keys and sections that are wrong by themselves; rules that ask about one of them are left out.
    """
    data = plain(root)
    for rule in RULES:
        if any(keys[:depth] in bad for keys in rule.keys for depth in range(1, len(keys) + 1)):
            continue
        values = [_value(data, keys) for keys in rule.keys]
        way = walk(root, rule.keys[0])
        written = len(way) > len(rule.keys[0])
        if rule.broken(*values) and (written or not rule.of_no_use):
            place = way[-1].key_place if rule.of_no_use else way[-1].place
            yield Problem(place, rule.keys[0], rule.text.format(*values))


def without_keys_of_no_use(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of plain data without the keys that may not be written beside the others."""
    copy = deepcopy(dict(data))
    for rule in RULES:
        if rule.of_no_use and rule.broken(*[_value(copy, keys) for keys in rule.keys]):
            _section(copy, rule.keys[0]).pop(rule.keys[0][-1], None)
    return copy


def _section(data: dict[str, Any], keys: Keys) -> dict[str, Any]:
    """The mapping that holds the last of `keys`; an empty one if it was not written."""
    for name in keys[:-1]:
        inner = data.get(name)
        data = inner if isinstance(inner, dict) else {}
    return data


def _value(data: dict[str, Any], keys: Keys) -> Any:
    """What was written under `keys`, or the default."""
    section: Any = Config
    for name in keys[:-1]:
        section = section.model_fields[name].annotation
    return _section(data, keys).get(keys[-1], section.model_fields[keys[-1]].default)
