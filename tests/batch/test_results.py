"""The figures of a study: every run, and mean and spread over seeds."""

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rnn_cli.batch.job import Outcome, State
from rnn_cli.batch.record import Record
from rnn_cli.batch.results import Results, gather
from rnn_cli.batch.study import Study
from rnn_cli.config import config_to_yaml
from rnn_cli.errors import RnnError
from tests.batch.conftest import LoadPlan, RunPlan

ResultsOf = Callable[[str], Results]


@pytest.fixture
def results_of(run_plan: RunPlan, plan_of: LoadPlan) -> ResultsOf:
    """Run a plan with the fake `rnn`, and gather its figures."""

    def run(text: str) -> Results:
        outcomes = run_plan(text)
        with Study.open(plan_of(text), Path("study")) as study:
            return gather(study, outcomes)

    return run


PLAN = """\
configs: tiny.yaml
grid: {model.hidden_size: [8, 16]}
seeds: [1, 5, 13]
"""


def test_figures_are_brought_together_over_seeds_without_the_runs_that_failed(
    results_of: ResultsOf,
) -> None:
    results = results_of(PLAN)
    assert results.metric == "valid.perplexity"
    assert [(run.planned.name, run.outcome.state, run.figures) for run in results.runs[:3]] == [
        ("tiny,hidden_size=8,seed=1", State.FINISHED, {"steps": 10, "valid.perplexity": 11.0}),
        ("tiny,hidden_size=8,seed=5", State.FINISHED, {"steps": 10, "valid.perplexity": 15.0}),
        ("tiny,hidden_size=8,seed=13", State.FAILED, {}),
    ]
    group = results.groups[0]
    assert (group.source, group.choices) == ("tiny", {"model.hidden_size": 8})
    assert (group.runs, group.mean, group.spread) == (2, 13.0, statistics.stdev([11.0, 15.0]))
    assert results.columns() == [
        ("hidden_size", "right"), ("runs", "right"), ("valid.perplexity", "right"), ("±", "right"),
    ]  # fmt: skip
    assert results.rows() == [["8", "2", "13.00", "2.828"], ["16", "2", "13.00", "2.828"]]
    assert (results.count(State.FINISHED), results.count(State.FAILED)) == (4, 2)


def test_the_table_begins_with_the_best(results_of: ResultsOf) -> None:
    perplexity = results_of("configs: tiny.yaml\ngrid: {training.seed: [5, 13, 1]}")
    assert perplexity.rows() == [["tiny", "2", "13.00", "2.828"]]
    text = "configs: tiny.yaml\nseeds: [1]\ngrid: {model.hidden_size: [8, 16]}\nafter: {q: eval x y}\n"
    steps = results_of(text + "metric: q.accuracy")
    assert steps.rows() == [["8", "1", "0.2", "-"], ["16", "1", "0.2", "-"]]


