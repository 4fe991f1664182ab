"""The rows that benchmarks/results.py makes: a config each that can be trained, and figures as they were written."""

import json
from pathlib import Path

import pytest

from benchmarks.result_rows import ABLATIONS, ROWS
from benchmarks.results import beginning, main, table_row
from rnn_cli.config import config_to_dict, load_config

CONFIGS = Path(__file__).parent.parent / "configs"


def test_every_row_is_a_config_that_can_be_trained(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b c\n")
    texts = [f"data.{part}={text}" for part in ("train", "valid", "test")]
    base = load_config(CONFIGS / "wikitext2_256.yaml", [*texts, *ABLATIONS["base"].changes])
    for name, row in ROWS.items():
        config = load_config(CONFIGS / row.config, [*texts, *row.changes])
        if name.startswith("ablation."):
            assert (config_to_dict(config) == config_to_dict(base)) == (name == "ablation.base"), name


def test_the_row_of_the_plateau_validates_on_the_way() -> None:
    assert "training.validate_every_epochs=1" in ABLATIONS["plateau"].changes


def write_run(folder: Path, *, train: float, valid: float, test: float | None) -> Path:
    folder.mkdir()
    records = [
        {"event": "train", "perplexity": 900.0},
        {"event": "train", "perplexity": train},
        {"event": "validation", "perplexity": valid, "update_cpu_s": 61.25},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    summary = {"valid": {"perplexity": valid}, "test": test and {"perplexity": test}, "elapsed_s": 90.0}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_a_row_says_what_was_changed_and_what_came_of_it(tmp_path: Path) -> None:
    first = write_run(tmp_path / "1", train=100.0, valid=150.5, test=140.25)
    assert table_row("wikitext2", ROWS["wikitext2"], [first]) == (
        "| wikitext2 |  | 1 | 100.0 | 150.5 | 140.2 | 61.2 | 1.5 |"
    )
    second = write_run(tmp_path / "2", train=110.0, valid=160.5, test=None)
    assert table_row("ablation.muon", ROWS["ablation.muon"], [first, second]) == (
        "| muon | optimizer muon | 2 | 105.0 (100.0 to 110.0) | 155.5 (150.5 to 160.5) | 140.2 "
        "| 61.2 (61.2 to 61.2) | 1.5 (1.5 to 1.5) |"
    )


def test_a_share_of_a_text_is_its_first_lines(tmp_path: Path) -> None:
    text = tmp_path / "wiki.train.tokens"
    text.write_text("".join(f"line {number}\n" for number in range(10)))
    part = beginning(text, 0.3, tmp_path / "runs")
    assert part.read_text() == "line 0\nline 1\nline 2\n"
    assert beginning(text, 1.0, tmp_path / "runs") == text.resolve()


def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["ablation.muo", "--wikitext", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(
        "benchmarks.results: no row is called ablation.muo. There are: wikitext2, wikitext2_256, wikitext2_lstm, "
    )
    assert main(["ablation.muon", "--wikitext", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "benchmarks.results: the folder of WikiText-2 is needed: --wikitext FOLDER, or the variable WIKITEXT2.\n"
    )
