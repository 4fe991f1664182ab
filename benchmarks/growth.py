"""What a token costs as things grow: the vocabulary, the layer, the text, the window. Seconds and peak memory.

    python -m benchmarks.growth [SVG-FILE]

Every point is a process of its own, so that its peak memory is its own. Where not said otherwise: 33,278 words, 256
units, 64 streams, windows of 35, sampled softmax with 256 words. The text of the third part is random words in a
file, prepared with an empty cache and then trained on, some windows spread over all of it; cost and memory should
stay flat. With SVG-FILE the points are drawn, too (needs matplotlib; from a clone:
pip install -c constraints.txt '.[plots]').
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.measuring import print_table
from rnn_cli.training.events import Event

SWEEPS: dict[str, list[int]] = {
    "vocabulary": [10_000, 33_278, 100_000, 250_000],
    "units": [64, 128, 256, 512, 1_024],
    "megabytes of text": [1, 10, 100, 224],
    "window": [8, 35, 128, 512],
}
STEPS = 15


def main(arguments: list[str]) -> None:
    """Measure in children, print the table, draw the plot."""
    points = {}
    with tempfile.TemporaryDirectory() as cache:
        for sweep, values in SWEEPS.items():
            for value in values:
                command = [sys.executable, "-m", "benchmarks.growth", "--point", sweep, str(value)]
                environment = {**os.environ, "RNN_CACHE": cache}
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                points[sweep, value] = json.loads(done.stdout.splitlines()[-1])
    rows = [
        [f"{sweep} {value:,}", p["engine"], f"{p['s_per_million']:,.1f}", f"{p['peak_gb']:,.2f}"]
        for (sweep, value), p in points.items()
    ]
    print_table("Growth", ["what grows", "engine", "s per million tokens", "peak GB"], rows)
    if arguments:
        draw(points, Path(arguments[0]))


def point(sweep: str, value: int) -> dict[str, Any]:
    """One point, in a process of its own."""
    if sweep == "megabytes of text":
        seconds, engine = train_on_file(value)
    else:
        size = value if sweep == "units" else 256
        window = value if sweep == "window" else 35
        vocab_size = value if sweep == "vocabulary" else 33_278
        text = ours.random_text(vocab_size=vocab_size, batch_size=64, bptt_steps=window)
        step, choice = ours.trainer(ours.config(size=size, softmax="sampled"), text)
        seconds, engine = timed(step) / (64 * window), choice.taken.name()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"s_per_million": 1e6 * seconds, "peak_gb": peak / 1e6, "engine": engine}


def timed(step: Callable[[], None]) -> float:
    """The median seconds of a step."""
    for _ in range(3):
        step()
    times = []
    for _ in range(STEPS):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def train_on_file(megabytes: int) -> tuple[float, str]:
    """Prepare a file of random words and train on windows spread over all of it; seconds per token."""
    from rnn_cli.config import Config
    from rnn_cli.training.build import build_windows
    from rnn_cli.training.texts import build_texts

    path = Path(os.environ["RNN_CACHE"]) / f"{megabytes}.txt"
    write_random_text(path, megabytes)
    settings = ours.config(size=256, softmax="sampled").model_dump()
    settings["data"] = {"train": str(path), "tokenizer": {"split": "whitespace"}}
    settings["training"] |= {"batch_size": 64, "bptt_steps": 35}
    config = Config.model_validate(settings)
    corpus = build_texts(config, unheard).train
    windows = build_windows(config, corpus, unheard)
    every = max(1, windows.windows_in_epoch(0) // 12)
    spread = list(islice(windows.epoch(0), 0, None, every))[:12]
    step, choice = ours.trainer(config, ours.Text(ours.Chosen(spread), corpus.counts()))
    return timed(step) / spread[0].targets.size, choice.taken.name()


def unheard(event: Event) -> None:
    """What is said of the text is not asked for here."""


def write_random_text(path: Path, megabytes: int) -> None:
    """Lines of some 20 random words out of 33,000, a million bytes at a time."""
    random = np.random.default_rng(0)
    frequency = 1 / np.arange(1, 33_001)
    frequency /= frequency.sum()
    words = np.array([f"w{i}" for i in range(33_000)])
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < 1e6 * megabytes:
            drawn = words[random.choice(len(words), size=200_000, p=frequency)].reshape(-1, 20)
            file.writelines(" ".join(line) + "\n" for line in drawn)


def draw(points: dict[tuple[str, int], dict[str, Any]], path: Path) -> None:
    """A panel for each thing that grows: seconds per million tokens, and peak memory beneath."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"  # the same points give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(SWEEPS), figsize=(12, 5), sharey="row", layout="constrained")
    for column, (sweep, values) in enumerate(SWEEPS.items()):
        for row, (key, label) in enumerate(
            (("s_per_million", "s per million tokens"), ("peak_gb", "peak GB"))
        ):
            axis = axes[row][column]
            axis.plot(values, [points[sweep, value][key] for value in values], marker="o", color="#1f6f8b")
            axis.set_xscale("log")
            axis.set_xticks(values, [f"{value:,}" for value in values], rotation=30)
            axis.minorticks_off()
            axis.set_ylim(0, 1.05 * max(point[key] for point in points.values()))
            axis.grid(alpha=0.3)
            if column == 0:
                axis.set_ylabel(label)
            if row == 1:
                axis.set_xlabel(sweep)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--point"]:
        print(json.dumps(point(sys.argv[2], int(sys.argv[3]))))
    else:
        main(sys.argv[1:])
