"""Two single-threaded trainings side by side, beside one training with a worker for every core.

    python -m benchmarks.side_by_side [TURNS]

Each training is a process of its own that trains for a while on random words; the ways take turns. Tokens per second
of all of them together, and CPU seconds per million tokens, which other programs on the machine disturb less. It is
what `rnn batch` goes by: as many runs as there are cores, one thread each.
"""

import json
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks import ours
from benchmarks.measuring import print_table
from rnn_cli.cores import usable_cores

SECONDS = 6.0
SIZES = {"50 words, 64 units": (50, 64, "exact"), "33,278 words, 256 units": (33_278, 256, "sampled")}
B, T = 32, 35


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    turns = int(arguments[0]) if arguments else 5
    cores = usable_cores()
    rows = []
    for name in SIZES:
        one, many = [], []
        for _ in range(turns):
            one.append(together(name, processes=1, threads=cores))
            many.append(together(name, processes=cores, threads=1))
        ratios = [m["tokens_per_s"] / o["tokens_per_s"] for m, o in zip(many, one, strict=True)]
        cost = [o["cpu_s_per_million"] / m["cpu_s_per_million"] for m, o in zip(many, one, strict=True)]
        rows.append(
            [
                name,
                f"{_median(one, 'tokens_per_s'):,.0f}",
                f"{_median(many, 'tokens_per_s'):,.0f}",
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                f"{_median(one, 'cpu_s_per_million'):,.1f}",
                f"{_median(many, 'cpu_s_per_million'):,.1f}",
                f"{statistics.median(cost):.2f} ({min(cost):.2f} to {max(cost):.2f})",
            ]
        )
    print_table(
        f"{cores} runs of one thread beside one run of {cores} threads",
        [
            "network",
            "one, tokens/s",
            f"{cores} runs",
            "ratio",
            "one, CPU s per million",
            f"{cores} runs",
            "ratio",
        ],
        rows,
    )


def together(name: str, *, processes: int, threads: int) -> dict[str, float]:
    """So many trainings at once: their tokens per second together, and the CPU seconds of a million tokens."""
    command = [sys.executable, "-m", "benchmarks.side_by_side", "--train", name, str(threads)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    found = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    return {
        "tokens_per_s": sum(one["tokens"] / one["wall_s"] for one in found),
        "cpu_s_per_million": 1e6 * sum(one["cpu_s"] for one in found) / sum(one["tokens"] for one in found),
    }


def train(name: str, threads: int) -> dict[str, Any]:
    """One training, in a process of its own."""
    vocab_size, size, softmax = SIZES[name]
    text = ours.random_text(vocab_size=vocab_size, batch_size=B, bptt_steps=T)
    step, _ = ours.trainer(ours.config(size=size, softmax=softmax, engine="float32", threads=threads), text)
    step()
    began, cpu_before, steps = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < SECONDS:
        step()
        steps += 1
    return {
        "tokens": steps * B * T,
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu_before,
    }


def _median(found: list[dict[str, float]], key: str) -> float:
    return statistics.median(one[key] for one in found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--train"]:
        print(json.dumps(train(sys.argv[2], int(sys.argv[3]))))
    else:
        main(sys.argv[1:])
