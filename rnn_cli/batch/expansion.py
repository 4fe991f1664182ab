"""Configs x grid x draws x seeds: the trainings of a plan, each with a name and a resolved config."""

import hashlib
import itertools
import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnn_cli.batch.choices import Choices, Values, probes
from rnn_cli.batch.names import FILES_OF_A_STUDY, config_name
from rnn_cli.config.loader import check_config
from rnn_cli.config.nodes import Node, Problem, merge, plain
from rnn_cli.config.schema import Config
from rnn_cli.config.shorthand import spelled_out
from rnn_cli.config.sources import read_file

MOST_RUNS = 10_000
LONGEST_NAME = 120  # a file system takes 255 bytes
DRAW_SEED = 1
"""Draws are the same each time, so that a plan that is started again finds its runs; more draws only add to them."""

SEED = "training.seed"


@dataclass(frozen=True)
class Axes:
    """What is combined.

    Attributes:
        configs: the paths of the configs.
        changes: what every config is changed by, keys written in full or as sections.
        grid, sample: what each key takes in turn, and what it is drawn from.
        draws: how many times; 1 where there is nothing to draw from.
        seeds: empty where each config keeps its own.
    """

    configs: tuple[Node, ...]
    changes: Mapping[str, Node]
    grid: Mapping[str, Values]
    sample: Mapping[str, Choices]
    draws: int
    seeds: tuple[Node, ...]

    @property
    def count(self) -> int:
        """How many trainings that makes, those that are drawn a second time counted again."""
        combinations = math.prod(len(values.nodes) for values in self.grid.values())
        return len(self.configs) * combinations * self.draws * max(1, len(self.seeds))


@dataclass(frozen=True)
class PlannedRun:
    """One training of a plan.

    Attributes:
        name: the name of its folder.
        source: the config's name without its ending.
        choices: what varies, by its key in full; the seed last.
        config: resolved.
    """

    name: str
    source: str
    choices: Mapping[str, Any]
    config: Config

    @property
    def apart_from_seed(self) -> tuple[str, str]:
        """Equal for runs that differ in their seed only."""
        others = {key: value for key, value in self.choices.items() if key != SEED}
        return self.source, json.dumps(others)


def expand(axes: Axes) -> tuple[list[PlannedRun], list[Problem]]:
    """Every training once, however often it is drawn, and what is wrong with any of them, each problem once."""
    if axes.count > MOST_RUNS:
        place = axes.configs[0].place
        text = f"this plan makes {axes.count:,} runs, and {MOST_RUNS:,} are the most. Take some values out."
        return [], [Problem(replace(place, line=0), (), text)]
    problems: dict[Problem, None] = {}
    runs = []
    for source, base in read_bases(axes, problems):
        of_ends = _problems_of_ends(source, base, axes)
        problems.update(dict.fromkeys(of_ends))
        # A number that is drawn stands nowhere in the plan: where an end of its range is wrong, that is told instead.
        told = {(problem.place, problem.keys) for problem in of_ends}
        for choices in _combinations(axes):
            run, found = planned_run(source, base, choices)
            new = [problem for problem in found if (problem.place, problem.keys) not in told]
            problems.update(dict.fromkeys(new))
            if run is not None:
                runs.append(run)
    return with_names_of_their_own(runs), list(problems)


def _problems_of_ends(source: str, base: Node, axes: Axes) -> list[Problem]:
    """What is wrong with the ends of what is drawn from, whether or not they are drawn."""
    first = next(_combinations(axes))
    return [
        problem for probe in probes(axes.sample) for problem in planned_run(source, base, first | probe)[1]
    ]


def planned_run(
    source: str, base: Node, choices: Mapping[str, Node]
) -> tuple[PlannedRun | None, list[Problem]]:
    """The training that a config makes with these choices laid over it, and what is wrong with it."""
    root = base
    for key, node in choices.items():
        root = merge(root, as_sections(key, node))
    config, problems = check_config(root)
    if config is None:
        return None, problems
    values = {key: plain(node) for key, node in choices.items()}
    return PlannedRun(run_name(source, values), source, values, config), problems


