"""What a person sees: messages, tables, and a training as it goes."""

import math
import re
import time
from contextlib import suppress
from io import StringIO

import pytest
from rich.console import Console

from rnn_cli.console import (
    SECONDS_BETWEEN_PLAIN_LINES,
    TrainingDisplay,
    bar,
    show_error,
    show_line,
    show_note,
    show_plan,
    show_table,
)
from rnn_cli.inference.scoring import Perplexity
from rnn_cli.training.events import (
    Ended,
    Event,
    Measured,
    Notice,
    Preparing,
    RolledBack,
    Sampled,
    Started,
    Trained,
)

STARTED = Started(
    step=0,
    parameters=12_345,
    vocab_size=1_100,
    train_tokens=70_000,
    windows_per_epoch=1_000,
    total_windows=2_000,
    batch_size=2,
)


def trained(step: int, epoch: int = 1) -> Trained:
    return Trained(
        step=step,
        epoch=epoch,
        loss=4.2104,
        perplexity=1_067.38,
        tokens_per_s=48_250.4,
        gradient_norm=0.8149,
        learning_rate=0.0019,
        elapsed_s=3.0,
    )


def measured(split: str = "valid", *, best: bool) -> Measured:
    result = Perplexity(nll=4.0, tokens=1, unknown=0, state_carried=True)
    return Measured(
        step=1_000, epoch=1, split=split, result=result, best=best, elapsed_s=3.0, update_cpu_s=2.0
    )


FIGURES = "loss 4.210  perplexity 1,067.4  48,250 tokens/s  gradient norm 0.81  learning rate 1.90e-03"


class Clock:
    """Stands for time.monotonic."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # rich draws nothing in a dumb one


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def plain(*events: Event) -> list[str]:
    """The lines that events come to where there is no terminal."""
    console = Console(file=StringIO(), width=100, highlight=False, soft_wrap=True)
    with TrainingDisplay(max_epochs=2, console=console) as display:
        for event in events:
            display.show(event)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def in_terminal(*events: Event, width: int = 100, max_minutes: float | None = None) -> str:
    """All that events draw in a terminal, without colours and movements of the cursor."""
    output = StringIO()
    console = Console(file=output, force_terminal=True, width=width, highlight=False, soft_wrap=True)
    with TrainingDisplay(max_epochs=2, max_minutes=max_minutes, console=console) as display:
        for event in events:
            display.show(event)
    return without_control_codes(output)


def without_control_codes(output: StringIO) -> str:
    """What is drawn again and again on one line comes below each other."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue()).replace("\r", "\n")


def test_without_a_terminal_every_event_is_a_plain_line(clock: Clock) -> None:
    assert plain(
        Notice("train: 24 lines, 174 tokens"),
        Preparing("train", 10, 100),
        STARTED,
        trained(10),
        measured(best=True),
        measured(best=False),
        Ended(step=1_000, epoch=1, reason="stopped early", elapsed_s=3.0),
        measured("test", best=True),
    ) == [
        "train: 24 lines, 174 tokens",
        "12,345 parameters, 1,100 tokens in the vocabulary, 2,000 windows of 2 streams, on cpu",
        f"epoch 1/2  step 10  {FIGURES}",
        "epoch 1: valid perplexity 54.60 (best so far)",
        "epoch 1: valid perplexity 54.60",
        "Stopped early: the validation perplexity no longer falls.",
        "epoch 1: test perplexity 54.60",
    ]


def test_a_rollback_says_what_happened_and_what_comes_of_it() -> None:
    event = RolledBack(
        step=1_170,
        back_to=1_000,
        reason="the loss is not finite",
        loss=math.nan,
        level=5.5,
        gradient_norm=math.inf,
        learning_rate=0.1,
        rate_factor=0.5,
    )
    assert plain(event) == [
        "Step 1,170 went wrong: the loss is not finite (loss nan, gradient norm inf). Back to step 1,000; "
        "the learning rate is now 0.5 times the schedule's."
    ]


@pytest.mark.parametrize("reason", ["epochs done", "interrupted"])
def test_an_end_that_speaks_for_itself_is_no_line(reason: str) -> None:
    assert plain(Ended(step=1_000, epoch=1, reason=reason, elapsed_s=3.0)) == []


def test_a_name_is_no_markup_wherever_it_stands_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    name = "notes[final] [/] [b]"
    show_table([(name, "left")], [[name]], title=name)
    assert capsys.readouterr().out.split("\n") == [name, name, name, ""]


