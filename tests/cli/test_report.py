"""`rnn report`: the page of a real run, and what is said in the terminal."""

import json
import re
from pathlib import Path

import pytest

from rnn_cli.insight import plots
from tests.conftest import Result, Rnn


@pytest.fixture
def run(rnn: Rnn, tiny: Path, tmp_path: Path) -> Path:
    assert rnn("train", "tiny.yaml").code == 0
    return tmp_path / "runs" / "tiny"


def test_the_page_lies_in_the_run_folder_and_the_memory_is_shown(
    rnn: Rnn, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: True)
    monkeypatch.setattr("rnn_cli.insight.report_page.plot", lambda *_, **__: None)
    result = rnn("report")
    assert (result.code, result.err) == (0, "")
    lines = [line.rstrip() for line in result.out.splitlines()]
    assert lines[0] == "how far an error reached back, after so many tokens"
    assert lines[1].split() == ["steps", "back", "174", "348", "522"]
    assert [line.split()[0] for line in lines[2:6]] == ["0", "1", "2", "4"]
    assert lines[6] == "what it said next, after so many tokens"
    assert re.fullmatch(r"the cat saw +(\w+ \d+% +){2}\w+ \d+%", lines[8])
    assert [line.split()[0] for line in lines[11:14]] == ["174", "348", "522"]
    assert all(line.split(maxsplit=1)[1].startswith("the cat sat") for line in lines[11:14])
    lines = lines[14:]
    assert lines[0] == "how far back it remembers, on the valid text"
    assert [line.split()[0] for line in lines[2:6]] == ["1", "2", "4", "8"]
    assert re.fullmatch(
        r"Loss \d\.\d{3}, \d+\.\d% right at the first guess, probabilities \d+\.\d% off \(13 tokens\)\.",
        lines[6],
    )
    assert lines[7:] == ["The report is in runs/tiny/report.html."]
    assert (run / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_the_page_can_go_elsewhere_and_the_measurements_are_json(rnn: Rnn, run: Path, tmp_path: Path) -> None:
    result = rnn("report", "runs/tiny", "--html", "page.html", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert found["run"] == "runs/tiny"
    assert found["measured"]["tokens"] == 13
    assert (tmp_path / "page.html").is_file()
    assert not (run / "report.html").exists()


def test_the_variable_may_name_the_file_in_the_run_folder(
    rnn: Rnn, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNN_MODEL", "runs/tiny/model.safetensors")
    assert json.loads(rnn("report", "--json").out)["run"] == "runs/tiny"
    assert (run / "report.html").is_file()


def test_what_is_measured_is_what_training_measured(rnn: Rnn, run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    found = json.loads(rnn("report", "--json").out)
    assert found["measured"]["loss"] == pytest.approx(summary["valid"]["loss"], abs=1e-5)


def test_a_report_can_be_made_of_a_model_that_learnt_lines_or_characters(rnn: Rnn, tiny: Path) -> None:
    for name, settings in {"lines": ["data.mode=lines"], "char": ["data.tokenizer.kind=char"]}.items():
        changes = [word for setting in settings for word in ("--set", setting)]
        assert rnn("train", "tiny.yaml", "--run-dir", name, *changes).code == 0
        found = json.loads(rnn("report", name, "--json").out)
        summary = json.loads(Path(name, "summary.json").read_text())
        assert found["measured"]["loss"] == pytest.approx(summary["valid"]["loss"], abs=1e-5)


def test_without_matplotlib_it_is_said_what_to_install(
    rnn: Rnn, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    assert rnn("report").err == (
        "The page has no plots, because matplotlib is not installed. "
        "Install it from a clone: pip install -c constraints.txt '.[plots]'\n"
    )


def test_a_folder_that_is_no_run_is_one_message(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert rnn("report", "empty") == Result(
        1,
        "",
        "error: empty: there is no config.yaml in it; give the folder of a run, which `rnn train` makes.\n",
    )
