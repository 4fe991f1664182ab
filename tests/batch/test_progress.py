"""How far a training is, from its metrics."""

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.batch.progress import MetricsReader

START = {"event": "start", "step": 0, "total_windows": 100}


def trained(step: int) -> dict[str, Any]:
    return {"event": "train", "step": step, "tokens_per_s": 50.0}


def append(path: Path, *records: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write("".join(json.dumps(record) + "\n" for record in records))


def test_metrics_are_read_as_they_come(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    reader = MetricsReader(metrics)
    assert reader.read() == []
    append(metrics, START, trained(10))
    assert [record["event"] for record in reader.read()] == ["start", "train"]
    append(metrics, {"event": "validation", "perplexity": 9.0}, {"event": "validation", "perplexity": 12.0})
    assert len(reader.read()) == 2
    assert reader.read() == []
    found = reader.progress
    assert (found.step, found.total_windows, found.tokens_per_s) == (10, 100, 50.0)
    assert (found.valid, found.best) == (12.0, 9.0)


def test_a_record_that_is_being_written_waits_until_it_is_whole(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    reader = MetricsReader(metrics)
    whole = json.dumps(START) + "\n"
    metrics.write_text(whole[:9])
    assert reader.read() == []
    with metrics.open("a") as file:
        file.write(whole[9:])
    assert reader.read() == [START]


def test_a_file_that_is_cut_or_begins_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    reader = MetricsReader(metrics)
    append(metrics, START, trained(10), trained(20))
    reader.read()
    metrics.write_text("")
    append(metrics, START)
    assert reader.read() == [START]
    assert reader.progress.step == 0


def test_a_file_that_a_resume_has_cut_and_written_beyond_where_it_was_read_is_read_from_its_beginning(
    tmp_path: Path,
) -> None:
    metrics = tmp_path / "metrics.jsonl"
    reader = MetricsReader(metrics)
    append(metrics, START, trained(10))
    saved = metrics.stat().st_size
    append(metrics, {"event": "validation", "perplexity": 9.0})
    reader.read()
    with metrics.open("a") as file:
        file.truncate(saved)
    again = [{**START, "step": 10, "resumed": True}, {"event": "validation", "perplexity": 12.0}, trained(20)]
    append(metrics, *again)
    assert reader.read() == [START, trained(10), *again]
    assert (reader.progress.step, reader.progress.best) == (20, 12.0)


def test_a_file_that_begins_anew_says_nothing_of_the_training_before(tmp_path: Path) -> None:
    metrics, beside = tmp_path / "metrics.jsonl", tmp_path / "beside"
    reader = MetricsReader(metrics)
    append(metrics, START, {"event": "validation", "perplexity": 9.0})
    reader.read()
    append(beside, START, {"event": "validation", "perplexity": 12.0}, trained(20))
    beside.replace(metrics)
    reader.read()
    assert reader.progress.best == 12.0


def test_a_training_that_has_ended_is_at_its_last_step(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    append(metrics, START, trained(90), {"event": "end", "step": 100})
    reader = MetricsReader(metrics)
    reader.read()
    assert reader.progress.step == 100


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    damaged = (
        '{"event": "start"}',
        '{"event": "train", "step": null, "tokens_per_s": 1}',
        '{"event": ["end"]}',
    )
    metrics.write_text("[1]\nnot json\n" + "".join(f"{line}\n" for line in damaged))
    append(metrics, {"event": "validation"}, {"event": "validation", "perplexity": "9"}, {"step": 3})
    append(metrics, {"event": "validation", "perplexity": None})
    reader = MetricsReader(metrics)
    assert len(reader.read()) == 1
    assert reader.progress.best == math.inf


def test_the_time_left_is_what_the_speed_since_the_first_look_lets_expect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    metrics = tmp_path / "metrics.jsonl"
    reader = MetricsReader(metrics)
    append(metrics, START, trained(10))
    reader.read()
    assert reader.progress.left_s is None
    now += 5
    append(metrics, trained(20))
    reader.read()
    assert reader.progress.left_s == pytest.approx(40)  # 2 steps a second, 80 to go
