"""Which way of computing is the fastest here, found by trying: products in float32 or bfloat16, and how many threads.

Every way computes the same equations; the results differ by rounding. So the choice is written into the run's
config, and a resume, or a training from that config, repeats it.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from rnn_cli.config import Config
from rnn_cli.cores import usable_cores
from rnn_cli.text.streams import Windows
from rnn_cli.training.bptt import train_on_window
from rnn_cli.training.build import (
    build_loss,
    build_model,
    build_training_optimizer,
    build_workers,
    penalties,
    product_dtype,
    window_reader,
)
from rnn_cli.training.device import CPU, has_bfloat16_products, training_device
from rnn_cli.training.ranks import ALONE, Ranks

WORTH_TRYING_S = 20.0
"""In a training that is expected to be shorter, trying costs more than it gains."""

TRYING_S = 4.0
"""What is not tried by then is not tried: enough for every way on a machine that has a core to spare."""

WINDOWS = 12
WARM_UP_WINDOWS = 2
LONG_S = 0.5
"""After so long the latest window is the measurement: what is made once is little of it, and the other ways want
their turn."""
TIMED_S = 0.15
"""A way is timed for so long, over the first windows of the text, again and again."""

HOPELESS = 2.0
"""A way whose warm window takes so many times as long as the best way's is not timed further."""

CLEARLY = 1.03
"""A way must be so many times as fast as the one before it to be preferred: less is noise."""


@dataclass(frozen=True)
class Way:
    """A way of computing, and how fast it was.

    Attributes:
        engine: reference, float32 or bfloat16.
        threads: workers; for reference, threads inside each product.
        tokens_per_s: targets that count per second of training.
    """

    engine: str
    threads: int
    tokens_per_s: float

    def name(self) -> str:
        """For a person."""
        return f"{self.engine} on {self.threads} thread{'' if self.threads == 1 else 's'}"


@dataclass(frozen=True)
class Choice:
    """The way taken and the others that were tried."""

    taken: Way
    others: tuple[Way, ...]

    def sentence(self) -> str:
        """The choice with its reason."""
        others = ", ".join(f"{way.name()} {way.tokens_per_s:,.0f}" for way in self.others)
        taken = f"{self.taken.name()}, {self.taken.tokens_per_s:,.0f} tokens/s"
        return f"{taken} (also tried: {others})" if others else taken

    def written_into(self, config: Config) -> Config:
        """The config with the choice in it."""
        return with_engine(config, self.taken.engine, self.taken.threads)


def choose_engine(
    config: Config,
    windows: Windows,
    counts: np.ndarray,
    *,
    always: bool = False,
    within_s: float = TRYING_S,
    ranks: Ranks = ALONE,
) -> Choice:
    """Try the ways that the config leaves open on the first windows of the text, with weights that are thrown away.

    Args:
        counts: how often each word occurs in the training text, (vocab_size,).
        always: also for a training so short that it is not worth it.
        within_s: when to stop trying; the likeliest way is tried in any case.
        ranks: each tries the ways on its own share of the streams, at the same time, and may choose another one.
    """
    trial = _Trial(config, windows, counts, ranks)
    ends_at = time.perf_counter() + within_s
    first, *rest = _open_ways(config)
    speeds = {first: trial.time(*first)}
    words = config.training.max_epochs * windows.tokens / ranks.count
    if always or words / speeds[first] > WORTH_TRYING_S:
        # Twice: a moment in which others used the machine decides nothing.
        for way in (*rest, first, *rest):
            if time.perf_counter() > ends_at:
                break
            speed = trial.time(*way, hopeless_below=max(speeds.values()) / HOPELESS)
            speeds[way] = max(speed, speeds.get(way, 0.0))
    best = first
    for way in rest:
        if speeds.get(way, 0) > CLEARLY * speeds[best]:
            best = way
    tried = [Way(*way, speed) for way, speed in speeds.items()]
    return Choice(Way(*best, speeds[best]), tuple(way for way in tried if (way.engine, way.threads) != best))


def imitated(config: Config) -> str | None:
    """What to tell someone who asks for products that the device does not have, and only imitates."""
    if config.training.engine != "bfloat16" or has_bfloat16_products(training_device(config)):
        return None
    return (
        "training.engine is bfloat16, which this device only imitates, many times as slowly as float32. Set it to "
        "auto (to go on with a run: to float32, in its config.yaml)."
    )


def _open_ways(config: Config) -> Iterator[tuple[str, int]]:
    """Engines and threads to try, the likeliest first: where nothing is tried, it is the one taken."""
    settings, device = config.training, training_device(config)
    engines: list[str] = [settings.engine]
    if settings.engine == "auto":
        likely = str(product_dtype(config)).removeprefix("torch.")
        others = ["bfloat16"] if likely == "float32" and has_bfloat16_products(device) else []
        others += ["float32"] if likely == "bfloat16" else []
        others += ["reference"] if device == CPU else []  # a GPU would wait for each of its many launches
        engines = [likely, *others]
    cores = usable_cores() if device == CPU else 1
    for engine in engines:
        for threads in [settings.threads] if settings.threads else sorted({1, cores}):
            yield engine, threads


class _Trial:
    """A network like the one to be trained, and a few windows to train it on in several ways."""

    def __init__(self, config: Config, windows: Windows, counts: np.ndarray, ranks: Ranks) -> None:
        self.config = config
        self.counts = counts
        self.windows = [
            window.streams(ranks.share(window.inputs.shape[1]))
            for window in islice(windows.epoch(0), WINDOWS)
        ]
        self.model = build_model(config, counts).train()

    def time(self, engine: str, threads: int, *, hopeless_below: float = 0.0) -> float:
        """Tokens/s in this way, over a moment; no longer than a warm window if that is long, or below so many."""
        config = with_engine(self.config, engine, threads)
        self.model.window_reader = window_reader(config)
        seconds_a_word = self._train(config)
        began = time.perf_counter()
        for _ in range(WARM_UP_WINDOWS):
            latest = next(seconds_a_word)
            if time.perf_counter() - began > LONG_S:
                return 1 / latest
        if 1 / latest >= hopeless_below:
            timed: list[float] = []
            began = time.perf_counter()
            while not timed or time.perf_counter() - began < TIMED_S:
                timed.append(next(seconds_a_word))
            latest = statistics.median(timed)
        return 1 / latest

    def _train(self, config: Config) -> Iterator[float]:
        """Train on the windows over and over; the seconds that each took for a word."""
        loss_function = build_loss(config, self.counts)
        optimizer = build_training_optimizer(config, self.model, loss_function)
        workers = build_workers(config)
        state = self.model.initial_state(self.windows[0].inputs.shape[1])
        for number, window in enumerate(cycle(self.windows)):
            if window.resets or number % len(self.windows) == 0:
                state = self.model.initial_state(window.inputs.shape[1])
            began = time.perf_counter()
            state, update = train_on_window(
                self.model,
                window,
                state,
                loss_function=loss_function,
                optimizer=optimizer,
                learning_rate=0.0,
                max_grad_norm=config.training.max_grad_norm,
                workers=workers,
                penalties=penalties(config),
            )
            yield (time.perf_counter() - began) / update.words


def with_engine(config: Config, engine: str, threads: int) -> Config:
    """The config with a way of computing in it."""
    training = config.training.model_copy(update={"engine": engine, "threads": threads})
    return config.model_copy(update={"training": training})
