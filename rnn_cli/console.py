"""What a person sees in the terminal: with `batch_display.py` the only file that imports rich.

Results go to standard output; progress, notices and errors go to standard error, so that output can be piped.
"""

import math
import os
import time
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from rnn_cli.errors import Interrupted, RnnError
from rnn_cli.printable import JOINERS, escaped
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

SECONDS_BETWEEN_PLAIN_LINES = 5.0
WIDTH_OF_UNKNOWN = 80
WITHOUT_FOLDS = 10_000  # columns, more than any table has
NARROWEST_COLUMN = 4
"""A wide character, and the space to the next column: rich leaves out a column that has no room at all."""
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def standard_output() -> Console:
    """For results."""
    return _console(stderr=False)


def standard_error() -> Console:
    """For everything else."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if console.width < 1:  # COLUMNS is 0: rich would print nothing at all
        console.width = WIDTH_OF_UNKNOWN
    return console


def _width_is_given() -> bool:
    columns = os.environ.get("COLUMNS", "")
    return columns.isdigit() and int(columns) > 0


def show_error(message: str) -> None:
    """An understood failure, as it stands, but for what a terminal would obey."""
    console = standard_error()
    for line in message.splitlines():
        console.print(Text("error: ", style="bold red") + _as_it_is(line))


def show_failure(failure: RnnError) -> int:
    """A failure that was understood, or a stop that was asked for; returns the exit code that it means."""
    if isinstance(failure, Interrupted):
        show_note(str(failure))
    else:
        show_error(str(failure))
    return failure.exit_code


def show_note(message: str) -> None:
    """Something the user should know."""
    for line in message.splitlines():
        standard_error().print(_as_it_is(line, "yellow"))


def results_are_read() -> bool:
    """Whether a person reads the results, and not a file or a program."""
    return standard_output().is_terminal


def show_line(line: str) -> None:
    """One plain line of a result."""
    standard_output().print(_as_it_is(line))


def show_table(
    columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, title: str | None = None
) -> None:
    """A table of results, folded to the width of a terminal or of COLUMNS; elsewhere each row is one line.

    What a terminal would obey, in a name out of somebody's file, is shown as an escape.

    columns: (heading, "left" or "right").
    """
    table = Table(
        title=None if title is None else _as_it_is(title, "bold"),
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for heading, side in columns:
        table.add_column(
            _as_it_is(heading, "dim"), justify="right" if side == "right" else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*map(_as_it_is, row))
    console = standard_output()
    if not console.is_terminal and not _width_is_given():
        console.width = WITHOUT_FOLDS
    console.width = max(console.width, NARROWEST_COLUMN * len(columns))
    console.print(table)


def _as_it_is(text: str, style: str = "") -> Text:
    """A text out of somebody's file: rich would read markup in it, and a terminal obey it."""
    return Text(escaped(text, keep=JOINERS), style)


def bar(value: float, *, of: float, width: int) -> str:
    """A bar for the size of `value`, `width` characters long where it is `of`; light where it is negative."""
    eighths = round(8 * width * min(1.0, abs(value) / of)) if of > 0 else 0
    if value < 0:
        return "░" * -(-eighths // 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def show_plan(rows: Iterable[tuple[str, str, str]]) -> None:
    """What was chosen for a text, how, and why: a table in a terminal, plain lines elsewhere."""
    console = standard_error()
    if not console.is_terminal:
        for what, choice, why in rows:
            console.print(Text(f"{what}: {choice} ({why})"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=False, style="bold")
    table.add_column()
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table, soft_wrap=False)


class TrainingDisplay:
    """Shows the events of a training: a live bar in a terminal, plain lines elsewhere."""

    def __init__(
        self, *, max_epochs: int, max_minutes: float | None = None, console: Console | None = None
    ) -> None:
        self._console = console or standard_error()
        self._max_epochs = max_epochs
        self._max_s = None if max_minutes is None else round(60 * max_minutes)
        self._bar: _TrainingBar | None = None
        self._task: TaskID | None = None
        self._last_line_at = -math.inf

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, event: Event) -> None:
        """Render one event."""
        match event:
            case Notice(message):
                self._console.print(Text(message, style="dim"))
            case Preparing():
                self._show_preparing(event)
            case Started():
                self._show_start(event)
            case Trained():
                self._show_trained(event)
            case Measured():
                mark = " (best so far)" if event.best and event.split == "valid" else ""
                self._console.print(
                    f"epoch {event.epoch}: {event.split} perplexity {event.result.perplexity:,.2f}{mark}"
                )
            case Sampled():
                if self._console.is_terminal:
                    self._console.print(Text(f"  {event.text}", style="italic dim"))
            case RolledBack():
                self._console.print(
                    Text(
                        f"Step {event.step:,} went wrong: {event.reason} (loss {event.loss:g}, gradient norm "
                        f"{event.gradient_norm:g}). Back to step {event.back_to:,}; the learning rate is now "
                        f"{event.rate_factor:g} times the schedule's.",
                        style="yellow",
                    )
                )
            case Ended(reason=reason):
                if reason == "stopped early":
                    self._console.print("Stopped early: the validation perplexity no longer falls.")

    def _show_preparing(self, event: Preparing) -> None:
        if not self._console.is_terminal or event.total_bytes == 0:
            return
        if self._bar is None:
            self._bar = _TrainingBar(self._console)
            self._bar.start()
            self._task = self._bar.add_task("", total=event.total_bytes, unit="bytes")
        assert self._task is not None
        self._bar.update(
            self._task,
            description=f"reading {event.split}",
            completed=event.done_bytes,
            total=event.total_bytes,
        )

    def _show_start(self, event: Started) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._console.print(
            f"{event.parameters:,} parameters, {event.vocab_size:,} tokens in the vocabulary, "
            f"{event.total_windows:,} windows of {event.batch_size} streams, on {event.device}"
        )
        if event.resumed:
            self._console.print(f"Going on from step {event.step:,}.")
        if self._console.is_terminal:
            self._bar = _TrainingBar(self._console)
            self._bar.start()
            if self._max_s is None:
                self._task = self._bar.add_task(
                    "training", total=event.total_windows, completed=event.step, unit="windows"
                )
            else:
                self._task = self._bar.add_task("training", total=self._max_s, unit="seconds")

    def _show_trained(self, event: Trained) -> None:
        figures = (
            f"loss {event.loss:.3f}  perplexity {event.perplexity:,.1f}  {event.tokens_per_s:,.0f} tokens/s  "
            f"gradient norm {event.gradient_norm:.2f}  learning rate {event.learning_rate:.2e}"
        )
        if self._bar is not None:
            assert self._task is not None
            self._bar.figures = figures
            done = event.step if self._max_s is None else round(event.elapsed_s)
            self._bar.update(self._task, completed=done, description=self._epoch(event))
        elif time.monotonic() - self._last_line_at >= SECONDS_BETWEEN_PLAIN_LINES:
            self._last_line_at = time.monotonic()
            self._console.print(f"{self._epoch(event)}  step {event.step:,}  {figures}")

    def _epoch(self, event: Trained) -> str:
        """Which epoch it is; and of how many, unless the clock will end them."""
        return f"epoch {event.epoch}" + ("" if self._max_s is not None else f"/{self._max_epochs}")


class _TrainingBar(Progress):
    """A progress bar with a second line for the figures."""

    def __init__(self, console: Console) -> None:
        self.figures = ""
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]} "),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            speed_estimate_period=600,  # records may be minutes apart
            refresh_per_second=4,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.figures:
            yield Text(self.figures, style="dim", no_wrap=False, overflow="fold")
