"""Runs side by side: what fails does not stop the rest, what is done is not done again, a stop is clean."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from rnn_cli.batch.events import (
    CommandStarted,
    RunEnded,
    RunProgressed,
    RunStarted,
    Stopping,
    StudyEvent,
    StudyStarted,
)
from rnn_cli.batch.job import Outcome, State
from rnn_cli.batch.record import Record
from rnn_cli.batch.scheduler import Resources
from rnn_cli.errors import Interrupted
from tests.batch.conftest import FAKE, RunPlan

FINISHED = Outcome(State.FINISHED)


def arguments(run: str) -> list[list[str]]:
    return [json.loads(line) for line in (Path("study") / run / "arguments.jsonl").read_text().splitlines()]


def plan(*seeds: int) -> str:
    return f"configs: tiny.yaml\nseeds: {list(seeds)}\n"


@pytest.mark.parametrize(
    ("cores", "runs", "jobs", "planned", "shares"),
    [
        (2, 10, None, None, Resources(2, 1)),
        (8, 10, None, None, Resources(8, 1)),
        (8, 3, None, None, Resources(3, 2)),
        (8, 10, 2, None, Resources(2, 4)),
        (2, 10, 4, None, Resources(4, 1)),
        (2, 10, 1, None, Resources(1, None)),
        (2, 1, None, None, Resources(1, None)),
        (8, 10, None, 4, Resources(2, 4)),
        (2, 10, None, 4, Resources(1, None)),
        (2, 0, None, None, Resources(1, None)),
    ],
)
def test_cores_are_shared_out_over_the_runs(
    cores: int, runs: int, jobs: int | None, planned: int | None, shares: Resources
) -> None:
    assert Resources.shared_out(cores=cores, runs=runs, jobs=jobs, planned_threads=planned) == shares


def test_each_run_is_trained_in_its_own_folder_with_its_share_of_the_threads(run_plan: RunPlan) -> None:
    assert run_plan(plan(1, 2)) == {"tiny,seed=1": FINISHED, "tiny,seed=2": FINISHED}
    run = "study/tiny,seed=2"
    assert arguments("tiny,seed=2") == [
        ["train", f"{run}/planned.yaml", "--run-dir", run, "--force", "--set", "training.threads=1", "1"]
    ]
    assert "  seed: 2\n" in Path(run, "planned.yaml").read_text()
    record = Record.read(Path(run))
    assert record is not None
    assert record.exit_code == 0


def test_a_run_alone_chooses_its_threads_itself(run_plan: RunPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    run_plan(plan(1))
    assert arguments("tiny,seed=1")[0][-2:] == ["--force", None]


def test_a_run_that_fails_or_is_killed_does_not_stop_the_rest(run_plan: RunPlan) -> None:
    assert run_plan(plan(13, 66, 1, 2)) == {
        "tiny,seed=13": Outcome(State.FAILED, "The text is unlucky."),
        "tiny,seed=66": Outcome(
            State.FAILED, "it was killed (SIGKILL). If memory ran out, fewer --jobs need less."
        ),
        "tiny,seed=1": FINISHED,
        "tiny,seed=2": FINISHED,
    }


def test_what_is_stopped_from_outside_has_not_failed_and_nothing_follows(run_plan: RunPlan) -> None:
    events: list[StudyEvent] = []
    stopped = FAKE.replace("sys.exit(1)", "sys.exit(130)")
    outcomes = run_plan(plan(13, 1) + "after: {a: complete x}", events, fake=stopped)
    why = "it was stopped from outside; it goes on when the plan is started again."
    assert outcomes == {"tiny,seed=13": Outcome(State.STOPPED, why), "tiny,seed=1": FINISHED}
    assert [event.name for event in events if isinstance(event, CommandStarted)] == ["tiny,seed=1"]
    stopped = FAKE.replace('sys.exit("fail" in rest)', "sys.exit(130)")
    outcomes = run_plan(plan(1) + "after: {b: complete x, c: complete x}", events, fake=stopped)
    assert outcomes == {"tiny,seed=1": Outcome(State.STOPPED, f"b: {why}")}
    assert sum(isinstance(event, CommandStarted) for event in events) == 2


def test_a_run_whose_folder_somebody_removes_does_not_stop_the_rest(run_plan: RunPlan) -> None:
    removed = FAKE.replace("import json", "import shutil, json").replace(
        'print("error: The text is unlucky."', 'shutil.rmtree(run) or print("error: The text is unlucky."'
    )
    assert run_plan(plan(13, 1, 2), fake=removed) == {
        "tiny,seed=13": Outcome(State.FAILED, "it ended with exit code 1, and its log cannot be read."),
        "tiny,seed=1": FINISHED,
        "tiny,seed=2": FINISHED,
    }
    assert run_plan(plan(13, 1, 2))["tiny,seed=13"] == Outcome(State.FAILED, "The text is unlucky.")


def test_a_command_whose_folder_somebody_removes_does_not_stop_the_rest(run_plan: RunPlan) -> None:
    removed = FAKE.replace("import json", "import shutil, json").replace(
        'sys.exit("fail" in rest)', 'shutil.rmtree(os.environ["RNN_MODEL"])\n    sys.exit(1)'
    )
    outcomes = run_plan(plan(1, 2) + "after: {a: complete x, b: eval}", fake=removed)
    failed = Outcome(State.FAILED, "a: it ended with exit code 1, and its log cannot be read.")
    assert outcomes == {"tiny,seed=1": failed, "tiny,seed=2": failed}


def test_started_again_finished_runs_are_skipped_half_ones_go_on_and_failed_ones_begin_anew(
    run_plan: RunPlan,
) -> None:
    run_plan(plan(1, 66, 13))
    assert run_plan(plan(1, 66, 13))["tiny,seed=66"] == FINISHED
    assert len(arguments("tiny,seed=1")) == 1
    assert arguments("tiny,seed=66")[1][:3] == ["train", "--resume", "study/tiny,seed=66"]
    assert [words[1] for words in arguments("tiny,seed=13")] == ["study/tiny,seed=13/planned.yaml"] * 2


def test_a_plan_that_has_grown_trains_what_is_new(run_plan: RunPlan) -> None:
    run_plan(plan(1))
    events: list[StudyEvent] = []
    run_plan(plan(1, 2), events)
    assert events[0] == StudyStarted(total=2, finished=1, jobs=1, threads=None)
    assert [event.name for event in events if isinstance(event, RunStarted)] == ["tiny,seed=2"]


def test_with_force_a_changed_run_is_trained_anew(run_plan: RunPlan) -> None:
    run_plan(plan(1, 2))
    changed = plan(1, 2) + "set: {training.max_epochs: 3}"
    assert run_plan(changed, force=True) == {"tiny,seed=1": FINISHED, "tiny,seed=2": FINISHED}
    assert run_plan(changed) == {"tiny,seed=1": FINISHED, "tiny,seed=2": FINISHED}
    assert len(arguments("tiny,seed=1")) == 2


def test_a_changed_run_that_could_not_begin_keeps_the_record_of_what_is_in_its_folder(
    run_plan: RunPlan,
) -> None:
    run_plan(plan(1))
    before = Record.read(Path("study/tiny,seed=1"))
    changed = plan(1) + "set: {training.max_epochs: 3}"
    Path("study/tiny,seed=1/planned.yaml").unlink()
    Path("study/tiny,seed=1/planned.yaml").mkdir()  # so that it cannot be started
    outcome = run_plan(changed, force=True)["tiny,seed=1"]
    assert outcome == Outcome(State.FAILED, "it cannot be started (Is a directory).")
    assert Record.read(Path("study/tiny,seed=1")) == before


def test_commands_follow_a_training_and_their_output_lies_in_its_folder(run_plan: RunPlan) -> None:
    events: list[StudyEvent] = []
    run_plan(plan(1) + "after: {a.json: 'complete \"the cat\" {run}', b.txt: predict fail, c: eval}", events)
    run = Path("study/tiny,seed=1")
    assert json.loads((run / "after/a.json").read_text()) == {
        "words": ["the cat", str(run)],
        "model": str(run),
        "accuracy": 0.2,
    }
    assert (run / "after/a.json.log").read_text() == "said\n"
    assert [event.command for event in events if isinstance(event, CommandStarted)] == [
        f"complete the cat {run}",
        "predict fail",
        "eval",
    ]


def test_a_command_that_fails_is_reported_and_only_it_is_run_again(run_plan: RunPlan) -> None:
    text = plan(1) + "after: {a: complete x, b: predict fail, c: eval}"
    failed = {"tiny,seed=1": Outcome(State.FAILED, "b: it ended with exit code 1.")}
    assert run_plan(text) == failed
    events: list[StudyEvent] = []
    assert run_plan(text, events) == failed
    assert [event.command for event in events if isinstance(event, CommandStarted)] == ["predict fail"]
    assert run_plan(text.replace("predict fail", "predict x")) == {"tiny,seed=1": FINISHED}
    assert len(arguments("tiny,seed=1")) == 1


def test_nothing_follows_a_training_that_failed(run_plan: RunPlan) -> None:
    events: list[StudyEvent] = []
    run_plan(plan(13) + "after: {a: complete x}", events)
    assert not any(isinstance(event, CommandStarted) for event in events)


def test_the_events_tell_of_start_progress_and_end(run_plan: RunPlan) -> None:
    events: list[StudyEvent] = []
    run_plan(plan(1), events)
    started, began, *progress, ended = events
    assert started == StudyStarted(total=1, finished=0, jobs=1, threads=None)
    assert began == RunStarted("tiny,seed=1", "is trained")
    assert progress
    assert all(isinstance(event, RunProgressed) and event.progress.step == 5 for event in progress)
    assert isinstance(ended, RunEnded)
    assert (ended.state, ended.valid, ended.reason) == ("finished", 11.0, "")


def signals_when(path: Path, times: int) -> threading.Thread:
    """Send this process SIGINT, as Ctrl-C does, once `path` is there."""

    def send() -> None:
        while not path.exists():
            time.sleep(0.01)
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.3)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_a_stop_lets_the_running_save_and_starts_nothing_more(run_plan: RunPlan) -> None:
    events: list[StudyEvent] = []
    thread = signals_when(Path("study/tiny,seed=101/trains"), times=1)
    outcomes = run_plan(plan(1, 101, 2, 3) + "after: {a: complete x}", events, jobs=1)
    thread.join()
    assert [outcome.state for outcome in outcomes.values()] == [
        State.FINISHED,
        State.STOPPED,
        State.WAITING,
        State.WAITING,
    ]
    assert Stopping(1) in events
    record = Record.read(Path("study/tiny,seed=101"))
    assert record is not None
    assert (record.exit_code, record.reason) == (130, "")
    assert set(run_plan(plan(1, 101, 2, 3)).values()) == {FINISHED}
    assert arguments("tiny,seed=101")[1][1] == "--resume"


def test_a_second_stop_ends_everything_at_once(run_plan: RunPlan) -> None:
    thread = signals_when(Path("study/tiny,seed=101/trains"), times=2)
    slow = FAKE.replace("lambda *_: sys.exit(130)", "lambda *_: time.sleep(1) or sys.exit(130)")
    with pytest.raises(Interrupted, match=r"^Stopped at once. Start the same plan again to go on.$"):
        run_plan(plan(101), fake=slow)
    thread.join()
