"""THE loop: read it from top to bottom."""

import math
import time
from dataclasses import dataclass, field

from rnn_cli.errors import TrainingError
from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import LossFunction
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.streams import Windows
from rnn_cli.training.bptt import Update, train_on_window
from rnn_cli.training.checkpoint import Progress, save_checkpoint
from rnn_cli.training.events import Ended, Measured, OnEvent, Trained
from rnn_cli.training.interrupt import StopSignal
from rnn_cli.training.optimizer import Optimizer, scheduled_learning_rate
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.saving import Provenance, save_model
from rnn_cli.training.validation import measure

PLATEAU_CUT = 0.5  # what the plateau schedule makes of the learning rate when a validation is no better


@dataclass
class Training:
    """All that a training is made of. `progress` and `state` change while it runs; a resume sets them first.

    Attributes:
        windows: the training text, cut.
        valid: the validation text; None without one.
        patience: validations without a better one before stopping early; None: never.
        folder: where the best model so far and the checkpoints go.
        stop: set by Ctrl-C; looked at after each update.
    """

    model: LanguageModel
    windows: Windows
    valid: Corpus | None
    mode: str
    output_activation: str
    loss_function: LossFunction
    optimizer: Optimizer
    learning_rate: float
    schedule: str
    warmup_steps: int
    max_grad_norm: float | None
    max_epochs: int
    patience: int | None
    validate_every_epochs: int
    log_every_windows: int
    folder: RunFolder
    provenance: Provenance
    stop: StopSignal
    on_event: OnEvent
    progress: Progress = field(default_factory=Progress)
    state: State = field(default_factory=list)

    @property
    def total_steps(self) -> int:
        """Updates in all epochs together."""
        return self.max_epochs * self.windows.windows_in_epoch(0)


def run(training: Training) -> str:
    """Train to the end of all epochs, to an early stop, or until asked to stop; returns which of them it was."""
    model, progress = training.model, training.progress
    started_at = time.perf_counter() - progress.elapsed_s
    model.train()
    while progress.epoch < training.max_epochs:
        for window in training.windows.epoch(progress.epoch, first=progress.window):
            if window.resets:
                training.state = model.initial_state(window.inputs.shape[1])
            learning_rate = _learning_rate(training)
            window_began_at = time.perf_counter()
            training.state, update = train_on_window(
                model,
                window,
                training.state,
                loss_function=training.loss_function,
                optimizer=training.optimizer,
                learning_rate=learning_rate,
                max_grad_norm=training.max_grad_norm,
            )
            progress.window += 1
            progress.step += 1
            progress.seconds += time.perf_counter() - window_began_at
            progress.elapsed_s = time.perf_counter() - started_at
            _count(training, update, learning_rate)
            if training.stop.received:
                _checkpoint(training)
                return _end(training, "interrupted")
        progress.epoch += 1
        progress.window = 0
        if progress.epoch % training.validate_every_epochs == 0 or progress.epoch == training.max_epochs:
            _validate(training)
            progress.elapsed_s = time.perf_counter() - started_at
        _checkpoint(training)
        if training.patience is not None and progress.since_best >= training.patience:
            return _end(training, "stopped early")
    return _end(training, "epochs done")


def _learning_rate(training: Training) -> float:
    scheduled = scheduled_learning_rate(
        training.progress.step,
        total_steps=training.total_steps,
        learning_rate=training.learning_rate,
        schedule=training.schedule,
        warmup_steps=training.warmup_steps,
    )
    return scheduled * training.progress.rate_factor


def _count(training: Training, update: Update, learning_rate: float) -> None:
    """Add up the update; report every so many windows."""
    progress = training.progress
    if not (math.isfinite(update.objective) and math.isfinite(update.gradient_norm)):
        raise TrainingError(
            f"Training went wrong at step {progress.step}: loss {update.objective / update.words:g}, gradient norm "
            f"{update.gradient_norm:g}, learning rate {learning_rate:g}. "
            "Lower training.learning_rate, or set training.max_grad_norm to 1.0 or less."
        )
    progress.objective += update.objective
    progress.nll += update.nll
    progress.words += update.words
    if progress.step % training.log_every_windows:
        return
    training.on_event(
        Trained(
            step=progress.step,
            epoch=progress.epoch + 1,
            loss=progress.objective / progress.words,
            perplexity=math.exp(min(progress.nll / progress.words, 700)),
            tokens_per_s=progress.words / progress.seconds,
            gradient_norm=update.gradient_norm,
            learning_rate=learning_rate,
            elapsed_s=progress.elapsed_s,
        )
    )
    progress.objective = progress.nll = progress.seconds = 0.0
    progress.words = 0


def _validate(training: Training) -> None:
    """Measure on the validation text and keep the model if it is the best so far (without one: the latest)."""
    progress = training.progress
    if training.valid is None:
        save_model(training.folder.model, training.model, training.provenance, {"step": progress.step})
        return
    result = measure(
        training.model, training.valid, mode=training.mode, output_activation=training.output_activation
    )
    best = progress.best_loss is None or result.loss < progress.best_loss
    if best:
        progress.best_loss = result.loss
        progress.since_best = 0
        metrics = {"step": progress.step, "valid": result.to_dict()}
        save_model(training.folder.model, training.model, training.provenance, metrics)
    else:
        progress.since_best += 1
        if training.schedule == "plateau":
            progress.rate_factor *= PLATEAU_CUT
    training.on_event(
        Measured(
            step=progress.step,
            epoch=progress.epoch,
            split="valid",
            result=result,
            best=best,
            elapsed_s=progress.elapsed_s,
        )
    )


def _checkpoint(training: Training) -> None:
    save_checkpoint(
        training.folder.checkpoint,
        model=training.model,
        optimizer=training.optimizer,
        loss_function=training.loss_function,
        state=training.state,
        progress=training.progress,
        fingerprint=training.provenance.fingerprint(),
    )


def _end(training: Training, reason: str) -> str:
    progress = training.progress
    training.on_event(Ended(progress.step, progress.epoch, reason, progress.elapsed_s))
    return reason