def test_a_high_accuracy_comes_first(results_of: ResultsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "configs: tiny.yaml\ngrid: {model.hidden_size: [8, 16]}\nafter: {q: eval x}\nmetric: q.accuracy\n"
    results_of(text)
    Path("study/tiny,hidden_size=16/after/q").write_text('{"accuracy": 0.9}')
    assert [group.mean for group in results_of(text).groups] == [0.9, 0.1]


def test_a_group_without_the_figure_comes_last(results_of: ResultsOf) -> None:
    results = results_of(
        "configs: tiny.yaml\ngrid: {model.hidden_size: [8, 16]}\nafter: {q: eval x}\nmetric: q.f1"
    )
    assert results.rows() == [["8", "0", "-", "-"], ["16", "0", "-", "-"]]


def test_figures_of_another_config_are_not_those_of_a_run_that_could_not_be_trained_anew(
    run_plan: RunPlan, plan_of: LoadPlan
) -> None:
    text = "configs: tiny.yaml\nseeds: [13]"
    run_plan(text)  # it cannot begin
    run = Path("study/tiny,seed=13")
    (run / "config.yaml").write_text(config_to_yaml(plan_of("configs: tiny.yaml\nseeds: [5]").runs[0].config))
    (run / "summary.json").write_text('{"valid": {"perplexity": 15.0}}')
    outcomes = run_plan(text, force=True)
    with Study.open(plan_of(text), Path("study"), force=True) as study:
        assert [found.figures for found in gather(study, outcomes).runs] == [{}]


def test_results_are_written_as_csv_and_json(results_of: ResultsOf, folder: Path) -> None:
    results = results_of(PLAN)
    results.write(folder)
    assert (folder / "results.csv").read_text().splitlines()[:4] == [
        "run,state,config,model.hidden_size,training.seed,steps,valid.perplexity",
        '"tiny,hidden_size=8,seed=1",finished,tiny,8,1,10,11.0',
        '"tiny,hidden_size=8,seed=5",finished,tiny,8,5,10,15.0',
        '"tiny,hidden_size=8,seed=13",failed,tiny,8,13,,',
    ]
    stored = json.loads((folder / "results.json").read_text())
    assert stored["metric"] == "valid.perplexity"
    assert stored["groups"][0]["mean"] == 13.0
    assert stored["runs"][2] == {
        "run": "tiny,hidden_size=8,seed=13",
        "folder": "study/tiny,hidden_size=8,seed=13",
        "state": "failed",
        "reason": "The text is unlucky.",
        "config": "tiny",
        "choices": {"model.hidden_size": 8, "training.seed": 13},
        "figures": {},
    }


def test_without_a_metric_runs_are_listed_in_the_order_of_the_plan(results_of: ResultsOf) -> None:
    results = results_of("configs: tiny.yaml\nset: {data.valid: null}\ngrid: {model.hidden_size: [16, 8]}")
    assert results.columns() == [("hidden_size", "right"), ("runs", "right")]
    assert results.rows() == [["16", "1"], ["8", "1"]]


def test_what_a_command_prints_besides_one_json_object_gives_no_figures(results_of: ResultsOf) -> None:
    text = "configs: tiny.yaml\nafter: {q: predict x}"
    results_of(text)
    for output in ("[1, 2]", "1\n2\n", '{"a": 1}\n{"a": 2}\n', "", "[" * 100_000):
        Path("study/tiny/after/q").write_text(output)
        assert list(results_of(text).runs[0].figures) == ["steps", "valid.perplexity"]


def test_the_figures_of_a_training_that_could_not_be_replaced_are_not_the_plans(
    run_plan: RunPlan, plan_of: LoadPlan
) -> None:
    run_plan("configs: tiny.yaml")
    changed = plan_of("configs: tiny.yaml\nset: {training.max_epochs: 3}")
    with Study.open(changed, Path("study"), force=True) as study:
        results = gather(study, {"tiny": Outcome(State.FAILED, "it cannot be started.")})
    assert results.runs[0].figures == {}


def test_a_training_that_ended_after_its_rnn_batch_was_killed_has_its_figures(
    run_plan: RunPlan, plan_of: LoadPlan
) -> None:
    run_plan("configs: tiny.yaml")
    record = Record.read(Path("study/tiny"))
    assert record is not None
    record.exit_code = None
    record.write(Path("study/tiny"))
    assert run_plan("configs: tiny.yaml") == {"tiny": Outcome(State.FINISHED)}
    with Study.open(plan_of("configs: tiny.yaml"), Path("study")) as study:
        assert "valid.perplexity" in gather(study, {"tiny": Outcome(State.FINISHED)}).runs[0].figures


def test_a_run_that_waits_has_no_figures(run_plan: RunPlan, plan_of: LoadPlan) -> None:
    run_plan("configs: tiny.yaml")
    with Study.open(plan_of("configs: tiny.yaml"), Path("study")) as study:
        results = gather(study, {"tiny": Outcome(State.WAITING)})
    assert results.runs[0].figures == {}


def test_results_name_folders_that_are_not_utf_8(run_plan: RunPlan, plan_of: LoadPlan, folder: Path) -> None:
    outcomes = run_plan("configs: tiny.yaml")
    with Study.open(plan_of("configs: tiny.yaml"), Path("study")) as study:
        found = gather(study, outcomes)
    odd = replace(
        found.runs[0], folder="caf\udce9/tiny", planned=replace(found.runs[0].planned, source="caf\udce9")
    )
    replace(found, runs=[odd]).write(folder)
    assert json.loads((folder / "results.json").read_text("utf-8"))["runs"][0]["folder"] == "caf\udce9/tiny"
    assert (folder / "results.csv").read_text("utf-8").splitlines()[1].startswith("tiny,finished,caf\\udce9,")


def test_results_that_cannot_be_written_are_one_sentence(results_of: ResultsOf, folder: Path) -> None:
    with pytest.raises(RnnError) as error:
        results_of("configs: tiny.yaml").write(folder / "tiny.yaml")
    assert str(error.value) == (
        f"{folder}/tiny.yaml: the results cannot be written (File exists). The runs keep their figures: make room or "
        "allow it, and start the plan again."
    )
