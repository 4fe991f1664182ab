"""The folder of a study: one folder for each run of the plan, and what there is to do in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Self

from rnn_cli.batch.expansion import PlannedRun
from rnn_cli.batch.plan import Plan, command_on
from rnn_cli.batch.record import Digests, Record
from rnn_cli.config import config_to_yaml
from rnn_cli.errors import UsageError
from rnn_cli.files import write_text
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.run_lock import RunLock

MOST_CHANGES_TOLD = 3


class Next(Enum):
    """What a run needs, in the words of a person."""

    TRAIN = "is trained"
    RESUME = "goes on"
    AGAIN = "is trained anew"
    NOTHING = "is finished"


@dataclass(frozen=True)
class StudyRun:
    """A run of a plan and its folder.

    train.log       what its trainings printed
    planned.yaml    the config that it is trained with
    batch.json      what is remembered of it; batch.next.json of a training that takes its place
    after/NAME      what the commands printed that follow the training; their errors and messages in after/NAME.log
    and the files of a training, as in `RunFolder`.
    """

    planned: PlannedRun
    path: Path
    next: Next
    record: Record
    changes: tuple[str, ...] = ()
    """How the plan differs from what was trained in the folder; empty where that is not known."""

    @property
    def name(self) -> str:
        """As in the plan."""
        return self.planned.name

    @property
    def log(self) -> Path:
        """What the trainings printed."""
        return self.path / "train.log"

    def output(self, name: str) -> Path:
        """Where the output of a command that follows the training goes."""
        return self.path / "after" / name

    def prepare(self) -> None:
        """Make the folder, with what a training needs in it.

        Raises:
            OSError: it cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if self.next in (Next.TRAIN, Next.AGAIN):
            write_text(self.path / "planned.yaml", config_to_yaml(self.planned.config))
        if self.next is Next.TRAIN:
            self.record.write(self.path)
        if self.next is Next.AGAIN:
            self.record.announce(self.path)

    def training(self, threads: int | None) -> list[str]:
        """The command that trains it or goes on; `threads` is for a config that leaves them open."""
        if self.next is Next.RESUME:
            return self.resuming()
        # What may be overwritten was decided by what the folder holds.
        command = ["train", str(self.path / "planned.yaml"), "--run-dir", str(self.path), "--force"]
        if threads is not None and self.planned.config.training.threads is None:
            command += ["--set", f"training.threads={threads}"]
        return command

    def resuming(self) -> list[str]:
        """The command that goes on with its training."""
        return ["train", "--resume", str(self.path)]

    def has_work(self, after: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether there is anything to do."""
        return self.next is not Next.NOTHING or bool(self.following(after))

    def following(self, after: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
        """The commands that are still to be run on the model, by name."""
        commands = {name: command_on(self.path, words) for name, words in after.items()}
        return {name: words for name, words in commands.items() if not self._has_followed(name, words)}

    def _has_followed(self, name: str, words: list[str]) -> bool:
        followed = self.record.after.get(name)
        done = followed is not None and followed.exit_code == 0 and followed.command == words
        return done and self.output(name).exists()


class Study:
    """A plan and its folder, held against a second `rnn batch` until `close`."""

    def __init__(self, plan: Plan, path: Path, runs: Sequence[StudyRun], lock: RunLock) -> None:
        self.plan = plan
        self.path = path
        self.runs = runs
        self._lock = lock

    @classmethod
    def open(cls, plan: Plan, path: Path, *, force: bool = False) -> Self:
        """Take the folder and see what is done in it.

        Args:
            force: a run that the plan has changed may be trained anew.

        Raises:
            UsageError: the folder is held or no folder for a study, or holds runs that were trained otherwise.
        """
        try:
            if RunFolder(path).config.exists() or RunFolder(path).summary.exists():
                raise UsageError(f"{path} holds a training of its own. Choose another folder with --run-dir.")
            if (path / "search.json").exists():
                raise UsageError(f"{path} holds a search. Choose another folder with --run-dir.")
            path.mkdir(parents=True, exist_ok=True)
            lock = RunLock.take(path)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written to ({error.strerror}). Choose another --run-dir."
            ) from error
        try:
            return cls(plan, path, look_at(plan, path, force=force), lock)
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def to_do(self) -> list[StudyRun]:
        """The runs that are not trained, or have commands to follow."""
        return [run for run in self.runs if run.has_work(self.plan.after)]

    def close(self) -> None:
        """Let others have the folder."""
        self._lock.release()


def look_at(plan: Plan, path: Path, *, force: bool = False) -> list[StudyRun]:
    """What there is to do for each run of a plan in the folder `path`.

    Raises:
        UsageError: a run was trained with something else than the plan says, and `force` is not given; or it cannot
            be looked into.
    """
    digests = Digests()
    try:
        runs = [look_at_run(planned, path / planned.name, digests) for planned in plan.runs]
    except OSError as error:
        raise UsageError(
            f"{error.filename or path}: cannot be looked at ({error.strerror}). Choose another --run-dir."
        ) from error
    changed = [run for run in runs if run.next is Next.AGAIN]
    if changed and not force:
        told = "\n".join(f"{run.path} {_difference(run.changes)}." for run in changed)
        raise UsageError(
            f"{told}\nTo train {'it' if len(changed) == 1 else 'them'} anew, give --force; "
            "to keep what is there, choose another folder with --run-dir."
        )
    return runs


def look_at_run(planned: PlannedRun, path: Path, digests: Digests) -> StudyRun:
    """What there is to do for one run of a plan, in the folder `path`."""
    folder = RunFolder(path)
    record, before = Record.of(planned.config, digests), Record.read(path)
    if not (folder.summary.exists() or folder.states()):
        return StudyRun(planned, path, Next.TRAIN, record)
    in_folder = Record.of_run(folder.config, record, digests)
    announced = Record.announced(path)
    if announced and in_folder and not in_folder.changes(announced):
        before = announced  # an `rnn batch` that was killed could not write it down
    if before is None:
        return StudyRun(planned, path, Next.AGAIN, record)
    # A training that was killed, or that `rnn train --force` began, has left the record of the one before.
    if changes := before.changes(record) or (in_folder.changes(record) if in_folder else []):
        return StudyRun(planned, path, Next.AGAIN, record, tuple(changes))
    if not folder.summary.exists():
        return StudyRun(planned, path, Next.RESUME, before)
    before.exit_code = before.exit_code or 0  # nobody may have been there to note it
    return StudyRun(planned, path, Next.NOTHING, before)


def log_of_failure(run: Path) -> Path:
    """What the command of a run printed that failed: one that followed the training, or the training itself."""
    record = Record.read(run)
    is_trained = record is not None and record.exit_code == 0
    failed = [name for name, done in record.after.items() if done.exit_code] if record and is_trained else []
    return run / "after" / f"{failed[0]}.log" if failed else run / "train.log"


def _difference(changes: Sequence[str]) -> str:
    if not changes:
        return "holds a training that no plan has made"
    return f"was trained otherwise: {told(changes)}"


def told(changes: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    further = len(changes) - MOST_CHANGES_TOLD
    more = f"; and {further} more" if further > 0 else ""
    return "; ".join(changes[:MOST_CHANGES_TOLD]) + more