def read_bases(axes: Axes, problems: dict[Problem, None]) -> Iterator[tuple[str, Node]]:
    """Each config with the changes for all of them laid over it; what is wrong goes to `problems`."""
    seen: dict[str, str] = {}
    for number, node in enumerate(axes.configs, start=1):
        path = Path(str(node.value))
        name = _plain_name(config_name(path))
        if name in seen:
            text = f"a second config called {name}; its runs would get the folders of the first. Rename one."
            problems[Problem(node.place, ("configs",), text)] = None
            continue
        seen[name] = str(path)
        root, found = read_file(_as_seen_from_here(path), number=number)
        problems.update(dict.fromkeys(found))
        if root is None:
            continue
        root = spelled_out(root)
        for key, change in axes.changes.items():
            root = merge(root, spelled_out(as_sections(key, change)))
        yield name, root


def _combinations(axes: Axes) -> Iterator[dict[str, Node]]:
    generator = random.Random(DRAW_SEED)
    # By name: the order in the file, which changes nothing else, would change what is drawn.
    drawn = [
        {key: axes.sample[key].draw(generator) for key in sorted(axes.sample)} for _ in range(axes.draws)
    ]
    # What is drawn a second time would be the same training, in the same folder.
    draws = list({json.dumps([plain(node) for node in draw.values()]): draw for draw in drawn}.values())
    seeds = [{SEED: seed} for seed in axes.seeds] or [{}]
    for values in itertools.product(*(values.nodes for values in axes.grid.values())):
        for draw, seed in itertools.product(draws, seeds):
            yield dict(zip(axes.grid, values, strict=True)) | {key: draw[key] for key in axes.sample} | seed


def as_sections(key: str, node: Node) -> Node:
    """The value of a key written in full, as sections."""
    for name in reversed(key.split(".")):
        node = Node({name: node}, node.key_place, node.key_place)
    return node


def _as_seen_from_here(path: Path) -> Path:
    """How a user would name the file."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def run_name(source: str, choices: Mapping[str, Any]) -> str:
    """The name of a run's folder: tiny,hidden_size=64,seed=1."""
    parts = [f"{label}={_value_name(choices[key])}" for key, label in labels(choices).items()]
    return ",".join([source, *parts])


def labels(keys: Mapping[str, Any]) -> dict[str, str]:
    """Each key as short as it can be told from the others: hidden_size for model.hidden_size."""
    last = {key: key.rpartition(".")[2] for key in keys}
    times = Counter(last.values())
    return {key: short if times[short] == 1 else key for key, short in last.items()}


def _value_name(value: Any) -> str:
    text = Path(value).name if isinstance(value, str) and "/" in value else value
    return _plain_name(text if isinstance(text, str) else json.dumps(text))


def _plain_name(text: str) -> str:
    """Only characters that need no quotes in a shell."""
    return re.sub(r"[^\w.+-]+", "_", text)


def with_names_of_their_own(runs: list[PlannedRun]) -> list[PlannedRun]:
    """The runs, those whose name is too long or not theirs alone with a digest of what they vary.

    Not theirs alone: another run has it, or a file beside the runs.
    """
    times = Counter(run.name for run in runs)

    def unique(run: PlannedRun) -> str:
        is_alone = times[run.name] == 1 and run.name not in FILES_OF_A_STUDY
        if is_alone and len(run.name.encode()) <= LONGEST_NAME:
            return run.name
        short = run.name.encode()[: LONGEST_NAME - 9].decode(errors="ignore")
        # A config's name that does not go in whole may be that of two.
        told = [run.source, run.choices] if run.source.startswith(short) else run.choices
        digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
        return f"{short}-{digest}"

    return [replace(run, name=unique(run)) for run in runs]
