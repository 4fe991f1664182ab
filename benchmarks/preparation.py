"""Preparing a text: read, tokenised, counted, stored; and found again.

    python -m benchmarks.preparation FOLDER [TOKENIZER-KIND]

FOLDER holds the text as files. Both runs are processes of their own with an empty cache between them and nobody; the
table gives wall-clock and CPU seconds and the peak memory of each. Bars, for 224 MB of novels: 90 s, 1.5 GB, and one
second for the second run.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import print_table

CHILD = """
import json, resource, sys, time
from pathlib import Path
from rnn_cli.text.corpus import prepare_corpus
from rnn_cli.text.vocabulary import train_tokenizer
began = time.perf_counter()
paths = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
tokenizer = train_tokenizer(paths, kind=sys.argv[2])
corpus = prepare_corpus(paths, tokenizer)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "wall_s": time.perf_counter() - began, "cpu_s": used.ru_utime + used.ru_stime, "peak_kb": used.ru_maxrss,
    "bytes": sum(path.stat().st_size for path in paths), "tokens": corpus.tokens, "words": tokenizer.vocab_size,
}))
"""


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    import json

    folder, kind = arguments[0], (arguments[1:] or ["word"])[0]
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for run in ("first", "second"):
            done = subprocess.run(
                [sys.executable, "-c", CHILD, str(Path(folder)), kind],
                env={**os.environ, "RNN_CACHE": cache},
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(done.stdout)
            rows.append(
                [
                    f"{run}: {found['bytes'] / 1e6:,.0f} MB, {found['tokens']:,} tokens, {found['words']:,} words",
                    f"{found['wall_s']:,.2f}",
                    f"{found['cpu_s']:,.2f}",
                    f"{found['peak_kb'] / 1e6:,.2f}",
                ]
            )
    print_table("Preparing a text", ["run", "seconds", "CPU seconds", "peak GB"], rows)


if __name__ == "__main__":
    main(sys.argv[1:])
