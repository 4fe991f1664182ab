"""Everything that a training needs to go on as if it had never stopped, in one file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnn_cli.errors import ModelFileError
from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import LossFunction, SampledSoftmax
from rnn_cli.tensor_file import read_metadata, read_tensor_file, write_tensor_file
from rnn_cli.training.averaging import WeightAverage
from rnn_cli.training.launch import train_command
from rnn_cli.training.optimizer import Optimizer
from rnn_cli.training.ranks import ALONE, Ranks, Said

FORMAT = "rnn_cli checkpoint"
AVERAGE = "average."


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        epoch: epochs done so far; `window` is the next window of the one after them.
        step: updates made.
        best_loss: lowest validation loss so far, nats per token; None before the first.
        since_best: validations since then.
        rate_factor: what plateaus and rollbacks have made of the learning rate.
        elapsed_s: seconds spent, also before a resume.
        validated_at_s: `elapsed_s` at the end of the latest validation.
        update_cpu_s: CPU seconds of all threads spent in updates, without any measuring.
        objective, nll, words, seconds: sums since the last record.
        level: the running mean of the windows' nll, nats per token; None before the first window.
        good_level: the level when the last good state was kept, at first the loss of the first window.
        rising: whether the latest window's loss lies well over `good_level`.
        spikes: windows in a row whose loss lay far over the level.
        rollbacks: a record of each time that training went wrong and was taken back.
        metrics_bytes: size of the metrics at this point.
        ended: why the clock, or a validation that it asked for, ended the updates; None while there may be more.
        first: what the first network of a pair came to, while the second is trained; else None.
        ranks: processes that trained together up to here.
        device: what trained up to here, cpu or cuda.
    """

    epoch: int = 0
    window: int = 0
    step: int = 0
    best_loss: float | None = None
    since_best: int = 0
    rate_factor: float = 1.0
    elapsed_s: float = 0.0
    validated_at_s: float = 0.0
    update_cpu_s: float = 0.0
    objective: float = 0.0
    nll: float = 0.0
    words: int = 0
    seconds: float = 0.0
    level: float | None = None
    good_level: float | None = None
    rising: bool = False
    spikes: int = 0
    rollbacks: list[dict[str, Any]] = field(default_factory=list)
    metrics_bytes: int = 0
    ended: str | None = None
    first: dict[str, Any] | None = None
    ranks: int = 1
    device: str = "cpu"

    @property
    def epoch_at_hand(self) -> int:
        """The epoch of the latest update, from 1."""
        return self.epoch + (self.window > 0)

    def age(self) -> tuple[int, int, int, int]:
        """Orders the states of one training: what came after a rollback is later than all before it."""
        return int(self.first is not None), len(self.rollbacks), self.epoch, self.window


