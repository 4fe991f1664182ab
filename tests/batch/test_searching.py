"""A search: trials from a journal that several processes share, pruned by validation loss."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnn_cli.batch.events import RunEnded, SearchStarted, Stopping, StudyEvent
from rnn_cli.batch.here import Here
from rnn_cli.batch.job import Outcome, State
from rnn_cli.batch.listing import list_runs
from rnn_cli.batch.progress import Progress
from rnn_cli.batch.scheduler import Resources
from rnn_cli.batch.search import Search
from rnn_cli.batch.search_results import SearchResults, best_validation, gather_search
from rnn_cli.batch.searching import run_search
from rnn_cli.batch.sittings import Sittings
from rnn_cli.batch.study import Study
from rnn_cli.cli.batch import _show_best
from rnn_cli.errors import UsageError
from rnn_cli.training.interrupt import StopSignal
from tests.batch.conftest import FAKE_SEARCH, LoadPlan
from tests.batch.test_scheduler import signals_when

pytest.importorskip("optuna")

RunSearch = Callable[..., SearchResults]

RANGE = "sample: {model.hidden_size: {low: 20, high: 1060}}"


def plan(search: str, sample: str = RANGE) -> str:
    return f"configs: tiny.yaml\nsearch: {{{search}}}\n{sample}\n"


@pytest.fixture
def search(plan_of: LoadPlan, folder: Path) -> RunSearch:
    """Run a plan's search in the folder `study`, with a fake `rnn`: what it came to."""

    def run(
        text: str,
        events: list[StudyEvent] | None = None,
        *,
        jobs: int = 1,
        fake: str = FAKE_SEARCH,
        here: type[Here] = Here,
    ) -> SearchResults:
        (folder / "fake.py").write_text(fake)
        note = (lambda _: None) if events is None else events.append
        with Search.open(plan_of(text), Path("study")) as search, StopSignal() as stop:
            stop.wait_for_steps()
            run_search(
                search,
                shares=Resources(jobs, 1),
                stop=stop,
                on_event=note,
                launcher=here((sys.executable, str(folder / "fake.py"))),
            )
            search.close()
            return gather_search(search)

    return run


def sizes(results: SearchResults) -> list[int]:
    return [run.planned.choices["model.hidden_size"] for run in results.runs]


def numbers(results: SearchResults) -> list[str]:
    return sorted(run.planned.name[:10] for run in results.runs)


def states(results: SearchResults) -> list[str]:
    return [run.outcome.state.value for run in results.runs]


def test_the_validations_of_a_pair_are_those_of_its_first_network(
    search: RunSearch, plan_of: LoadPlan
) -> None:
    (run,) = search(plan("trials: 1")).runs
    found = best_validation(Path(run.folder))
    second = {"event": "validation", "step": 30, "loss": 0.1, "perplexity": 1.1, "network": "backward"}
    with (Path(run.folder) / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(second) + "\n")
    assert best_validation(Path(run.folder)) == found
    with Search.open(plan_of(plan("trials: 1")), Path("other")) as other:
        trial = other.next()
        assert trial is not None
        assert not other.judge(trial, [second], Progress())
        assert trial.noted == set()


def test_a_search_tries_as_many_as_it_may_and_the_best_comes_first(search: RunSearch) -> None:
    results = search(plan("trials: 3"))
    assert numbers(results) == ["trial-0000", "trial-0001", "trial-0002"]
    assert sizes(results) == sorted(sizes(results))
    assert results.best is not None
    assert results.best.figures == {
        "steps": 30, "valid.perplexity": sizes(results)[0], "valid.loss": sizes(results)[0] / 10,
    }  # fmt: skip
    assert results.columns() == [
        ("trial", "left"), ("hidden_size", "right"), ("valid.perplexity", "right"), ("state", "left"),
    ]  # fmt: skip
    assert results.rows()[0][1:] == [str(sizes(results)[0]), f"{sizes(results)[0]:.2f}", "finished"]


