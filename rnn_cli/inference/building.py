"""From a model file to the networks that are in it."""

import reprlib

from rnn_cli.inference.activations import ACTIVATIONS
from rnn_cli.inference.cells import GATED, WITH_ACTIVATION
from rnn_cli.inference.engine import OUTPUT_ACTIVATIONS, Engine
from rnn_cli.model_file import ModelFile
from rnn_cli.model_tensors import Tensors

_LOWEST, _HIGHEST = 0.01, 100.0  # temperatures; beyond these float32 has no room for the scores


def engine_of(model_file: ModelFile, tensors: Tensors, temperature: str) -> Engine:
    """One of its networks: the config of a model file stops here.

    Args:
        tensors: of the network.
        temperature: its name in the calibration.

    Raises:
        ValueError: what is stored is not known, or out of its range.
        KeyError: a key of the config, or a tensor, is missing.
    """
    model = model_file.config["model"]
    allowed: dict[str, tuple[str, ...]] = {
        "cell": (*WITH_ACTIVATION, *GATED),
        "output_activation": tuple(OUTPUT_ACTIVATIONS),
    }
    if model["cell"] not in tuple(GATED):
        allowed["hidden_activation"] = tuple(ACTIVATIONS)
    for key, known in allowed.items():
        if model[key] not in known:
            raise ValueError(
                f"the model's {key} is {reprlib.repr(model[key])}, which this rnn_cli does not know. "
                "A newer rnn_cli may."
            )
    return Engine(
        tensors,
        num_layers=model["num_layers"],
        cell=model["cell"],
        hidden_activation=model.get("hidden_activation"),
        output_activation=model["output_activation"],
        temperature=_temperature(model_file, temperature),
    )


def forward_weight_of(model_file: ModelFile) -> float:
    """How much the first network of a pair weighs, as it was fitted; 0.5 where it was not.

    Raises:
        ValueError: what is stored is no weight.
    """
    if model_file.mixture is None:
        return 0.5
    weight = model_file.mixture.get("forward_weight")
    if not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise ValueError(
            f"the forward_weight of its two networks is {reprlib.repr(weight)}; it has to be a number from 0 to 1. "
            "Fit it anew with rnn eval --calibrate."
        )
    return float(weight)


def _temperature(model_file: ModelFile, name: str) -> float:
    if model_file.calibration is None:
        return 1.0
    temperature = model_file.calibration.get(name)
    if not isinstance(temperature, int | float) or not _LOWEST <= temperature <= _HIGHEST:
        raise ValueError(
            f"the calibration's temperature is {reprlib.repr(temperature)}; it has to be a number from "
            f"{_LOWEST:g} to {_HIGHEST:g}. Calibrate anew."
        )
    return float(temperature)
