"""Throws inputs at a target, counts what comes of it, and keeps each input that broke something."""

import random
import re
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

SLOWEST_S = 5.0  # CPU seconds for one input; all of them take milliseconds
KEPT_ALIKE = 3  # inputs that are saved of those that broke in the same way
KINDS_SHOWN = 20


class Target(Protocol):
    """A reader of foreign input."""

    name: str

    def make(self, rng: random.Random) -> bytes:
        """An input."""

    def check(self, data: bytes) -> str | None:
        """None where the input was accepted and all is well, else the message of the refusal.

        Raises:
            BaseException: whatever it is, it is a finding: an AssertionError where something does not hold that must.
        """


class TooSlowError(Exception):
    """An input took more than `SLOWEST_S`."""


@dataclass
class Report:
    """What came of a target's inputs.

    Attributes:
        inputs: how many were made.
        accepted: how many of them were no refusal and no crash.
        refusals: how often there was each kind of message.
        crashes: how often something broke in each way.
        saved: the files with the inputs that broke something, with the way each.
    """

    target: str
    inputs: int = 0
    accepted: int = 0
    elapsed_s: float = 0.0
    refusals: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    saved: list[tuple[Path, str]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For a person."""
        refused, crashed = self.refusals.total(), self.crashes.total()
        yield (
            f"{self.target}: {self.inputs:,} inputs in {self.elapsed_s:.0f} s: {self.accepted:,} accepted, "
            f"{refused:,} refused in {len(self.refusals):,} ways, {crashed:,} crashes in {len(self.crashes):,} ways"
        )
        yield from (f"  {count:>8,}  {kind}" for kind, count in self.refusals.most_common(KINDS_SHOWN))
        if len(self.refusals) > KINDS_SHOWN:
            yield f"            and {len(self.refusals) - KINDS_SHOWN:,} other refusals"
        yield from (f"  CRASH {count:,} times: {way}" for way, count in self.crashes.most_common())
        for path, _ in self.saved:
            yield f"  replay: python -m tests.fuzz {self.target} --replay {path}"


def run(target: Target, *, inputs: int, seed: int, seconds: float, folder: Path) -> Report:
    """Throw up to `inputs` inputs at `target`, for so many seconds at most; save in `folder` what broke it."""
    report = Report(target.name)
    start = time.monotonic()
    with _strict():
        for number in range(inputs):
            report.elapsed_s = time.monotonic() - start
            if report.elapsed_s > seconds:
                break
            data = target.make(random.Random(f"{seed}/{target.name}/{number}"))
            report.inputs += 1
            try:
                message = _checked(target, data)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a panic of Rust is no Exception
                _keep(report, error, data, folder / f"{target.name}-{seed}-{number}")
            else:
                if message is None:
                    report.accepted += 1
                else:
                    report.refusals[kind_of(message)] += 1
        report.elapsed_s = time.monotonic() - start
    return report


def replay(target: Target, path: Path) -> str | None:
    """Check one saved input; what breaks is raised."""
    with _strict():
        return _checked(target, path.read_bytes())


def kind_of(message: str) -> str:
    """A message without what is different each time: numbers, names between quotation marks, values found."""
    message = re.sub(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'', '"…"', message.splitlines()[0] if message else "")
    return re.sub(r"[-+]?\d[\d,.]*", "N", message)[:110]


def _checked(target: Target, data: bytes) -> str | None:
    """`target.check` with a bound on its time: CPU time, which other work on the machine does not change."""
    signal.setitimer(signal.ITIMER_VIRTUAL, SLOWEST_S)
    try:
        return target.check(data)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _keep(report: Report, error: BaseException, data: bytes, path: Path) -> None:
    way = _way(error)
    report.crashes[way] += 1
    if report.crashes[way] > KEPT_ALIKE:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_name(path.name + ".traceback").write_text(
        "".join(traceback.format_exception(error)), "utf-8", "backslashreplace"
    )
    report.saved.append((path, way))


def _way(error: BaseException) -> str:
    """The error and the last of our own lines that it passed."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if ("/rnn_cli/" in f.filename or "/fuzz/" in f.filename) and f.name != "too_slow"
    ]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}: {kind_of(str(error))}".encode(
        "ascii", "backslashreplace"
    ).decode()


@contextmanager
def _strict() -> Iterator[None]:
    """Warnings are errors, and an input that takes too long is interrupted."""

    def too_slow(number: int, frame: FrameType | None) -> NoReturn:
        raise TooSlowError(f"more than {SLOWEST_S:g} s")

    before = signal.signal(signal.SIGVTALRM, too_slow)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.signal(signal.SIGVTALRM, before)


def show(report: Report) -> None:
    """Print a report, whatever characters the messages hold."""
    for line in report.lines():
        print(line.encode("ascii", "backslashreplace").decode(), flush=True, file=sys.stdout)