def test_started_again_it_is_over_with_more_trials_it_goes_on_and_the_same_are_chosen(
    search: RunSearch, plan_of: LoadPlan
) -> None:
    events: list[StudyEvent] = []
    first = search(plan("trials: 2"))
    assert search(plan("trials: 2"), events) == first
    assert events == [SearchStarted(trials=2, done=2, left_s=None, jobs=1, threads=1)]
    grown = search(plan("trials: 4"))
    assert len(grown.runs) == 4
    for name in ("search.journal", "search.json", "results.json"):
        Path("study", name).unlink(missing_ok=True)
    Path("study").rename("before")
    assert sizes(search(plan("trials: 4"))) == sizes(grown)


def test_a_best_trial_whose_folder_was_removed_is_gone_and_the_best_model_is_the_next(
    search: RunSearch, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, _ = search(plan("trials: 3")).runs
    shutil.rmtree(first.folder)
    results = search(plan("trials: 3"))
    assert states(results) == ["gone", "finished", "finished"]
    assert results.runs[0].outcome.reason == "its folder was removed."
    assert results.runs[0].figures == {"valid.perplexity": first.figures["valid.perplexity"]}
    results.write(folder)
    assert json.loads(Path("results.json").read_text())["best"]["folder"] == second.folder
    row = Path("results.csv").read_text().splitlines()[1]
    assert row.endswith(f",gone,tiny,{sizes(results)[0]},,,{first.figures['valid.perplexity']}")
    _show_best(results)
    assert capfd.readouterr().out.splitlines() == [
        f"The model of the best trial is gone: somebody has removed {first.folder}",
        f"The best model that is left: {second.folder}",
    ]
    for run in results.runs[1:]:
        shutil.rmtree(run.folder)
    assert search(plan("trials: 3")).best is None


def test_a_training_worse_than_the_median_is_stopped_and_stands_behind_those_that_are_finished(
    search: RunSearch,
) -> None:
    sample = "sample: {model.hidden_size: [20, 30, 40, 100]}"
    events: list[StudyEvent] = []
    results = search(plan("trials: 4, startup_trials: 2, sampler: random", sample), events)
    assert states(results) == ["finished"] * 3 + ["pruned"]
    assert sizes(results) == [20, 30, 40, 100]
    pruned = results.runs[-1]
    assert pruned.figures == {"valid.perplexity": 100.0, "valid.loss": 10.0}
    assert [run.name for run in list_runs(Path("study")) if run.state == "pruned"] == [pruned.planned.name]
    assert [event.name for event in events if isinstance(event, RunEnded) and event.state == "pruned"] == [
        pruned.planned.name
    ]


def test_without_a_pruner_and_among_the_startup_trials_nothing_is_pruned(search: RunSearch) -> None:
    sample = "sample: {model.hidden_size: [20, 30]}"
    assert states(search(plan("trials: 2, startup_trials: 1, pruner: null", sample))) == ["finished"] * 2


def test_a_trial_that_fails_is_reported_and_does_not_stop_the_rest(search: RunSearch) -> None:
    events: list[StudyEvent] = []
    results = search(plan("trials: 3", "sample: {model.hidden_size: [13, 20, 66]}"), events)
    assert results.runs[0].outcome == Outcome(State.FINISHED)
    by_size = dict(zip(sizes(results), (run.outcome for run in results.runs), strict=True))
    assert by_size == {
        20: Outcome(State.FINISHED),
        13: Outcome(State.FAILED, "The text is unlucky."),
        66: Outcome(State.FAILED, "valid.perplexity is not there, or not finite."),
    }
    ends = [(event.name, event.state, event.reason) for event in events if isinstance(event, RunEnded)]
    assert sorted(ends) == sorted(
        (run.planned.name, run.outcome.state.value, run.outcome.reason) for run in results.runs
    )


def test_no_training_is_done_twice_and_where_all_are_done_the_search_ends(search: RunSearch) -> None:
    results = search(plan("trials: 50", "sample: {model.hidden_size: [20, 30], model.dropout: [0, 0.5]}"))
    assert len(results.runs) == 4
    assert len({str(run.planned.choices) for run in results.runs}) == 4


def test_the_highest_accuracy_of_a_command_that_follows_may_be_searched(search: RunSearch) -> None:
    results = search(plan("trials: 1") + "after: {q: eval x}\nmetric: q.accuracy")
    assert results.metric == "q.accuracy"
    assert results.runs[0].figures["q.accuracy"] == 0.5


def test_several_configs_are_chosen_from_too(search: RunSearch, folder: Path) -> None:
    (folder / "other.yaml").write_text((folder / "tiny.yaml").read_text())
    results = search(
        "configs: [tiny.yaml, other.yaml]\nsearch: {trials: 9}\nsample: {model.hidden_size: [20, 30]}"
    )
    assert sorted((run.planned.source, sizes(results)[i]) for i, run in enumerate(results.runs)) == [
        ("other", 20), ("other", 30), ("tiny", 20), ("tiny", 30),
    ]  # fmt: skip
    assert results.columns()[:2] == [("trial", "left"), ("config", "left")]


def test_values_of_every_kind_are_trained_with_as_they_stand_in_the_plan(search: RunSearch) -> None:
    sample = "sample: {data.lowercase_is_no_key: [1]}"
    with pytest.raises(UsageError, match="unknown key"):
        search(plan("trials: 1", sample))
    sample = "sample: {model.hidden_size: [20], data.tokenizer.lowercase: [true, false], training.threads: [null, 1]}"
    results = search(plan("trials: 9", sample))
    assert sorted(str(list(run.planned.choices.values())) for run in results.runs) == [
        "[20, False, 1]", "[20, False, None]", "[20, True, 1]", "[20, True, None]",
    ]  # fmt: skip


def test_when_the_time_is_up_what_trains_is_stopped_and_goes_on_when_there_is_more(
    search: RunSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = plan("minutes: 10", "sample: {model.hidden_size: [99]}")
    trains = Path("study/trial-0000,hidden_size=99/trains")
    events: list[StudyEvent] = []
    with monkeypatch.context() as patched:
        patched.setattr(Sittings, "used_s", lambda _: 600.0 if trains.exists() else 0.0)
        assert states(search(text, events)) == ["stopped"]
        assert states(search(text)) == ["stopped"]
    assert Stopping(1, time_is_up=True) in events
    results = search(text)
    assert states(results) == ["finished"]
    (run,) = results.runs
    words = [json.loads(line)[1] for line in Path(run.folder, "arguments.jsonl").read_text().splitlines()]
    assert words == [f"{run.folder}/planned.yaml", "--resume"]


def test_ctrl_c_lets_the_trial_save_and_the_next_start_goes_on_with_it(search: RunSearch) -> None:
    sample = "sample: {model.hidden_size: [99]}"
    thread = signals_when(Path("study/trial-0000,hidden_size=99/trains"), times=1)
    events: list[StudyEvent] = []
    assert states(search(plan("trials: 1", sample), events)) == ["stopped"]
    thread.join()
    assert Stopping(1) in events
    assert states(search(plan("trials: 1", sample))) == ["finished"]


def test_a_trial_that_is_stopped_from_outside_stays_open_for_the_next_start(search: RunSearch) -> None:
    text = plan("trials: 2", "sample: {model.hidden_size: [20, 99]}")
    fake = FAKE_SEARCH.replace("slow = ", "if size == 99 and not resume: sys.exit(130)\nslow = ")
    results = search(text, fake=fake)
    assert (states(results), sizes(results)) == (["finished", "stopped"], [20, 99])
    words = Path(results.runs[1].folder, "arguments.jsonl")
    assert len(words.read_text().splitlines()) == 1  # not again at once
    assert states(search(text, fake=fake)) == ["finished"] * 2
    assert "--resume" in words.read_text().splitlines()[1]


def test_where_nothing_can_be_started_any_more_no_further_trial_is_drawn(search: RunSearch) -> None:
    class UntilOneIsFinished(Here):
        def can_start(self) -> bool:
            return not list(Path("study").glob("*/summary.json"))

    assert states(search(plan("trials: 3"), here=UntilOneIsFinished)) == ["finished"]
    assert states(search(plan("trials: 3"))) == ["finished"] * 3


def test_what_is_searched_stays_and_how_may_change(search: RunSearch, folder: Path) -> None:
    search(plan("trials: 1"))
    search(plan("trials: 1, sampler: random, pruner: halving, minutes: 3"))
    (folder / "train.txt").write_text("another text\n")
    with pytest.raises(UsageError) as error:
        search(plan("trials: 1", "sample: {model.hidden_size: {low: 20, high: 70}}") + "metric: valid.loss")
    assert str(error.value) == (
        'study was searched otherwise: metric was "valid.perplexity" and is "valid.loss"; '
        "sample.model.hidden_size.high was 1060.0 and is 70.0; data.train has another text.\n"
        "What is searched stays the same through a search (trials, minutes, sampler and pruner may change). "
        "Choose another folder with --run-dir."
    )


def test_a_search_and_a_plan_without_one_do_not_share_a_folder(
    search: RunSearch, plan_of: LoadPlan, folder: Path
) -> None:
    search(plan("trials: 1"))
    with pytest.raises(UsageError, match=r"^study holds a search. Choose another folder with --run-dir.$"):
        Study.open(plan_of("configs: tiny.yaml"), Path("study"))
    Path("plain").mkdir()
    Path("plain/results.json").write_text("{}")
    with pytest.raises(UsageError) as error:
        Search.open(plan_of(plan("trials: 1")), Path("plain"))
    assert str(error.value) == (
        "plain holds the runs of a plan without search. Choose another folder with --run-dir."
    )


ANOTHER = """
import sys
from pathlib import Path
from rnn_cli.batch.plan import load_plan
from rnn_cli.batch.here import Here
from rnn_cli.batch.progress import Progress
from rnn_cli.batch.scheduler import Resources
from rnn_cli.batch.search import Search
from rnn_cli.batch.searching import run_search
from rnn_cli.training.interrupt import StopSignal

with Search.open(load_plan(Path("plan.yaml")), Path("study")) as search, StopSignal() as stop:
    stop.wait_for_steps()
    launcher = Here((sys.executable, "fake.py"))
    run_search(search, shares=Resources(1, 1), stop=stop, on_event=print, launcher=launcher)
"""


def another(folder: Path, text: str) -> "subprocess.Popen[str]":
    (folder / "plan.yaml").write_text(text)
    (folder / "fake.py").write_text(FAKE_SEARCH)
    return subprocess.Popen(
        [sys.executable, "-c", ANOTHER], cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ
    )


def test_two_processes_work_on_one_search_and_share_its_trials(
    search: RunSearch, plan_of: LoadPlan, folder: Path
) -> None:
    text = plan("trials: 6")
    processes = [another(folder, text) for _ in range(2)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    ended = [output.count("RunEnded") for output in outputs]
    assert sum(ended) == 6
    assert min(ended) > 0
    results = search(text)
    assert numbers(results) == [f"trial-{number:04}" for number in range(6)]
    assert states(results) == ["finished"] * 6
    assert len(set(sizes(results))) == 6
    for run in results.runs:
        assert len(Path(run.folder, "arguments.jsonl").read_text().splitlines()) == 1


def test_what_a_killed_process_leaves_another_goes_on_with(search: RunSearch, folder: Path) -> None:
    text = plan("trials: 1", "sample: {model.hidden_size: [99]}")
    killed = another(folder, text)
    run = folder / "study/trial-0000,hidden_size=99"
    while not (run / "trains").exists():
        assert killed.poll() is None
    assert search(text).runs[0].outcome.state is State.RUNNING  # it is looked after
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    results = search(text)
    assert states(results) == ["finished"]
    assert json.loads((run / "arguments.jsonl").read_text().splitlines()[-1])[1] == "--resume"
