"""A search: optuna chooses what to train, in a journal that several processes and machines may share.

search.journal        every trial, and what each validation came to, as optuna writes it
search.json           what is searched, to tell a plan that has changed
trial-0007,...        the run of a trial: a run folder like any other
.search.lock          held for a moment by whoever takes the next trial
trial-*/.rnn_batch.lock   held by the process that looks after the trial
"""

import itertools
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rnn_cli.batch.expansion import PlannedRun
from rnn_cli.batch.figures import higher_is_better
from rnn_cli.batch.job import Outcome, State
from rnn_cli.batch.journal import check_optuna, open_journal, sampler
from rnn_cli.batch.plan import Plan
from rnn_cli.batch.progress import Progress
from rnn_cli.batch.record import Digests
from rnn_cli.batch.results import figures_of
from rnn_cli.batch.searched import SEARCH, check_what_is_searched
from rnn_cli.batch.sittings import Sittings
from rnn_cli.batch.study import StudyRun, look_at_run
from rnn_cli.errors import UsageError
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.run_lock import RunLock, is_held, waiting_lock

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

TURN = ".search.lock"
CLAIM = ".rnn_batch.lock"

_REPEATS = "repeats"
"""Marks a trial that chose what another had chosen before; it is not trained and not shown."""
_REASON = "reason"
_MOST_DRAWS = 1_000


