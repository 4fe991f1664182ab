"""`rnn check-grad`: what it checks, what it shows, and its exit codes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_cli.insight.recurrence import WAYS_BACK
from rnn_cli.model.activations import DERIVATIVES
from tests.conftest import Result, Rnn


def test_a_config_is_checked_with_new_weights(rnn: Rnn, tiny: Path) -> None:
    result = rnn("check-grad", "tiny.yaml")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("gradients of a window of 5 steps and 2 streams, loss 2.")
    assert lines[1].split() == ["parameter", "shape", "largest", "reference", "fast", "differences"]
    assert [line.split()[0] for line in lines[2:7]] == ["embedding", "V", "c", "cells.0.W", "cells.0.b"]
    assert all(line.split()[-1] == "agrees" for line in lines[2:7])
    assert lines[7] == ("Relative to autograd through one long graph; differences: 16 weights each.")
    assert lines[8].strip() == "back through the recurrence of elman"
    assert lines[9].split("  ") == ["layer", "ρ(W_h)", "mean f'", "a step back, measured"]
    assert re.fullmatch(r"1 +1\.000 +0\.\d{3} +× 0\.\d{3} *", lines[10])
    assert lines[11].startswith("A step back multiplies by f' and by W_h.")
    assert lines[-1].startswith("Layer 1: going back, a gradient ")


@pytest.mark.parametrize(
    ("cell", "heading"),
    [
        ("gru", ["layer", "ρ(W_rh)", "ρ(W_zh)", "ρ(W_nh)", "mean z", "a step back, measured"]),
        ("lstm", ["layer", "ρ(W_ih)", "ρ(W_fh)", "ρ(W_gh)", "ρ(W_oh)", "mean f", "a step back, measured"]),
        (
            "mogrifier",
            ["layer", "ρ(W_ih)", "ρ(W_fh)", "ρ(W_gh)", "ρ(W_oh)", "mean f", "a step back, measured"],
        ),
        ("indrnn", ["layer", "max |u|", "mean |u|", "mean f'", "a step back, measured"]),
    ],
)
def test_every_cell_is_checked_and_its_way_back_explained(
    rnn: Rnn, tiny: Path, monkeypatch: pytest.MonkeyPatch, cell: str, heading: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tiny.write_text(tiny.read_text().replace("model: {", f"model: {{cell: {cell}, "))
    result = rnn("check-grad", "tiny.yaml")
    assert (result.code, result.out.count("agrees")) == (0, {"indrnn": 6, "mogrifier": 7}.get(cell, 5))
    assert heading in [re.split(" {2,}", line.strip()) for line in result.out.splitlines()]
    assert WAYS_BACK[cell][:40] in result.out


def test_the_tables_fit_into_80_columns(rnn: Rnn, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = rnn("check-grad", "tiny.yaml").out
    assert (
        len(out.splitlines()) == 2 + 5 + 1 + 3 + 3 + 1
    )  # no row takes two lines; the explanation takes three


def test_a_model_is_checked_with_its_weights_on_its_text(rnn: Rnn, tiny: Path) -> None:
    assert rnn("train", "tiny.yaml").code == 0
    new, learnt = (json.loads(rnn("check-grad", *what, "--json").out) for what in (["tiny.yaml"], []))
    assert (new["agrees"], learnt["agrees"]) == (True, True)
    assert learnt["loss"] < new["loss"] - 0.2
    assert json.loads(rnn("check-grad", "runs/tiny/model.safetensors", "--json").out) == learnt


def test_a_config_may_end_in_capitals(rnn: Rnn) -> None:
    result = rnn("check-grad", "GONE.YML")
    assert (result.code, result.err) == (2, "error: GONE.YML: no such file.\n")


def test_a_model_without_its_text_is_checked_on_random_words(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    assert rnn("train", "tiny.yaml").code == 0
    (tmp_path / "train.txt").unlink()
    result = rnn("check-grad", "runs/tiny")
    assert result.code == 0
    assert result.err == (f"There is no file {tmp_path}/train.txt. The window holds random words instead.\n")


def test_gradients_that_disagree_are_named_and_the_exit_code_is_1(
    rnn: Rnn, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DERIVATIVES, "tanh", lambda h: 1 - h)
    result = rnn("check-grad", "tiny.yaml")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        "error: The gradients of embedding, cells.0.W, cells.0.b disagree: one of the ways to compute them has a "
        "mistake in it."
    )
    assert result.out.count("disagrees") == 3


def test_a_config_with_a_mistake_is_told_without_waiting_for_torch(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from rnn_cli.__main__ import main\n"
        "try: main(['check-grad', 'gone.yaml'])\n"
        "finally: print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert done.stderr.startswith("error: gone.yaml: no such file.")


def test_what_is_no_model_is_one_message(rnn: Rnn) -> None:
    assert rnn("check-grad", "gone") == Result(
        1, "", "error: gone: there is no such file. Give a model file or the folder of a run.\n"
    )
