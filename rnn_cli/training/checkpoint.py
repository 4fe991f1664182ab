"""Everything that a training needs to go on as if it had never stopped, in one safetensors file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rnn_cli.errors import ModelFileError
from rnn_cli.files import atomic_write
from rnn_cli.model.language_model import LanguageModel, State
from rnn_cli.model.losses import LossFunction, SampledSoftmax
from rnn_cli.training.optimizer import Optimizer


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        epoch: epochs begun so far, from 0; `window` is the next window of this one.
        step: updates made.
        best_loss: lowest validation loss so far, nats per token; None before the first.
        since_best: validations since then.
        rate_factor: what the plateau schedule has made of the learning rate.
        elapsed_s: seconds spent, also before a resume.
        objective, nll, words, seconds: sums since the last record.
    """

    epoch: int = 0
    window: int = 0
    step: int = 0
    best_loss: float | None = None
    since_best: int = 0
    rate_factor: float = 1.0
    elapsed_s: float = 0.0
    objective: float = 0.0
    nll: float = 0.0
    words: int = 0
    seconds: float = 0.0


def save_checkpoint(
    path: Path,
    *,
    model: LanguageModel,
    optimizer: Optimizer,
    loss_function: LossFunction,
    state: State,
    progress: Progress,
    fingerprint: str,
) -> None:
    """Write weights, optimizer, random states, the carried hidden state and the place in the data.

    `fingerprint` says which settings, vocabulary and text they belong to.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": p.detach() for name, p in model.named_parameters()}
    numbers: dict[str, Any] = {}
    for part_number, part in enumerate(optimizer.parts):
        for parameter_number, entries in part.state_dict()["state"].items():
            for key, value in entries.items():
                name = f"optimizer.{part_number}.{parameter_number}.{key}"
                if isinstance(value, Tensor):
                    tensors[name] = value
                else:
                    numbers[name] = value
    for layer, h in enumerate(state):
        tensors[f"state.{layer}"] = h.detach()
    tensors["random.torch"] = torch.get_rng_state()
    if isinstance(loss_function, SampledSoftmax):
        tensors["random.samples"] = loss_function.generator.get_state()
    metadata = {
        "format": "rnn_cli checkpoint",
        "fingerprint": fingerprint,
        "progress": json.dumps(asdict(progress)),
        "numbers": json.dumps(numbers),
    }
    with atomic_write(path) as file:
        file.write(save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata))


def load_checkpoint(
    path: Path, *, model: LanguageModel, optimizer: Optimizer, loss_function: LossFunction, fingerprint: str
) -> tuple[State, Progress]:
    """Put everything back in place; returns the carried hidden state and where the training stands.

    Raises:
        ModelFileError: the file is not a checkpoint of this training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if metadata.get("format") != "rnn_cli checkpoint":
            raise ModelFileError(f"{path} is not a checkpoint of rnn_cli.")
        if metadata.get("fingerprint") != fingerprint:
            raise ModelFileError(
                f"{path} cannot be used to go on: the training text or the settings have changed since. "
                "Put them back as they were, or start anew: rnn train CONFIG."
            )
        numbers = json.loads(metadata["numbers"])
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
        for part_number, part in enumerate(optimizer.parts):
            _restore_optimizer(part, f"optimizer.{part_number}.", {**tensors, **numbers})
        torch.set_rng_state(tensors["random.torch"])
        if isinstance(loss_function, SampledSoftmax):
            loss_function.generator.set_state(tensors["random.samples"])
        state = [tensors[f"state.{layer}"] for layer in range(len(model.cells))]
        return state, Progress(**json.loads(metadata["progress"]))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ModelFileError(
            f"{path} cannot be used to go on: it does not fit this training ({error})."
        ) from error


def _restore_optimizer(part: torch.optim.Optimizer, prefix: str, entries: dict[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in entries.items():
        if name.startswith(prefix):
            number, key = name.removeprefix(prefix).split(".", 1)
            state.setdefault(int(number), {})[key] = value
    part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})
