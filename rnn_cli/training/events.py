"""The records that a training reports: what `on_event` receives and what `metrics.jsonl` holds, one a line."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from rnn_cli.inference.scoring import Perplexity


@dataclass(frozen=True)
class Event:
    """Something that happened in a training."""

    name: ClassVar[str]
    recorded: ClassVar[bool] = True
    """Whether it belongs into `metrics.jsonl`."""

    def to_record(self) -> dict[str, Any]:
        """The event as a flat JSON object, its kind under `event`."""
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True)
class Notice(Event):
    """Something the user should know: a batch made smaller, an encoding found."""

    name: ClassVar[str] = "notice"
    message: str


@dataclass(frozen=True)
class Preparing(Event):
    """A split is being read and tokenised: bytes done so far, and in all."""

    name: ClassVar[str] = "preparing"
    recorded: ClassVar[bool] = False
    split: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Started(Event):
    """Training begins, or (`resumed`) goes on; `device` is for a person."""

    name: ClassVar[str] = "start"
    step: int
    parameters: int
    vocab_size: int
    train_tokens: int
    windows_per_epoch: int
    total_windows: int
    batch_size: int
    resumed: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class RolledBack(Event):
    """Training went wrong at `step`, and went back to the good state of `back_to` with a lower learning rate.

    loss is the mean objective of the window at fault in nats per token, level the running mean of the nll before it;
    rate_factor is what the learning rate of the schedule is multiplied with from now on.
    """

    name: ClassVar[str] = "rollback"
    step: int
    back_to: int
    reason: str
    loss: float
    level: float | None
    gradient_norm: float
    learning_rate: float
    rate_factor: float

    def to_record(self) -> dict[str, Any]:
        """JSON has no infinity and no nan: null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in super().to_record().items()
        }


@dataclass(frozen=True)
class Trained(Event):
    """Some windows were trained on. Loss, perplexity and rate are of the windows since the last such record.

    loss is the objective in nats per token; perplexity is exp of the mean negative log-likelihood, an estimate
    where the softmax is sampled; gradient_norm is that of the last window before clipping.
    """

    name: ClassVar[str] = "train"
    step: int
    epoch: int
    loss: float
    perplexity: float
    tokens_per_s: float
    gradient_norm: float
    learning_rate: float
    elapsed_s: float


@dataclass(frozen=True)
class Measured(Event):
    """The model was measured on a text that it is not trained on, after so many CPU seconds of updates."""

    name: ClassVar[str] = "validation"
    step: int
    epoch: int
    split: str
    result: Perplexity
    best: bool
    elapsed_s: float
    update_cpu_s: float

    def to_record(self) -> dict[str, Any]:
        """The perplexity's own keys stand beside the others."""
        record = super().to_record()
        del record["result"]
        return {**record, "event": self.split if self.split == "test" else self.name, **self.result.to_dict()}


@dataclass(frozen=True)
class GradientFlow(Event):
    """How far back an error reaches: by_lag[k] is ‖∂Loss_T/∂h_{T-k}‖ in the text's first window, nats per unit."""

    name: ClassVar[str] = "gradient_flow"
    step: int
    epoch: int
    by_lag: list[float]

    def to_record(self) -> dict[str, Any]:
        """Four digits say enough; JSON has no infinity and no nan: null."""
        by_lag = [float(f"{norm:.4g}") if math.isfinite(norm) else None for norm in self.by_lag]
        return {**super().to_record(), "by_lag": by_lag}


@dataclass(frozen=True)
class Sampled(Event):
    """What the network wrote after a validation, the opening of the training text before it; and what it says next in
    a few prompts, always the same ones: each with `prompt`, `word` (empty: the line ends) and `probability`.
    """

    name: ClassVar[str] = "sample"
    step: int
    text: str
    completions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Ended(Event):
    """Training is over; `reason` is one of: epochs done, time is up, stopped early, interrupted."""

    name: ClassVar[str] = "end"
    step: int
    epoch: int
    reason: str
    elapsed_s: float


OnEvent = Callable[[Event], None]
