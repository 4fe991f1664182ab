"""`rnn compare`: real runs side by side."""

import json
from pathlib import Path

import pytest

from rnn_cli.insight import plots
from tests.conftest import Result, Rnn
from tests.insight.conftest import trained, validated, write_run


@pytest.fixture
def two_runs(tmp_path: Path) -> list[str]:
    for name, seed in (("one", 1), ("two", 2)):
        write_run(
            tmp_path / "runs" / name,
            [trained(10, perplexity=9.0 + seed), validated(40, perplexity=8.0 - seed)],
            config=f"data: {{train: x}}\ntraining: {{seed: {seed}}}\n",
        )
    return ["runs/one", "runs/two"]


def test_real_runs_are_compared_from_their_folders(rnn: Rnn, tiny: Path) -> None:
    for name, rate in (("slow", "1e-3"), ("fast", "1e-1")):
        assert (
            rnn("train", "tiny.yaml", "--run-dir", name, "--set", f"training.learning_rate={rate}").code == 0
        )
    found = json.loads(rnn("compare", "slow", "fast", "--json").out)
    assert found["names"] == ["slow", "fast"]
    assert found["config"] == [{"what": "training.learning_rate", "runs": ["0.001", "0.1"]}]
    assert found["figures"][0] == {"what": "state", "runs": ["epochs done", "epochs done"]}
    assert [level["runs"][1] is not None for level in found["levels"]] == [True, True]
    assert found["prompts"] == 2  # the lines of the validation text


def test_a_person_gets_tables(rnn: Rnn, two_runs: list[str]) -> None:
    result = rnn("compare", *two_runs)
    assert (result.code, result.err) == (0, "")
    assert [line.rstrip() for line in result.out.splitlines()] == [
        "what they came to      runs/one      runs/two",
        "state                  not finished  not finished",
        "parameters             1,234         1,234",
        "validation perplexity  7.00          6.00",
        "seconds of training    4             4",
        "tokens/s, median       1,000         1,000",
        "what was set differently  runs/one  runs/two",
        "training.seed             1         2",
        "perplexity reached after  runs/one         runs/two",
        "7                         4 s, 400 tokens  4 s, 400 tokens",
        "6                         never            4 s, 400 tokens",
    ]


def test_a_person_is_told_that_perplexities_of_words_and_characters_are_not_alike(
    rnn: Rnn, tiny: Path
) -> None:
    for kind in ("word", "char"):
        setting = f"data.tokenizer.kind={kind}"
        assert rnn("train", "tiny.yaml", "--run-dir", kind, "--set", setting).code == 0
    assert (
        "Perplexities over different tokens cannot be compared; bits per character can (`rnn eval`).\n"
        in rnn("compare", "word", "char").out
    )
    assert "cannot be compared" not in rnn("compare", "word", "word").out


def test_runs_with_one_config_are_said_to_have_it(rnn: Rnn, two_runs: list[str]) -> None:
    assert "Their configs are the same.\n" in rnn("compare", two_runs[0], two_runs[0]).out


def test_the_perplexities_to_reach_can_be_named(rnn: Rnn, two_runs: list[str]) -> None:
    out = rnn("compare", *two_runs, "--perplexity", "6.5", "--perplexity", "20").out
    rows = [line.split()[0] for line in out.splitlines()[-2:]]
    assert rows == ["20", "6.5"]
    for unusable in ("0.5", "inf", "nan"):
        assert rnn("compare", *two_runs, "--perplexity", unusable) == Result(
            2, "", f"error: --perplexity is {unusable}; it has to be a number of at least 1.\n"
        )


def test_without_matplotlib_the_page_has_its_tables_and_what_to_install_is_said(
    rnn: Rnn, two_runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    result = rnn("compare", *two_runs, "--html", "x.html")
    assert (result.code, result.err) == (
        0,
        "The page has no plots, because matplotlib is not installed. "
        "Install it from a clone: pip install -c constraints.txt '.[plots]'\n",
    )
    page = (tmp_path / "x.html").read_text("utf-8")
    assert "<td>7.00</td>" in page
    assert "<svg" not in page


def test_one_run_is_not_enough(rnn: Rnn, two_runs: list[str]) -> None:
    assert rnn("compare", "runs/one") == Result(
        2, "", "error: Give two runs or more: rnn compare RUN RUN...\n"
    )


def test_a_folder_without_metrics_is_one_message(rnn: Rnn, two_runs: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs/two/metrics.jsonl").unlink()
    assert rnn("compare", *two_runs) == Result(
        1,
        "",
        "error: runs/two: there is no metrics.jsonl in it; give the folder of a run, which `rnn train` makes.\n",
    )
