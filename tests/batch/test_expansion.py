"""Configs x grid x draws x seeds, and the names of the runs."""

from pathlib import Path

import pytest

from tests.batch.conftest import LoadPlan

SAMPLE = """\
sample:
  training.learning_rate: {low: 1e-4, high: 1e-2, log: true}
  model.hidden_size: {low: 8, high: 64}
  training.optimizer: [adam, sgd]
"""


def test_every_combination_of_a_grid_is_trained_with_every_seed(plan_of: LoadPlan) -> None:
    plan = plan_of(
        "configs: tiny.yaml\ngrid: {model.hidden_size: [64, 128], training.optimizer: [adam, sgd]}\nseeds: 2"
    )
    assert [run.name for run in plan.runs] == [
        f"tiny,hidden_size={size},optimizer={optimizer},seed={seed}"
        for size in (64, 128)
        for optimizer in ("adam", "sgd")
        for seed in (1, 2)
    ]
    last = plan.runs[-1]
    assert last.choices == {"model.hidden_size": 128, "training.optimizer": "sgd", "training.seed": 2}
    assert (last.config.model.hidden_size, last.config.training.optimizer, last.config.training.seed) == (
        128,
        "sgd",
        2,
    )


def test_seeds_may_be_listed(plan_of: LoadPlan) -> None:
    assert [run.config.training.seed for run in plan_of("configs: tiny.yaml\nseeds: [7, 3]").runs] == [7, 3]


def test_runs_that_differ_in_their_seed_only_belong_together(plan_of: LoadPlan) -> None:
    runs = plan_of("configs: tiny.yaml\nseeds: 2\ngrid: {model.dropout: [0, 0.5]}").runs
    assert [run.apart_from_seed == runs[0].apart_from_seed for run in runs] == [True, True, False, False]


def test_what_is_drawn_lies_within_its_range_and_reads_as_its_name(plan_of: LoadPlan) -> None:
    runs = plan_of(f"configs: tiny.yaml\ndraws: 20\n{SAMPLE}").runs
    assert len({run.name for run in runs}) == 20
    for run in runs:
        assert 1e-4 <= run.config.training.learning_rate <= 1e-2
        assert 8 <= run.config.model.hidden_size <= 64
        assert f",learning_rate={run.config.training.learning_rate}," in run.name
    assert sum(run.config.training.learning_rate < 1e-3 for run in runs) in range(5, 16)
    assert {run.config.training.optimizer for run in runs} == {"adam", "sgd"}


def test_more_draws_and_another_order_keep_the_draws_that_were_there(plan_of: LoadPlan) -> None:
    few = plan_of(f"configs: tiny.yaml\ndraws: 3\n{SAMPLE}").runs
    first, *lines = SAMPLE.splitlines(keepends=True)
    many = plan_of(f"configs: tiny.yaml\ndraws: 6\n{first}{''.join(reversed(lines))}").runs
    assert [run.config for run in many[:3]] == [run.config for run in few]


def test_what_is_drawn_a_second_time_is_left_out_and_counted(plan_of: LoadPlan) -> None:
    plan = plan_of("configs: tiny.yaml\ndraws: 10\nseeds: 2\nsample: {model.num_layers: {low: 1, high: 2}}")
    assert sorted(run.name for run in plan.runs) == [
        f"tiny,num_layers={layers},seed={seed}" for layers in (1, 2) for seed in (1, 2)
    ]
    assert plan.repeats == 16


def test_a_number_without_a_point_in_a_range_of_fractions_is_drawn_as_a_fraction(plan_of: LoadPlan) -> None:
    runs = plan_of("configs: tiny.yaml\ndraws: 5\nsample: {training.weight_decay: {low: 0, high: 1}}").runs
    assert all(0 < run.config.training.weight_decay < 1 for run in runs)


@pytest.mark.parametrize(
    ("grid", "names"),
    [
        ("data.tokenizer.kind: [word, char]", ["tiny,kind=word", "tiny,kind=char"]),
        ("data.valid: [null, valid.txt]", ["tiny,valid=null", "tiny,valid=valid.txt"]),
        ("output.tie_embeddings: [true]", ["tiny,tie_embeddings=true"]),
    ],
)
def test_names_need_no_quotes_in_a_shell(plan_of: LoadPlan, grid: str, names: list[str]) -> None:
    assert [run.name for run in plan_of(f"configs: tiny.yaml\ngrid: {{{grid}}}").runs] == names


def test_names_that_would_be_equal_or_too_long_end_in_a_digest(plan_of: LoadPlan) -> None:
    names = [
        run.name
        for run in plan_of("configs: tiny.yaml\ngrid: {data.valid: [./valid.txt, ././valid.txt]}").runs
    ]
    assert len(set(names)) == 2
    assert all(name.startswith("tiny,valid=valid.txt-") for name in names)
    keys = ["embedding_size", "hidden_size", "num_layers", "hidden_activation", "recurrent_init", "dropout"]
    values = ["[100]", "[100]", "[1]", "[softshrink]", "[half_identity]", "[0.25]"]
    grid = ", ".join(f"model.{key}: {value}" for key, value in zip(keys, values, strict=True))
    (run,) = plan_of(f"configs: tiny.yaml\nseeds: 1\ngrid: {{{grid}}}").runs
    assert len(run.name) == 120


def test_configs_with_long_names_have_runs_of_their_own(plan_of: LoadPlan, folder: Path) -> None:
    configs = [f"{'n' * 115}_{last}.yaml" for last in ("one", "two")]
    for config in configs:
        (folder / config).write_text((folder / "tiny.yaml").read_text())
    names = [run.name for run in plan_of(f"configs: {configs}\nseeds: 1").runs]
    assert len(set(names)) == 2
    assert [len(name) for name in names] == [120, 120]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("..yaml", "config"),
        ("...yaml", "config"),
        ("results.json.yaml", "results.json-dcabc933"),
        ("config.yaml.yaml", "config.yaml-7cef2d51"),
        (".rnn_cli.lock.yaml", ".rnn_cli.lock-3d07b744"),
    ],
)
def test_no_run_is_called_like_a_folder_above_or_a_file_beside_it(
    plan_of: LoadPlan, folder: Path, config: str, name: str
) -> None:
    (folder / config).write_text((folder / "tiny.yaml").read_text())
    assert [run.name for run in plan_of(f"configs: {config}").runs] == [name]