def save_checkpoint(
    path: Path,
    *,
    model: LanguageModel,
    optimizer: Optimizer,
    loss_function: LossFunction,
    average: WeightAverage | None,
    state: State,
    progress: Progress,
    fingerprint: str,
) -> None:
    """Write weights and their mean, optimizer, random states, the carried hidden state and the place in the data.

    `fingerprint` says which settings, vocabulary and text they belong to.

    Raises:
        OSError: the file cannot be written; one that was there before stays.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": p.detach() for name, p in model.named_parameters()}
    numbers: dict[str, Any] = {}
    if average is not None:
        tensors |= {f"{AVERAGE}{name}": mean for name, mean in average.means.items()}
        numbers[f"{AVERAGE}count"] = average.count
    for part_number, part in enumerate(optimizer.parts):
        for parameter_number, entries in part.state_dict()["state"].items():
            for key, value in entries.items():
                name = f"optimizer.{part_number}.{parameter_number}.{key}"
                if isinstance(value, Tensor):
                    tensors[name] = value
                else:
                    numbers[name] = value
    for number, layer in enumerate(state):
        tensors[f"state.{number}"] = layer.detach()
    tensors["random.torch"] = torch.get_rng_state()
    if isinstance(loss_function, SampledSoftmax):
        tensors["random.samples"] = loss_function.generator.get_state()
    metadata = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "progress": json.dumps(asdict(progress)),
        "numbers": json.dumps(numbers),
    }
    write_tensor_file(path, {name: tensor.cpu().numpy() for name, tensor in tensors.items()}, metadata)


def latest_first(paths: list[Path]) -> list[Path]:
    """Checkpoints of one training, the latest first; those that cannot be read last."""

    def age(path: Path) -> tuple[int, ...]:
        try:
            return Progress(**json.loads(read_metadata(path)["progress"])).age()
        except (ModelFileError, KeyError, ValueError, TypeError):
            return ()

    return sorted(paths, key=age, reverse=True)


def first_network(paths: list[Path]) -> dict[str, Any] | None:
    """What the first network of a pair came to, by the latest of some checkpoints; None while it is trained."""
    for path in latest_first(paths):
        try:
            return Progress(**json.loads(read_metadata(path)["progress"])).first
        except (ModelFileError, KeyError, ValueError, TypeError):
            continue
    return None


def is_whole(path: Path) -> bool:
    """Whether the file is there and undamaged."""
    try:
        read_tensor_file(path)
    except ModelFileError:
        return False
    return True


def load_checkpoint(
    path: Path,
    *,
    model: LanguageModel,
    optimizer: Optimizer,
    loss_function: LossFunction,
    average: WeightAverage | None,
    fingerprints: Sequence[str],
    ranks: Ranks = ALONE,
) -> tuple[State, Progress]:
    """Put everything back in place; returns the carried hidden state and where the training stands.

    Args:
        fingerprints: the file has to have one of these.
        ranks: the first of them reads the file; the others need not see it.

    Raises:
        ModelFileError: the file is not a checkpoint of this training.
    """
    tensors, metadata = ranks.from_first(lambda: _read(path, fingerprints))
    try:
        entries = {**tensors, **json.loads(metadata["numbers"])}
        _restore_weights(model, tensors)
        for part_number, part in enumerate(optimizer.parts):
            _restore_optimizer(part, f"optimizer.{part_number}.", entries)
        if average is not None:
            count = entries.pop(f"{AVERAGE}count")
            means = {
                name.removeprefix(AVERAGE): mean.to(model.device)
                for name, mean in entries.items()
                if name.startswith(AVERAGE)
            }
            average.restore(count, means)
        torch.set_rng_state(tensors["random.torch"])
        if isinstance(loss_function, SampledSoftmax):
            loss_function.generator.set_state(tensors["random.samples"])
        state = [tensors[f"state.{layer}"].to(model.device) for layer in range(len(model.cells))]
        return state, Progress(**json.loads(metadata["progress"]))
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise _unfit(path, error) from error


def load_checkpoint_weights(
    path: Path, *, model: LanguageModel, fingerprints: Sequence[str], ranks: Ranks = ALONE
) -> None:
    """Put only the weights of a checkpoint into a network of the same shape.

    Raises:
        ModelFileError: the file is not a checkpoint of this training.
    """
    tensors, _ = ranks.from_first(lambda: _read(path, fingerprints))
    try:
        _restore_weights(model, tensors)
    except (KeyError, RuntimeError) as error:
        raise _unfit(path, error) from error


def _read(path: Path, fingerprints: Sequence[str]) -> Said:
    arrays, metadata = read_tensor_file(path)
    if metadata.get("format") != FORMAT:
        raise ModelFileError(f"{path} is not a checkpoint of rnn_cli.")
    if metadata.get("fingerprint") not in fingerprints:
        raise ModelFileError(
            f"{path} cannot be used to go on: a text or the settings have changed since. "
            f"Put them back as they were, or start anew: {train_command()} CONFIG."
        )
    return Said({name: torch.from_numpy(array) for name, array in arrays.items()}, metadata)


def _unfit(path: Path, error: Exception) -> ModelFileError:
    return ModelFileError(f"{path} cannot be used to go on: it does not fit this training ({error}).")


@torch.no_grad()
def _restore_weights(model: LanguageModel, tensors: dict[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[f"model.{name}"])


def _restore_optimizer(part: torch.optim.Optimizer, prefix: str, entries: dict[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in entries.items():
        if name.startswith(prefix):
            number, key = name.removeprefix(prefix).split(".", 1)
            state.setdefault(int(number), {})[key] = value
    part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})
