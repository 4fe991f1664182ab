"""What a person sees while many trainings run."""

import re
from io import StringIO

import pytest
from rich.console import Console

from rnn_cli.batch.events import (
    CommandStarted,
    RunEnded,
    RunMoved,
    RunProgressed,
    RunStarted,
    SearchStarted,
    Stopping,
    StudyEvent,
    StudyStarted,
)
from rnn_cli.batch.progress import Progress
from rnn_cli.batch_display import BatchDisplay

STARTED = StudyStarted(total=4, finished=1, jobs=2, threads=1)
PROGRESS = Progress(
    step=50, total_windows=200, tokens_per_s=12_345.6, valid=131.5, best=130.9, left_s=3_725.0
)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def plain(*events: StudyEvent) -> list[str]:
    """The lines that events come to where there is no terminal."""
    output = StringIO()
    with BatchDisplay(console=Console(file=output, width=100, highlight=False, soft_wrap=True)) as display:
        for event in events:
            display.show(event)
    return output.getvalue().splitlines()


def in_terminal(*events: StudyEvent, width: int = 80) -> list[str]:
    """All that events draw in a terminal, the last table at the end."""
    output = StringIO()
    console = Console(file=output, force_terminal=True, width=width, highlight=False, soft_wrap=True)
    display = BatchDisplay(console=console)
    for event in events:
        display.show(event)
    assert display._live is not None
    display._live.refresh()
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue()).replace("\r", "\n")
    display.__exit__()
    return [line.rstrip() for line in drawn.splitlines()]


def test_without_a_terminal_beginning_and_end_of_each_run_are_a_line() -> None:
    assert plain(
        STARTED,
        RunStarted("tiny,seed=1", "is trained"),
        RunStarted("tiny,seed=2", "goes on"),
        RunProgressed("tiny,seed=1", PROGRESS),
        RunEnded("tiny,seed=1", "finished", 12.4, valid=130.9),
        CommandStarted("tiny,seed=2", "predict x"),
        RunEnded("tiny,seed=2", "failed", 3.0, reason="it was killed (SIGKILL)."),
        RunStarted("[bold]", "is trained"),
        Stopping(1),
        RunEnded("[bold]", "stopped", 1.0),
    ) == [
        "4 runs, 1 of them finished before; 2 side by side, 1 thread each",
        "tiny,seed=1 is trained",
        "tiny,seed=2 goes on",
        "tiny,seed=1 finished after 12 s: valid perplexity 130.90",
        "tiny,seed=2 failed after 3 s: it was killed (SIGKILL).",
        "[bold] is trained",
        "Stopping: 1 run is saving.",
        "[bold] stopped after 1 s",
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (StudyStarted(1, 0, 1, None), "1 run; one at a time"),
        (StudyStarted(12, 0, 3, 2), "12 runs; 3 side by side, 2 threads each"),
        (StudyStarted(2, 2, 1, None), "2 runs, 2 of them finished before; one at a time"),
    ],
)
def test_the_beginning_says_how_many_and_how(event: StudyStarted, line: str) -> None:
    assert plain(event) == [line]


def test_a_terminal_shows_a_table_of_what_runs_and_counts_the_rest() -> None:
    drawn = in_terminal(
        STARTED,
        RunStarted("tiny,hidden_size=64,seed=1", "is trained"),
        RunStarted("tiny,hidden_size=64,seed=2", "is trained"),
        RunProgressed("tiny,hidden_size=64,seed=1", PROGRESS),
    )
    assert [re.sub(" +", " ", line) for line in drawn[-4:]] == [
        "run done valid tokens/s left",
        "tiny,hidden_size=64,seed=1 25% 130.90 12,346 1:02:05",
        "tiny,hidden_size=64,seed=2 …",
        "1 finished, 2 running, 1 waiting",
    ]


def test_a_command_that_follows_stands_in_the_table() -> None:
    drawn = in_terminal(STARTED, RunStarted("a", "is trained"), CommandStarted("a", "predict prompts.txt"))
    assert drawn[-2].split() == ["a", "predict"]


def test_a_long_name_is_cut_and_every_figure_stays() -> None:
    name = "wikitext,hidden_activation=leaky_relu,learning_rate=0.001234,seed=1"
    drawn = in_terminal(STARTED, RunStarted(name, "is trained"), RunProgressed(name, PROGRESS))
    assert re.fullmatch(r"wikitext,hidden_activation=leaky_r.*… +25% +130.90 +12,346 +1:02:05", drawn[-2])
    assert max(len(line) for line in drawn[-3:]) <= 80


def test_where_nothing_is_to_be_done_no_table_is_drawn() -> None:
    output = StringIO()
    display = BatchDisplay(console=Console(file=output, force_terminal=True, width=80))
    display.show(StudyStarted(total=2, finished=2, jobs=1, threads=None))
    assert display._live is None


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (SearchStarted(50, 0, None, 2, 1), "A search: 50 trials; 2 side by side, 1 thread each"),
        (SearchStarted(1, 0, None, 1, None), "A search: 1 trial; one at a time"),
        (SearchStarted(None, 0, 1800.0, 1, 2), "A search: 0:30:00 left; one at a time, 2 threads each"),
        (
            SearchStarted(50, 12, 61.0, 6, 1, "on 2 workers of dask://a:1"),
            "A search: 50 trials, 0:01:01 left, 12 of them done before; on 2 workers of dask://a:1, 1 thread each",
        ),
        (Stopping(2, time_is_up=True), "The time is up: 2 runs are saving."),
        (RunStarted("a", "is trained", "tcp://a:1"), "a is trained at tcp://a:1"),
        (RunMoved("a", "tcp://b:1"), "a: its machine is gone; it is done again at tcp://b:1"),
        (RunEnded("a", "pruned", 3.0, valid=140.0), "a pruned after 3 s: valid perplexity 140.00"),
    ],
)
def test_a_search_and_other_machines_have_their_lines(event: StudyEvent, line: str) -> None:
    assert plain(event) == [line]


def test_the_table_of_a_search_that_only_the_time_ends_counts_no_waiting() -> None:
    drawn = in_terminal(
        SearchStarted(None, 3, 60.0, 1, None),
        RunStarted("trial-0003", "is trained"),
        RunEnded("trial-0003", "pruned", 1.0),
        RunStarted("trial-0004", "is trained"),
    )
    assert drawn[-1] == "3 done before, 1 pruned, 1 running"
