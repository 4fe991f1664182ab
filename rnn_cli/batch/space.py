"""What a search may choose from: the keys under `sample`, and the configs."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rnn_cli.batch.choices import Choices, Values, probes
from rnn_cli.batch.expansion import (
    DRAW_SEED,
    MOST_RUNS,
    Axes,
    PlannedRun,
    planned_run,
    read_bases,
    run_name,
    with_names_of_their_own,
)
from rnn_cli.config.nodes import Node, Problem, plain
from rnn_cli.config.schema import Section

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

CONFIG = "config"
"""The parameter that chooses among several configs; no key of a config is called so."""

PROBES = 50
"""Random combinations that are checked before a search begins, so that what cannot go together is told at once."""

Params = Mapping[str, Any]
"""What optuna chose, by key."""


class SearchSettings(Section):
    """When a search ends, and how it chooses. At least one of trials and minutes is needed."""

    trials: int | None = Field(
        default=None, ge=1, le=MOST_RUNS, description="how many trainings in all; null = until the time is up"
    )
    minutes: float | None = Field(
        default=None, gt=0, description="how long in all; what trains then saves and stops; null = no limit"
    )
    sampler: Literal["tpe", "random"] = Field(
        default="tpe", description="tpe learns from the trials before where good values lie"
    )
    pruner: Literal["median", "halving"] | None = Field(
        default="median",
        description="median stops a training whose best validation loss is worse than the median of the others after "
        "as many validations; halving lets the better quarter go on; null stops none",
    )
    # optuna's own default for TPE; before that a median means little, too
    startup_trials: int = Field(
        default=10, ge=1, description="the first trials, drawn at random and never pruned"
    )


@dataclass(frozen=True)
class Space:
    """The configs, and what each key is chosen from."""

    bases: Mapping[str, Node]
    choices: Mapping[str, Choices]

    def distributions(self) -> "dict[str, BaseDistribution]":
        """The space in optuna's terms."""
        from optuna.distributions import CategoricalDistribution

        space = {key: _distribution(choices) for key, choices in self.choices.items()}
        if len(self.bases) > 1:
            space[CONFIG] = CategoricalDistribution(tuple(self.bases))
        return space

    def planned(self, number: int, params: Params) -> tuple[PlannedRun | None, list[Problem]]:
        """The training that trial `number` is, and what is wrong with it."""
        source = str(params.get(CONFIG, next(iter(self.bases))))
        choices = {key: self._node(key, params[key]) for key in self.choices}
        run, problems = planned_run(source, self.bases[source], choices)
        if run is None:
            return None, problems
        name = f"trial-{number:04}" + (f",{source}" if len(self.bases) > 1 else "")
        named = PlannedRun(run_name(name, run.choices), source, run.choices, run.config)
        return with_names_of_their_own([named])[0], problems

    def chosen(self, params: Params) -> tuple[Any, ...]:
        """Equal for params that come to the same training."""
        values = [repr(plain(self._node(key, params[key]))) for key in self.choices]
        return (params.get(CONFIG), *values)

    def draws(self, generator: random.Random) -> Iterator[dict[str, Any]]:
        """Params drawn at random, without end."""
        while True:
            params = {
                key: _param(choices, choices.draw(generator)) for key, choices in sorted(self.choices.items())
            }
            yield params | ({CONFIG: generator.choice(list(self.bases))} if len(self.bases) > 1 else {})

    def count(self) -> float:
        """How many trainings there are to choose from; infinite where a range is of real numbers."""
        counts = [
            len(choices.nodes)
            if isinstance(choices, Values)
            else choices.high - choices.low + 1
            if choices.whole
            else math.inf
            for choices in self.choices.values()
        ]
        return math.prod(counts) * len(self.bases)

    def described(self) -> dict[str, Any]:
        """For JSON and for people: a list of values, or a range."""
        return {
            key: [plain(node) for node in choices.nodes]
            if isinstance(choices, Values)
            else {"low": choices.low, "high": choices.high, "log": choices.log}
            for key, choices in self.choices.items()
        }

    def references(self) -> list[PlannedRun]:
        """Each config with the first value of every key: what a change of the plan is told by."""
        first = {key: choices.ends()[0] for key, choices in self.choices.items()}
        runs = [planned_run(source, base, first)[0] for source, base in self.bases.items()]
        return [run for run in runs if run is not None]

    def problems(self) -> Iterator[Problem]:
        """What is wrong with trainings of this space: each value of a key with the first of the others; draws."""
        tried = probes(self.choices)
        drawn = itertools.islice(self.draws(random.Random(DRAW_SEED)), PROBES)
        tried += [{key: self._node(key, params[key]) for key in self.choices} for params in drawn]
        for source, base in self.bases.items():
            for probe in tried:
                yield from planned_run(source, base, probe)[1]

    def _node(self, key: str, param: Any) -> Node:
        """The value of the plan that optuna's means."""
        choices = self.choices[key]
        if isinstance(choices, Values):
            return next(node for node in choices.nodes if _same(_scalar(node), param))
        return choices.node_of(param)


def read_space(axes: Axes) -> tuple[Space, list[Problem]]:
    """The space that a plan says, and what is wrong with it, each problem once."""
    problems: dict[Problem, None] = {}
    space = Space(dict(read_bases(axes, problems)), axes.sample)
    if not problems and space.bases:
        problems.update(dict.fromkeys(space.problems()))
    return space, list(problems)


def _distribution(choices: Choices) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(choices, Values):
        return CategoricalDistribution([_scalar(node) for node in choices.nodes])
    if choices.whole:
        return IntDistribution(math.ceil(choices.low), math.floor(choices.high), log=choices.log)
    return FloatDistribution(choices.low, choices.high, log=choices.log)


def _scalar(node: Node) -> Any:
    """A value as optuna takes it: lists and mappings as text."""
    return str(plain(node)) if isinstance(node.value, list | dict) else node.value


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type: 1 is not true."""
    return type(one) is type(other) and bool(one == other)


def _param(choices: Choices, node: Node) -> Any:
    return _scalar(node) if isinstance(choices, Values) else node.value
