"""A plan: the file that says which trainings belong to a study, and what is done with their models."""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from rnn_cli.batch.choices import Choices, Values, read_choices, read_values
from rnn_cli.batch.expansion import MOST_RUNS, Axes, PlannedRun, expand
from rnn_cli.batch.figures import is_measured, metric_problem
from rnn_cli.batch.overlaps import overlaps
from rnn_cli.batch.space import SearchSettings, Space, read_space
from rnn_cli.config.json_schema import json_schema_of
from rnn_cli.config.loader import config_error, validation_problems
from rnn_cli.config.nodes import Node, Problem, from_plain, plain
from rnn_cli.config.paths import files_of
from rnn_cli.config.schema import Section
from rnn_cli.config.sources import FileKind, read_file
from rnn_cli.config.values import SomePaths
from rnn_cli.config.wording import closest, did_you_mean, shown

PLAN = FileKind(
    "plan",
    'A plan needs "configs:" at least, such as configs: config.yaml',
    'keys such as "configs:" and "grid:"',
    dotted=True,
)
AFTER_COMMANDS = ("complete", "eval", "predict")
"""What is usually asked of a trained model; a caller that knows all commands gives them."""

_FILE_NAME = re.compile(r"\w[\w.-]*")
_RUN = "{run}"
_DRAWING = {"sample", "draws", "search"}  # none says anything without the others
_NOT_IN_A_SEARCH = {
    "draws": "search.trials or search.minutes say when a search ends. Take this key out.",
    "grid": "a search tries what it chooses, not every combination. Move the keys to sample.",
    "seeds": "a search trains each trial once. Take this key out; one seed for all is set: {training.seed: 1}.",
}


def _as_seeds(value: Any) -> Any:
    """A number of seeds as the seeds 1, 2, ...; anything else stays, for pydantic to refuse."""
    if type(value) is int and 1 <= value <= MOST_RUNS:
        return tuple(range(1, value + 1))
    return tuple(value) if isinstance(value, list) else value


_Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
_Seeds = Annotated[
    tuple[_Seed, ...],
    BeforeValidator(_as_seeds),
    Field(min_length=1),
    WithJsonSchema({"title": f"a whole number from 1 to {MOST_RUNS:,}, or a list of seeds"}),
]
_Grid = Annotated[
    dict[str, Annotated[list[Any], Field(min_length=1)]],
    WithJsonSchema({"type": "object", "additionalProperties": {"title": "a list of values"}}),
]
_Commands = Annotated[
    dict[str, str],
    WithJsonSchema({"type": "object", "additionalProperties": {"title": 'a command such as "predict FILE"'}}),
]


class PlanFile(Section):
    """The keys of a plan."""

    configs: SomePaths = Field(description="the configs to train: a path, a pattern or a list of them")
    set: dict[str, Any] = Field(default={}, description="keys to change in every config")
    seeds: _Seeds | None = Field(default=None, description="how many seeds (1, 2, ...), or which")
    grid: _Grid = Field(default={}, description="key: values; every combination is trained")
    sample: dict[str, Any] = Field(default={}, description="key: values or a range; drawn at random")
    draws: int | None = Field(
        default=None, ge=1, le=MOST_RUNS, description="how many times to draw from sample"
    )
    search: SearchSettings | None = Field(
        default=None, description="try what is likely to be best in sample, instead of draws"
    )
    metric: str | None = Field(
        default=None, description="what to sort by; null = validation perplexity, if there is one"
    )
    after: _Commands = Field(
        default={}, description="name: a command of rnn, run on every model when it is trained"
    )


@dataclass(frozen=True)
class SearchPlan:
    """What is searched, and how; `references` is each config with the first value of every key."""

    settings: SearchSettings
    space: Space
    references: tuple[PlannedRun, ...]


@dataclass(frozen=True)
class Plan:
    """A plan that was read and checked.

    Attributes:
        path: the file, as the user named it.
        runs: every training, in the order of the plan; of a search, whose trainings nobody knows before, none.
        metric: what to sort by, such as "valid.perplexity"; None where there is nothing to sort by.
        after: the words of the commands to run on every model, by the name of the file for their output.
        repeats: how many runs were drawn a second time, and left out.
    """

    path: Path
    runs: tuple[PlannedRun, ...]
    metric: str | None
    after: Mapping[str, tuple[str, ...]]
    search: SearchPlan | None = None
    repeats: int = 0

    @property
    def threads(self) -> int | None:
        """The most threads that one of the trainings asks for; None where none does."""
        runs = self.runs if self.search is None else self.search.references
        return max((run.config.training.threads or 0 for run in runs), default=0) or None


