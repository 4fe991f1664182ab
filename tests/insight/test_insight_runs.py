"""What is read from a run folder."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.errors import ConfigError, ModelFileError
from rnn_cli.insight.comparison import final_figures
from rnn_cli.insight.runs import read_run
from tests.insight.conftest import NOTICE, STARTED, flowed, trained, validated, write_run


def test_a_run_is_its_config_and_its_records(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run",
        [trained(10, perplexity=9), validated(40, perplexity=8), trained(50, perplexity=7)],
        config="data: {train: [a.txt, b.txt]}\nmodel: {hidden_size: 3}\nnew_in_a_later_version: {x: 1}\n",
        summary={"reason": "epochs done"},
    )
    run = read_run(folder)
    assert run.name == str(folder)
    assert run.flat_config == {
        "data.train": ["a.txt", "b.txt"],
        "model.hidden_size": 3,
        "new_in_a_later_version.x": 1,
    }
    assert run.start == STARTED
    assert run.notices == ["train: 3 lines, 400 tokens"]
    assert [record["step"] for record in run.train] == [10, 50]
    assert [record["perplexity"] for record in run.validations] == [8]
    assert run.summary == {"reason": "epochs done"}
    assert not run.has_model


def test_a_window_counts_as_the_mean_one(tmp_path: Path) -> None:
    assert read_run(write_run(tmp_path / "run", [])).tokens(7) == 70


def test_the_best_validation_is_the_lowest_that_is_finite(tmp_path: Path) -> None:
    records = [validated(40, perplexity=None), validated(80, perplexity=5), validated(120, perplexity=6)]
    best = read_run(write_run(tmp_path / "run", records)).best
    assert best is not None
    assert best["step"] == 80
    assert read_run(write_run(tmp_path / "none", [validated(40, perplexity=None)])).best is None


def test_a_training_that_was_killed_may_have_left_half_a_record(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [trained(10, perplexity=9)])
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"event": "tra')
    run = read_run(folder)
    assert len(run.train) == 1
    assert run.summary is None


def test_a_record_may_hold_any_separator_of_lines_in_its_texts(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [trained(10, perplexity=9)])
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "notice", "message": "a\u2028b\u2029c\x85d"}\n')
    assert read_run(folder).notices[-1] == "a\u2028b\u2029c\x85d"


@pytest.mark.parametrize("missing", ["config.yaml", "metrics.jsonl"])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, missing: str) -> None:
    folder = write_run(tmp_path / "run", [])
    (folder / missing).unlink()
    with pytest.raises(ModelFileError) as error:
        read_run(folder)
    assert str(error.value) == (
        f"{folder}: there is no {missing} in it; give the folder of a run, which `rnn train` makes."
    )


@pytest.mark.parametrize("name", ["gone", "run/config.yaml"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_run(tmp_path / "run", [])
    with pytest.raises(ModelFileError) as error:
        read_run(tmp_path / name)
    assert str(error.value) == (
        f"{tmp_path / name}: this is no folder. Give the folder of a run, which `rnn train` makes."
    )


def test_a_training_that_has_not_begun_has_nothing_to_show(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [])
    (folder / "metrics.jsonl").write_text("")
    with pytest.raises(ModelFileError) as error:
        read_run(folder)
    assert str(error.value) == f"{folder}: the training has not begun: metrics.jsonl tells of no start."


@pytest.mark.parametrize(
    "line", ["no json", "[1]", '{"step": 1}', '{"event": "sample", "step": 1}', '{"event": []}']
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    folder = write_run(tmp_path / "run", [])
    (folder / "metrics.jsonl").write_text(f"{line}\n{line}\n")
    with pytest.raises(ModelFileError) as error:
        read_run(folder)
    assert str(error.value) == f"{folder}/metrics.jsonl:1: this is no record of a training."


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        ("start", {"parameters": "x"}),
        ("start", {"windows_per_epoch": 0}),
        ("notice", {"message": 3}),
        ("train", {"loss": None}),
        ("train", {"tokens_per_s": "x"}),
        ("validation", {"step": "x"}),
        ("validation", {"perplexity": "x"}),
        ("validation", {"perplexity": 0}),
        ("validation", {"perplexity": math.inf}),
        ("validation", {"perplexity": math.nan}),
        ("validation", {"perplexity_standard_error": "x"}),
        ("validation", {"of_tokens": [5]}),
        ("gradient_flow", {"by_lag": 3}),
        ("gradient_flow", {"by_lag": ["x"]}),
        ("sample", {"text": None}),
        ("sample", {"completions": 3}),
        ("sample", {"completions": [{"prompt": "a", "word": None, "probability": 0.5}]}),
    ],
)
def test_a_record_with_other_things_than_a_training_writes_is_named(
    tmp_path: Path, event: str, changes: dict[str, Any]
) -> None:
    sample = {"event": "sample", "step": 40, "text": "I eat"}
    records = [trained(10, perplexity=9), validated(40, perplexity=8), flowed(40, [1.0]), sample]
    folder = write_run(tmp_path / "run", records)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    number = next(number for number, record in enumerate(lines) if record["event"] == event)
    lines[number] |= changes
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (*lines, NOTICE)))
    with pytest.raises(ModelFileError) as error:
        read_run(folder)
    assert str(error.value) == f"{folder}/metrics.jsonl:{number + 1}: this is no record of a training."


def test_a_damaged_summary_a_config_and_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [])
    (folder / "summary.json").write_text("[")
    with pytest.raises(ModelFileError) as error:
        read_run(folder)
    assert str(error.value) == f"{folder}/summary.json: the summary is damaged: it is not a JSON object."
    (folder / "metrics.jsonl").write_bytes(b"\xff")
    with pytest.raises(ModelFileError) as error:
        read_run(folder)
    assert str(error.value) == f"{folder}/metrics.jsonl: cannot be read (it is not UTF-8)."
    (folder / "config.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_run(folder)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("[a]", "1:7: data: found a list, allowed: a mapping of keys to values."),
        ("{train: 5}", "1:15: data.train: found 5, allowed: a path or a list of paths."),
        ("{train: [5]}", "1:15: data.train: found a list, allowed: a path or a list of paths."),
        ('{train: "a\\0b"}', '1:15: data.train: found "a\\u0000b", allowed: a path or a list of paths.'),
        ("{valid: 5}", "1:15: data.valid: found 5, allowed: a path, a list of paths, or null."),
        ("{split: 0.1}", "1:15: data.split: found 0.1, allowed: a mapping of keys to values."),
        (
            "{split: {test: x}}",
            '1:22: data.split.test: found "x", allowed: a number of 0 or more and at most 0.4.',
        ),
        ("{mode: [a]}", '1:14: data.mode: found a list, allowed: "stream", "lines".'),
        (
            "{encoding: 5}",
            '1:18: data.encoding: found 5, allowed: "auto" or a Python codec such as "utf-8" or "cp1252".',
        ),
        (
            "{questions: [q.jsonl]}",
            "1:19: data.questions: found a list, allowed: a mapping of names to paths.",
        ),
        (
            "{questions: {a: 5}}",
            "1:19: data.questions: found a mapping, allowed: a mapping of names to paths.",
        ),
    ],
)
def test_a_config_with_other_things_than_the_texts_of_a_training_is_named(
    tmp_path: Path, data: str, problem: str
) -> None:
    folder = write_run(tmp_path / "run", [], config=f"data: {data}\n")
    with pytest.raises(ConfigError) as error:
        read_run(folder)
    assert str(error.value) == f"{folder}/config.yaml:{problem}"


def test_a_config_may_lack_what_says_where_the_texts_are_and_have_keys_of_another_version(
    tmp_path: Path,
) -> None:
    for number, data in enumerate(("null", "{train: null, split: null, questions: null, later: [5]}")):
        run = read_run(write_run(tmp_path / str(number), [], config=f"data: {data}\nlater: 5\n"))
        assert run.config["later"] == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("questions", 3),
        ("questions", {"cloze": {"accuracy": 0.5}}),
        ("test", {"loss": 1.0}),
        ("test", "x"),
        ("test", {"perplexity": 8.0, "perplexity_standard_error": "x"}),
        ("test", {"perplexity": 8.0, "of_tokens": 9, "tokens": "x"}),
        ("rollbacks", 1),
        ("elapsed_s", "x"),
    ],
)
def test_a_summary_with_other_things_than_a_training_writes_is_named(
    tmp_path: Path, key: str, value: object
) -> None:
    folder = write_run(tmp_path / "run", [], summary={key: value})
    with pytest.raises(ModelFileError) as error:
        read_run(folder)
    assert (
        str(error.value) == f"{folder}/summary.json: the summary is damaged: this is no {key} of a training."
    )


def test_a_summary_may_lack_what_was_not_measured(tmp_path: Path) -> None:
    summary: dict[str, Any] = {"test": None, "questions": None, "rollbacks": [], "elapsed_s": 3}
    run = read_run(write_run(tmp_path / "run", [], summary=summary))
    assert run.summary == summary
    assert final_figures([run])[0].runs == ["finished"]


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path: Path) -> None:
    name = tmp_path / ("x" * 300)
    with pytest.raises(ModelFileError) as error:
        read_run(name)
    assert str(error.value) == f"{name}: cannot be read (File name too long)."
