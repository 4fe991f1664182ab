"""One training from config to finished model: texts, network, loop, test, model file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rnn_cli.config import Config, config_to_dict, config_to_yaml
from rnn_cli.errors import Interrupted
from rnn_cli.inference.scoring import Perplexity
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.streams import Windows
from rnn_cli.training import loop
from rnn_cli.training.build import (
    Texts,
    build_last_loss,
    build_loss,
    build_model,
    build_texts,
    build_training_optimizer,
    build_windows,
    build_workers,
)
from rnn_cli.training.engine_choice import choose_engine, with_engine
from rnn_cli.training.events import Event, Measured, Notice, OnEvent, Started
from rnn_cli.training.interrupt import Stopped, StopSignal
from rnn_cli.training.parts import Training
from rnn_cli.training.ranks import ALONE, RankLostError, Ranks, Said
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.samples import Sampler
from rnn_cli.training.saving import Provenance, load_weights, save_model
from rnn_cli.training.tensorboard import TensorBoard, check_tensorboard
from rnn_cli.training.time_limit import TimeLimit
from rnn_cli.training.validation import measure, seconds_per_token


@dataclass(frozen=True)
class Outcome:
    """What a finished training came to; `opening` is how the training text begins, to try the model with."""

    reason: str
    parameters: int
    steps: int
    elapsed_s: float
    rollbacks: list[dict[str, Any]]
    valid: Perplexity | None
    test: Perplexity | None
    opening: str

    def report(self) -> list[str]:
        """The end of the training in words, a line each."""
        lines = [f"Trained {self.steps:,} steps in {self.elapsed_s:,.0f} s: {self.reason}."]
        lines += [
            f"Went wrong at step {wrong['step']:,} ({wrong['reason']}), back to step {wrong['back_to']:,}; "
            f"learning rate times {wrong['rate_factor']:g}."
            for wrong in self.rollbacks
        ]
        for name, result in (("validation", self.valid), ("test", self.test)):
            if result is not None:
                lines.append(f"{name} perplexity {result.perplexity:,.2f} ({result.terms()})")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """For the run's summary."""
        return {
            "reason": self.reason,
            "parameters": self.parameters,
            "steps": self.steps,
            "elapsed_s": round(self.elapsed_s, 3),
            "rollbacks": self.rollbacks,
            "valid": self.valid and self.valid.to_dict(),
            "test": self.test and self.test.to_dict(),
        }


