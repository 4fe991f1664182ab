"""What a training will be, before it begins: sizes from the config and the text, time from a short measurement."""

import time
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch

from rnn_cli.config import Config
from rnn_cli.training.bptt import train_on_window
from rnn_cli.training.build import (
    COPIES_IN_TRAINING,
    build_loss,
    build_model,
    build_texts,
    build_training_optimizer,
    build_windows,
    product_dtype,
    softmax_kind,
)
from rnn_cli.training.events import OnEvent

MEASURED_WINDOWS = 12  # the first ones warm up and do not count
WARM_UP_WINDOWS = 2
MEASURED_S = 3.0


@dataclass(frozen=True)
class Plan:
    """Sizes and expected time of a training. Bytes are of float32 numbers."""

    vocab_size: int
    parameters: dict[str, int]
    model_bytes: int
    training_bytes: int
    train_tokens: int
    windows_per_epoch: int
    total_windows: int
    softmax: str
    products: str
    tokens_per_s: float
    expected_s: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """For a person: what, how much."""
        total = sum(self.parameters.values())
        shares = ", ".join(f"{name} {count:,}" for name, count in self.parameters.items())
        return [
            ("vocabulary", f"{self.vocab_size:,} words"),
            ("parameters", f"{total:,} ({shares})"),
            ("model file", f"{self.model_bytes / 1e6:,.1f} MB"),
            ("memory", f"about {self.training_bytes / 1e6:,.0f} MB for weights, gradients and the optimizer"),
            ("windows", f"{self.windows_per_epoch:,} an epoch, {self.total_windows:,} in all"),
            ("softmax", f"{self.softmax}; products in {self.products}"),
            ("speed", f"about {self.tokens_per_s:,.0f} tokens/s, measured just now"),
            (
                "time",
                f"about {_duration(self.expected_s)} for {self.train_tokens:,} tokens an epoch, without validation",
            ),
        ]


def make_plan(config: Config, *, on_event: OnEvent) -> Plan:
    """Build everything a training needs, train on a few windows to take the time, and throw the result away."""
    torch.manual_seed(config.training.seed)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    texts = build_texts(config, on_event)
    windows = build_windows(config, texts.train, on_event)
    counts = texts.train.counts()
    model = build_model(config, counts)
    loss_function = build_loss(config, counts)
    optimizer = build_training_optimizer(config, model, loss_function)

    windows_per_epoch = windows.windows_in_epoch(0)
    seconds: list[float] = []
    words = 0
    state = model.initial_state(windows.batch_size)
    for number, window in enumerate(islice(windows.epoch(0), MEASURED_WINDOWS)):
        began = time.perf_counter()
        if window.resets:
            state = model.initial_state(window.inputs.shape[1])
        state, update = train_on_window(
            model,
            window,
            state,
            loss_function=loss_function,
            optimizer=optimizer,
            learning_rate=0.0,
            max_grad_norm=config.training.max_grad_norm,
        )
        if number < WARM_UP_WINDOWS and windows_per_epoch > WARM_UP_WINDOWS:
            continue
        seconds.append(time.perf_counter() - began)
        words += update.words
        if sum(seconds) > MEASURED_S:
            break

    tokens_per_s = words / sum(seconds)
    parameters = {name: parameter.numel() for name, parameter in model.named_parameters()}
    model_bytes = 4 * model.parameter_count
    return Plan(
        vocab_size=model.vocab_size,
        parameters=parameters,
        model_bytes=model_bytes,
        training_bytes=COPIES_IN_TRAINING * model_bytes,
        train_tokens=texts.train.tokens,
        windows_per_epoch=windows_per_epoch,
        total_windows=windows_per_epoch * config.training.max_epochs,
        softmax=softmax_kind(config, model.vocab_size)
        if config.model.output_activation == "softmax"
        else "none",
        products=str(product_dtype(config)).removeprefix("torch."),
        tokens_per_s=tokens_per_s,
        expected_s=texts.train.tokens * config.training.max_epochs / tokens_per_s,
    )


def _duration(seconds: float) -> str:
    """1 h 02 min, 12 min, 40 s."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
