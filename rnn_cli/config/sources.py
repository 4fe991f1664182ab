"""Where a config or a plan comes from: a YAML file, and the `--set section.key=value` of the command line."""

import codecs
import os
from dataclasses import dataclass
from pathlib import Path

from rnn_cli.config.nodes import Node, Place, Problem, Source
from rnn_cli.config.wording import closest, did_you_mean, shown
from rnn_cli.config.yaml_reader import place_after, read_yaml

Reading = tuple[Node | None, list[Problem]]
"""A mapping, or None if it could not be read, and what is wrong with it."""

_MOST_BYTES = 20_000_000
"""A config has a hundred lines, that of a run with many texts a line for each; somebody may name the text to train on
instead."""


@dataclass(frozen=True)
class FileKind:
    """What a file is read as, in the words of its messages.

    Attributes:
        name: "config".
        needs: the sentences for an empty file: what it needs at least, and how to get it.
        keys: what may stand at the top level.
        dotted: whether its keys may be written in full, as "training.seed".
    """

    name: str
    needs: str
    keys: str
    dotted: bool = False


CONFIG = FileKind(
    "config",
    "A config needs data.train at least; `rnn init` writes one to begin with.",
    'sections such as "data:" and "model:"',
)


class _UnreadableError(Exception):
    """The file is not of its kind. `read_file` turns this into a problem."""

    def __init__(self, text: str, place: Place | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.place = place


def read_file(path: Path, kind: FileKind = CONFIG, *, number: int = 0) -> Reading:
    """Read a file of keys and values. Its relative paths are looked for beside it, then in the current folder."""
    beside = Path(os.path.realpath(path.parent))  # Path.resolve fails where links go round in a circle
    folders = tuple(dict.fromkeys((beside, Path.cwd())))
    source = Source(str(path), number, folders, kind=kind.name, dotted=kind.dotted)
    try:
        node, problems = read_yaml(_text(_content(path, kind), source), source)
        if node is not None or not problems:
            _check_top_level(node, kind)
    except _UnreadableError as error:
        return None, [Problem(error.place or Place(source), (), error.text)]
    return node, problems


def _content(path: Path, kind: FileKind) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        near = closest(path.name, (other.name for other in path.parent.glob("*.y*ml")), cutoff=0.75)
        meant = did_you_mean(near and shown(str(path.with_name(near))))
        raise _UnreadableError(f"no such file.{meant}") from None
    except IsADirectoryError:
        raise _UnreadableError(f"this is a folder. Name the {kind.name} file in it.") from None
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}.") from None
    if len(content) > _MOST_BYTES:
        raise _UnreadableError(f"more than 20 MB, too much for a {kind.name}. Is this the text to train on?")
    return content.removeprefix(codecs.BOM_UTF8)


def _text(content: bytes, source: Source) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = place_after(content[: error.start].decode("utf-8"), source)
        raise _UnreadableError("not UTF-8. Save the file as UTF-8 text.", place) from None


def _check_top_level(node: Node | None, kind: FileKind) -> None:
    if node is None or node.value is None:
        raise _UnreadableError(f"empty. {kind.needs}")
    if not isinstance(node.value, dict):
        raise _UnreadableError(f"found {shown(node.value)}, allowed: {kind.keys}.", node.place)


def read_override(text: str, number: int) -> Reading:
    """Read "section.key=value". Its relative paths are looked for in the current folder.

    Args:
        number: which of the overrides this is, from 1.
    """
    key, equals, value = text.partition("=")
    keys = tuple(key.strip().split("."))
    source = Source(f"--set {text}", number, (Path.cwd(),), override=".".join(keys))
    place = Place(source)
    if not equals or not all(name and name.isprintable() for name in keys):
        return None, [Problem(place, (), "not of the form section.key=value, such as training.seed=2.")]

    node, problems = read_yaml(value, source, keys)
    if node is None:
        if problems:
            return None, problems
        node = Node(None, place, place)
    for name in reversed(keys):
        node = Node({name: node}, place, place)
    return node, problems
