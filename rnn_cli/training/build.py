"""From a config to the things that a training is made of. Config objects stop here."""

import functools
import math

import numpy as np
import torch

from rnn_cli.config import Config
from rnn_cli.errors import TrainingError
from rnn_cli.model.dropout import Dropout
from rnn_cli.model.fused import read_window
from rnn_cli.model.fused_softmax import fused_cross_entropy
from rnn_cli.model.graphed import GraphedWindows
from rnn_cli.model.language_model import LanguageModel, WindowReader, step_by_step
from rnn_cli.model.losses import (
    CrossEntropy,
    ExactSoftmax,
    LossFunction,
    OneHotSigmoid,
    SampledSoftmax,
    softmax_cross_entropy,
)
from rnn_cli.model.penalties import Penalties
from rnn_cli.model_tensors import network_shapes
from rnn_cli.text.corpus import Corpus
from rnn_cli.text.streams import LineWindows, StreamWindows, Windows, fit_batch_size
from rnn_cli.training.device import CPU, has_bfloat16_products, memory_bytes, training_device
from rnn_cli.training.events import Notice, OnEvent
from rnn_cli.training.optimizer import SPARSE_KINDS, Optimizer, build_optimizer
from rnn_cli.training.workers import Workers

COPIES_IN_TRAINING = 4  # weights, gradient, and two moments of an adaptive optimizer
SAMPLING_PAYS_FROM = 4  # times the number of samples: below that, the whole vocabulary is about as fast
SAMPLING_PAYS_FROM_ON_A_GPU = 32
"""The same on a GPU. Its large products are cheap beside what sampling adds to a window, some dozen small operations.
Not measured, no GPU was at hand: on paper, at 2,048 samples, 65,536 words of 512 units take a window of 2,240 tokens
0.5 TFLOP there and back, a few milliseconds."""


def build_windows(config: Config, corpus: Corpus, on_event: OnEvent) -> Windows:
    """Cut the training text into windows; a text that is too short for the batch size shrinks the batch."""
    training = config.training
    spans = corpus.line_spans() if config.data.mode == "lines" else None
    batch_size, notice = fit_batch_size(
        corpus.tokens if spans is None else len(spans[0]),
        training.batch_size,
        training.bptt_steps,
        mode=config.data.mode,
    )
    if notice:
        on_event(Notice(notice))
    if spans is not None:
        return LineWindows(
            corpus.ids,
            spans,
            batch_size=batch_size,
            bptt_steps=training.bptt_steps,
            eos_id=corpus.eos_id,
            seed=training.seed,
        )
    return StreamWindows(
        corpus.ids,
        batch_size=batch_size,
        bptt_steps=training.bptt_steps,
        eos_id=corpus.eos_id,
        random_lengths_from=training.seed if training.random_windows else None,
        file_lengths=corpus.file_lengths if config.data.shuffle_files else None,
        seed=training.seed,
    )


def build_model(config: Config, counts: np.ndarray) -> LanguageModel:
    """The network for a vocabulary whose words occur `counts` (vocab_size,) times in the training text.

    Raises:
        TrainingError: this machine has not the memory to train it.
    """
    check_memory(config, len(counts))
    model = LanguageModel(
        vocab_size=len(counts),
        embedding_size=config.model.embedding_size,
        hidden_size=config.model.hidden_size,
        num_layers=config.model.num_layers,
        cell=config.model.cell,
        hidden_activation=config.model.hidden_activation,
        recurrent_init=config.model.recurrent_init,
        memory_steps=None if config.data.mode == "stream" else config.training.bptt_steps,
        dropout=dropout(config),
        tie_embeddings=config.output.tie_embeddings,
        layer_norm=config.model.layer_norm,
        window_reader=window_reader(config),
    )
    model.start_at_frequencies(torch.from_numpy(counts), config.model.output_activation)
    return model.to(training_device(config))  # made on the CPU: everywhere the same numbers


def dropout(config: Config) -> Dropout:
    """The rates, where no key of its own says otherwise that of `model.dropout`."""
    model = config.model

    def rate(own: float | None) -> float:
        return model.dropout if own is None else own

    return Dropout(
        inputs=rate(model.dropout_input),
        between=rate(model.dropout_between),
        output=rate(model.dropout_output),
        embedding=model.dropout_embedding,
        places=model.dropout_words,
        recurrent=model.dropout_weights,
    )


def penalties(config: Config) -> Penalties:
    """What is added to the loss for the hidden states."""
    return Penalties(config.training.activation_penalty, config.training.change_penalty)


def check_memory(config: Config, vocab_size: int) -> None:
    """Refuse a network whose weights, gradients and optimizer are larger than the memory of what trains it."""
    parameters = parameter_count(config, vocab_size)
    needed = COPIES_IN_TRAINING * 4 * parameters
    device = training_device(config)
    there, what = memory_bytes(device), "machine" if device == CPU else "GPU"
    if needed > there:
        raise TrainingError(
            f"The network would have {parameters:,} parameters and take about {needed / 1e9:,.0f} GB to train; this "
            f"{what} has {there / 1e9:,.0f} GB. Lower model.hidden_size, model.embedding_size, model.num_layers or "
            "data.tokenizer.max_size."
        )


