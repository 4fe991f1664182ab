"""From a YAML file and `--set section.key=value` to a `Config`, or to every problem in them at once."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rnn_cli.config.conflicts import conflicts, without_keys_of_no_use
from rnn_cli.config.nodes import Keys, Node, Place, Problem, Source, from_plain, merge, plain, walk
from rnn_cli.config.paths import resolve_paths
from rnn_cli.config.schema import Config
from rnn_cli.config.shorthand import spelled_out
from rnn_cli.config.sources import read_file, read_override
from rnn_cli.config.wording import Schema, found_and_allowed, missing, unknown_key
from rnn_cli.errors import ConfigError
from rnn_cli.printable import escaped


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file, lay the overrides over it, and check the result.

    Args:
        path: a YAML file. The problems name it as it is given here.
        overrides: texts "section.key=value", the value in YAML. Mappings are united key by key, anything
            else is replaced; a later override wins over an earlier one, and each over the file.

    Returns:
        The config with every default filled in and every path absolute.

    Raises:
        ConfigError: every problem, in the order of the file, then of the overrides.
    """
    root, problems = read_file(path)
    if root is not None:
        _refuse_a_plan(root, path)
        root = spelled_out(root)  # before an override may change a part of it
    root, found = _overridden(root, overrides)
    problems += found
    if root is None:
        raise config_error(problems)
    root, found = resolve_paths(root)
    return _checked(root, problems + found)


def _refuse_a_plan(root: Node, path: Path) -> None:
    if isinstance(root.value, dict) and "configs" in root.value and "data" not in root.value:
        text = f"this is a plan for several trainings, not a config. Start it with: rnn batch {path}"
        raise config_error([Problem(root.value["configs"].key_place, (), text)])


def config_from_choices(choices: Mapping[str, Any], overrides: Sequence[str] = ()) -> Config:
    """The config that a program chose, with the overrides laid over it.

    Args:
        choices: plain data, with absolute paths.
        overrides: as for `load_config`.

    Raises:
        ConfigError: every problem.
    """
    root, problems = _overridden(
        from_plain(choices, Place(Source("the choice", folders=(Path.cwd(),)))), overrides
    )
    assert root is not None
    root, found = resolve_paths(root)
    return _checked(root, problems + found)


def read_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """What the overrides say, section by section, as plain data; those that cannot be read are left out."""
    nothing = from_plain({}, Place(Source("--set")))
    root, _ = _overridden(nothing, overrides)
    return dict(plain(root)) if root is not None else {}


def _overridden(root: Node | None, overrides: Sequence[str]) -> tuple[Node | None, list[Problem]]:
    """The root with the overrides laid over it, and what is wrong with them."""
    problems: list[Problem] = []
    for number, text in enumerate(overrides, 1):
        override, found = read_override(text, number)
        problems += found
        if root is not None and override is not None:
            root = spelled_out(merge(root, override))
    return root, problems


def check_config(root: Node) -> tuple[Config | None, list[Problem]]:
    """The config that a node says, its paths looked for, and everything that is wrong with it."""
    root, problems = resolve_paths(spelled_out(root))
    config, found = _validated(root, [problem.keys for problem in problems])
    return config, problems + found


def config_from_dict(data: Mapping[str, Any]) -> Config:
    """The config that `config_to_dict` wrote, such as a model file holds. Its files are not looked for.

    Raises:
        ConfigError: every problem.
    """
    root = from_plain(without_keys_of_no_use(data), Place(Source("the stored config")))
    return _checked(root, [])


def config_to_dict(config: Config) -> dict[str, Any]:
    """Every key as plain data for JSON or YAML, without those that are of no use beside the others."""
    return without_keys_of_no_use(config.model_dump(mode="json"))


def _checked(root: Node, problems: list[Problem]) -> Config:
    """The config, if there were no problems before and none is found here."""
    config, found = _validated(root, [problem.keys for problem in problems])
    if config is None or problems or found:
        raise config_error(problems + found)
    return config


def _validated(root: Node, bad: Iterable[Keys] = ()) -> tuple[Config | None, list[Problem]]:
    """The config as the schema has it, and the problems; `bad` are keys that are known to be wrong."""
    config, problems = None, []
    try:
        # With the section there, what is missing is data.train.
        config = Config.model_validate({"data": None, **plain(root)})
    except ValidationError as error:
        problems = validation_problems(error, root)
    problems += conflicts(root, {*bad, *(problem.keys for problem in problems)})
    return config, problems


def validation_problems(
    error: ValidationError, root: Node, schema: Schema | None = None, under: Keys = ()
) -> list[Problem]:
    """Pydantic's errors in our words, each at the place where the value or the key was written.

    Args:
        schema: what `root` was checked against; left out, the config's.
        under: the keys under which `root` stands.
    """
    return [_problem(details, root, schema, under) for details in error.errors()]


def _problem(details: ErrorDetails, root: Node, schema: Schema | None, under: Keys) -> Problem:
    keys = tuple(step for step in details["loc"] if isinstance(step, str))
    node = walk(root, details["loc"])[-1]
    if details["type"] == "missing":
        return Problem(node.key_place, (*under, *keys), missing(keys, schema))
    if details["type"] == "extra_forbidden":
        in_full = node.place.source.dotted or node.place.source.override is not None
        return Problem(node.key_place, (*under, *keys), unknown_key(keys, schema, in_full=in_full))
    return Problem(node.place, (*under, *keys), found_and_allowed(plain(node), keys, schema))


def config_error(problems: Iterable[Problem]) -> ConfigError:
    """The exception that says every problem, in the order of the files."""
    return ConfigError([escaped(str(problem)) for problem in sorted(problems, key=Problem.order)])
