"""When a training goes wrong: noticed, taken back to the last good state, gone on with a lower learning rate."""

import copy
import math

import torch

from rnn_cli.errors import TrainingError
from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.text.streams import Window
from rnn_cli.training.bptt import Update
from rnn_cli.training.checkpoint import Progress, load_checkpoint_weights
from rnn_cli.training.events import Notice, RolledBack
from rnn_cli.training.parts import Training
from rnn_cli.training.validation import read_and_score

RATE_CUT = 0.5
"""What a rollback makes of the learning rate."""

LEVEL_WINDOWS = 100
"""The running level is the mean over about so many windows."""

SPIKE_NATS = 2.0
"""A window's loss may lie so far over the running level: its words seem e² times less probable than those before."""

SPIKES_IN_A_ROW = 3
"""One window may be odd, and the next is read as if nothing had been; a training that diverges does not come back."""

WORD_NATS, DEVIATIONS = 3.0, 10.0
"""About the standard deviation of one word's loss, and how many of them chance may explain in a window's mean."""


def what_went_wrong(training: Training, window: Window, state: State, update: Update) -> str | None:
    """Why an update cannot be trusted; None if it can be. The running level of the loss follows those that can.

    A long gradient is no reason as long as it is finite: clipping by norm is there for that. Nor is a text that
    suddenly speaks another language: there the weights of the last good state are as helpless.

    Args:
        state: the state before the window, (B, S) for each layer; of this rank's streams.
    """
    progress = training.progress
    loss = update.nll / update.words  # what any weights can be asked for, whatever they are trained with
    if not (math.isfinite(update.objective) and math.isfinite(loss)):
        return "the loss is not finite"
    if not math.isfinite(update.gradient_norm):
        return "the gradient is not finite"
    if progress.level is None or progress.good_level is None:
        progress.level = progress.good_level = loss
    margin = spike_margin(update.words)
    if loss <= progress.level + margin:
        follow_level(progress, loss)
        progress.spikes = 0
    else:
        progress.spikes += 1
    if progress.spikes == SPIKES_IN_A_ROW:
        if _good_loss(training, window, state) <= progress.level + margin:
            return "the loss is far over its running level"
        training.on_event(Notice(f"Step {progress.step:,}: the text is harder here (loss {loss:.2f})."))
        progress.level = progress.good_level = loss
        progress.spikes = 0
    if training.keeps_good_state_next():
        # The loss is that of the weights before the update; what is kept are the weights after it.
        loss = _loss_under(training.model, training, window, state)
        if training.ranks.any(not (math.isfinite(loss) and weights_are_finite(training))):
            return "a weight is not finite or far too large"
    progress.rising = loss > progress.good_level + margin / 2
    return None


def spike_margin(words: int) -> float:
    """How far the mean loss of so many words may lie over the running level, nats per token."""
    return SPIKE_NATS + DEVIATIONS * WORD_NATS / math.sqrt(words)


def follow_level(progress: Progress, loss: float) -> None:
    """Bring the running level up to date with a window that went well; the first 100 windows count alike."""
    assert progress.level is not None
    progress.level += (loss - progress.level) / min(max(progress.step, 1), LEVEL_WINDOWS)


def weights_are_finite(training: Training) -> bool:
    """Whether the weights can be kept as a good state."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in training.model.parameters())


def roll_back(training: Training, reason: str, update: Update, learning_rate: float) -> None:
    """Put everything back to the last good state, and lower the learning rate.

    Raises:
        TrainingError: that was done often enough.
        ModelFileError: the good state cannot be read.
    """
    wrong = training.progress
    if len(wrong.rollbacks) >= training.max_rollbacks:
        raise TrainingError(_given_up(training, reason, update, learning_rate))
    training.forget_checkpoint()  # it belongs to what is taken back
    training.load_state(training.folder.good)
    progress = training.progress
    progress.elapsed_s, progress.update_cpu_s = wrong.elapsed_s, wrong.update_cpu_s
    progress.best_loss = wrong.best_loss  # that of the model file, which does not go back
    progress.rate_factor *= RATE_CUT
    event = RolledBack(
        step=wrong.step,
        back_to=progress.step,
        reason=reason,
        loss=update.loss,
        level=wrong.level,
        gradient_norm=update.gradient_norm,
        learning_rate=learning_rate,
        rate_factor=progress.rate_factor,
    )
    progress.rollbacks.append(event.to_record())
    training.on_event(event)
    training.keep_good_state()  # with the lower rate, so that a resume does not fall into the same hole again


def _good_loss(training: Training, window: Window, state: State) -> float:
    """The loss of a window under the weights of the last good state, nats per token."""
    good = copy.deepcopy(training.model)
    load_checkpoint_weights(
        training.folder.good,
        model=good,
        fingerprints=training.provenance.fingerprints(),
        ranks=training.ranks,
    )
    return _loss_under(good, training, window, state)


def _loss_under(model: LanguageModel, training: Training, window: Window, state: State) -> float:
    """The mean loss of a window under some weights, nats per token. No random number is drawn."""
    was_training = model.training
    mine = window.streams(training.ranks.share(window.inputs.shape[1]))
    with torch.inference_mode():
        surprise, _ = read_and_score(model.eval(), mine, state, training.output_activation)
    model.train(was_training)
    return training.ranks.sum(surprise.nll)[0] / window.words


def _given_up(training: Training, reason: str, update: Update, learning_rate: float) -> str:
    clipping = "" if training.max_grad_norm else ", or set training.max_grad_norm to 1.0"
    times = len(training.progress.rollbacks)
    return (
        f"Training went wrong at step {training.progress.step:,}: {reason} (loss {update.loss:g}, gradient norm "
        f"{update.gradient_norm:g}, learning rate {learning_rate:g}). "
        f"It was taken back to a good state {times} time{'' if times == 1 else 's'} before, each time with half the "
        f"learning rate. Lower training.learning_rate below {learning_rate:g}{clipping}, and train anew."
    )
