"""Preparing a text: read, tokenised, counted, stored; and found again. With one process and with one for each core.

    python -m benchmarks.preparation FOLDER [KIND [TURNS]]

FOLDER holds the text as files; several processes share out files of 8 MB and more. Every run is a process of its own
(with its workers) and begins with an empty cache, but for the second, which finds what the first has made; one
process and several take turns. Wall-clock seconds, CPU seconds of all processes together, the peak memory of the
process that asks and of the largest worker (at most that: Linux begins to count with what its starter had then), and
whether the ids are the same bytes. Bars, for 224 MB of novels: 90 s,
1.5 GB, and one second for the second run.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.measuring import print_table
from rnn_cli.cores import usable_cores

CHILD = """
import hashlib, json, resource, sys, time
from pathlib import Path
from rnn_cli.text.corpus import prepare_corpus
from rnn_cli.text.vocabulary import train_tokenizer
began = time.perf_counter()
paths = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
processes = int(sys.argv[3])
tokenizer = train_tokenizer(paths, kind=sys.argv[2], processes=processes)
corpus = prepare_corpus(paths, tokenizer, processes=processes)
wall_s = time.perf_counter() - began
own, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
digest = hashlib.sha256(tokenizer.to_json().encode())
digest.update(corpus.ids)
print(json.dumps({
    "wall_s": wall_s,
    "cpu_s": sum(used.ru_utime + used.ru_stime for used in (own, workers)),
    "peak_kb": own.ru_maxrss, "worker_kb": workers.ru_maxrss,
    "bytes": sum(path.stat().st_size for path in paths), "files": len(paths),
    "tokens": corpus.tokens, "words": tokenizer.vocab_size, "digest": digest.hexdigest(),
}))
"""


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    folder, kind, turns = [*arguments, *["", "word", "3"][len(arguments) :]]
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(int(turns)):
        for processes in sorted({1, usable_cores()}):
            with tempfile.TemporaryDirectory() as cache:
                for name in (f"first, {processes} processes", f"second, {processes} processes"):
                    runs.setdefault(name, []).append(run(folder, kind, processes, cache))
    found = [one for some in runs.values() for one in some]
    rows = [
        [
            name,
            _range([one["wall_s"] for one in some]),
            _range([one["cpu_s"] for one in some]),
            f"{max(one['peak_kb'] for one in some) / 1e6:,.2f}",
            f"{max(one['worker_kb'] for one in some) / 1e6:,.2f}",
        ]
        for name, some in runs.items()
    ]
    text = "{files:,} files, {tokens:,} tokens, {words:,} words".format(**found[0])
    same = "the same bytes every time" if len({one["digest"] for one in found}) == 1 else "NOT THE SAME BYTES"
    print_table(
        f"Preparing {found[0]['bytes'] / 1e6:,.0f} MB in {text}: {same}",
        ["run", "seconds", "CPU seconds", "peak GB", "of a worker, at most"],
        rows,
    )


def run(folder: str, kind: str, processes: int, cache: str) -> dict[str, Any]:
    """One run, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, folder, kind, str(processes)],
        env={**os.environ, "RNN_CACHE": cache},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _range(seconds: list[float]) -> str:
    """The median, and the smallest and the largest."""
    return f"{statistics.median(seconds):,.1f} ({min(seconds):,.1f} to {max(seconds):,.1f})"


if __name__ == "__main__":
    main(sys.argv[1:])
