"""From the network in training to the model file, and back."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rnn_cli.errors import ModelFileError
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_file import ModelFile, read_model_file, write_model_file
from rnn_cli.model_tensors import BACKWARD, Counts, Tensors

_WITHOUT_EFFECT = {
    "data": ("processes",),
    "training": ("device", "engine", "threads", "checkpoint_minutes"),
    "logging": ("tensorboard",),
}
"""Settings, by section, that change nothing about the weights but their rounding."""

_WITHOUT_EFFECT_BEFORE: tuple[Mapping[str, Sequence[str]], ...] = (
    {"data": ("processes",), "training": ("device", "checkpoint_minutes"), "logging": ("tensorboard",)},
    {"training": ("device",)},
)


@dataclass(frozen=True)
class Provenance:
    """What a model file says besides its weights: how it was made, and how its words are read.

    `counts` is how often each token stands in the training text, (vocab_size,).
    """

    config: dict[str, Any]
    tokenizer_json: str
    training_data: dict[str, Any]
    counts: Counts | None = None

    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint, and what it was in earlier versions, whose states are gone on from.

        Then more of the settings were part of it, and before that the test text was not.
        """
        untested = {name: value for name, value in self.training_data.items() if name != "test_files"}
        before = [
            texts._fingerprint(without_effect)
            for texts in (self, replace(self, training_data=untested))
            for without_effect in _WITHOUT_EFFECT_BEFORE
        ]
        return self.fingerprint(), *before

    def fingerprint(self) -> str:
        """One value for the settings, the vocabulary and all texts together.

        What does not change the weights is none of them: another machine may go on, in the way that is fast there,
        with fewer processes for the texts and without TensorBoard. Nor are the counts, which follow from text and
        vocabulary, nor a key of a later version that is not used, so that what was saved before there were any can
        still be resumed.
        """
        return self._fingerprint(_WITHOUT_EFFECT)

    def _fingerprint(self, without_effect: Mapping[str, Sequence[str]]) -> str:
        values = asdict(replace(self, counts=None))
        del values["counts"]
        config = values["config"]
        for section, keys in without_effect.items():
            for key in keys:
                config.get(section, {}).pop(key, None)
        data = config.get("data", {})
        if data.get("measured_tokens") is None:
            data.pop("measured_tokens", None)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def save_model(
    path: Path,
    model: LanguageModel,
    provenance: Provenance,
    metrics: dict[str, Any],
    *,
    first: ModelFile | None = None,
    mixture: dict[str, Any] | None = None,
) -> None:
    """Write the model file. Tied weights are written once, under `embedding`.

    Args:
        first: holds the first network of a pair, of which `model` is the second; both are written.
        mixture: how much the two weigh.
    """
    tensors: Tensors = {name: p.detach().cpu().numpy() for name, p in model.named_parameters()}
    if first is not None:
        tensors = {
            **first.network(backwards=False),
            **{f"{BACKWARD}{name}": t for name, t in tensors.items()},
        }
        metrics = {**first.metrics, _SECOND: metrics}
    write_model_file(
        path,
        ModelFile(
            tensors=tensors,
            config=provenance.config,
            tokenizer_json=provenance.tokenizer_json,
            training_data=provenance.training_data,
            metrics=metrics,
            mixture=mixture,
            counts=provenance.counts,
        ),
    )


@torch.no_grad()
def load_weights(path: Path, model: LanguageModel, *, second: bool = False) -> dict[str, Any]:
    """Put the weights of a model file into a network of the same shape; returns the network's metrics.

    Args:
        second: those of a pair's second network.

    Raises:
        ModelFileError: the file cannot be read, or has no such network; the weights are what they were.
    """
    stored = _read_for(path, model, second=second)
    tensors = stored.network(backwards=second)
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.from_numpy(tensors[name]))
    metrics: dict[str, Any] = stored.metrics[_SECOND] if second else stored.metrics
    return metrics


def lost(path: Path, model: LanguageModel, *, second: bool = False) -> str | None:
    """What has become of a model file that `load_weights` would refuse, in words; None for one that it takes."""
    try:
        _read_for(path, model, second=second)
    except ModelFileError:
        return f"{path} cannot be used" if path.exists() else f"{path} is gone"
    return None


def _read_for(path: Path, model: LanguageModel, *, second: bool) -> ModelFile:
    stored = read_model_file(path)
    found = {name: tensor.shape for name, tensor in stored.network(backwards=second).items()}
    if found != {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}:
        raise ModelFileError(f"{path} holds another network.")
    return stored


def stored_loss(path: Path, *, second: bool = False) -> float:
    """The validation loss in a model file, nats per token; infinite without one, or without a file.

    Args:
        second: of a pair's second network.
    """
    try:
        metrics = read_model_file(path).metrics
    except ModelFileError:
        return math.inf
    valid = (metrics.get(_SECOND, {}) if second else metrics).get("valid", {})
    loss = valid.get("loss")
    return math.inf if loss is None else float(loss)


_SECOND = "backward"
"""In the metrics of a pair, those of its second network."""