def load_plan(path: Path, commands: Collection[str] = AFTER_COMMANDS) -> Plan:
    """Read a plan and the configs that it names, and check every training in it.

    Args:
        path: a YAML file. The problems name it as it is given here.
        commands: the commands of `rnn` that may follow a training.

    Raises:
        ConfigError: every problem, in the order of the plan, then of the configs.
    """
    root, problems = read_file(path, PLAN)
    if root is None:
        raise config_error(problems)
    assert isinstance(root.value, dict)
    if "data" in root.value and "configs" not in root.value:
        text = f"this is a config, not a plan. Train it with: rnn train {path}, or name it in a plan: configs: {path}"
        raise config_error([Problem(root.value["data"].key_place, (), text)])
    file, usable, found = _validated(root)
    problems += found
    if file is None:
        raise config_error(problems)
    after, found = _read_after(usable.get("after"), commands)
    problems += found
    axes, found = _read_axes(usable, file)
    problems += found
    runs, search, found = _read_runs(axes, file)
    problems += found
    metric = file.metric or _default_metric(runs)
    if not problems and metric and (unusable := metric_problem(metric, [run.config for run in runs], after)):
        problems = [Problem(root.value["metric"].place, ("metric",), unusable)]
    if not problems and search and metric is None:
        text = (
            "needs a figure to go by. Name a text in data.valid of every config, keep a part of data.train apart "
            "with data.split.valid, or name another metric."
        )
        problems = [Problem(root.value["search"].key_place, ("search",), text)]
    if problems:
        raise config_error(problems)
    if search:
        return Plan(path, (), metric, after, search)
    return Plan(path, tuple(runs), metric, after, repeats=axes.count - len(runs))


def _read_runs(axes: Axes, file: PlanFile) -> tuple[list[PlannedRun], SearchPlan | None, list[Problem]]:
    """Every training, or the references of a search; the search; and what is wrong with any of them."""
    if file.search is None:
        runs, problems = expand(axes)
        return runs, None, problems
    space, problems = read_space(axes)
    references = space.references()
    return references, SearchPlan(file.search, space, tuple(references)), problems


def _validated(root: Node) -> tuple[PlanFile | None, dict[str, Node], list[Problem]]:
    """The plan without what is wrong by itself, so that the rest can be looked at; and the problems.

    None where nothing can be: the configs are among them.
    """
    entries = _entries(root)
    try:
        return PlanFile.model_validate(plain(root)), entries, []
    except ValidationError as error:
        problems = validation_problems(error, root, json_schema_of(PlanFile))
    wrong = {problem.keys[0] for problem in problems}
    if wrong & _DRAWING:
        wrong |= _DRAWING
    usable = {key: node for key, node in entries.items() if key not in wrong}
    usable |= {key: _right_entries(key, entries[key], problems) for key in wrong & {"grid", "after"}}
    file = None if "configs" in wrong else PlanFile.model_validate(plain(replace(root, value=usable)))
    return file, usable, problems


def _right_entries(key: str, node: Node, problems: list[Problem]) -> Node:
    """What the plan says under `key` without the entries that are wrong."""
    wrong = {problem.keys[:2] for problem in problems}
    entries = {name: child for name, child in _entries(node).items() if (key, name) not in wrong}
    return replace(node, value=entries)


def command_on(run: Path, words: tuple[str, ...]) -> list[str]:
    """The words of a command with the folder of the run where they say {run}."""
    return [word.replace(_RUN, str(run)) for word in words]


def _default_metric(runs: list[PlannedRun]) -> str | None:
    return "valid.perplexity" if all(is_measured(run.config, "valid") for run in runs) else None


