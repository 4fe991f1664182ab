"""All that a training is made of, and how it is kept on disk."""

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnn_cli.errors import ModelFileError
from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import LossFunction
from rnn_cli.model.penalties import NO_PENALTIES, Penalties
from rnn_cli.model_file import ModelFile
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.streams import Windows
from rnn_cli.training.averaging import WeightAverage, updates_apart
from rnn_cli.training.checkpoint import Progress, is_whole, latest_first, load_checkpoint, save_checkpoint
from rnn_cli.training.events import Notice, OnEvent
from rnn_cli.training.interrupt import StopSignal
from rnn_cli.training.optimizer import Optimizer
from rnn_cli.training.ranks import ALONE, Ranks
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.samples import Sampler
from rnn_cli.training.saving import Provenance, lost, save_model, stored_loss
from rnn_cli.training.time_limit import TimeLimit
from rnn_cli.training.workers import Workers


@dataclass
class Training:
    """A training. `progress` and `state` change while it runs; a resume sets them first.

    Attributes:
        windows: the training text, cut.
        valid: the validation text; None without one.
        penalties: added to the loss.
        last_loss: takes the place of `loss_function` in the last `last_share` of all updates; None: never.
        workers: the threads that train.
        full_window: where windows vary in length, what the learning rate is meant for: a window of half as many steps
            takes half of it. None: all take the whole.
        ranks: the processes that train together. Each has a Training of its own, alike but for `state`.
        patience: validations without a better one before stopping early; None: never.
        gradient_flow: whether a validation also reports the gradient's norm by lag.
        checkpoint_windows: updates from one good state to the next.
        checkpoint_minutes: a state is saved, too, when none was for so long.
        max_rollbacks: how often training that goes wrong is taken back before it stops.
        folder: where the best model so far and the states to go on from lie.
        stop: set by Ctrl-C; looked at after each update.
        average: the mean of the last weights; it is what is measured and kept. None: the weights themselves are.
        sampler: writes and completes something after each validation; None: nobody does.
        time_limit: set where the clock ends the training; None: the epochs do.
        first: the model file with the first network of a pair, while the second is trained; else None. The first
            rank alone has it.
        state: of the streams that this rank reads.
        saved_at_s: `progress.elapsed_s` when a state was saved last.
        started_at: when the training began, on the clock of time.perf_counter, as if it had never been stopped.
    """

    model: LanguageModel
    windows: Windows
    valid: Corpus | None
    mode: str
    output_activation: str
    loss_function: LossFunction
    last_loss: LossFunction | None
    last_share: float
    workers: Workers
    optimizer: Optimizer
    learning_rate: float
    schedule: str
    warmup_steps: int
    max_grad_norm: float | None
    max_epochs: int
    patience: int | None
    validate_every_epochs: int
    log_every_windows: int
    gradient_flow: bool
    checkpoint_windows: int
    checkpoint_minutes: float
    max_rollbacks: int
    folder: RunFolder
    provenance: Provenance
    stop: StopSignal
    on_event: OnEvent
    progress: Progress = field(default_factory=Progress)
    state: State = field(default_factory=list)
    average: WeightAverage | None = None
    sampler: Sampler | None = None
    time_limit: TimeLimit | None = None
    penalties: Penalties = NO_PENALTIES
    full_window: int | None = None
    first: ModelFile | None = None
    ranks: Ranks = ALONE
    saved_at_s: float = 0.0
    started_at: float = 0.0

    @property
    def total_steps(self) -> int:
        """Updates in all epochs together."""
        return self.max_epochs * self.windows.windows_in_epoch(0)

    def current_loss(self) -> LossFunction:
        """The loss of the next update."""
        if self.last_loss is not None and self._is_in_the_last(self.last_share):
            return self.last_loss
        return self.loss_function

    def average_weights(self) -> None:
        """Take the weights into their mean, if that is due."""
        average, step = self.average, self.progress.step
        if average is None or not self._is_in_the_last(average.share):
            return
        if step % updates_apart(average.share * self._expected_steps()) == 0:
            average.take(self.model)

    def last_loss_came(self) -> bool:
        """Whether an update was made with `last_loss`, or was about to be."""
        return self._is_in_the_last(self.last_share, self.progress.step - 1)

    def weights_to_keep(self) -> AbstractContextManager[None]:
        """Inside, the model has the weights that are measured and kept."""
        return nullcontext() if self.average is None else self.average.in_place(self.model)

    def _is_in_the_last(self, share: float, step: int | None = None) -> bool:
        """Whether the update after so many (None: the next) is one of the last `share`, by their number or the clock.

        The very last one always is.
        """
        step = self.progress.step if step is None else step
        last = step >= min(round((1 - share) * self.total_steps), self.total_steps - 1)
        if self.time_limit is not None:
            last = last or self.time_limit.share(self.progress.elapsed_s) >= 1 - share
        return last

    def _expected_steps(self) -> float:
        """About how many updates there will be: fewer than the epochs ask for where the clock ends them before."""
        if self.time_limit is None:
            return self.total_steps
        spent = self.time_limit.share(self.progress.elapsed_s)
        return min(self.total_steps, self.progress.step / max(spent, 1e-9))

    def start_state(self, streams: int) -> None:
        """No memory, for this rank's share of so many streams."""
        mine = self.ranks.share(streams)
        self.state = self.model.initial_state(mine.stop - mine.start)

    def take_time(self, *, update_cpu_s: float = 0.0) -> None:
        """Bring the times up to date: by the first rank's clock, and with the CPU seconds of an update on all."""
        elapsed_s = time.perf_counter() - self.started_at if self.ranks.first else 0.0
        self.progress.elapsed_s, update_cpu_s = self.ranks.sum(elapsed_s, update_cpu_s)
        self.progress.update_cpu_s += update_cpu_s

    def check_stop(self) -> None:
        """Between two steps.

        Raises:
            Stopped: a signal has come, to this process or another rank.
        """
        self.stop.check(self.ranks)

    def time_is_up(self) -> bool:
        """Whether no update may follow, so that what comes after them ends in time."""
        return self.time_limit is not None and self.time_limit.is_up(self.progress.elapsed_s)

    def validation_is_due(self) -> bool:
        """Whether the clock asks for a validation now."""
        progress = self.progress
        return self.time_limit is not None and self.time_limit.validation_is_due(
            progress.elapsed_s, progress.validated_at_s
        )

    def validates_after_epoch(self, done: int) -> bool:
        """Whether a validation follows on epoch number `done`, from 1; the last one where the clock rules."""
        by_epochs = self.time_limit is None and done % self.validate_every_epochs == 0
        return by_epochs or done == self.max_epochs

    def is_out_of_patience(self) -> bool:
        """Whether the latest validations were no better than one before them."""
        return self.patience is not None and self.progress.since_best >= self.patience

    def keeps_good_state_next(self) -> bool:
        """Whether the state after the latest update is one to come back to.

        This depends on the number of the update alone and never on a clock, so that a run that was stopped in between
        comes back to the same state as one that was not.
        """
        progress = self.progress
        ends_epoch = progress.window == self.windows.windows_in_epoch(progress.epoch)
        return ends_epoch or progress.step % self.checkpoint_windows == 0

    def keep_good_state(self) -> None:
        """Save the state that training comes back to when it goes wrong, and that a resume goes on from.

        Where the loss has risen since the last one, something may be about to go wrong: then the state only serves a
        resume.
        """
        if self.progress.rising:
            self.save_state(self.folder.checkpoint)
            return
        self.progress.good_level = self.progress.level
        self.save_state(self.folder.good)
        self.forget_checkpoint()  # from before

    def forget_checkpoint(self) -> None:
        """Remove the state between two good ones."""
        if self.ranks.first:
            with self.folder.writing():
                self.folder.checkpoint.unlink(missing_ok=True)

    def save_state(self, path: Path) -> None:
        """Save everything needed to go on from here: the first rank does, with the state of all streams."""
        began_at = time.perf_counter()
        state = self.ranks.gather_streams(self.state)
        self.progress.ranks, self.progress.device = self.ranks.count, self.model.device.type
        if self.ranks.first:
            with self.folder.writing():
                self.progress.metrics_bytes = self.folder.sync_metrics()
                save_checkpoint(
                    path,
                    model=self.model,
                    optimizer=self.optimizer,
                    loss_function=self.loss_function,
                    average=self.average,
                    state=state,
                    progress=self.progress,
                    fingerprint=self.provenance.fingerprint(),
                )
        self.saved_at_s = self.progress.elapsed_s
        if self.time_limit is not None:
            self.time_limit.saving_s = self.ranks.of_first(time.perf_counter() - began_at)

    def save_model(self, metrics: dict[str, Any], *, mixture: dict[str, Any] | None = None) -> None:
        """Write the network as it is into the model file: the first rank does."""
        if not self.ranks.first:
            return
        with self.folder.writing():
            save_model(
                self.folder.model, self.model, self.provenance, metrics, first=self.first, mixture=mixture
            )

    def load_state(self, path: Path) -> None:
        """Put everything back as it was saved, the metrics too. The first rank reads the file for all.

        Raises:
            ModelFileError: the file is not a state of this training.
        """
        state, self.progress = load_checkpoint(
            path,
            model=self.model,
            optimizer=self.optimizer,
            loss_function=self.loss_function,
            average=self.average,
            fingerprints=self.provenance.fingerprints(),
            ranks=self.ranks,
        )
        self.state = [layer[self.ranks.share(len(layer))] for layer in state]
        if self.ranks.first:
            self.folder.cut_metrics(self.progress.metrics_bytes)
        self.saved_at_s = self.progress.elapsed_s

    def go_on(self) -> None:
        """Put the training to where it stood; if the latest state is damaged, to the one before.

        Raises:
            ModelFileError: there is no state that it can go on from.
        """
        folder, ranks = self.folder, self.ranks
        # The other ranks are given what the first one finds.
        states = latest_first(folder.states()) if ranks.first else [folder.good]
        for number, path in enumerate(states, start=1):
            try:
                self.load_state(path)
                break
            except ModelFileError:
                if number == len(states):
                    raise
        step, before, device = self.progress.step, self.progress.ranks, self.progress.device
        good_is_damaged = False
        for other in states:
            if other != path and not is_whole(other):
                self.on_event(Notice(f"{other} is damaged. Going on from {path}, step {step:,}."))
                good_is_damaged = other == folder.good
        if ranks.any(good_is_damaged):
            self.save_state(folder.good)  # there must be one to come back to
        self._forget_lost_model()
        if self.time_limit is not None:
            self._take_best_loss()
        if before != ranks.count:
            self.on_event(
                Notice(
                    f"Up to step {step:,} the number of processes was {before}, now it is {ranks.count}: the "
                    "result will not be the same bit for bit."
                )
            )
        if device != self.model.device.type:
            self.on_event(
                Notice(
                    f"Up to step {step:,} the device was {device}, now it is {self.model.device.type}: the result "
                    "will not be the same bit for bit."
                )
            )

    def _forget_lost_model(self) -> None:
        """Where the best model so far is no longer there, the next one measured is the best again."""
        if self.progress.best_loss is None:
            return
        what = (
            lost(self.folder.model, self.model, second=self.first is not None) if self.ranks.first else None
        )
        if self.ranks.any(what is not None):
            self.progress.best_loss = None
            self.on_event(
                Notice(f"{what}, and with it the best model so far. The next validation writes a new one.")
            )

    def _take_best_loss(self) -> None:
        """The loss of the model file, which may be younger than the state.

        Where the clock asks for validations, the one that made it does not come again. Where the epochs do, it comes
        again bit for bit, and has to count as the best again.
        """
        second = self.first is not None
        stored = stored_loss(self.folder.model, second=second) if self.ranks.first else 0.0
        stored = self.ranks.of_first(stored)
        if math.isfinite(stored) and stored < (self.progress.best_loss or math.inf):
            self.progress.best_loss = stored
