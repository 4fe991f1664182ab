"""What a token costs in training, and what memory is held, when a text lies in one file, in 4, 16 and 256.

    python -m benchmarks.shards FOLDER [TURNS]

FOLDER holds the text as files. It is prepared once (with as many processes as there are cores) and then taken as if
it had lain in so many files of equal length, which each epoch reads in another order. Every point is a process of
its own, the points take turns, and what counts is CPU seconds of one thread: a network of 256 units and all words of
the text, 64 streams, windows of 35, sampled softmax. Before that, a whole epoch of windows is cut without training:
what memory of its own (RssAnon) does the process hold before and after, and how much of the mapped ids (RssFile)?
The second is the kernel's, which takes it back when others need it. Bar: flat.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.measuring import print_table
from rnn_cli.cores import usable_cores
from rnn_cli.text.corpus import prepare_corpus
from rnn_cli.text.streams import StreamWindows
from rnn_cli.text.vocabulary import train_tokenizer

FILES = (1, 4, 16, 256)
B, T, UNITS = 64, 35, 256
STEPS = 25


def main(arguments: list[str]) -> None:
    """Measure in children and print the table."""
    folder, turns = arguments[0], int(arguments[1]) if len(arguments) > 1 else 3
    points: dict[int, list[dict[str, float]]] = {files: [] for files in FILES}
    with tempfile.TemporaryDirectory() as made:
        environment = {"RNN_CACHE": made, **os.environ, "OMP_NUM_THREADS": "1"}
        for _ in range(turns):
            for files in FILES:
                command = [sys.executable, "-m", "benchmarks.shards", "--point", folder, str(files)]
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                points[files].append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for files, found in points.items():
        cost = [point["cpu_s_per_million"] for point in found]
        middle = {key: statistics.median(point[key] for point in found) for key in found[0]}
        rows.append(
            [
                f"{files:,}",
                f"{middle['cpu_s_per_million']:,.1f}",
                f"{min(cost):,.1f} to {max(cost):,.1f}",
                f"{middle['cut_us']:,.0f}",
                f"{middle['own_before_mb']:,.0f}",
                f"{middle['own_after_mb']:,.0f}",
                f"{middle['mapped_mb']:,.0f}",
            ]
        )
    print_table(
        "A text in files",
        [
            "files",
            "CPU s per million tokens",
            "range",
            "cutting, µs a window",
            "MB before",
            "MB after",
            "mapped",
        ],
        rows,
    )


def point(folder: Path, files: int) -> dict[str, Any]:
    """One point, in a process of its own."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    cores = usable_cores()
    corpus = prepare_corpus(paths, train_tokenizer(paths, processes=cores), processes=cores)
    edges = np.arange(files + 1) * corpus.tokens // files
    windows = StreamWindows(
        corpus.ids,
        eos_id=corpus.eos_id,
        batch_size=B,
        bptt_steps=T,
        file_lengths=np.diff(edges).tolist(),
    )
    every = max(1, len(windows) // STEPS)
    spread = list(islice(windows.epoch(0), 0, STEPS * every, every))
    began, before = time.process_time(), memory_mb("RssAnon")
    for _ in windows.epoch(1):
        pass
    cut_s = (time.process_time() - began) / len(windows)
    found = {
        "cut_us": 1e6 * cut_s,
        "own_before_mb": before,
        "own_after_mb": memory_mb("RssAnon"),
        "mapped_mb": memory_mb("RssFile"),
    }
    settings = ours.config(size=UNITS, softmax="sampled", engine="float32", threads=1)
    step, _ = ours.trainer(settings, ours.Text(ours.Chosen(spread), corpus.counts()))
    times = []
    for _ in range(STEPS):
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    found["cpu_s_per_million"] = 1e6 * (statistics.median(times) + cut_s) / (B * T)
    return found


def memory_mb(kind: str) -> float:
    """What the kernel says of this process: RssAnon is its own, RssFile pages of files."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{kind}:"))
    return int(kilobytes) / 1e3


if __name__ == "__main__":
    if sys.argv[1:2] == ["--point"]:
        print(json.dumps(point(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main(sys.argv[1:])
