"""One training from config to finished model: texts, network, loop, test, model file."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from rnn_cli.config import Config, config_to_yaml
from rnn_cli.errors import Interrupted, ModelFileError, RankLostError, TrainingError, ran_out_of_memory
from rnn_cli.inference import load
from rnn_cli.inference.line_index import LONGEST_LINE, MOST_PLACES, LineIndex, write_index
from rnn_cli.inference.mixture import MOST_BLANKS, Mixture, fit_weight
from rnn_cli.inference.scoring import Perplexity
from rnn_cli.model_file import store_fitted
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.streams import Windows
from rnn_cli.training import loop
from rnn_cli.training.assembly import Network, assemble, networks_to_train, opening_words
from rnn_cli.training.build import build_windows, with_softmax
from rnn_cli.training.checkpoint import first_network
from rnn_cli.training.device import device_name, training_device
from rnn_cli.training.engine_choice import choose_engine, imitated, with_engine
from rnn_cli.training.events import Event, Measured, Notice, OnEvent, Started
from rnn_cli.training.interrupt import Stopped, StopSignal
from rnn_cli.training.last_share import phases_that_never_came
from rnn_cli.training.launch import resume_command
from rnn_cli.training.outcome import Outcome
from rnn_cli.training.parts import Training
from rnn_cli.training.ranks import ALONE, Ranks, Said
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.saving import load_weights, lost
from rnn_cli.training.tensorboard import TensorBoard, check_tensorboard
from rnn_cli.training.texts import Texts, build_texts
from rnn_cli.training.validation import measure


def train(
    config: Config,
    folder: RunFolder,
    *,
    on_event: OnEvent,
    resume: bool = False,
    prompts: Sequence[str] = (),
    ranks: Ranks = ALONE,
) -> Outcome:
    """Train as the config says; the best model lies in `folder.model` afterwards.

    Args:
        folder: made by `RunFolder.create`, or with `resume` by `RunFolder.reopen`.
        prompts: what to complete after each validation; none: how lines of the text begin.
        ranks: the processes that train together; this one is the first of them, the others are in `follow`.

    Raises:
        UsageError: there are more processes than streams to share out.
        TextError: a text cannot be used.
        TrainingError: training went wrong too often, the folder can no longer be written to, or memory ran out.
        ModelFileError: there is no state in the folder that this training can go on from.
        Interrupted: stopped by Ctrl-C or SIGTERM; everything needed to go on is saved.
    """
    if ranks.first and ranks.count > 1:
        order = {"config": config.model_dump(mode="json"), "run": str(folder.path), "resume": resume}
        ranks.from_first(lambda: Said({}, {"order": json.dumps(order)}))
    with StopSignal() as stop:
        if not ranks.first:
            stop.wait_for_steps()  # the first one is asked, too, and ends all of them
        try:
            return _train(config, folder, stop, on_event, resume=resume, prompts=prompts, ranks=ranks)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                "The GPU has not the memory for this training. Lower training.batch_size, training.bptt_steps or "
                "the sizes in model, or set training.device to cpu."
            ) from error
        except KeyboardInterrupt:
            raise Interrupted(_stopped_at_once(folder)) from None
        except RankLostError as error:
            raise RankLostError(
                f"{error} Go on from the last checkpoint, with as many processes or others: "
                f"{resume_command(folder.path)}"
            ) from error
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            raise TrainingError(_without_memory(folder)) from error


def _train(
    config: Config,
    folder: RunFolder,
    stop: StopSignal,
    on_event: OnEvent,
    *,
    resume: bool,
    prompts: Sequence[str],
    ranks: Ranks,
) -> Outcome:
    board: TensorBoard | None = None

    def record(event: Event) -> None:
        if not ranks.first:
            return
        # What was found in the text stands in the metrics already when a run goes on.
        if event.recorded and not (resume and isinstance(event, Notice) and not stop.waits):
            folder.record(event)
        if board is not None:
            board.write(event)
        on_event(event)

    if config.logging.tensorboard:
        check_tensorboard()
    ranks.agree_on(training_device(config))
    texts = ranks.host_by_host(lambda: build_texts(config, record))
    windows = build_windows(config, texts.train, record)
    if ranks.count > 1:
        record(Notice(ranks.share_out(windows)))
    if not resume:
        config = with_softmax(config, texts.tokenizer.vocab_size)
    config = _with_engine(config, windows, texts, record, ranks)
    opening = opening_words(texts, config.model.direction)
    done = _first_network(folder, ranks) if resume else None
    outcome = None if done is None else Outcome.from_dict(done, opening=opening)
    for network in networks_to_train(config, first_is_done=outcome is not None):
        folder.second_network = network.is_second
        training = assemble(config, network, texts, windows, folder, stop, record, prompts, ranks)
        ranks.meet(training.model, training.provenance.fingerprint())
        resumed, resume = resume, False  # of a pair it is the network at hand that goes on
        if resumed:
            training.go_on()
        elif outcome is not None:
            training.progress.first = outcome.to_dict()
            record(Notice("Now the network that reads backwards."))
        elif ranks.first:
            folder.begin(config_to_yaml(config))
        if config.logging.tensorboard and ranks.first:
            where = folder.tensorboard / "backward" if network.is_second else folder.tensorboard
            board = TensorBoard(where, training.progress.step)
        stop.wait_for_steps()
        record(_started(training, texts, resumed=resumed))
        try:
            outcome = _train_and_test(training, texts, network, outcome, opening)
        finally:
            if board is not None:
                board.close()
                board = None
    assert outcome is not None
    _close(config, training, texts)
    return outcome


def _train_and_test(
    training: Training, texts: Texts, network: Network, first: Outcome | None, opening: str
) -> Outcome:
    with training.ranks.in_steps():
        reason = loop.run(training)
    if reason == "interrupted":
        if not training.folder.model.exists():
            training.save_model({"step": training.progress.step})
        raise _interrupted(training)
    for sentence in phases_that_never_came(training, reason):
        training.on_event(Notice(sentence))
    try:
        return _finish(texts, training, network, reason, first, opening)
    except Stopped:
        raise _interrupted(training) from None


def _close(config: Config, training: Training, texts: Texts) -> None:
    """Index the lines if asked to. Ctrl-C since the last measuring ends the command, which may have more to train."""
    try:
        training.check_stop()
        if config.logging.index and training.ranks.first:
            _index_lines(training.folder, texts)
        training.check_stop()
    except Stopped:
        raise _interrupted(training) from None


def _first_network(folder: RunFolder, ranks: Ranks) -> dict[str, Any] | None:
    """What the first network of a pair came to, by the folder of the first rank; None while it is trained."""
    done = ranks.from_first(lambda: Said({}, {"done": json.dumps(first_network(folder.states()))}))
    first: dict[str, Any] | None = json.loads(done.texts["done"])
    return first


def _with_engine(config: Config, windows: Windows, texts: Texts, on_event: OnEvent, ranks: Ranks) -> Config:
    """The config with the way of computing that is the fastest here, if it leaves that open. A resume does not.

    All ranks try the ways, so that they are as busy as they will be; they take what the first one finds.
    """
    if slow := imitated(config):
        on_event(Notice(slow))
    if config.training.engine != "auto" and config.training.threads is not None:
        return config
    choice = choose_engine(config, windows, texts.train.counts(), ranks=ranks)
    if choice.others:
        on_event(Notice(f"engine: {choice.sentence()}"))
    taken = choice.taken
    way = ranks.from_first(lambda: Said({}, {"engine": taken.engine, "threads": str(taken.threads)})).texts
    return with_engine(config, way["engine"], int(way["threads"]))


def _interrupted(training: Training) -> Interrupted:
    return Interrupted(
        f"Stopped at step {training.progress.step:,}; everything is saved. "
        f"Go on with: {resume_command(training.folder.path)}"
    )


def _stopped_at_once(folder: RunFolder) -> str:
    if folder.states():
        return f"Stopped at once. Go on from the last checkpoint with: {resume_command(folder.path)}"
    return "Stopped before the first step: there was nothing to save."


def _without_memory(folder: RunFolder) -> str:
    less = (
        "Memory ran out. A smaller network, training.batch_size or training.bptt_steps needs less, as do fewer "
        "trainings side by side."
    )
    states = folder.states()
    return f"{less} Go on from the last checkpoint: {resume_command(folder.path)}" if states else less


def _started(training: Training, texts: Texts, *, resumed: bool) -> Started:
    return Started(
        step=training.progress.step,
        parameters=training.model.parameter_count,
        vocab_size=texts.tokenizer.vocab_size,
        train_tokens=texts.train.tokens,
        windows_per_epoch=training.windows.windows_in_epoch(0),
        total_windows=training.total_steps,
        batch_size=training.windows.batch_size,
        resumed=resumed,
        device=device_name(training.model.device),
    )


def _finish(
    texts: Texts, training: Training, network: Network, reason: str, first: Outcome | None, opening: str
) -> Outcome:
    """Test the best model, weigh the networks of a pair, and write the figures into the model file.

    Only the first rank knows what the model file says, and weighs.
    """
    model, progress, folder, ranks = training.model, training.progress, training.folder, training.ranks
    metrics = _take_best_weights(training, second=network.is_second)
    valid = metrics.get("valid")
    test = None
    if texts.test is not None:
        test = measure(
            model,
            texts.test.backwards() if network.backwards else texts.test,
            mode=training.mode,
            output_activation=training.output_activation,
            workers=training.workers,
            ranks=ranks,
            between_windows=training.check_stop,
        )
        training.on_event(
            Measured(
                step=metrics["step"],
                epoch=metrics.get("epoch", progress.epoch),  # files of before do not say it
                split="test",
                result=test,
                best=True,
                elapsed_s=progress.elapsed_s,
                update_cpu_s=progress.update_cpu_s,
            )
        )
        training.save_model({**metrics, "test": test.to_dict()})
    training.check_stop()
    return Outcome(
        reason=reason,
        parameters=model.parameter_count,
        steps=progress.step,
        elapsed_s=progress.elapsed_s,
        rollbacks=progress.rollbacks,
        valid=Perplexity.from_dict(valid) if valid else None,
        test=test,
        opening=opening,
        first=first,
        mixture=_weigh(folder, texts) if network.is_second and ranks.first else None,
    )


def _take_best_weights(training: Training, *, second: bool) -> dict[str, Any]:
    """Give the network the weights of the model file, or where that is lost its last ones; returns their metrics.

    Ranks that do not read the file know of the step alone.
    """
    model, path, ranks = training.model, training.folder.model, training.ranks
    metrics: dict[str, Any] | None = None
    if ranks.first:
        with suppress(ModelFileError):
            metrics = load_weights(path, model, second=second)
    if ranks.any(ranks.first and metrics is None):
        what = lost(path, model, second=second)
        training.on_event(Notice(f"{what}, and with it the best model: the last weights take its place."))
        training.progress.best_loss = None
        loop.validate(training)
        metrics = load_weights(path, model, second=second) if ranks.first else None
    ranks.take_weights_of_first(model)
    return metrics or {"step": training.progress.step}


def _index_lines(folder: RunFolder, texts: Texts) -> None:
    """Keep lines of the training text by hidden state."""
    engine = load(folder.model).engine
    index = LineIndex.of(engine, _lines(texts.train, tokens=MOST_PLACES), texts.train.eos_id)
    with folder.writing():
        write_index(folder.index, index, engine)


def _lines(corpus: Corpus, *, tokens: int) -> list[list[int]]:
    """The ids of lines spread over a text, about so many tokens in all, without `<eos>`."""
    starts, lengths = corpus.line_spans()
    lengths = np.minimum(lengths, LONGEST_LINE + 1)
    count = min(len(starts), max(1, int(tokens / lengths.mean()))) if len(starts) else 0
    chosen = (np.arange(count) * len(starts) // max(count, 1)).tolist()
    return [corpus.ids[starts[i] : starts[i] + lengths[i] - 1].tolist() for i in chosen]


def _weigh(folder: RunFolder, texts: Texts) -> Mixture | None:
    """Fit how much the networks of a pair weigh, and store it in the model file."""
    if texts.valid is None:
        return None
    lines = _lines(texts.valid, tokens=MOST_BLANKS * LONGEST_LINE)
    model = load(folder.model)
    assert model.backward is not None
    mixture = fit_weight(model.engine, model.backward, texts.tokenizer, lines)
    if mixture is not None:
        with folder.writing():
            store_fitted(folder.model, mixture=mixture.to_dict())
    return mixture