def parameter_count(config: Config, vocab_size: int) -> int:
    """Numbers that a network for so many words would learn, without making it."""
    model = config.model
    shapes = network_shapes(
        vocab_size,
        cell=model.cell,
        embedding_size=model.embedding_size,
        hidden_size=model.hidden_size,
        num_layers=min(model.num_layers, 2),
        tied=config.output.tie_embeddings,
        layer_norm=model.layer_norm,
    )
    a_layer_above = sum(math.prod(shape) for name, shape in shapes.items() if ".1." in name)
    return sum(map(math.prod, shapes.values())) + max(model.num_layers - 2, 0) * a_layer_above


def window_reader(config: Config) -> WindowReader:
    """How a cell reads a window: step by step on autograd, or by the hand-derived pass if it has one."""
    if config.training.engine == "reference":
        return step_by_step
    read = functools.partial(read_window, product_dtype=product_dtype(config))
    return GraphedWindows(read) if training_device(config).type == "cuda" else read


def product_dtype(config: Config) -> torch.dtype:
    """What matrix products of the training are made in; for `auto`, what is likely to be the fastest."""
    if config.training.engine == "auto":
        wide = config.model.hidden_size >= 256  # below that the products are not what takes the time
        return torch.bfloat16 if wide and has_bfloat16_products(training_device(config)) else torch.float32
    return torch.bfloat16 if config.training.engine == "bfloat16" else torch.float32


def build_loss(config: Config, counts: np.ndarray) -> LossFunction:
    """The loss that belongs to g, over all words or over a sample of them."""
    if config.model.output_activation == "sigmoid":
        return OneHotSigmoid()
    if softmax_kind(config, len(counts)) == "exact":
        return ExactSoftmax(_cross_entropy(config))
    return SampledSoftmax(
        torch.from_numpy(counts),
        samples=config.output.samples,
        seed=config.training.seed,
        sparse=rows_only(config),
        cross_entropy=_cross_entropy(config),
        device=training_device(config),
    )


def build_last_loss(config: Config, vocab_size: int) -> LossFunction | None:
    """The loss of the last part of the training; None if it is the one of the first."""
    if config.output.exact_share == 0 or softmax_kind(config, vocab_size) != "sampled":
        return None
    return ExactSoftmax(_cross_entropy(config))


def _cross_entropy(config: Config) -> CrossEntropy:
    if config.training.engine == "reference":
        return softmax_cross_entropy
    return functools.partial(fused_cross_entropy, product_dtype=product_dtype(config))


def build_workers(config: Config) -> Workers:
    """The threads that train; for the reference engine, which reads a window as one, torch's inside its products.

    A GPU has one that tells it what to do.
    """
    threads = config.training.threads if training_device(config) == CPU else 1
    threads = threads or 1
    return Workers(1, inside=threads) if config.training.engine == "reference" else Workers(threads)


def softmax_kind(config: Config, vocab_size: int) -> str:
    """`exact` or `sampled`: what `output.softmax: auto` means for a vocabulary of this size."""
    if config.output.softmax != "auto":
        return config.output.softmax
    large = vocab_size >= sampling_pays_from(config) * config.output.samples
    return "sampled" if large and config.model.output_activation == "softmax" else "exact"


def sampling_pays_from(config: Config) -> int:
    """So many times `output.samples` must the vocabulary hold for `auto` to sample."""
    return SAMPLING_PAYS_FROM if training_device(config) == CPU else SAMPLING_PAYS_FROM_ON_A_GPU


def with_softmax(config: Config, vocab_size: int) -> Config:
    """The config with what `output.softmax: auto` means on this device in it: a resume on another one repeats it."""
    output = config.output.model_copy(update={"softmax": softmax_kind(config, vocab_size)})
    return config.model_copy(update={"output": output})


def softmax_reason(config: Config, vocab_size: int) -> str:
    """Why the softmax is what `softmax_kind` says, for a person."""
    if config.model.output_activation == "sigmoid":
        return "g is sigmoid, each word has a yes or no of its own"
    samples, times = config.output.samples, sampling_pays_from(config)
    drawn = f"{samples:,} words drawn for a window and those that come in it, of {vocab_size:,}"
    if config.output.softmax == "exact":
        return f"over all {vocab_size:,} words, as output.softmax says"
    if config.output.softmax == "sampled":
        return f"{drawn}, as output.softmax says"
    if softmax_kind(config, vocab_size) == "sampled":
        return f"{drawn} (auto: at least {times} times output.samples)"
    return f"over all {vocab_size:,} words (auto: fewer than {times} times output.samples)"


def rows_only(config: Config) -> bool:
    """Whether the optimizer can update just the rows that a window touched."""
    training = config.training
    decay_free = training.weight_decay == 0 or training.optimizer in ("adam", "adamw", "muon")
    by_rows = training.optimizer in SPARSE_KINDS or training.table_learning_rate is not None
    return by_rows and decay_free


def build_training_optimizer(config: Config, model: LanguageModel, loss_function: LossFunction) -> Optimizer:
    """The optimizer for every parameter of the model."""
    tables = [model.embedding] if config.output.tie_embeddings else [model.embedding, model.V]
    others = [p for p in model.parameters() if all(p is not table for table in tables)]
    settings = config.training
    return build_optimizer(
        settings.optimizer,
        others,
        tables,
        weight_decay=settings.weight_decay,
        sparse=loss_function.sparse,
        table_kind=settings.table_optimizer,
        table_rate=settings.table_learning_rate and settings.table_learning_rate / settings.learning_rate,
    )
