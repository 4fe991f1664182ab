"""Train what a row of docs/results.md says, and print the row.

    python -m benchmarks.results --wikitext FOLDER wikitext2_256
    python -m benchmarks.results --wikitext FOLDER ablation                # every row that begins with ablation.
    python -m benchmarks.results --wikitext FOLDER ablation.muon ablation.base --seeds 3

FOLDER holds wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens; the variable WIKITEXT2 may name it, too. A
training that was stopped goes on where it stood, and one that is done is not repeated: its figures are read from its
run folder. The folder's name tells the row's settings apart, so that a row that was changed since is trained anew.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.result_rows import ROWS, Row
from rnn_cli.files import atomic_write

ROOT = Path(__file__).parent.parent
COLUMNS = ("row", "changed", "seeds", "training", "validation", "test", "CPU seconds", "minutes")


def main(arguments: list[str]) -> int:
    """Train and print; 2 if a row or the text is not there."""
    options = _options(arguments)
    wanted = [name for name in ROWS if any(name == row or name.startswith(f"{row}.") for row in options.rows)]
    unknown = [row for row in options.rows if not any(n == row or n.startswith(f"{row}.") for n in ROWS)]
    if unknown or not wanted:
        return _refuse(f"no row is called {', '.join(unknown) or 'that'}. There are: {', '.join(ROWS)}.")
    if not options.wikitext or not (Path(options.wikitext) / "wiki.train.tokens").is_file():
        return _refuse("the folder of WikiText-2 is needed: --wikitext FOLDER, or the variable WIKITEXT2.")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for name in wanted:
        row = ROWS[name]
        seeds = range(1, options.seeds + 1) if options.seeds else row.seeds
        folders = [_trained(name, row, seed, Path(options.wikitext), options.runs) for seed in seeds]
        print(table_row(name, row, folders), flush=True)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.results", description="Make rows of docs/results.md."
    )
    parser.add_argument("rows", nargs="+", metavar="ROW")
    parser.add_argument("--wikitext", default=os.environ.get("WIKITEXT2"), metavar="FOLDER")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), metavar="FOLDER")
    parser.add_argument("--seeds", type=int, metavar="N")
    return parser.parse_args(arguments)


def _refuse(what: str) -> int:
    print(f"benchmarks.results: {what}", file=sys.stderr)
    return 2


def _trained(name: str, row: Row, seed: int, wikitext: Path, runs: Path) -> Path:
    """The run folder of a finished training, which is made or gone on with if need be."""
    settings = repr((row, (ROOT / "configs" / row.config).read_text(encoding="utf-8"), wikitext.resolve()))
    folder = runs / f"{name}-{seed}-{_digest(settings)}"
    if (folder / "summary.json").is_file():
        return folder
    command = [sys.executable, "-m", "rnn_cli", "train"]
    if any((folder / f"{state}.safetensors").is_file() for state in ("good", "checkpoint")):
        command += ["--resume", str(folder)]
    else:
        shares = {"train": row.share, "valid": row.measured, **({"test": 1.0} if row.tested else {})}
        texts = {
            part: beginning(wikitext / f"wiki.{part}.tokens", share, runs) for part, share in shares.items()
        }
        untested = [] if row.tested else ["data.test=null"]
        changes = [*(f"data.{part}={path}" for part, path in texts.items()), *untested, *row.changes]
        command += [str(ROOT / "configs" / row.config), "--run-dir", str(folder), "--force"]
        for change in [*changes, f"training.seed={seed}"]:
            command += ["--set", change]
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    return folder


def beginning(text: Path, share: float, folder: Path) -> Path:
    """A file with the first `share` of the lines of a text; all of it is the text itself."""
    if share == 1:
        return text.resolve()
    part = folder / f"{text.stem}.{share:g}.{_digest(str(text.resolve()))}{text.suffix}"
    if not part.is_file():
        lines = text.read_bytes().splitlines(keepends=True)
        with atomic_write(part) as file:
            file.writelines(lines[: round(share * len(lines))])
    return part.resolve()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def table_row(name: str, row: Row, folders: list[Path]) -> str:
    """A row of a table in Markdown: the mean over seeds, with the range where there are several."""
    found = [_figures(folder) for folder in folders]
    figures = [_mean_and_range([figures[key] for figures in found]) for key in COLUMNS[3:]]
    shown = ", ".join(change.split(".", 1)[1].replace("=", " ") for change in row.shown)
    cells = [name.removeprefix("ablation."), shown, str(len(folders)), *figures]
    return f"| {' | '.join(cells)} |"


def _figures(folder: Path) -> dict[str, float | None]:
    """Perplexities, the training one that of the last record; CPU seconds of all updates; minutes by the clock."""
    records = [
        json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return {
        "training": [record["perplexity"] for record in records if record["event"] == "train"][-1],
        "validation": summary["valid"]["perplexity"],
        "test": summary["test"] and summary["test"]["perplexity"],
        "CPU seconds": [record["update_cpu_s"] for record in records if "update_cpu_s" in record][-1],
        "minutes": summary["elapsed_s"] / 60,
    }


def _mean_and_range(values: list[float | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return ""
    digits = 0 if min(there) >= 300 else 1
    mean = f"{statistics.mean(there):,.{digits}f}"
    return mean if len(there) == 1 else f"{mean} ({min(there):,.{digits}f} to {max(there):,.{digits}f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
