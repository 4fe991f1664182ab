"""Configs as text: the one a user starts from, the resolved one of a run, and the JSON Schema for editors."""

import json
import sys
from collections.abc import Iterator
from textwrap import wrap
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from rnn_cli.config.json_schema import config_schema
from rnn_cli.config.loader import config_to_dict
from rnn_cli.config.schema import Config, Section
from rnn_cli.config.shorthand import with_short_forms
from rnn_cli.config.yaml_reader import CoreLoader

_LAUNCH = "# rnn train config.yaml\n"
_STARTER_HEADER = f"""\
{_LAUNCH}# yaml-language-server: $schema=config.schema.json
#
# Every key with its default, but for data.split.valid: a part of the text is kept apart to measure on.
# Name your text in data.train. What has its default may be taken out. To change a key for one training only:
#   rnn train config.yaml --set training.learning_rate=1e-3
"""
_COMMENT_COLUMN = 30
_LINE_LENGTH = 110


class _CoreDumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which puts quotes round what the loader would not read as text."""

    yaml_implicit_resolvers = CoreLoader.yaml_implicit_resolvers


def _represent_text(dumper: _CoreDumper, text: str) -> yaml.Node:
    # Between single quotes PyYAML writes line ends such as U+0085 that come back as spaces.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_CoreDumper.add_representer(str, _represent_text)


def config_to_yaml(config: Config) -> str:
    """The resolved config, to be run again: `load_config` reads an equal one from it."""
    return _LAUNCH + _yaml(config_to_dict(config))


def starter_yaml() -> str:
    """A config to begin with: every key with its default, and what it is for beside it.

    Progress is measured from the start, as without a figure nobody sees when a text is learnt by heart.
    """
    config = Config.model_validate({"data": {"train": "text.txt", "split": {"valid": 0.05}}})
    return "\n".join([_STARTER_HEADER, *_section_lines(Config, config_to_dict(config))])


def json_schema() -> str:
    """The JSON Schema (draft 2020-12) of a config, for editors."""
    return json.dumps(with_short_forms(config_schema()), indent=2, ensure_ascii=False) + "\n"


def _yaml(data: dict[str, Any]) -> str:
    # The width keeps long texts on one line.
    return yaml.dump(data, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=sys.maxsize)


def _section_lines(section: type[Section], values: dict[str, Any], indent: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield f"{indent}# {inner.__doc__}"
            yield f"{indent}{name}:"
            yield from _section_lines(inner, values[name], indent + "  ")
            yield from [] if indent else [""]
        else:
            yield from _key_lines(indent + _yaml({name: values[name]}).rstrip("\n"), field)


def _key_lines(key_and_value: str, field: FieldInfo) -> Iterator[str]:
    """A key with its comment on the right, which goes on below where it is long."""
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    comments = [" | ".join(choices)] if len(choices) > 1 else []
    left = key_and_value
    for comment in [*comments, str(field.description)]:
        for line in wrap(comment, width=_LINE_LENGTH - _COMMENT_COLUMN - len("# ")):
            yield f"{left:{_COMMENT_COLUMN}}# {line}"
            left = ""
