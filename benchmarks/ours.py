"""The program's own training step, built from a config as `rnn train` builds it, on random words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rnn_cli.config import Config
from rnn_cli.text.streams import StreamWindows, Window, Windows
from rnn_cli.training.bptt import train_on_window
from rnn_cli.training.build import build_loss, build_model, build_training_optimizer, build_workers
from rnn_cli.training.engine_choice import Choice, choose_engine
from rnn_cli.training.ranks import ALONE, Ranks


class Chosen:
    """Some windows, as if they were a whole text. See `streams.Windows`."""

    def __init__(self, windows: list[Window]) -> None:
        self._windows = windows
        self.tokens = sum(window.targets.size for window in windows)
        self.batch_size = self.fewest_streams = windows[0].targets.shape[1]

    def windows_in_epoch(self, epoch: int) -> int:  # noqa: ARG002 - all are alike
        """See `streams.Windows`."""
        return len(self._windows)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Window]:  # noqa: ARG002 - all are alike
        """See `streams.Windows`."""
        return iter(self._windows[first:])


@dataclass(frozen=True)
class Text:
    """A text, cut, and how often each word occurs in all of it."""

    windows: Windows
    counts: np.ndarray  # (vocab_size,)

    def some(self, number: int = 8) -> list[Window]:
        """The first windows."""
        return [window for window, _ in zip(self.windows.epoch(0), range(number), strict=False)]


def random_text(
    *, vocab_size: int, batch_size: int, bptt_steps: int, windows: int = 12, seed: int = 0
) -> Text:
    """Random words, as often as Zipf's law says: the k-th word 1/k times as often as the first."""
    random = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, vocab_size + 1)
    frequency /= frequency.sum()
    ids = random.choice(vocab_size, size=windows * batch_size * bptt_steps, p=frequency).astype(np.uint32)
    counts = np.maximum(1, (2e6 * frequency)).astype(np.int64)
    return Text(StreamWindows(ids, batch_size=batch_size, bptt_steps=bptt_steps, eos_id=0), counts)


def config(
    *,
    size: int,
    softmax: str,
    engine: str = "auto",
    threads: int | None = None,
    samples: int = 256,
    device: str = "cpu",
) -> Config:
    """A config for such a text; sgd, as the peer has it, and on the CPU, as the peer is, unless asked otherwise."""
    ways = {"engine": engine, "threads": threads, "device": device}
    return Config.model_validate(
        {
            "data": {"train": "random words"},
            "model": {"embedding_size": size, "hidden_size": size},
            "output": {"softmax": softmax, "samples": samples},
            "training": {"optimizer": "sgd", "learning_rate": 1e-3, **ways},
        }
    )


def trainer(settings: Config, text: Text, ranks: Ranks = ALONE) -> tuple[Callable[[], None], Choice]:
    """A function that trains on the next window each time it is called, and the way of computing that it takes."""
    choice = choose_engine(settings, text.windows, text.counts, always=True, ranks=ranks)
    settings = choice.written_into(settings)
    model = build_model(settings, text.counts).train()
    loss_function = build_loss(settings, text.counts)
    optimizer = build_training_optimizer(settings, model, loss_function)
    workers = build_workers(settings)
    windows = text.some()
    mine = ranks.share(text.windows.batch_size)
    state = model.initial_state(mine.stop - mine.start)
    turn = 0

    def step() -> None:
        nonlocal turn, state
        state, _ = train_on_window(
            model,
            windows[turn % len(windows)],
            state,
            loss_function=loss_function,
            optimizer=optimizer,
            learning_rate=settings.training.learning_rate,
            max_grad_norm=settings.training.max_grad_norm,
            workers=workers,
            ranks=ranks,
        )
        turn += 1

    return step, choice
