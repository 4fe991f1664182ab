"""What a person sees while many trainings run: beside `console.py` the only file that imports rich."""

from collections import Counter
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

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
from rnn_cli.console import standard_error

DRAWS_PER_S = 4


class BatchDisplay:
    """Shows the events of a study: a live table of the runs that run in a terminal, a line each elsewhere."""

    def __init__(self, *, console: Console | None = None) -> None:
        self._console = console or standard_error()
        self._live: Live | None = None
        self._running: dict[str, _Row] = {}
        self._ended: Counter[str] = Counter()
        self._total: int | None = None  # None where nobody knows: a search that only the time ends

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: StudyEvent) -> None:
        """Render one event."""
        match event:
            case StudyStarted():
                self._show_start(event)
            case SearchStarted():
                self._show_search(event)
            case RunStarted():
                self._running[event.name] = _Row()
                if self._live is None:  # the table shows it
                    self._line(f"{event.name} {event.how}{_at(event.where)}")
            case RunMoved():
                self._line(
                    f"{event.name}: its machine is gone; it is done again{_at(event.where)}", style="yellow"
                )
            case RunProgressed():
                self._running[event.name].progress = event.progress
            case CommandStarted():
                self._running[event.name].command = event.command
            case RunEnded():
                self._show_end(event)
            case Stopping():
                why = "The time is up" if event.time_is_up else "Stopping"
                self._line(f"{why}: {_counted(event.running)} saving.", style="yellow")
        if self._live is not None:
            self._live.update(self._table())

    def _show_start(self, event: StudyStarted) -> None:
        self._total = event.total
        self._ended["finished"] = event.finished
        before = f", {event.finished:,} of them finished before" if event.finished else ""
        runs = f"{event.total:,} run{'s' if event.total != 1 else ''}"
        self._line(f"{runs}{before}; {_side_by_side(event)}")
        if event.finished < event.total:
            self._begin_table()

    def _show_search(self, event: SearchStarted) -> None:
        self._total = event.trials
        self._ended["done before"] = event.done
        length = [] if event.trials is None else [f"{event.trials:,} trial{'s' if event.trials != 1 else ''}"]
        if event.left_s is not None:
            length.append(f"{_clock(event.left_s)} left")
        before = f", {event.done:,} of them done before" if event.done else ""
        self._line(f"A search: {', '.join(length)}{before}; {_side_by_side(event)}")
        self._begin_table()

    def _begin_table(self) -> None:
        if self._console.is_terminal:
            self._live = Live(
                self._table(), console=self._console, refresh_per_second=DRAWS_PER_S, transient=True
            )
            self._live.start()

    def _show_end(self, event: RunEnded) -> None:
        self._running.pop(event.name, None)
        self._ended[event.state] += 1
        done = f"{event.name} {event.state} after {event.elapsed_s:,.0f} s"
        if event.state == "failed":
            self._line(f"{done}: {event.reason}", style="red")
        else:
            self._line(done + (f": valid perplexity {event.valid:,.2f}" if event.valid else ""))

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def _table(self) -> Table:
        """The runs that run, and how many do not."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.width = (
            self._console.width - len("^C") - 1
        )  # a terminal that echoes it must not begin a new line
        table.add_column("run", ratio=1, no_wrap=True, overflow="ellipsis")
        for heading in ("done", "valid", "tokens/s", "left"):
            table.add_column(heading, justify="right", no_wrap=True)
        for name, row in self._running.items():
            table.add_row(Text(name), *row.cells())
        counts = [f"{count:,} {state}" for state, count in self._ended.items() if count]
        counts += [f"{len(self._running):,} running"]
        if self._total is not None:
            waiting = self._total - sum(self._ended.values()) - len(self._running)
            counts += [f"{max(0, waiting):,} waiting"]
        table.add_row(Text(", ".join(counts), style="dim"))
        return table


class _Row:
    """A run in the live table."""

    def __init__(self) -> None:
        self.command = ""
        self.progress: Progress | None = None

    def cells(self) -> list[str]:
        """Done, validation perplexity, speed, time left; what it does where it does not train."""
        progress = self.progress
        if self.command:
            return [self.command.partition(" ")[0], "", "", ""]
        if progress is None or not progress.total_windows:
            return ["…", "", "", ""]
        return [
            f"{progress.step / progress.total_windows:.0%}",
            f"{progress.best:,.2f}" if progress.best is not None else "",
            f"{progress.tokens_per_s:,.0f}" if progress.tokens_per_s else "",
            _clock(progress.left_s) if progress.left_s is not None else "",
        ]


def _side_by_side(event: StudyStarted | SearchStarted) -> str:
    together = event.where or (f"{event.jobs} side by side" if event.jobs > 1 else "one at a time")
    threads = event.threads
    return together + (f", {threads} thread{'s' if threads > 1 else ''} each" if threads else "")


def _at(where: str) -> str:
    return f" at {where}" if where else ""


def _clock(seconds: float) -> str:
    """1:02:03, as rich's bars show it."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def _counted(runs: int) -> str:
    return f"{runs} run is" if runs == 1 else f"{runs} runs are"
