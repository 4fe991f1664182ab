"""From a model file to what a model is made of."""

import reprlib
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnn_cli.errors import ModelFileError
from rnn_cli.inference.activations import ACTIVATIONS
from rnn_cli.inference.additions import Numbers
from rnn_cli.inference.cells import GATED, WITH_ACTIVATION
from rnn_cli.inference.engine import OUTPUT_ACTIVATIONS, Engine
from rnn_cli.inference.frequency import Frequencies
from rnn_cli.model_file import ModelFile
from rnn_cli.model_tensors import Tensors
from rnn_cli.printable import masked
from rnn_cli.text.tokenizer import Tokenizer

_LOWEST, _HIGHEST = 0.01, 100.0  # temperatures; beyond these float32 has no room for the scores


@dataclass(frozen=True, kw_only=True)
class ModelParts:
    """What stands in a model file, checked and put together.

    Attributes:
        engine: the network's equations; a pair's first, which reads forward.
        backward: a pair's second network, which reads backwards; None where there is one network.
        direction: "forward", "backward" or "both".
        forward_weight: how much the first network of a pair weighs, from 0 to 1; 0.5 where it was not fitted.
        tokenizer: the vocabulary.
        config: the whole resolved config of the training.
        metrics: what the training reached.
        independent_lines: whether each line was read with no memory of those before it.
        fitted: by the name of a combination of additions, the numbers that were fitted for it.
        frequencies: how often each token stands in the training text; None where the file does not say so.
    """

    engine: Engine
    backward: Engine | None
    direction: str
    forward_weight: float
    tokenizer: Tokenizer
    config: dict[str, Any]
    metrics: dict[str, Any]
    independent_lines: bool
    fitted: Mapping[str, Numbers]
    frequencies: Frequencies | None


def parts_of(model_file: ModelFile, *, name: str) -> ModelParts:
    """The parts of a model; `name` is what messages call its file.

    Raises:
        ModelFileError: they do not belong together, or this version cannot use them.
    """
    config = model_file.config
    try:
        backward = None
        if model_file.direction == "both":
            backward = _engine_of(model_file, model_file.network(backwards=True), "backward_temperature")
        parts = ModelParts(
            engine=_engine_of(model_file, model_file.network(backwards=False), "temperature"),
            backward=backward,
            direction=model_file.direction,
            forward_weight=_forward_weight_of(model_file),
            tokenizer=Tokenizer.from_json(model_file.tokenizer_json),
            config=config,
            metrics=model_file.metrics,
            independent_lines=config["data"]["mode"] == "lines",
            fitted={key: Numbers.from_dict(one) for key, one in (model_file.additions or {}).items()},
            frequencies=None if model_file.counts is None else Frequencies(model_file.counts),
        )
    except ValueError as error:
        raise ModelFileError(f"{name}: {_in_one_line(error)}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{name}: the model's config is not complete ({error}).") from error
    if parts.tokenizer.vocab_size != parts.engine.vocab_size:
        raise ModelFileError(
            f"{name}: the vocabulary has {parts.tokenizer.vocab_size:,} tokens and the weights are for "
            f"{parts.engine.vocab_size:,}; they do not belong together."
        )
    return parts


def _engine_of(model_file: ModelFile, tensors: Tensors, temperature: str) -> Engine:
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


def _forward_weight_of(model_file: ModelFile) -> float:
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


def _in_one_line(error: Exception) -> str:
    """What is wrong with a part of a file, which may have been written to fill the terminal."""
    text = textwrap.shorten(str(error), 200, placeholder=" …")
    return masked(text)
