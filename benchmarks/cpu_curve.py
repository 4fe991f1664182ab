"""What a training has reached after so many CPU seconds of its updates: the curve of a run, from its metrics.

    rnn train configs/wikitext2_256.yaml
    python -m benchmarks.cpu_curve runs/wikitext2_256

CPU seconds are those of all threads in the updates; measuring on the validation text does not count. To stand beside
figures of other programs, train on one thread (`training.threads: 1`).
"""

import json
import sys
from pathlib import Path

from benchmarks.measuring import print_table


def main(arguments: list[str]) -> None:
    """Print the table."""
    lines = (Path(arguments[0]) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    measured = [record for record in map(json.loads, lines) if "update_cpu_s" in record]
    rows = [
        [
            record["split"],
            f"{record['epoch']}",
            f"{record['update_cpu_s']:,.0f}",
            f"{record['perplexity']:,.1f}",
        ]
        for record in measured
    ]
    print_table(f"{arguments[0]} over CPU seconds", ["text", "epoch", "CPU seconds", "perplexity"], rows)


if __name__ == "__main__":
    main(sys.argv[1:])
