"""Configs: one that can be run, or every problem on a line of its own, with its place."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnn_cli.config import config_from_dict, config_to_dict, config_to_yaml, load_config
from rnn_cli.config.json_schema import config_schema
from rnn_cli.errors import ConfigError
from tests.fuzz import nasty

_SEEDS = (
    "data:\n  train: a.txt\n  valid: [a.txt, b.txt]\n  questions: {q: b.txt}\n  tokenizer: char\n"
    "model: {hidden_size: 64}\n",
    "data:\n  train: ['*.txt']\n  tokenizer:\n    kind: bpe\n    max_size: 300  # pieces\ntraining:\n  seed: 2\n",
    "# rnn train\ndata: {train: a.txt, mode: lines, encoding: utf-8}\noutput:\n  tie_embeddings: true\n",
    "training:\n  learning_rate: 1e-3\n  max_grad_norm: null\n  patience: 3\n"
    'data: {train: "a.txt", valid: b.txt}\n',
    "model: {cell: indrnn, num_layers: 3}\ndata: {train: a.txt}\n",
    "model:\n  cell: gru\n  hidden_size: 8\ndata:\n  train: a.txt\n",
    "model:\n  cell: elman\n  dropout: .5\n  num_layers: 2\ndata:\n  train: a.txt\n"
    "  tokenizer: {kind: word, split: whitespace, min_count: 2}\n",
)
_VALUES = (
    "", "~", "null", "true", "off", "0", "-1", "007", "0x1f", "0o17", "1_000", "1e-3", "1e999", "-1e999", ".inf",
    ".nan", "1.5", "9" * 400, "1e400", "2", "300", "a.txt", "b.txt", "'*'", "'**'", "'[a'", "..", ".", "~x", "'~'",
    "''", '""', "[]", "{}", "[a.txt, 1]", "{kind: bpe}", "word", "bpe", "char", "utf-16", "hex", "cp1252", "&a 1",
    "*a", "!!python/name:os.system", "!t x", "|\n    x", ">-\n    x", '"\\ud800"', '"\\U00110000"', '"\\x00"',
    "'é\u0301'", "\ufeff", "? a", "- a", "<<: {a: 1}", "'\u202e'", "x" * 300, "[" * 30, "{a: " * 30, "plateau",
    "adamw", "2024-01-01", "12:30:00", "=", "@x", "`x", "%x", "a.txt # x", "a: b", "\t",
)  # fmt: skip
_PLACE = re.compile(r"(c\.yaml(:\d+:\d+)?|--set .*?|the stored config): .", re.DOTALL)


class ConfigTarget:
    """Changes good configs as texts, as values, in `--set` and as plain data."""

    name = "config"

    def __init__(self, folder: Path) -> None:
        self._path = Path("c.yaml")  # in the current folder, which is `folder`
        for name in ("a.txt", "b.txt"):
            (folder / name).write_text("some text\n")
        self._good = _good_values(config_schema())
        self._keys = ["data", "data.tokenizer", *self._good]

    def make(self, rng: random.Random) -> bytes:
        """JSON: the bytes of the file as latin-1, and the overrides; or plain data alone."""
        content = rng.choice(_SEEDS).encode()
        if rng.random() < 0.5:
            content = self._written(rng)
        for _ in range(rng.choice((0, 0, 1, 2, 3))):
            content = self._changed(rng, content)
        overrides = [self._override(rng) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
        return json.dumps([content.decode("latin-1"), overrides]).encode()

    def _written(self, rng: random.Random) -> bytes:
        """A new config with some keys, each under its section; most values are good ones."""
        keys = {
            "data.train": "a.txt",
            **dict.fromkeys(rng.choices(list(self._good), k=rng.randint(0, 5)), ""),
        }
        lines, section = [], ""
        for key in sorted(keys):
            here, _, name = key.rpartition(".")
            if here != section:
                depth = here.count(".")
                lines.append("  " * depth + here.rpartition(".")[2] + ":")
                section = here
            values = ("a.txt",) if key == "data.train" else self._good[key] if rng.random() < 0.8 else _VALUES
            lines.append("  " * (key.count(".")) + f"{name}: {rng.choice(values)}")
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    def _changed(self, rng: random.Random, content: bytes) -> bytes:
        lines = content.split(b"\n")
        at = rng.randrange(len(lines))
        match rng.randrange(12):
            case 0:
                return nasty.damaged(rng, content)
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                del lines[at]
            case 3:
                key = rng.choice(self._keys).rpartition(".")[2]
                indent = lines[at][
                    : len(lines[at]) - len(lines[at].lstrip(b" "))
                ]  # mostly that of its neighbour
                indent += b"  " * int(rng.random() < 0.1)
                lines.insert(at, indent + f"{key}: {rng.choice(_VALUES)}".encode("utf-8", "surrogatepass"))
            case 4 | 5 | 8 | 9 | 10 | 11:
                key_part = lines[at].partition(b":")[0]
                lines[at] = key_part + b": " + rng.choice(_VALUES).encode("utf-8", "surrogatepass")
            case 6:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                text = nasty.text(rng, self._keys, 3).encode("utf-8", rng.choice(("surrogatepass", "ignore")))
                cut = rng.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:cut] + text + lines[at][cut:]
        return b"\n".join(lines)

    def _override(self, rng: random.Random) -> str:
        match rng.randrange(4):
            case 0:
                return nasty.text(rng, ["=", ".", *self._keys], 4)
            case 1:
                return f"{rng.choice(self._keys)}={nasty.text(rng, self._keys, 3)}"
            case _:
                return f"{rng.choice(self._keys)}={rng.choice(_VALUES)}"

    def check(self, data: bytes) -> str | None:
        """A config that its own YAML and its own plain data give again; or problems that say where."""
        content, overrides = json.loads(data)
        self._path.write_bytes(content.encode("latin-1"))
        try:
            config = load_config(self._path, overrides)
        except ConfigError as error:
            return _sound_problems(error)
        stored = json.loads(json.dumps(config_to_dict(config)))
        assert config_from_dict(stored) == config, "plain data give another config"
        self._path.write_text(config_to_yaml(config), encoding="utf-8")
        assert load_config(self._path) == config, "its YAML gives another config"
        return None


def _good_values(whole: dict[str, Any]) -> dict[str, list[str]]:
    """Every key with its section, "training.seed", and values that it may have by the schema, as YAML."""

    def keys(schema: dict[str, Any], before: str) -> Iterator[tuple[str, list[str]]]:
        for name, inner in schema["properties"].items():
            if "$ref" in inner:
                yield from keys(whole["$defs"][inner["$ref"].rpartition("/")[2]], f"{before}{name}.")
            else:
                values = [
                    *inner.get("enum", ()),
                    *(inner.get(k) for k in ("const", "default", "minimum") if k in inner),
                ]
                yield before + name, [*map(json.dumps, values), "2", "a.txt", "null", "0.25"]

    return dict(keys(whole, ""))


def _sound_problems(error: ConfigError) -> str:
    assert error.problems, "a refusal without a problem"
    for problem in error.problems:
        assert problem.isprintable(), "a problem that cannot be printed on one line"
        assert _PLACE.match(problem), "a problem without its place"
    first = error.problems[0]
    return re.sub(r"^(c\.yaml|--set [^:]*)[:\d]*: ([\w.]+: )?", "", first)
