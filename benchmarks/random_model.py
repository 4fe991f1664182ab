"""A model that has learnt nothing, for what costs the same time whatever was learnt."""

import numpy as np

from rnn_cli.inference import TrainedModel
from rnn_cli.model_file import ModelFile
from rnn_cli.text.tokenizer import Tokenizer


def random_model(*, vocab_size: int, size: int) -> TrainedModel:
    """A plain tanh network with random weights and the words w0, w1 and so on."""
    generator = np.random.default_rng(1)
    tokenizer = Tokenizer.train([" ".join(f"w{number}" for number in range(vocab_size - 2))])
    shapes = {
        "embedding": (vocab_size, size),
        "cells.0.W": (size, 2 * size),
        "cells.0.b": (size,),
        "V": (vocab_size, size),
        "c": (vocab_size,),
    }
    tensors = {name: (0.1 * generator.standard_normal(s)).astype(np.float32) for name, s in shapes.items()}
    model = {"cell": "elman", "num_layers": 1, "hidden_activation": "tanh", "output_activation": "softmax"}
    config = {"data": {"mode": "stream"}, "model": model}
    return TrainedModel.from_model_file(
        ModelFile(tensors, config, tokenizer.to_json(), {}, {}), name="random"
    )
