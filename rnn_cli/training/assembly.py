"""From a config and its texts to the training of one network; with `model.direction: both` there are two, in turn."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rnn_cli.config import Config, config_to_dict
from rnn_cli.errors import ModelFileError
from rnn_cli.inference.mixture import tokens_to_score
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_file import ModelFile, check_lengths, read_model_file
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.streams import Windows
from rnn_cli.training.averaging import WeightAverage
from rnn_cli.training.build import (
    build_last_loss,
    build_loss,
    build_model,
    build_training_optimizer,
    build_windows,
    build_workers,
    penalties,
)
from rnn_cli.training.events import OnEvent
from rnn_cli.training.interrupt import StopSignal
from rnn_cli.training.launch import train_command
from rnn_cli.training.parts import Training
from rnn_cli.training.ranks import ALONE, Ranks
from rnn_cli.training.run_folder import RunFolder
from rnn_cli.training.samples import Sampler, prompts_in
from rnn_cli.training.saving import Provenance, lost
from rnn_cli.training.texts import Texts
from rnn_cli.training.time_limit import TimeLimit
from rnn_cli.training.validation import seconds_per_token


@dataclass(frozen=True)
class Network:
    """One of the networks that a config asks for.

    Attributes:
        backwards: whether it reads from the end of the text to its beginning.
        is_second: whether it is the second of a pair.
        direction: what is in the model file once it is trained.
    """

    backwards: bool
    is_second: bool
    direction: str

    def written_into(self, config: Config) -> dict[str, Any]:
        """The config of the model file. While the first of a pair is trained, that is a model that reads forward."""
        written = config_to_dict(config)
        written["model"]["direction"] = self.direction
        return written


def networks_to_train(config: Config, *, first_is_done: bool) -> Iterator[Network]:
    """In the order in which they are trained, from the second one on if the first is done."""
    direction = config.model.direction
    if direction != "both":
        yield Network(direction == "backward", is_second=False, direction=direction)
        return
    if not first_is_done:
        yield Network(backwards=False, is_second=False, direction="forward")
    yield Network(backwards=True, is_second=True, direction="both")


def assemble(
    config: Config,
    network: Network,
    texts: Texts,
    windows: Windows,
    folder: RunFolder,
    stop: StopSignal,
    on_event: OnEvent,
    prompts: Sequence[str],
    ranks: Ranks = ALONE,
) -> Training:
    """All that the training of one network is made of.

    Args:
        texts, windows: as they are read forward.
        prompts: to be completed at each validation; none: some of the text's own.
        ranks: the processes that train it together.
    """
    torch.manual_seed(config.training.seed)
    counts = texts.train.counts()
    files = {
        "files": _files(texts.train),
        "valid_files": _files(texts.valid) if texts.valid else [],
        "test_files": _files(texts.test) if texts.test else [],
    }
    if network.backwards:
        texts = texts.backwards()
        windows = build_windows(config, texts.train, lambda _: None)
    model = build_model(config, counts)
    loss_function = build_loss(config, counts)
    settings = config.training
    training = Training(
        model=model,
        windows=windows,
        valid=texts.valid,
        mode=config.data.mode,
        output_activation=config.model.output_activation,
        loss_function=loss_function,
        last_loss=build_last_loss(config, len(counts)),
        last_share=config.output.exact_share,
        penalties=penalties(config),
        full_window=settings.bptt_steps if settings.random_windows else None,
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
            config=network.written_into(config),
            tokenizer_json=texts.tokenizer.to_json(),
            training_data={
                "tokens": texts.train.tokens,
                "unknown": texts.train.unknown,
                **files,
            },
            counts=counts,
        ),
        stop=stop,
        on_event=on_event,
        average=WeightAverage(settings.average_share) if settings.average_share else None,
        first=_first_of_pair(folder, model) if network.is_second and ranks.first else None,
        ranks=ranks,
    )
    made = training.provenance  # what is too long is said before the first update
    check_lengths(folder.model, ModelFile({}, made.config, made.tokenizer_json, made.training_data, {}))
    if config.logging.samples and ranks.first and not network.backwards:  # which cannot write from its end
        training.sampler = _sampler(config, texts, prompts)
    training.time_limit = _time_limit(config, network, texts, training)
    return training


def _first_of_pair(folder: RunFolder, second: LanguageModel) -> ModelFile:
    """The model file, with the first network alone.

    Raises:
        ModelFileError: it is not there any more.
    """
    if what := lost(folder.model, second):
        raise ModelFileError(
            f"{what}, and with it the network that reads forward, which was finished. Put a copy of the file back, "
            f"or train both anew: {train_command()} {shlex.quote(str(folder.config))}"
        )
    stored = read_model_file(folder.model)
    return replace(
        stored,
        tensors=stored.network(backwards=False),
        metrics={name: value for name, value in stored.metrics.items() if name != "backward"},
    )


def _sampler(config: Config, texts: Texts, prompts: Sequence[str]) -> Sampler:
    return Sampler(
        texts.tokenizer,
        opening_words(texts, "forward"),
        prompts or prompts_in(texts.valid or texts.train, texts.tokenizer),
        cell=config.model.cell,
        hidden_activation=config.model.hidden_activation,
        output_activation=config.model.output_activation,
        independent_lines=config.data.mode == "lines",
    )


def _time_limit(config: Config, network: Network, texts: Texts, training: Training) -> TimeLimit | None:
    """The time that the config gives, with a first guess at how much of it measuring will take."""
    minutes = config.training.max_minutes
    if minutes is None:
        return None
    weighing = 0
    if network.is_second and texts.valid is not None:
        mean_length = texts.valid.tokens / max(1, texts.valid.lines)
        weighing = tokens_to_score(mean_length, training.model.V.numel())
    measured = [corpus for corpus in (texts.valid, texts.test) if corpus is not None]
    return TimeLimit(
        total_s=60 * minutes / (2 if config.model.direction == "both" else 1),
        valid_tokens=texts.valid.tokens if texts.valid else 0,
        test_tokens=(texts.test.tokens if texts.test else 0) + weighing,
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


def opening_words(texts: Texts, direction: str) -> str:
    """The first three words of the training text, to be continued; a blank before them for what reads backwards."""
    beginning = texts.tokenizer.decode(texts.train.ids[:100].tolist()).strip()
    words = " ".join(beginning.split("\n")[0].split()[:3])
    return f"____ {words}" if direction == "backward" else words
