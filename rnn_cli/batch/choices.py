"""What a key may take in a plan: a list of values, or a range to draw from."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field, ValidationError

from rnn_cli.config.json_schema import json_schema_of
from rnn_cli.config.loader import validation_problems
from rnn_cli.config.nodes import Keys, Node, Problem, from_plain, plain
from rnn_cli.config.schema import Section
from rnn_cli.config.wording import schema_of, shown

DRAWN_DIGITS = 4
"""A drawn number has so many significant digits: what stands in the name of a run is what it was trained with."""


class Range(Section):
    """Numbers from low to high, both included; whole ones for a key that takes whole ones."""

    low: float = Field(description="the smallest")
    high: float = Field(description="the largest")
    log: bool = Field(default=False, description="true draws as often from 0.001 to 0.01 as from 0.01 to 0.1")


@dataclass(frozen=True)
class Values:
    """A list of values, each where it was written."""

    nodes: tuple[Node, ...]

    def draw(self, generator: random.Random) -> Node:
        """One of them, each as likely."""
        return generator.choice(self.nodes)

    def ends(self) -> tuple[Node, ...]:
        """What is tried to see whether the key may take it: every one."""
        return self.nodes


@dataclass(frozen=True)
class Numbers:
    """A range of numbers, at `node` in the plan."""

    node: Node
    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, generator: random.Random) -> Node:
        """One of them; with `log` each order of magnitude is as likely."""
        if self.log:
            number = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        elif self.whole:
            number = generator.randint(int(self.low), int(self.high))
        else:
            number = generator.uniform(self.low, self.high)
        return self.node_of(number)

    def ends(self) -> tuple[Node, ...]:
        """What is tried to see whether the key may take it: the smallest and the largest."""
        return self.node_of(self.low), self.node_of(self.high)

    def node_of(self, number: float) -> Node:
        """A number of this range as a value of the plan: rounded, and still within."""
        rounded = round(number) if self.whole else float(f"{number:.{DRAWN_DIGITS}g}")
        within = min(max(rounded, self.low), self.high)
        node = from_plain(int(within) if self.whole else within, self.node.place)
        return replace(node, key_place=self.node.key_place)


Choices = Values | Numbers


def probes(choices: Mapping[str, Choices]) -> list[dict[str, Node]]:
    """What is tried to see whether keys may take what is written: each end of one with the first of the others."""
    first = {key: of_key.ends()[0] for key, of_key in choices.items()}
    return [first | {key: node} for key, of_key in choices.items() for node in of_key.ends()]


def read_choices(node: Node, under: Keys) -> tuple[Choices | None, list[Problem]]:
    """What is written at `node` under the keys `under`, the last of which is the key that takes it."""
    if isinstance(node.value, list) and node.value:
        return read_values(node, under)
    if not isinstance(node.value, dict):
        text = (
            f"found {shown(plain(node))}, allowed: a list of values, or a range such as "
            "{low: 1e-4, high: 1e-2, log: true}."
        )
        return None, [Problem(node.place, under, text)]
    try:
        found = Range.model_validate(plain(node))
    except ValidationError as error:
        return None, validation_problems(error, node, json_schema_of(Range), under)
    if problem := _range_problem(found, node, under):
        return None, [problem]
    return Numbers(node, found.low, found.high, found.log, _takes_whole_numbers(under[-1])), []


def read_values(node: Node, under: Keys) -> tuple[Values, list[Problem]]:
    """The values of a list, each written once."""
    assert isinstance(node.value, list)
    # A value is a problem of its key if that is not known, so it knows where the key stands.
    values = Values(tuple(replace(child, key_place=node.key_place) for child in node.value))
    seen: list[object] = []
    problems = []
    for child in node.value:
        value = (type(child.value), plain(child))
        if value in seen:
            text = f"found {shown(plain(child))} a second time. Keep one of the two."
            problems.append(Problem(child.place, under, text))
        seen.append(value)
    return values, problems


def _range_problem(found: Range, node: Node, under: Keys) -> Problem | None:
    assert isinstance(node.value, dict)
    for end in ("low", "high"):
        if _takes_whole_numbers(under[-1]) and not getattr(found, end).is_integer():
            text = f"found {shown(plain(node.value[end]))}, allowed: a whole number, as {under[-1]} takes."
            return Problem(node.value[end].place, (*under, end), text)
    if found.low >= found.high:
        text = f"found {shown(plain(node.value['low']))}, allowed: less than high."
        return Problem(node.value["low"].place, (*under, "low"), text)
    if found.log and found.low <= 0:
        text = f"found {shown(plain(node.value['low']))}, allowed with log: above 0."
        return Problem(node.value["low"].place, (*under, "low"), text)
    return None


def _takes_whole_numbers(key: str) -> bool:
    try:
        schema = schema_of(key.split("."))
    except KeyError:  # an unknown key, which is told about where the configs are checked
        return False
    return "integer" in {option.get("type") for option in schema.get("anyOf", [schema])}
