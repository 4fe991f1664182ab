"""Tiny models of every kind, with real vocabularies and random weights."""

import numpy as np

from rnn_cli.model_file import ModelFile
from rnn_cli.model_tensors import cell_shapes
from rnn_cli.text.tokenizer import Tokenizer

KINDS = ("word", "char", "bpe")
LINES = [
    "My favourite dish is sushi. So, my favourite cuisine is Japanese.",
    "Is it? It is! A well-known dish (paella), 12 of them; été, don't.",
]
WORDS = (
    "My",
    "favourite",
    "dish",
    "is",
    "sushi",
    "So,",
    "cuisine",
    "Japanese.",
    "(paella)",
    "don't",
    "été",
    "12",
)


def tiny_model_file(kind: str, cell: str = "elman") -> ModelFile:
    """A model of one layer of 6 units, always the same one."""
    tokenizer = Tokenizer.train(LINES * 2, kind=kind, max_size=290 if kind == "bpe" else None)
    N, E, H = tokenizer.vocab_size, 5, 6
    generator = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {"embedding": (N, E), "V": (N, H), "c": (N,)}
    shapes |= {f"cells.0.{name}": shape for name, shape in cell_shapes(cell, E, H).items()}
    model = {"cell": cell, "embedding_size": E, "hidden_size": H, "num_layers": 1}
    model |= {"output_activation": "softmax"}
    model |= {"hidden_activation": "tanh"} if cell in ("elman", "indrnn") else {}
    return ModelFile(
        {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()},
        {"data": {"mode": "stream"}, "model": model, "output": {"tie_embeddings": False}},
        tokenizer.to_json(),
        {"train": {"lines": 2}},
        {"valid": {"perplexity": 12.5}},
        counts=np.arange(N) if kind == "word" else None,  # files from before there were counts are read, too
    )
