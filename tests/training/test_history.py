"""How a training went, and curves of it."""

import json
import math
from pathlib import Path
from typing import Any

from rnn_cli.training.history import HEIGHT, WIDTH, History, curves, read_history


def metrics(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_the_losses_are_those_of_the_metrics(tmp_path: Path) -> None:
    path = metrics(
        tmp_path / "metrics.jsonl",
        {"event": "start", "step": 0},
        {"event": "train", "step": 10, "perplexity": math.e**2},
        {"event": "validation", "step": 10, "perplexity": math.e**3},
        {"event": "validation", "step": 20, "perplexity": math.e},
        {"event": "train", "step": 20, "perplexity": None},
        {"event": "test", "step": 20, "perplexity": 3.0},
    )
    history = read_history(path)
    assert history == History(training=((10, 2.0),), validation=((10, 3.0), (20, 1.0)))
    assert history.best == (20, 1.0)
    assert History((), ()).best is None


def test_a_record_may_hold_any_separator_of_lines_in_its_texts(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    notice = json.dumps({"event": "notice", "message": "a\u2028b\u2029c\x85d"}, ensure_ascii=False)
    path.write_text(f'{notice}\n{{"event": "train", "step": 10, "perplexity": 1.0}}\n', "utf-8")
    assert read_history(path).training == ((10, 0.0),)


def test_curves_fall_from_the_upper_left_to_the_lower_right() -> None:
    history = History(
        training=tuple((step, 6.0 - step / 100) for step in range(1, 301)),
        validation=((150, 5.0), (300, 4.0)),
    )
    drawn = curves(history)
    assert drawn[0] == "loss (nats per token)"
    rows = drawn[1 : 1 + HEIGHT]
    assert rows[0].startswith("  5.98 │··")
    assert rows[-1].startswith("  3.02 │")
    assert rows[-1].endswith("···")
    assert [row.index("●") - 8 for row in rows if "●" in row] == [30, 59]
    assert drawn[-2] == "       └" + "─" * WIDTH
    assert drawn[-1] == "        · training  ● validation" + "step 300".rjust(WIDTH - 24)
    assert all(len(line) <= 80 for line in drawn)


def test_a_loss_that_never_changes_is_a_line() -> None:
    drawn = curves(History(training=((1, 2.0), (2, 2.0)), validation=()))
    assert drawn[1].startswith("  2.00 │")
    assert "·" in drawn[1]
    assert "validation" not in drawn[-1]


def test_of_one_point_there_is_no_curve() -> None:
    assert curves(History(training=((1, 2.0),), validation=())) == []
