"""Keys of a plan that say something about one and the same key of the configs: only one of them would count."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from rnn_cli.batch.expansion import SEED, as_sections
from rnn_cli.config.nodes import Node, Problem, dotted_keys, plain
from rnn_cli.config.shorthand import spelled_out

_DONE_BY = {"set": "said"}  # what the other parts of a plan do with a key is to vary it


@dataclass(frozen=True)
class _Taken:
    """A key in full that a part of the plan has something to say about, and under which key it does."""

    in_full: str
    part: str
    under: str

    def meets(self, in_full: str) -> bool:
        """Whether one of the two is the other, or a section that holds it."""
        return f"{self.in_full}.".startswith(f"{in_full}.") or f"{in_full}.".startswith(f"{self.in_full}.")


def overlaps(parts: Iterable[tuple[str, Mapping[str, Node]]], *, seeds: bool) -> list[Problem]:
    """What is said twice within these parts of a plan, each a name and its entries.

    Args:
        seeds: whether the plan varies the seed by itself.
    """
    taken = [_Taken(SEED, "seeds", SEED)] if seeds else []
    problems = []
    for part, entries in parts:
        for key, node in entries.items():
            keys = _keys_of_change(key, node) if part == "set" else _keys_varied(key, node)
            if text := _said_twice(key, keys, taken):
                problems.append(Problem(node.key_place, (part, key), text))
            taken += [_Taken(in_full, part, key) for in_full in keys]
    return problems


def _said_twice(key: str, keys: Collection[str], taken: Iterable[_Taken]) -> str | None:
    for other in taken:
        for in_full in keys:
            if other.meets(in_full):
                inner = max(in_full, other.in_full, key=len)
                what = "" if inner == key else f"{inner} "
                by = other.part if inner == other.under else f"{other.part}.{other.under}"
                done = _DONE_BY.get(other.part, "varied")
                return f"{what}is {done} by {by} already. Take it out of one of the two."
    return None


def _keys_varied(key: str, node: Node) -> list[str]:
    """The keys in full that the values of a list change; a range changes the key that it stands under."""
    if not isinstance(node.value, list):
        return [key]
    return list({name: None for value in node.value for name in dotted_keys({key: plain(value)})})


def _keys_of_change(key: str, node: Node) -> list[str]:
    return list(dotted_keys(plain(spelled_out(as_sections(key, node)))))
