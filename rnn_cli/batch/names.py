"""What the run of a config is called, and what no run may be called."""

from pathlib import Path

FILES_OF_A_STUDY = {
    *("config.yaml", "metrics.jsonl", "summary.json"),  # by which a folder is known as that of a training
    *("batch.json", "results.csv", "results.json", "search.json", "search.journal"),
    *(".rnn_cli.lock", ".search.lock", "search.journal.lock"),
}
"""Beside the folders of the runs."""


def config_name(path: Path) -> str:
    """What the run of a config, or the folder of a plan, is called: never "..", as the stem of "...yaml" is."""
    return path.stem if path.stem.strip(".") else "config"
