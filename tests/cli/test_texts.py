"""`rnn train my.txt`: a text in place of a config."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.cli.texts import parse_budget, run_name
from rnn_cli.config import load_config
from rnn_cli.errors import UsageError
from rnn_cli.training import engine_choice
from tests.conftest import Rnn


@pytest.fixture(autouse=True)
def _short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_choice, "TIMED_S", 0.0)
    monkeypatch.setattr(engine_choice, "usable_cores", lambda: 1)
    monkeypatch.setattr("rnn_cli.recipe.choice.MOST_EPOCHS", 2)
    monkeypatch.setattr("rnn_cli.recipe.choice.LEAST_UPDATES", 0)
    monkeypatch.setattr("rnn_cli.recipe.choice.ADAGRAD_FROM", 0)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """12,000 characters."""
    path = tmp_path / "my.first.txt"
    path.write_text("".join(f"the cat number {n} sat on the mat\n" for n in range(350)))
    return path


def summary(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.err
    return dict(json.loads(result.out))


def test_a_text_is_trained_on_and_the_plan_gives_reasons(rnn: Rnn, text: Path, tmp_path: Path) -> None:
    result = rnn("train", "my.first.txt", "--budget", "60s")
    assert result.code == 0, result.err
    lines = result.err.splitlines()
    assert "tokens: char (2,800 words are too few to learn words from)" in lines
    assert "kept apart: valid 10.00% (too short for a test as well)" in lines
    assert any(line.startswith("network: 128 units (") for line in lines)
    assert "\x1b" not in result.err
    assert result.out.splitlines()[0].endswith(": epochs done.")
    assert (tmp_path / "runs/my/model.safetensors").is_file()


def test_the_resolved_config_runs_again_by_itself(rnn: Rnn, text: Path, tmp_path: Path) -> None:
    rnn("train", "my.first.txt", "--budget", "60s")
    config = load_config(tmp_path / "runs/my/config.yaml")
    assert config.data.train == (str(text),)
    assert (config.data.split.valid, config.data.split.test) == (0.1, 0.0)
    assert config.training.max_minutes is not None
    assert 0.2 < config.training.max_minutes < 1.0
    again = summary(rnn("train", "runs/my/config.yaml", "--run-dir", "again", "--json"))
    first = summary_of(tmp_path / "runs/my")
    assert again["steps"] == first["steps"]
    # The learning rate follows the clock.
    assert again["valid"]["perplexity"] == pytest.approx(first["valid"]["perplexity"], rel=0.01)


def summary_of(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "summary.json").read_text()))


def test_set_rules_out_a_choice(rnn: Rnn, text: Path, tmp_path: Path) -> None:
    asked = ["data.tokenizer.kind=word", "model.hidden_size=20", "model.embedding_size=20", "data.mode=lines"]
    options = [part for setting in asked for part in ("--set", setting)]
    assert summary(rnn("train", str(text), "--json", "--budget", "60s", *options))["reason"] == "epochs done"
    config = load_config(tmp_path / "runs/my/config.yaml")
    assert (config.data.tokenizer.kind, config.data.mode, config.model.hidden_size) == ("word", "lines", 20)
    assert (config.training.table_learning_rate, config.training.table_optimizer) == (0.3, "adagrad")


def test_a_rate_for_the_tables_that_is_asked_for_is_for_sgd(rnn: Rnn, text: Path, tmp_path: Path) -> None:
    asked = ["data.tokenizer.kind=word", "model.hidden_size=20", "training.table_learning_rate=3"]
    rnn("train", str(text), "--budget", "60s", *(part for setting in asked for part in ("--set", setting)))
    training = load_config(tmp_path / "runs/my/config.yaml").training
    assert (training.table_learning_rate, training.table_optimizer) == (3.0, "sgd")


def test_what_to_try_next_goes_by_the_budget_unless_minutes_were_asked_for(
    rnn: Rnn, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnn_cli.console.results_are_read", lambda: True)
    monkeypatch.setattr("rnn_cli.recipe.advice.advice", lambda *_, budget_s: f"The budget: {budget_s}.")
    words = ("train", "my.first.txt", "--budget", "60s", "--set", "training.max_epochs=1")
    assert "\nThe budget: 60.0.\n" in rnn(*words).out
    assert "\nThe budget: None.\n" in rnn(*words, "--set", "training.max_minutes=1").out


def test_another_cell_can_be_asked_for(rnn: Rnn, text: Path) -> None:
    words = ("my.first.txt", "--budget", "60s", "--set", "data.tokenizer.kind=word")
    elman = rnn("train", *words, "--run-dir", "elman").err
    gru = rnn("train", *words, "--run-dir", "gru", "--set", "model.cell=gru").err
    slow = "(what was read fades slowly)"
    assert f"memory: W begins as the identity, changes of h_t cost {slow}" in elman.splitlines()
    assert f"memory: changes of h_t cost {slow}" in gru.splitlines()
    assert "\ncell: gru (as asked)\nnetwork: 128 units (" in gru


def test_a_folder_of_texts_is_one_text(rnn: Rnn, text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    text.rename(folder / "b.txt")
    (folder / "a.txt").write_text("the dog sat\n")
    (folder / ".hidden").write_text("no\n")
    assert summary(rnn("train", "books", "--json", "--budget", "60s"))["run"] == "runs/books"
    assert load_config(tmp_path / "runs/books/config.yaml").data.train == (
        str(folder / "a.txt"),
        str(folder / "b.txt"),
    )


def test_a_text_of_a_line_is_learnt_without_measuring(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat sat on the mat\n")
    result = rnn("train", "a.txt", "--budget", "60s")
    assert result.code == 0, result.err
    assert (
        "kept apart: nothing (too short to spare a part of it: nothing tells how good the model is)"
        in result.err
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["my.first.txt", "--budget", "soon"],
            "--budget soon: allowed are a number and s, m or h, such as 90s, 10m or 1.5h.",
        ),
        (
            ["my.first.txt", "--budget", "10"],
            "--budget 10: allowed are a number and s, m or h, such as 90s, 10m or 1.5h.",
        ),
        (
            ["my.first.txt", "--budget", "3s"],
            "--budget 3s: too short to learn anything. Allowed are 10s and more.",
        ),
        (
            ["config.yaml", "--budget", "5m"],
            "--budget is for texts, and config.yaml is a config, which says itself how long it trains. "
            "Leave --budget out, or set the time: --set training.max_minutes=10",
        ),
        (["my.frist.txt"], 'my.frist.txt: there is no such text or config. Did you mean "my.first.txt"?'),
        (["nowhere/a.txt"], "nowhere/a.txt: there is no such text or config."),
        (
            ["link.txt"],
            "link.txt: this is a link to gone.txt, where no text is. Mend it, or name another text.",
        ),
        (["circle"], "circle: this is a link to circle, where no text is. Mend it, or name another text."),
        (["empty"], "empty: this folder has no files in it. Name a text, or a folder of texts."),
        (
            ["my.first.txt", "--set", "model.hidden=3"],
            '--set model.hidden=3: unknown key. Did you mean "model.hidden_size"?',
        ),
    ],
)
def test_wrong_input_is_told_at_once(
    rnn: Rnn, text: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link.txt").symlink_to("gone.txt")
    (tmp_path / "circle").symlink_to("circle")
    result = rnn("train", *arguments)
    assert (result.code, result.err) == (2, f"error: {message}\n")


def test_a_text_is_not_another_one_by_set(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("tea\n" * 100)
    result = rnn("train", "a.txt", "--set", "data.train=b.txt")
    assert (result.code, result.err) == (
        2,
        "error: --set data.train names another text than a.txt, for which everything is chosen. Give that text "
        "itself: rnn train TEXT\n",
    )
    assert not (tmp_path / "runs").exists()


def test_a_text_without_text_is_an_error_that_leaves_no_run(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    result = rnn("train", "a.txt")
    assert result.code == 1
    assert (
        result.err
        == f"error: {tmp_path}/a.txt has no text: it is empty or holds only white space. Leave it out.\n"
    )
    assert list((tmp_path / "runs").iterdir()) == []


def test_ctrl_c_while_the_text_is_looked_at_leaves_nothing(
    rnn: Rnn, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rnn_cli.recipe.make.look_at", interrupted)
    result = rnn("train", "my.first.txt")
    assert result.code == 130
    assert result.err == "Stopped before the first step: there was nothing to save.\n"
    assert list((tmp_path / "runs").iterdir()) == []


def test_sigterm_while_the_text_is_looked_at_leaves_nothing(
    rnn: Rnn, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("it went on")

    monkeypatch.setattr("rnn_cli.recipe.make.look_at", terminated)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        result = rnn("train", "my.first.txt")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert result.code == 130
    assert result.err == "Stopped before the first step: there was nothing to save.\n"
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 M ", 120)])
def test_a_budget_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["10001h", f"1{400 * '0'}s"])
def test_a_budget_of_more_than_a_year_is_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError, match=r"longer than a training can be\. Allowed are 10000h and less\.$"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["", "m", "-5m", "1e9h", "10min", "5m30s", "٣m"])
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_budget(text)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/wt.256.yaml", "wt.256"),
        ("holmes.train.txt.xz", "holmes"),
        ("books/", "books"),
        (".txt", "txt"),
        ("...yaml", "config"),
        ("a/..yml", "config"),
        ("..txt", "txt"),
    ],
)
def test_a_run_is_called_like_its_config_or_text(path: str, name: str) -> None:
    assert run_name(Path(path)) == name


@pytest.mark.parametrize(
    ("section", "found"), [("data=5", "5"), ("data=train", '"train"'), ("training=5", "5")]
)
def test_a_section_that_is_no_mapping_is_one_clear_message(
    rnn: Rnn, tmp_path: Path, section: str, found: str
) -> None:
    (tmp_path / "my.txt").write_text("the cat sat\n" * 40)
    result = rnn("train", "my.txt", "--set", section)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: --set {section}: found {found}, allowed: a mapping of keys to values.\n"
