"""What a training will be, before it begins: sizes from the config and the text, time from a short measurement."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from rnn_cli.config import Config
from rnn_cli.model_tensors import BACKWARD
from rnn_cli.training.build import (
    COPIES_IN_TRAINING,
    build_model,
    build_windows,
    softmax_kind,
    softmax_reason,
)
from rnn_cli.training.device import device_name, training_device
from rnn_cli.training.engine_choice import Choice, choose_engine, imitated
from rnn_cli.training.events import Notice, OnEvent
from rnn_cli.training.texts import build_texts


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
    device: str
    softmax: str
    softmax_reason: str
    engine: Choice
    expected_s: float
    max_minutes: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        tried = [asdict(way) for way in self.engine.others]
        return {**asdict(self), **asdict(self.engine.taken), "tried": tried}

    def rows(self) -> list[tuple[str, str]]:
        """For a person: what, how much."""
        total = sum(self.parameters.values())
        shares = ", ".join(f"{name} {count:,}" for name, count in self.parameters.items())
        return [
            ("vocabulary", f"{self.vocab_size:,} tokens"),
            ("parameters", f"{total:,} ({shares})"),
            ("model file", f"{self.model_bytes / 1e6:,.1f} MB"),
            ("memory", f"about {self.training_bytes / 1e6:,.0f} MB for weights, gradients and the optimizer"),
            ("windows", f"{self.windows_per_epoch:,} an epoch, {self.total_windows:,} in all"),
            ("device", self.device),
            ("softmax", f"{self.softmax}: {self.softmax_reason}"),
            ("engine", self.engine.sentence()),
            ("time", self._time()),
        ]

    def _time(self) -> str:
        if self.max_minutes is not None and 60 * self.max_minutes < self.expected_s:
            return (
                f"{_duration(60 * self.max_minutes)} with validation and test, as training.max_minutes says; "
                f"all epochs would take about {_duration(self.expected_s)}"
            )
        took = _duration(self.expected_s)
        return f"about {took} for all epochs of {self.train_tokens:,} tokens, without validation"


def make_plan(config: Config, *, on_event: OnEvent) -> Plan:
    """Build everything a training needs, train on a few windows to take the time, and throw the result away."""
    device = training_device(config)  # what it refuses is told before the text is read
    torch.manual_seed(config.training.seed)
    texts = build_texts(config, on_event)
    windows = build_windows(config, texts.train, on_event)
    counts = texts.train.counts()
    if slow := imitated(config):
        on_event(Notice(slow))
    choice = choose_engine(config, windows, counts, always=True)
    model = build_model(config, counts)
    windows_per_epoch = windows.windows_in_epoch(0)
    parameters = {name: parameter.numel() for name, parameter in model.named_parameters()}
    networks = 1
    if config.model.direction == "both":
        networks = 2
        parameters |= {f"{BACKWARD}{name}": count for name, count in parameters.items()}
    weight_bytes = 4 * model.parameter_count
    return Plan(
        vocab_size=model.vocab_size,
        parameters=parameters,
        model_bytes=networks * weight_bytes + counts.nbytes,
        training_bytes=COPIES_IN_TRAINING * weight_bytes,  # one network at a time
        train_tokens=texts.train.tokens,
        windows_per_epoch=windows_per_epoch,
        total_windows=windows_per_epoch * config.training.max_epochs * networks,
        device=device_name(device),
        softmax=softmax_kind(config, model.vocab_size)
        if config.model.output_activation == "softmax"
        else "none",
        softmax_reason=softmax_reason(config, model.vocab_size),
        engine=choice,
        expected_s=networks * texts.train.tokens * config.training.max_epochs / choice.taken.tokens_per_s,
        max_minutes=config.training.max_minutes,
    )


def _duration(seconds: float) -> str:
    """1 h 02 min, 12 min, 40 s."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
