"""THE loop: read it from top to bottom."""

import math
import time
from typing import Any

from rnn_cli.training.bptt import Update, train_on_window
from rnn_cli.training.events import Ended, GradientFlow, Measured, Trained
from rnn_cli.training.gradient_flow import gradient_by_lag
from rnn_cli.training.interrupt import Stopped
from rnn_cli.training.optimizer import scheduled_learning_rate
from rnn_cli.training.parts import Training
from rnn_cli.training.recovery import roll_back, what_went_wrong
from rnn_cli.training.validation import measure

PLATEAU_CUT = 0.5  # what the plateau schedule makes of the learning rate when a validation is no better


def run(training: Training) -> str:
    """Train to the end of all epochs or of the time, to an early stop, or until asked to stop; returns which."""
    try:
        reason = _train(training)
    except Stopped:
        training.save_state(training.folder.checkpoint)
        reason = "interrupted"
    progress = training.progress
    training.on_event(Ended(progress.step, progress.epoch, reason, progress.elapsed_s))
    return reason


def _train(training: Training) -> str:
    training.started_at = time.perf_counter() - training.progress.elapsed_s
    training.model.train()
    if training.progress.step == 0:
        training.start_state(training.windows.batch_size)
        training.keep_good_state()
    if training.progress.ended is not None:
        return training.progress.ended
    while training.progress.epoch < training.max_epochs:
        progress = training.progress
        if training.is_out_of_patience():
            return "stopped early"
        for window in training.windows.epoch(progress.epoch, first=progress.window):
            if window.resets:
                training.start_state(window.inputs.shape[1])
            state_before = training.state
            learning_rate = _learning_rate(training, len(window.inputs))
            began_at, cpu_before = time.perf_counter(), time.process_time()
            training.state, update = train_on_window(
                training.model,
                window,
                state_before,
                loss_function=training.current_loss(),
                optimizer=training.optimizer,
                learning_rate=learning_rate,
                max_grad_norm=training.max_grad_norm,
                workers=training.workers,
                penalties=training.penalties,
                ranks=training.ranks,
            )
            progress.window += 1
            progress.step += 1
            progress.seconds += time.perf_counter() - began_at
            training.take_time(update_cpu_s=time.process_time() - cpu_before)
            if wrong := what_went_wrong(training, window, state_before, update):
                roll_back(training, wrong, update, learning_rate)
                break  # on from where the good state stands
            _count(training, update, learning_rate)
            training.average_weights()
            if training.time_is_up():
                validate(training)
                return _ended(training, "time is up")
            if training.validation_is_due():
                _validate_by_the_clock(training)
                if training.is_out_of_patience():
                    return _ended(training, "stopped early")
            _save_if_due(training)
            training.check_stop()
        else:
            done = progress.epoch + 1
            if training.validates_after_epoch(done):
                validate(training)
            progress.epoch, progress.window = done, 0
            training.take_time()
            training.keep_good_state()
    training.check_stop()
    return "epochs done"


def _ended(training: Training, reason: str) -> str:
    """Save that no update follows: the test may be interrupted, and a resume may judge the time otherwise."""
    training.progress.ended = reason
    training.save_state(training.folder.checkpoint)
    return reason


def _save_if_due(training: Training) -> None:
    if training.progress.step % training.checkpoint_windows == 0:
        training.keep_good_state()
    elif training.progress.elapsed_s - training.saved_at_s > 60 * training.checkpoint_minutes:
        training.save_state(training.folder.checkpoint)


def _learning_rate(training: Training, steps: int) -> float:
    """That of an update by a window of so many steps."""
    limit = training.time_limit
    scheduled = scheduled_learning_rate(
        training.progress.step,
        total_steps=training.total_steps,
        learning_rate=training.learning_rate,
        schedule=training.schedule,
        warmup_steps=training.warmup_steps,
        share_of_time=limit.share(training.progress.elapsed_s) if limit else 0.0,
    )
    share = 1.0 if training.full_window is None else steps / training.full_window
    return scheduled * share * training.progress.rate_factor


def _count(training: Training, update: Update, learning_rate: float) -> None:
    """Add up the update; report every so many windows."""
    progress = training.progress
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


def validate(training: Training) -> None:
    """Measure on the validation text and keep the model if it is the best so far (without one: the latest)."""
    with training.weights_to_keep():
        _measure_and_keep(training)


def _validate_by_the_clock(training: Training) -> None:
    """Validate at a moment that does not come again: the best's record has to last through a rollback and a kill."""
    validate(training)
    if training.progress.since_best == 0:
        training.keep_good_state()


def _measure_and_keep(training: Training) -> None:
    progress = training.progress
    if training.valid is None:
        _report_gradient_flow(training)
        _save_best(training, {})
        return
    began_at = time.perf_counter()
    result = measure(
        training.model,
        training.valid,
        mode=training.mode,
        output_activation=training.output_activation,
        workers=training.workers,
        ranks=training.ranks,
        between_windows=training.check_stop,
    )
    loss = result.loss if math.isfinite(result.loss) else math.inf
    best = progress.best_loss is None or loss < progress.best_loss
    if best:
        progress.best_loss = loss
        progress.since_best = 0
        progress.rising = False  # these weights have proved good on a whole text
        _save_best(training, {"valid": result.to_dict()})
    else:
        progress.since_best += 1
        if training.schedule == "plateau":
            progress.rate_factor *= PLATEAU_CUT
    if training.time_limit:
        training.time_limit.validated(training.ranks.of_first(time.perf_counter() - began_at))
    # Not before: Ctrl-C ends the measuring, and a resume does all of it again.
    _report_gradient_flow(training)
    training.on_event(
        Measured(
            step=progress.step,
            epoch=progress.epoch_at_hand,
            split="valid",
            result=result,
            best=best,
            elapsed_s=progress.elapsed_s,
            update_cpu_s=progress.update_cpu_s,
        )
    )
    if training.sampler is not None and training.ranks.first:
        sample = training.sampler.sample(training.model, progress.step)
        if sample:
            training.on_event(sample)
    training.take_time()
    progress.validated_at_s = progress.elapsed_s


def _report_gradient_flow(training: Training) -> None:
    if not (training.gradient_flow and training.ranks.first):
        return
    progress = training.progress
    by_lag = gradient_by_lag(training.model, next(training.windows.epoch(0)), training.output_activation)
    training.on_event(GradientFlow(progress.step, progress.epoch_at_hand, by_lag))


def _save_best(training: Training, metrics: dict[str, Any]) -> None:
    progress = training.progress
    training.save_model({"step": progress.step, "epoch": progress.epoch_at_hand, **metrics})
