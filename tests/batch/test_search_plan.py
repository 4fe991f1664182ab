"""What a plan says of a search, and what it may not."""

from pathlib import Path

import pytest

from rnn_cli.batch.plan import load_plan
from rnn_cli.errors import ConfigError
from tests.batch.conftest import LoadPlan, WritePlan

SAMPLE = "sample: {training.learning_rate: {low: 1e-4, high: 1e-2, log: true}, model.hidden_size: [8, 16]}\n"


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_plan(path)
    return error.value.problems


def test_a_search_has_its_settings_and_its_space_and_no_run_of_its_own(plan_of: LoadPlan) -> None:
    plan = plan_of(f"configs: tiny.yaml\nsearch: {{trials: 50, minutes: 2.5}}\n{SAMPLE}")
    assert (plan.runs, plan.metric) == ((), "valid.perplexity")
    assert plan.search is not None
    settings = plan.search.settings
    assert (settings.trials, settings.minutes) == (50, 2.5)
    assert (settings.sampler, settings.pruner, settings.startup_trials) == ("tpe", "median", 10)
    assert plan.search.space.described() == {
        "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "model.hidden_size": [8, 16],
    }
    (reference,) = plan.search.references
    assert (reference.config.training.learning_rate, reference.config.model.hidden_size) == (1e-4, 8)


def test_a_search_goes_by_a_part_of_the_training_text_as_well(plan_of: LoadPlan) -> None:
    split = "{data.valid: null, data.split.valid: 0.1}"
    plan = plan_of(f"configs: tiny.yaml\nset: {split}\nsearch: {{trials: 5}}\n{SAMPLE}")
    assert plan.metric == "valid.perplexity"


def test_threads_are_those_that_the_configs_of_a_search_ask_for(plan_of: LoadPlan) -> None:
    text = f"configs: tiny.yaml\nset: {{training.threads: 3}}\nsearch: {{trials: 1}}\n{SAMPLE}"
    assert plan_of(text).threads == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "search: {}\n" + SAMPLE,
            [
                "plan.yaml:2:1: search: needs an end. Add for instance: "
                "search: {trials: 50}, or search: {minutes: 30}"
            ],
        ),
        (
            "search: {trials: 5}",
            [
                "plan.yaml:2:1: search: needs keys to choose. Add for instance: "
                "sample: {training.learning_rate: {low: 1e-4, high: 1e-2, log: true}}"
            ],
        ),
        (
            "search: {trials: 5}\ndraws: 3\nseeds: 2\ngrid: {model.dropout: [0, 0.5]}\n" + SAMPLE,
            [
                "plan.yaml:3:1: draws: search.trials or search.minutes say when a search ends. Take this key out.",
                "plan.yaml:4:1: seeds: a search trains each trial once. Take this key out; "
                "one seed for all is set: {training.seed: 1}.",
                "plan.yaml:5:1: grid: a search tries what it chooses, not every combination. "
                "Move the keys to sample.",
            ],
        ),
        (
            "search: {trails: 5}\n" + SAMPLE,
            ['plan.yaml:2:10: search.trails: unknown key. Did you mean "search.trials"?'],
        ),
        (
            "search: {trials: 5, metric: test.loss}\n" + SAMPLE,
            ["plan.yaml:2:21: search.metric: unknown key here. It belongs at the top level."],
        ),
        (
            "search: {trials: 0, minutes: -1, pruner: none, sampler: gp}\n" + SAMPLE,
            [
                "plan.yaml:2:18: search.trials: found 0, allowed: a whole number of 1 or more and at most 10000, "
                "or null.",
                "plan.yaml:2:30: search.minutes: found -1, allowed: a number above 0, or null.",
                'plan.yaml:2:42: search.pruner: found "none", allowed: "median", "halving", or null. '
                "Did you mean null?",
                'plan.yaml:2:57: search.sampler: found "gp", allowed: "tpe", "random".',
            ],
        ),
        (
            "set: {data.valid: null}\nsearch: {trials: 5}\n" + SAMPLE,
            [
                "plan.yaml:3:1: search: needs a figure to go by. "
                "Name a text in data.valid of every config, keep a part of data.train apart with "
                "data.split.valid, or name another metric."
            ],
        ),
        (
            "search: {trials: 5}\nsample: {model.hidden_size: [8, many], training.learning_rat: [1]}",
            [
                'plan.yaml:3:33: model.hidden_size: found "many", allowed: a whole number of 1 or more.',
                'plan.yaml:3:40: training.learning_rat: unknown key. Did you mean "training.learning_rate"?',
            ],
        ),
        (
            "search: {trials: 5}\nsample: {model.cell: [gru, elman], model.hidden_activation: [tanh, relu]}",
            [
                'plan.yaml:3:36: model.hidden_activation: only the cells "elman" and "indrnn" have it, '
                'and model.cell is "gru". Take this key out.',
            ],
        ),
    ],
)
def test_what_a_search_lacks_or_may_not_have_is_told_at_its_place(
    write_plan: WritePlan, text: str, found: list[str]
) -> None:
    assert problems(write_plan(f"configs: tiny.yaml\n{text}")) == found