def train(
    config: Config, folder: RunFolder, *, on_event: OnEvent, resume: bool = False, ranks: Ranks = ALONE
) -> Outcome:
    """Train as the config says; the best model lies in `folder.model` afterwards.

    Args:
        folder: made by `RunFolder.create`, or with `resume` by `RunFolder.reopen`.
        ranks: the processes that train together; this one is the first of them, the others are in `follow`.

    Raises:
        UsageError: there are more processes than streams to share out.
        TextError: a text cannot be used.
        TrainingError: training went wrong too often, or the folder can no longer be written to.
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
            return _train(config, folder, stop, on_event, resume=resume, ranks=ranks)
        except KeyboardInterrupt:
            raise Interrupted(_stopped_at_once(folder)) from None
        except RankLostError as error:
            raise RankLostError(
                f"{error} Go on from the last checkpoint, with as many processes or others: "
                f"{ranks.command} train --resume {folder.path}"
            ) from error


def _train(
    config: Config, folder: RunFolder, stop: StopSignal, on_event: OnEvent, *, resume: bool, ranks: Ranks
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
    texts = ranks.host_by_host(lambda: build_texts(config, record))
    windows = build_windows(config, texts.train, record)
    if ranks.count > 1:
        record(Notice(ranks.share_out(windows)))
    config = _with_engine(config, windows, texts, record, ranks)
    training = _assemble(config, texts, windows, folder, stop, record)
    training.ranks = ranks
    ranks.meet(training.model, training.provenance.fingerprint())
    training.time_limit = _time_limit(config, texts, training)
    if resume:
        training.go_on()
    elif ranks.first:
        folder.begin(config_to_yaml(config))
    if config.logging.tensorboard and ranks.first:
        board = TensorBoard(folder.tensorboard, training.progress.step)
    stop.wait_for_steps()
    record(_started(training, texts, resumed=resume))
    try:
        return _train_and_test(training, texts, folder)
    finally:
        if board is not None:
            board.close()


def _train_and_test(training: Training, texts: Texts, folder: RunFolder) -> Outcome:
    reason = loop.run(training)
    if reason == "interrupted":
        if training.ranks.first and not folder.model.exists():
            with folder.writing():
                save_model(
                    folder.model, training.model, training.provenance, {"step": training.progress.step}
                )
        raise _interrupted(training)
    try:
        return _finish(texts, training, reason)
    except Stopped:
        raise _interrupted(training) from None


def _with_engine(config: Config, windows: Windows, texts: Texts, on_event: OnEvent, ranks: Ranks) -> Config:
    """The config with the way of computing that is the fastest here, if it leaves that open. A resume does not.

    All ranks try the ways, so that they are as busy as they will be; they take what the first one finds.
    """
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
        f"Go on with: {training.ranks.command} train --resume {training.folder.path}"
    )


def _stopped_at_once(folder: RunFolder) -> str:
    if folder.states():
        return f"Stopped at once. Go on from the last checkpoint with: rnn train --resume {folder.path}"
    return "Stopped before the first step: there was nothing to save."


def _assemble(
    config: Config, texts: Texts, windows: Windows, folder: RunFolder, stop: StopSignal, on_event: OnEvent
) -> Training:
    torch.manual_seed(config.training.seed)
    counts = texts.train.counts()
    model = build_model(config, counts)
    loss_function = build_loss(config, counts)
    settings = config.training
    return Training(
        model=model,
        windows=windows,
        valid=texts.valid,
        mode=config.data.mode,
        output_activation=config.model.output_activation,
        loss_function=loss_function,
        last_loss=build_last_loss(config, len(counts)),
        last_share=config.output.exact_share,
        workers=build_workers(config),
        optimizer=build_training_optimizer(config, model, loss_function),
        learning_rate=settings.learning_rate,
        schedule=settings.schedule,
        warmup_steps=settings.warmup_steps,
        max_grad_norm=settings.max_grad_norm,
        max_epochs=settings.max_epochs,
        patience=settings.patience,
        validate_every_epochs=settings.validate_every_epochs,
        log_every_windows=settings.log_every_windows,
        gradient_flow=config.logging.gradient_flow,
        checkpoint_windows=settings.checkpoint_windows,
        checkpoint_minutes=settings.checkpoint_minutes,
        max_rollbacks=settings.max_rollbacks,
        folder=folder,
        provenance=Provenance(
            config=config_to_dict(config),
            tokenizer_json=texts.tokenizer.to_json(),
            training_data={
                "tokens": texts.train.tokens,
                "unknown": texts.train.unknown,
                "files": _files(texts.train),
                "valid_files": _files(texts.valid) if texts.valid else [],
            },
        ),
        stop=stop,
        on_event=on_event,
        sampler=Sampler(
            texts.tokenizer,
            _opening_words(texts),
            cell=config.model.cell,
            hidden_activation=config.model.hidden_activation,
            output_activation=config.model.output_activation,
            independent_lines=config.data.mode == "lines",
        ),
    )


def _time_limit(config: Config, texts: Texts, training: Training) -> TimeLimit | None:
    """The time that the config gives, with a first guess at how much of it measuring will take."""
    minutes = config.training.max_minutes
    if minutes is None:
        return None
    measured = [corpus for corpus in (texts.valid, texts.test) if corpus is not None]
    return TimeLimit(
        total_s=60 * minutes,
        valid_tokens=texts.valid.tokens if texts.valid else 0,
        test_tokens=texts.test.tokens if texts.test else 0,
        token_s=training.ranks.of_first(
            seconds_per_token(
                training.model,
                measured[0],
                mode=training.mode,
                output_activation=training.output_activation,
                workers=training.workers,
                ranks=training.ranks,
            )
            if measured
            else 0.0
        ),
    )


def _files(corpus: Corpus) -> list[dict[str, Any]]:
    return [{"name": Path(t.path).name, "sha256": t.sha256, "bytes": t.bytes} for t in corpus.texts]


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
    )


def _finish(texts: Texts, training: Training, reason: str) -> Outcome:
    """Test the best model, and write the figures into its file."""
    model, progress, ranks = training.model, training.progress, training.ranks
    metrics: dict[str, Any] = {"step": progress.step}
    if ranks.first:
        metrics = load_weights(training.folder.model, model)
    ranks.take_weights_of_first(model)
    valid = metrics.get("valid")
    test = None
    if texts.test is not None:
        test = measure(
            model,
            texts.test,
            mode=training.mode,
            output_activation=training.output_activation,
            workers=training.workers,
            ranks=ranks,
            between_windows=training.check_stop,
        )
        training.on_event(
            Measured(
                step=metrics["step"],
                epoch=progress.epoch,
                split="test",
                result=test,
                best=True,
                elapsed_s=progress.elapsed_s,
                update_cpu_s=progress.update_cpu_s,
            )
        )
        if ranks.first:
            with training.folder.writing():
                save_model(
                    training.folder.model, model, training.provenance, {**metrics, "test": test.to_dict()}
                )
    return Outcome(
        reason=reason,
        parameters=model.parameter_count,
        steps=progress.step,
        elapsed_s=progress.elapsed_s,
        rollbacks=progress.rollbacks,
        valid=Perplexity.from_dict(valid) if valid else None,
        test=test,
        opening=_opening_words(texts),
    )


def _opening_words(texts: Texts) -> str:
    """The first three words of the training text."""
    beginning = texts.tokenizer.decode(texts.train.ids[:100].tolist()).strip()
    return " ".join(beginning.split("\n")[0].split()[:3])
