"""What it costs a training that it can be watched: gradients by lag, samples, standard errors, TensorBoard.

    python -m benchmarks.insight [TURNS]

Whole trainings of random words on one thread, two epochs with a validation after each, in turns: as they would be if
nothing of that were in the program, with it switched off (logging.gradient_flow and logging.samples false), as the
defaults have it, and with TensorBoard too. A ratio is CPU seconds over those of the first within a turn.

The updates have nothing of it in them. What is left in a validation when all is switched off, the squares that
standard errors are made of, is measured by itself too, more closely than whole trainings can be.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.measuring import Times, print_table, take_turns
from rnn_cli.config import Config
from rnn_cli.model.fused_softmax import fused_cross_entropy
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.training import validation
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder

NETWORKS = {  # vocabulary, units, words of the training text
    "1,000 words, 128 units": (1_000, 128, 60_000),
    "33,278 words, 256 units": (33_278, 256, 40_000),
}
VALIDATION_SHARE = 0.05
WAYS: dict[str, dict[str, bool]] = {
    "without": {"gradient_flow": False, "samples": False},
    "off": {"gradient_flow": False, "samples": False},
    "default": {},
    "TensorBoard too": {"tensorboard": True},
}


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    turns = int(arguments[0]) if arguments else 9
    rows = []
    for name, (vocab_size, size, _) in NETWORKS.items():
        ratio = _validations(vocab_size, size, turns=5 * turns)
        rows.append([name, f"{ratio.median:.3f}", ratio.spread(3)])
    print_table("A validation, off over without", ["", "ratio", "range"], rows)
    rows = []
    for name, (vocab_size, size, words) in NETWORKS.items():
        with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", RNN_CACHE=f"{folder}/cache"):
            text = _random_words(Path(folder), vocab_size=vocab_size, words=words)
            steps = {way: _training(Path(folder), text, size, way) for way in WAYS}
            times = take_turns(steps, turns=turns, warm_up=1, clock=time.process_time)
        for way in WAYS:
            ratio = times[way].ratio_to(times["without"])
            rows.append(
                [f"{name}: {way}", f"{times[way].median:.2f}", f"{ratio.median:.3f}", ratio.spread(3)]
            )
    print_table(f"A training of two epochs, one thread, {turns} turns", ["", "CPU s", "ratio", "range"], rows)


def _validations(vocab_size: int, size: int, *, turns: int) -> Times:
    """Times that the scoring of 1,000 words takes with the squares, over those without."""
    torch.manual_seed(0)
    model = LanguageModel(vocab_size=vocab_size, embedding_size=size, hidden_size=size)
    hidden, came = torch.rand(1_000, size), torch.randint(vocab_size, (1_000,))
    ways = {"off": validation._surprise, "without": _nll_alone}
    times = take_turns(
        {way: partial(score, model, hidden, came, "softmax") for way, score in ways.items()},
        turns=turns,
        clock=time.process_time,
    )
    return times["off"].ratio_to(times["without"])


def _random_words(folder: Path, *, vocab_size: int, words: int) -> Path:
    """A text in which the k-th word is 1/k times as frequent as the first, in lines of 20."""
    frequency = 1 / np.arange(1, vocab_size + 1)
    ids = np.random.default_rng(0).choice(vocab_size, size=(words // 20, 20), p=frequency / frequency.sum())
    every = np.arange(vocab_size)  # each word at least once
    lines = [" ".join(f"w{i}" for i in words_of_line) for words_of_line in (every, *ids)]
    text = folder / "text.txt"
    text.write_text("\n".join(lines) + "\n")
    return text


def _training(folder: Path, text: Path, size: int, way: str) -> Callable[[], None]:
    config = Config.model_validate(
        {
            "data": {"train": str(text), "split": {"valid": VALIDATION_SHARE, "test": 0.0}},
            "model": {"embedding_size": size, "hidden_size": size},
            "output": {"samples": 256},
            "training": {"max_epochs": 2, "batch_size": 32, "engine": "float32", "threads": 1},
            "logging": WAYS[way],
        }
    )

    def step() -> None:
        with _not_in_the_program(way == "without"), RunFolder.create(folder / "run", force=True) as run:
            train(config, run, on_event=lambda _: None)

    return step


@contextmanager
def _not_in_the_program(gone: bool) -> Iterator[None]:
    """Take out what is there even when all is switched off: the squares that standard errors are made of.

    What else is left of it are a few questions after a validation, and none after an update.
    """
    if not gone:
        yield
        return
    with patch.object(validation, "_surprise", _nll_alone):
        yield


@torch.inference_mode()
def _nll_alone(model: LanguageModel, hidden: torch.Tensor, targets: torch.Tensor, *_: Any) -> Any:
    rows = max(1, validation.LOGITS_AT_ONCE // model.vocab_size)
    parts = zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
    nll = sum(float(fused_cross_entropy(h, model.V, model.c, y, model.c[y])) for h, y in parts)
    return validation.Surprise(nll, 0.0, len(targets))


if __name__ == "__main__":
    main(sys.argv[1:])