@dataclass
class OpenTrial:
    """A trial that this process looks after.

    Attributes:
        noted: the validations that are in the journal.
        validations: which validation it was, by its step; counted from 1.
    """

    run: StudyRun
    handle: "Trial"
    claim: RunLock
    noted: set[int]
    validations: dict[int, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """As in the journal, from 0."""
        return self.handle.number


@dataclass(frozen=True)
class TrialSeen:
    """How a trial of the journal stands; `value` is its metric where it is finished, or gone since."""

    number: int
    run: PlannedRun
    path: Path
    outcome: Outcome
    value: float | None


class Search:
    """A search and its folder. Others may work on it at the same time.

    cut_off: the trials of this process that were stopped from outside. They are for the next start: what has stopped
    them may stop them again at once.
    """

    def __init__(self, plan: Plan, path: Path) -> None:
        assert plan.search is not None
        assert plan.metric is not None
        self.plan = plan
        self.path = path
        self.settings, self._space = plan.search.settings, plan.search.space
        self._metric = plan.metric
        self._sign = -1.0 if higher_is_better(plan.metric) else 1.0
        self._digests = Digests()
        self._open: dict[int, OpenTrial] = {}
        self.cut_off = set[int]()
        with self._turn():
            check_what_is_searched(plan, plan.search, path, self._digests)
            self._study = open_journal(path, self.settings, lowest=self._sign > 0)
        self.sittings = Sittings(self._study)

    @classmethod
    def open(cls, plan: Plan, path: Path) -> Self:
        """Begin a search in the folder, go on with it, or join those who work on it.

        Raises:
            UsageError: optuna is not there, or the folder is of something else, or what is searched has changed.
            RnnError: the journal is damaged.
        """
        check_optuna()
        try:
            if RunFolder(path).config.exists() or RunFolder(path).summary.exists():
                raise UsageError(f"{path} holds a training of its own. Choose another folder with --run-dir.")
            if is_held(path) or ((path / "results.json").exists() and not (path / SEARCH).exists()):
                raise UsageError(
                    f"{path} holds the runs of a plan without search. Choose another folder with --run-dir."
                )
            path.mkdir(parents=True, exist_ok=True)
            return cls(plan, path)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written to ({error.strerror}). Choose another --run-dir."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the trials that are not done to others, and to the next start."""
        with suppress(OSError):
            self.sittings.note()
        for trial in self._open.values():
            trial.claim.release()
        self._open.clear()

    def left_s(self) -> float | None:
        """Seconds that are left of its minutes; None where it may take as long as it takes."""
        minutes = self.settings.minutes
        return None if minutes is None else max(0.0, minutes * 60 - self.sittings.used_s())

    def done(self) -> int:
        """How many trials have come to their end."""
        return sum(trial.state.is_finished() for trial in self._trials())

    def next(self) -> OpenTrial | None:
        """The next trial to look after: one that nobody looks after any more, or a new one; None if there is none.

        Raises:
            OSError: the folder cannot be written to.
        """
        with self._turn():
            while True:
                trial = self._orphan() or self._new()
                if trial is None:
                    return None
                if opened := self._opened(trial):
                    return opened

    def judge(self, trial: OpenTrial, records: Sequence[Mapping[str, Any]], progress: Progress) -> bool:
        """Note what the validations among these records came to; whether the training is to be pruned.

        Trials are compared after as many validations, which is after as much text whatever the batch.
        """
        new = False
        for record in records:
            if record["event"] != "validation" or "network" in record:  # of a pair the first network's count
                continue
            number = trial.validations.setdefault(record["step"], len(trial.validations) + 1)
            if number not in trial.noted:
                trial.noted.add(number)
                loss = math.nan if record["loss"] is None else float(record["loss"])
                trial.handle.report(self._sign * loss, number)
                new = record["step"] < (progress.total_windows or math.inf)
        return new and not self._is_startup(trial) and trial.handle.should_prune()

    def _is_startup(self, trial: OpenTrial) -> bool:
        """Whether it is one of the first; repeats have numbers, too, and teach nothing."""
        before = sum(other.number < trial.number for other in self._trials())
        return before < self.settings.startup_trials

    def ended(self, trial: OpenTrial, outcome: Outcome) -> Outcome:
        """Write down how a trial ended; one that was stopped stays open, for whoever goes on with it.

        Returns:
            How it stands: a finished one without a figure to go by has failed.
        """
        from optuna.trial import TrialState

        if outcome.state is State.FINISHED:
            value = figures_of(trial.run, self.plan.after).get(self._metric)
            if value is None:
                outcome = Outcome(State.FAILED, f"{self._metric} is not there, or not finite.")
            else:
                self._study.tell(trial.number, value)
        if outcome.state is State.PRUNED:
            self._study.tell(trial.number, state=TrialState.PRUNED)
        if outcome.state is State.FAILED:
            self._fail(trial.handle, outcome.reason)
        if outcome.state is State.STOPPED and outcome.reason:
            self.cut_off.add(trial.number)
        trial.claim.release()
        self._open.pop(trial.number, None)
        return outcome

    def seen(self) -> list[TrialSeen]:
        """Every trial, the best first, then those that were pruned, then the others.

        A finished one whose folder somebody has removed stands among the finished: its value is in the journal.
        """
        trials = [seen for trial in self._trials() if (seen := self._seen(trial)) is not None]
        rank = {State.FINISHED: 0, State.GONE: 0, State.PRUNED: 1}
        return sorted(
            trials,
            key=lambda seen: (
                rank.get(seen.outcome.state, 2),
                math.inf if seen.value is None else self._sign * seen.value,
                seen.number,
            ),
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One process at a time chooses, so that no trial is taken twice and none goes over the budget."""
        with waiting_lock(self.path / TURN):
            yield

    def _trials(self) -> "list[FrozenTrial]":
        """Those that were trained or are to be."""
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if _REPEATS not in trial.user_attrs]

    def _orphan(self) -> "Trial | None":
        """A trial whose process is gone."""
        import optuna

        not_now = self._open.keys() | self.cut_off
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state is not optuna.trial.TrialState.RUNNING or trial.number in not_now:
                continue
            handle = optuna.Trial(self._study, trial._trial_id)
            if not set(self._space.distributions()) <= set(trial.params):
                self._repeat(handle)  # its process died while it chose
                continue
            path = self._path_of(trial)
            if path is None or not (is_held(path, CLAIM) or is_held(path)):
                return handle
        return None

    def _new(self) -> "Trial | None":
        """A new trial; None where the budget is spent or everything was tried."""
        trials = self._trials()
        if self.settings.trials is not None and len(trials) >= self.settings.trials:
            return None
        tried = {self._space.chosen(trial.params) for trial in trials if trial.params}
        if len(tried) >= self._space.count():
            return None
        trial = self._ask()
        if self._space.chosen(trial.params) not in tried:
            return trial
        self._repeat(trial)  # the same training again would only cost time
        draws = self._space.draws(random.Random(trial.number))
        for params in itertools.islice(draws, _MOST_DRAWS):
            if self._space.chosen(params) not in tried:
                self._study.enqueue_trial(params)
                return self._ask()
        return None

    def _ask(self) -> "Trial":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.sampler = sampler(self.settings, len(self._study.get_trials(deepcopy=False)))
            return self._study.ask(self._space.distributions())

    def _opened(self, handle: "Trial") -> OpenTrial | None:
        planned, problems = self._space.planned(handle.number, handle.params)
        if planned is None or problems:
            self._fail(handle, " ".join(problem.text for problem in problems))
            return None
        path = self.path / planned.name
        path.mkdir(exist_ok=True)
        run = look_at_run(planned, path, self._digests)
        before = self._study.get_trials(deepcopy=False)[handle.number].intermediate_values
        trial = OpenTrial(run, handle, RunLock.take(path, CLAIM), set(before))
        self._open[trial.number] = trial
        # What is at its end already was looked after by a process that died before it could say so.
        if run.record.pruned:
            self.ended(trial, Outcome(State.PRUNED))
        elif not run.has_work(self.plan.after):
            self.ended(trial, Outcome(State.FINISHED))
        return self._open.get(trial.number)

    def _repeat(self, handle: "Trial") -> None:
        handle.set_user_attr(_REPEATS, True)
        self._fail(handle, "")

    def _fail(self, handle: "Trial", reason: str) -> None:
        from optuna.trial import TrialState

        handle.set_user_attr(_REASON, reason)
        self._study.tell(handle.number, state=TrialState.FAIL)

    def _path_of(self, trial: "FrozenTrial") -> Path | None:
        planned, _ = self._space.planned(trial.number, trial.params)
        return None if planned is None else self.path / planned.name

    def _seen(self, trial: "FrozenTrial") -> TrialSeen | None:
        from optuna.trial import TrialState

        if not set(self._space.distributions()) <= set(trial.params):
            return None
        planned, _ = self._space.planned(trial.number, trial.params)
        if planned is None:
            return None
        path = self.path / planned.name
        match trial.state:
            case TrialState.COMPLETE:
                gone = Outcome(State.GONE, "its folder was removed.")
                outcome = Outcome(State.FINISHED) if path.is_dir() else gone
                return TrialSeen(trial.number, planned, path, outcome, trial.value)
            case TrialState.PRUNED:
                return TrialSeen(trial.number, planned, path, Outcome(State.PRUNED), None)
            case TrialState.FAIL:
                reason = str(trial.user_attrs.get(_REASON, ""))
                return TrialSeen(trial.number, planned, path, Outcome(State.FAILED, reason), None)
        here = is_held(path, CLAIM) or is_held(path)
        return TrialSeen(trial.number, planned, path, Outcome(State.RUNNING if here else State.STOPPED), None)