def test_what_the_network_writes_is_shown_in_a_terminal_alone() -> None:
    sample = Sampled(step=10, text="the cat sat [on] the mat")
    assert in_terminal(sample) == "  the cat sat [on] the mat\n"
    assert plain(sample) == []


def test_a_plan_is_plain_lines_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    show_plan([("dropout", "0.3", "for a text read 12 times")])
    assert capfd.readouterr() == ("", "dropout: 0.3 (for a text read 12 times)\n")


def test_square_brackets_in_a_notice_are_no_markup() -> None:
    assert plain(Notice("[bold]train[/bold] [/]")) == ["[bold]train[/bold] [/]"]


def test_a_long_notice_stays_on_one_plain_line() -> None:
    assert plain(Notice("word " * 100)) == ["word " * 100]


def test_plain_lines_keep_a_distance_in_time(clock: Clock) -> None:
    console = Console(file=StringIO(), width=100, soft_wrap=True)
    display = TrainingDisplay(max_epochs=2, console=console)
    for step in range(1, 13):
        display.show(trained(step))
        clock.now += SECONDS_BETWEEN_PLAIN_LINES / 4
    assert isinstance(console.file, StringIO)
    assert re.findall(r"step (\d+) ", console.file.getvalue()) == ["1", "5", "9"]


def test_a_terminal_shows_a_bar_with_the_epoch_the_windows_and_the_time_left() -> None:
    drawn = in_terminal(STARTED, trained(500), trained(1_500, epoch=2))
    bar = re.findall(r"^epoch 2/2 .*$", drawn, re.MULTILINE)[-1]
    assert re.fullmatch(r"epoch 2/2 [━╸╺ ]+ 1500/2000 windows +(\d+:\d\d:\d\d|-:--:--) left *", bar)


def test_a_terminal_shows_the_figures_below_the_bar() -> None:
    lines = in_terminal(STARTED, trained(500)).splitlines()
    last_bar = max(number for number, line in enumerate(lines) if line.startswith("epoch 1/2"))
    assert lines[last_bar + 1].strip() == FIGURES


@pytest.mark.parametrize(
    ("seconds", "left"),
    [
        (10, "0:00:10"),
        (60, "0:01:00"),
    ],
)
def test_the_time_left_is_what_the_windows_so_far_let_expect(seconds: int, left: str) -> None:
    clock = Clock()
    output = StringIO()
    console = Console(file=output, force_terminal=True, width=100, get_time=clock, soft_wrap=True)
    with TrainingDisplay(max_epochs=2, console=console) as display:
        display.show(STARTED)
        for step in (500, 1_000, 1_500):
            clock.now += seconds
            display.show(trained(step))
    drawn = without_control_codes(output)
    assert re.findall(r" 1500/2000 windows +(\S+) left", drawn)[-1] == left


def test_a_resumed_training_begins_its_bar_where_it_stopped() -> None:
    resumed = Started(
        step=700,
        parameters=12_345,
        vocab_size=1_100,
        train_tokens=70_000,
        windows_per_epoch=1_000,
        total_windows=2_000,
        batch_size=2,
        resumed=True,
    )
    assert "700/2000" in in_terminal(resumed)
    assert plain(resumed)[-1] == "Going on from step 700."


def test_a_training_that_the_clock_ends_has_a_bar_of_seconds() -> None:
    drawn = in_terminal(STARTED, trained(500), max_minutes=1.5)
    bar = re.findall(r"^epoch 1 .*$", drawn, re.MULTILINE)[-1]
    assert re.fullmatch(r"epoch 1 [━╸╺ ]+ 3/90 seconds +(\d+:\d\d:\d\d|-:--:--) left *", bar)


def test_a_terminal_of_80_columns_loses_no_figure() -> None:
    drawn = in_terminal(STARTED, trained(500), width=80)
    for figure in FIGURES.split("  "):
        assert figure in " ".join(drawn.split())


def test_reading_the_texts_has_a_bar_in_bytes_that_is_gone_when_training_begins() -> None:
    drawn = in_terminal(
        Preparing("train", 0, 4_000),
        Preparing("train", 1_000, 4_000),
        Preparing("valid", 100, 200),
        STARTED,
        trained(500),
    )
    assert re.search(r"^reading valid [━╸╺ ]+ 100/200 +bytes", drawn, re.MULTILINE)
    assert "reading" not in drawn.rpartition("2,000 windows of 2 streams")[2]


