"""From the network in training to the model file, and back."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_file import ModelFile, read_model_file, write_model_file


@dataclass(frozen=True)
class Provenance:
    """What a model file says besides its weights: how it was made, and how its words are read."""

    config: dict[str, Any]
    tokenizer_json: str
    training_data: dict[str, Any]

    def fingerprint(self) -> str:
        """One value for the settings, the vocabulary and the training text together."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def save_model(path: Path, model: LanguageModel, provenance: Provenance, metrics: dict[str, Any]) -> None:
    """Write the model file. Tied weights are written once, under `embedding`."""
    tensors: dict[str, np.ndarray] = {name: p.detach().cpu().numpy() for name, p in model.named_parameters()}
    write_model_file(
        path,
        ModelFile(
            tensors=tensors,
            config=provenance.config,
            tokenizer_json=provenance.tokenizer_json,
            training_data=provenance.training_data,
            metrics=metrics,
        ),
    )


@torch.no_grad()
def load_weights(path: Path, model: LanguageModel) -> dict[str, Any]:
    """Put the weights of a model file into a network of the same shape; returns the file's metrics."""
    stored = read_model_file(path)
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.from_numpy(stored.tensors[name]))
    return stored.metrics
