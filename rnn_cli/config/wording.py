"""The words of a problem: what was found, what is allowed, and what was probably meant."""

import difflib
import json
import math
import operator
from collections.abc import Iterable, Iterator
from typing import Any

from rnn_cli.config.json_schema import config_schema
from rnn_cli.config.nodes import Keys

Schema = dict[str, Any]
"""A JSON Schema or a part of one: it says what is allowed, so the messages are made from it.

The functions below take the schema of the whole file as `root`; left out, it is the config's.
"""

_LONGEST = 60  # characters of a text that are shown
_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
    "null": ("null", (type(None),)),
    "object": ("a mapping of keys to values", (dict,)),
}
_LIMITS = {
    "minimum": ("of {} or more", operator.ge),
    "exclusiveMinimum": ("above {}", operator.gt),
    "maximum": ("at most {}", operator.le),
    "exclusiveMaximum": ("below {}", operator.lt),
}
_OTHER_WORDS = {"on": True, "yes": True, "off": False, "no": False, "none": None, "nil": None}


def found_and_allowed(value: Any, keys: Keys, root: Schema | None = None) -> str:
    """The message for a value that may not stand under `keys`."""
    schema = schema_of(keys, root)
    meant = _meant_value(value, schema)
    return f"found {shown(value)}, allowed: {_allowed(schema)}.{did_you_mean(meant)}"


def missing(keys: Keys, root: Schema | None = None) -> str:
    """The message for a key that cannot be done without."""
    return f"this key is needed. Allowed: {_allowed(schema_of(keys, root))}."


def unknown_key(keys: Keys, root: Schema | None = None, *, in_full: bool) -> str:
    """The message for a key that does not exist. `in_full` suggests "model.cell" where it would say "cell"."""
    *section, name = keys
    here = [(*section, sibling) for sibling in schema_of(section, root)["properties"]]
    everywhere = list(_every_key((), root))
    for known in everywhere:
        if known[-1] == name:
            home = f'under "{".".join(known[:-1])}"' if known[:-1] else "at the top level"
            return f"unknown key here. It belongs {home}."
    for known_keys, cutoff in ((here, 0.8), (everywhere, 0.8), (here, 0.6)):
        meant = _closest_key(name, known_keys, cutoff)
        if meant is not None:
            is_short = meant in here and not in_full
            return f'unknown key. Did you mean "{meant[-1] if is_short else ".".join(meant)}"?'
    return f"unknown key. Allowed here: {', '.join(known[-1] for known in here)}."


def shown(value: Any) -> str:
    """A value as it would be written in a config; short, and on one line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, str) and len(value) > _LONGEST:
        value = value[:_LONGEST] + "…"
    return json.dumps(value, ensure_ascii=False)


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The spelling in `known` nearest to `word`, None if none is near. Capitals do not matter.

    Args:
        cutoff: the least likeness, from 0 to 1. File names look alike by their endings and want 0.75.
    """
    by_lower_case = {spelling.lower(): spelling for spelling in known}
    near = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=cutoff)
    return by_lower_case[near[0]] if near else None


def did_you_mean(meant: str | None) -> str:
    """The last sentence of a message, empty if there is nothing to suggest."""
    return "" if meant is None else f" Did you mean {meant}?"


def schema_of(keys: Iterable[str], root: Schema | None = None) -> Schema:
    """The part of the schema that is about the value under `keys`.

    Raises:
        KeyError: there is no such key.
    """
    root = config_schema() if root is None else root
    node = root
    for key in keys:
        node = node["properties"][key] if "properties" in node else node["additionalProperties"]
        sections = [option for option in _options(node) if "$ref" in option]
        if len(sections) == 1:  # a section, or one that may be null
            node = root["$defs"][sections[0]["$ref"].rpartition("/")[2]]
    return node


def _every_key(section: Keys, root: Schema | None) -> Iterator[Keys]:
    for name in schema_of(section, root).get("properties", ()):
        yield (*section, name)
        yield from _every_key((*section, name), root)


def _closest_key(name: str, known: list[Keys], cutoff: float) -> Keys | None:
    near = closest(name, (keys[-1] for keys in known), cutoff)
    return next((keys for keys in known if keys[-1] == near), None)


def _options(schema: Schema) -> list[Schema]:
    options: list[Schema] = schema.get("anyOf", [schema])
    return options


def _choices(schema: Schema) -> list[str]:
    """The texts that may stand there, where there is a list of them."""
    if "const" in schema:
        return [schema["const"]]
    choices: list[str] = schema.get("enum", [])
    return choices


def _allowed(schema: Schema) -> str:
    if "title" in schema and "properties" not in schema:  # a section's title is the name of its class
        return str(schema["title"])
    if "anyOf" in schema:
        return ", or ".join(_allowed(option) for option in schema["anyOf"])
    if _choices(schema):
        return ", ".join(json.dumps(choice) for choice in _choices(schema))
    limits = [words.format(schema[name]) for name, (words, _) in _LIMITS.items() if name in schema]
    return f"{_TYPES[schema['type']][0]} {' and '.join(limits)}".rstrip()


def _meant_value(value: Any, schema: Schema) -> str | None:
    """What a wrong value was probably meant to be, as it would be written."""
    if isinstance(value, str):
        near = closest(value, _choices(schema) or schema.get("examples", ()))
        if near is not None:
            return shown(near)
    for candidate in _other_readings(value):
        if any(_fits(candidate, option) for option in _options(schema)):
            return shown(candidate)
    return None


def _other_readings(value: Any) -> Iterator[Any]:
    """What else a value can be read as: 2.0 as 2, and the texts "2", "1_000", "on", "None" as they are meant."""
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _OTHER_WORDS:
            yield _OTHER_WORDS[text]
        try:
            value = float(text.replace("_", ""))
        except ValueError:
            return
    if isinstance(value, float) and math.isfinite(value):
        if value.is_integer():
            yield int(value)
        yield value


def _fits(value: Any, option: Schema) -> bool:
    _, types = _TYPES.get(option.get("type", ""), ("", ()))
    return type(value) in types and all(
        holds(value, option[name]) for name, (_, holds) in _LIMITS.items() if name in option
    )