def test_a_text_without_bytes_needs_no_bar() -> None:
    assert in_terminal(Preparing("train", 0, 0)) == ""


def test_lines_stand_above_the_bar() -> None:
    drawn = in_terminal(STARTED, trained(1_000), measured(best=True), trained(1_500, epoch=2))
    valid, bar = drawn.find("epoch 1: valid perplexity 54.60 (best so far)"), drawn.rfind("epoch 2/2")
    assert 0 < valid < bar


def test_the_bar_is_gone_after_an_error() -> None:
    output = StringIO()
    console = Console(file=output, force_terminal=True, width=100, soft_wrap=True)
    display = TrainingDisplay(max_epochs=2, console=console)
    with suppress(ValueError), display:
        display.show(STARTED)
        raise ValueError
    assert output.getvalue().endswith("\x1b[2K")  # the line of the bar is erased
    assert "\x1b[?25h" in output.getvalue()  # and the cursor is back


def test_each_line_of_an_error_is_called_one(capfd: pytest.CaptureFixture[str]) -> None:
    show_error("a.yaml:1:1: one [problem].\na.yaml:2:1: another.")
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "error: a.yaml:1:1: one [problem].\nerror: a.yaml:2:1: another.\n"


def test_notes_go_to_standard_error_and_results_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    show_note("a [note]")
    show_line("a [result] " + "that is long " * 20)
    out, err = capfd.readouterr()
    assert err == "a [note]\n"
    assert out == "a [result] " + "that is long " * 20 + "\n"


def test_what_a_terminal_would_obey_is_shown_in_errors_notes_and_results(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for show in (show_error, show_note, show_line):
        show("fitted on \x1b[2Ja\u202eb \u06cc\u200c\u0645")
    out, err = capfd.readouterr()
    shown = "fitted on \\x1b[2Ja\\u202eb \u06cc\u200c\u0645\n"  # what joins letters is none of it
    assert (out, err) == (shown, f"error: {shown}{shown}")


@pytest.mark.parametrize("columns", ["0", "1", "2", "3", "7", "11"])
def test_the_narrowest_terminal_loses_no_cell(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    show_table([("ab", "left"), ("cd", "right"), ("ef", "right")], [("gh", "ij", "日本")])
    show_error("no")
    show_line("yes")
    out, err = capfd.readouterr()
    assert sorted("".join(out.split())) == sorted("abcdefghij日本yes")
    assert err == "error: no\n"


def test_a_name_too_long_for_a_table_goes_on_below_and_nothing_of_it_is_lost(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    show_table([("run", "left"), ("valid", "right")], [("a,hidden_size=128", "7.50")])
    assert [line.rstrip() for line in capfd.readouterr().out.splitlines()] == [
        "run            valid",
        "a,hidden_size   7.50",
        "=128",
    ]


@pytest.mark.parametrize("columns", [None, "", "0"])
def test_a_row_of_a_table_is_one_line_where_no_terminal_gives_a_width(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    show_table([("run", "left"), ("valid", "right")], [("a" * 300, "7.50")])
    assert [line.rstrip() for line in capfd.readouterr().out.splitlines()] == [
        "run" + " " * 299 + "valid",
        "a" * 300 + "   7.50",
    ]


def test_a_table_keeps_its_columns_below_each_other(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    show_table(
        [("word", "left"), ("share", "right")], [("[b]cat", "7.5%"), ("a", "12.5%")], title="what comes next"
    )
    assert [line.rstrip() for line in capfd.readouterr().out.splitlines()] == [
        "what comes next",
        "word    share",
        "[b]cat   7.5%",
        "a       12.5%",
    ]


def test_a_bar_is_as_long_as_its_share_to_an_eighth_of_a_character() -> None:
    assert bar(4.0, of=4.0, width=3) == "███"
    assert bar(2.0, of=4.0, width=3) == "█▌"
    assert bar(0.1, of=4.0, width=3) == "▏"
    assert bar(0.0, of=4.0, width=3) == ""
    assert bar(9.0, of=4.0, width=3) == "███"
    assert bar(1.0, of=0.0, width=3) == ""


def test_a_bar_of_a_negative_number_is_light() -> None:
    assert bar(-2.0, of=4.0, width=3) == "░░"
