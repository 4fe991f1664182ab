"""Values that know where they were written, so that a problem can say `file:line:column`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

Keys = tuple[str, ...]
"""The way to a value: ("training", "batch_size")."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Source:
    """A text that says something: a config, a plan of many trainings, or one `--set`.

    Attributes:
        name: as the user typed it, "favourites.yaml" or "--set training.seed=3".
        number: 0 for the file, then the overrides, or the configs of a plan, in the order typed.
        folders: where a relative path is looked for, in this order.
        override: the key that a `--set` names, None for a file.
        kind: what a file is called in messages.
        dotted: whether keys may be written in full there, as "training.seed".
    """

    name: str
    number: int = 0
    folders: tuple[Path, ...] = ()
    override: str | None = None
    kind: str = "config"
    dotted: bool = False


@dataclass(frozen=True)
class Place:
    """A line and a column, both from 1; line 0 is the whole source."""

    source: Source
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if self.line == 0 or self.source.override is not None:
            return self.source.name
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """Something that a config may not say. `keys` is empty where no key is to blame."""

    place: Place
    keys: Keys
    text: str

    def __str__(self) -> str:
        key = ".".join(self.keys)
        if key in ("", self.place.source.override):
            return f"{self.place}: {self.text}"
        return f"{self.place}: {key}: {self.text}"

    def order(self) -> tuple[int, int, int]:
        """Problems are told in the order of the file, then of the overrides."""
        return (self.place.source.number, self.place.line, self.place.column)


@dataclass(frozen=True)
class Node:
    """A value with the places of its key and of itself (equal where there is no key)."""

    value: "Scalar | list[Node] | dict[str, Node]"
    key_place: Place
    place: Place


def plain(node: Node) -> Any:
    """The value without its places."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def dotted_keys(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, its keys written in full: section.key."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= (
            dotted_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        )
    return found


def from_plain(value: Any, place: Place) -> Node:
    """A value that was written nowhere in particular, with one place for all of it."""
    if isinstance(value, dict):
        value = {str(key): from_plain(child, place) for key, child in value.items()}
    elif isinstance(value, list):
        value = [from_plain(child, place) for child in value]
    return Node(value, place, place)


def merge(base: Node, over: Node) -> Node:
    """`over` laid over `base`: mappings unite key by key, anything else is replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    united = dict(base.value)
    for key, node in over.value.items():
        united[key] = merge(united[key], node) if key in united else node
    return replace(base, value=united)


def walk(root: Node, loc: Iterable[str | int]) -> list[Node]:
    """The nodes on the way `loc` from the root on, as far as something was written."""
    nodes = [root]
    for step in loc:
        child = _child(nodes[-1], step)
        if child is None:
            break
        nodes.append(child)
    return nodes


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, list) and isinstance(step, int):
        return node.value[step]
    return None
