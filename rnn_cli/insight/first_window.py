"""A network in torch and a window of text for it, from a config (new weights) or from a model file (learnt ones)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rnn_cli.config import Config, config_from_dict
from rnn_cli.errors import TextError
from rnn_cli.inference import load
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.corpus import Corpus, prepare_corpus
from rnn_cli.text.split import text_of_split
from rnn_cli.text.streams import Window
from rnn_cli.training.build import build_model, build_windows
from rnn_cli.training.events import Notice, OnEvent
from rnn_cli.training.saving import load_weights
from rnn_cli.training.texts import build_texts

MOST_STREAMS = 4
RANDOM_WORDS = 10_000
MOST_SCORES = (
    2_000_000  # steps · streams · vocabulary: a pass over the window stays below a tenth of a second
)


@dataclass(frozen=True)
class FirstWindow:
    """A network and what it is about to read."""

    model: LanguageModel
    window: Window
    cell: str
    hidden_activation: str
    output_activation: str


def of_config(config: Config, on_event: OnEvent) -> FirstWindow:
    """The network that a training would begin with, of a pair the first, and the first window of its text.

    Raises:
        TextError: a text cannot be used.
    """
    config = _prepare_torch(config)
    texts = build_texts(config, on_event)
    model = build_model(config, texts.train.counts())
    return _first(config, model, texts.train, on_event)


def of_model(path: Path, on_event: OnEvent) -> FirstWindow:
    """The network in a model file or run folder, of a pair the first, and the first window of its training text.

    Where the text is no longer there, the window holds words drawn at random, and `on_event` is told so.

    Raises:
        ModelFileError: it cannot be used.
    """
    trained = load(path)
    config = _prepare_torch(config_from_dict(trained.config))
    vocab_size = trained.tokenizer.vocab_size
    model = build_model(config, np.ones(vocab_size, np.int64))
    load_weights(path, model)
    text = text_of_split(config.data.model_dump(), "train")
    assert text is not None
    paths, part = text
    try:
        corpus = prepare_corpus(paths, trained.tokenizer, encoding=config.data.encoding, part=part)
    except TextError as error:
        on_event(Notice(f"{error} The window holds random words instead."))
        ids = np.random.default_rng(config.training.seed).integers(vocab_size, size=RANDOM_WORDS)
        corpus = Corpus(ids.astype(np.uint32), vocab_size, trained.tokenizer.eos_id, unknown=0, texts=())
    return _first(config, model, corpus, on_event)


def _prepare_torch(config: Config) -> Config:
    """The config for the CPU, whatever trained: NumPy checks along, in double precision."""
    torch.manual_seed(config.training.seed)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    return config.model_copy(update={"training": config.training.model_copy(update={"device": "cpu"})})


def _first(config: Config, model: LanguageModel, corpus: Corpus, on_event: OnEvent) -> FirstWindow:
    """The first window of a text, with as many of its streams as finite differences have time for.

    It is read from the end where the network reads so; `on_event` is told which of a pair is checked.
    """
    if config.model.direction == "backward":
        corpus = corpus.backwards()
    elif config.model.direction == "both":
        on_event(Notice("There are two networks; the one that reads forward is checked."))
    window = next(iter(build_windows(config, corpus, on_event).epoch(0)))
    T, B = window.inputs.shape
    streams = max(1, min(B, MOST_STREAMS, MOST_SCORES // (T * model.vocab_size)))
    window = Window(
        inputs=window.inputs[:, :streams],
        targets=window.targets[:, :streams],
        mask=None if window.mask is None else window.mask[:, :streams],
        resets=True,
    )
    network = config.model
    return FirstWindow(model, window, network.cell, network.hidden_activation, network.output_activation)