def _read_axes(root: dict[str, Node], file: PlanFile) -> tuple[Axes, list[Problem]]:
    """What is combined into trainings: each part of the plan with the places where it was written."""
    problems: list[Problem] = []
    configs = root["configs"]
    paths = configs.value if isinstance(configs.value, list) else [configs]
    files = [found for path in paths for found in files_of(path, ("configs",), problems)]
    if problems:
        files = []  # what is not there cannot be checked further
    seeds = _seed_nodes(root["seeds"], file) if file.seeds else []
    grid: dict[str, Values] = {}
    for key, node in _entries(root.get("grid")).items():
        grid[key], found = read_values(node, ("grid", key))
        problems += found
    sample: dict[str, Choices] = {}
    for key, node in _entries(root.get("sample")).items():
        choices, found = read_choices(node, ("sample", key))
        problems += found
        if choices is not None:
            sample[key] = choices
    problems += _misfits(root, file)
    return Axes(
        tuple(files), _entries(root.get("set")), grid, sample, file.draws or 1, tuple(seeds)
    ), problems


def _seed_nodes(node: Node, file: PlanFile) -> list[Node]:
    if isinstance(node.value, list):
        return list(node.value)
    return [from_plain(seed, node.place) for seed in file.seeds or ()]


def _entries(node: Node | None) -> dict[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _misfits(root: dict[str, Node], file: PlanFile) -> list[Problem]:
    """Keys of a plan that do not go together."""
    problems = []
    if file.search is not None:
        problems += _search_misfits(root, file, file.search)
    elif file.sample and file.draws is None:
        text = "needs to know how many times to draw. Add for instance: draws: 10, or search: {trials: 50}"
        problems.append(Problem(root["sample"].key_place, ("sample",), text))
    if file.draws is not None and not file.sample and file.search is None:
        text = "is for drawing from sample, which is not there. Take this key out."
        problems.append(Problem(root["draws"].key_place, ("draws",), text))
    if isinstance(root.get("seeds", root["configs"]).value, list) and file.seeds:
        _, found = read_values(root["seeds"], ("seeds",))
        problems += found
    varied = [(part, _entries(root.get(part))) for part in ("grid", "sample")]
    # What is varied may be in set as well: what is trained is what the run's name says.
    problems += overlaps([("set", _entries(root.get("set")))], seeds=False)
    return problems + overlaps(varied, seeds=bool(file.seeds))


def _search_misfits(root: dict[str, Node], file: PlanFile, search: SearchSettings) -> list[Problem]:
    """What a search lacks, and what does not go with it."""
    place = root["search"].key_place
    problems = [
        Problem(root[key].key_place, (key,), text)
        for key, text in _NOT_IN_A_SEARCH.items()
        if getattr(file, key)
    ]
    if search.trials is None and search.minutes is None:
        text = "needs an end. Add for instance: search: {trials: 50}, or search: {minutes: 30}"
        problems.append(Problem(place, ("search",), text))
    if not file.sample:
        text = (
            "needs keys to choose. Add for instance: "
            "sample: {training.learning_rate: {low: 1e-4, high: 1e-2, log: true}}"
        )
        problems.append(Problem(place, ("search",), text))
    return problems


def _read_after(
    node: Node | None, commands: Collection[str]
) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    """The commands to run on every model, cut into words as a shell does."""
    after: dict[str, tuple[str, ...]] = {}
    problems = []
    for name, command in _entries(node).items():
        under = ("after", name)
        if not _FILE_NAME.fullmatch(name):
            text = (
                "names the file for the output: letters, digits, points, - and _ only, such as answers.jsonl."
            )
            problems.append(Problem(command.key_place, under, text))
        if (logged := name.removesuffix(".log")) != name and logged in _entries(node):
            text = f"is where the errors and messages of {logged} are kept. Choose another name for one of the two."
            problems.append(Problem(command.key_place, under, text))
        try:
            words = shlex.split(str(command.value))
        except ValueError:
            problems.append(Problem(command.place, under, "a quote in this command is never closed."))
            continue
        if words[:1] == ["rnn"]:
            del words[0]
        if not words or words[0] not in commands:
            meant = closest(words[0], commands) if words else None
            unknown = f"found {shown(' '.join(words[:1]))}, allowed: a command out of {', '.join(sorted(commands))}."
            problems.append(Problem(command.place, under, unknown + did_you_mean(meant)))
        after[name] = tuple(words)
    return after, problems
