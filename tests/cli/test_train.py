"""`rnn train` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Rnn


def records(run: Path, event: str | None = None) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if (record := json.loads(line)) and event in (None, record["event"])]


GOLDEN_LOSSES = [
    2.161518, 2.27316, 2.26844, 2.216878, 2.272878, 2.136958, 2.270682, 2.163706, 2.237395, 2.151029,
]  # fmt: skip


def test_the_first_ten_losses_are_the_golden_ones(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    assert rnn("train", str(tiny), "--run-dir", "run", "--set", "training.max_epochs=1").code == 0
    losses = [record["loss"] for record in records(tmp_path / "run", "train")][:10]
    assert losses == pytest.approx(GOLDEN_LOSSES, rel=1e-5)


def test_a_run_leaves_its_model_config_metrics_and_summary(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    assert rnn("train", str(tiny)).code == 0
    assert sorted(path.name for path in (tmp_path / "runs" / "tiny").iterdir()) == [
        "config.yaml",
        "metrics.jsonl",
        "model.safetensors",
        "summary.json",
    ]


def test_the_resolved_config_of_a_run_runs_again_to_the_same_losses(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    rnn("train", str(tiny), "--run-dir", "one", "--set", "training.seed=5")
    rnn("train", "one/config.yaml", "--run-dir", "two")
    first, second = (records(tmp_path / name, "train") for name in ("one", "two"))
    assert [record["loss"] for record in first] == [record["loss"] for record in second]


def test_the_end_says_perplexity_with_its_terms_the_model_and_what_to_try(rnn: Rnn, tiny: Path) -> None:
    result = rnn("train", str(tiny))
    lines = result.out.splitlines()
    assert lines[0].startswith("Trained ")
    assert lines[1].startswith("validation perplexity ")
    assert lines[1].endswith(
        "(13 tokens, unknown words counted (0), end of line counted, state carried over the whole text)"
    )
    assert lines[2].startswith("test perplexity ")
    assert lines[-2] == "The model lies in runs/tiny. Try it:"
    assert lines[-1] == "  rnn complete 'the cat sat' -m runs/tiny"


def test_json_prints_the_summary_as_one_object(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    printed = json.loads(rnn("train", str(tiny), "--json").out)
    assert printed == json.loads((tmp_path / "runs/tiny/summary.json").read_text())
    assert printed["model"] == "runs/tiny/model.safetensors"
    assert printed["test"]["tokens"] == 13
    assert printed["test"]["state"] == "carried"


def test_training_learns_the_text(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    rnn("train", str(tiny), "--set", "training.max_epochs=30")
    losses = [record["loss"] for record in records(tmp_path / "runs/tiny", "train")]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_metrics_hold_one_record_an_event(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    rnn("train", str(tiny))
    found = records(tmp_path / "runs/tiny")
    kinds = [record["event"] for record in found]
    assert [kind for kind in kinds if kind not in ("notice", "train")] == [
        "start", *["gradient_flow", "validation", "sample"] * 3, "end", "test",
    ]  # fmt: skip
    trained = records(tmp_path / "runs/tiny", "train")
    assert [record["step"] for record in trained] == list(range(1, len(trained) + 1))
    assert {"loss", "perplexity", "tokens_per_s", "gradient_norm", "learning_rate"} <= trained[0].keys()


def test_what_was_found_in_the_text_is_reported(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_bytes(b"the cat saw the cow\r\nthe dog sat\r\n")
    err = rnn("train", str(tiny)).err
    assert "train: 24 lines, 174 tokens, 0.00% unknown; encoding utf-8; line ends LF (24)" in err
    assert "valid: 2 lines, 10 tokens, 10.00% unknown; encoding utf-8; line ends CRLF (2)" in err


def test_output_that_is_no_terminal_gets_plain_lines(rnn: Rnn, tiny: Path) -> None:
    err = rnn("train", str(tiny)).err
    assert "\x1b" not in err
    assert "epoch 1/3  step 1  loss " in err
    assert "epoch 1: valid perplexity " in err


def test_a_second_run_of_the_same_config_gets_a_folder_of_its_own(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    assert "is there already" not in rnn("train", str(tiny)).err
    again = rnn("train", str(tiny))
    assert again.err.splitlines()[0] == "runs/tiny is there already; this run goes to runs/tiny-2."
    assert (tmp_path / "runs/tiny-2/summary.json").exists()
    # As Ctrl-C leaves it.
    (tmp_path / "runs/tiny/summary.json").unlink()
    (tmp_path / "runs/tiny/good.safetensors").touch()
    assert rnn("train", str(tiny)).err.splitlines()[0] == (
        "runs/tiny is there already and half done (go on with it: rnn train --resume runs/tiny); this run goes to "
        "runs/tiny-3."
    )


def test_a_finished_run_is_never_overwritten(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    rnn("train", str(tiny), "--run-dir", "run")
    before = (tmp_path / "run/model.safetensors").read_bytes()
    result = rnn("train", str(tiny), "--run-dir", "run")
    assert result.code == 2
    assert result.err == (
        "error: run holds a finished run. Choose another folder with --run-dir, or overwrite it with --force.\n"
    )
    assert (tmp_path / "run/model.safetensors").read_bytes() == before


def test_with_force_a_finished_run_is_overwritten(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    rnn("train", str(tiny))
    before = (tmp_path / "runs/tiny/model.safetensors").read_bytes()
    assert rnn("train", str(tiny), "--force", "--set", "training.seed=2").code == 0
    assert (tmp_path / "runs/tiny/model.safetensors").read_bytes() != before
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tiny"]


def test_with_force_a_finished_run_stays_when_the_new_one_cannot_begin(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    rnn("train", str(tiny))
    before = {path.name: path.read_bytes() for path in (tmp_path / "runs/tiny").iterdir()}
    (tmp_path / "train.txt").write_text("")
    result = rnn("train", str(tiny), "--force")
    assert result.code == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "runs/tiny").iterdir()} == before


def test_the_config_is_not_overwritten_by_a_run_in_its_folder(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    before = tiny.rename(tmp_path / "config.yaml").read_text()
    for force in ([], ["--force"]):
        result = rnn("train", "config.yaml", "--run-dir", ".", *force)
        assert result.code == 2
        assert result.err == (
            "error: config.yaml is there already, and a run would overwrite it. "
            "Choose another folder with --run-dir.\n"
        )
    assert (tmp_path / "config.yaml").read_text() == before


def test_a_training_that_could_not_begin_leaves_no_folder(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("")
    assert rnn("train", str(tiny)).code == 1
    assert list((tmp_path / "runs").iterdir()) == []


def test_several_configs_run_one_after_another_and_a_failing_one_does_not_stop_the_rest(
    rnn: Rnn, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("data: {train: missing.txt}\n")
    (tmp_path / "good.yaml").write_text(tiny.read_text())
    result = rnn("train", "bad.yaml", "good.yaml", "--json", "--run-dir", "study")
    assert result.code == 2
    assert result.err.count("error: ") == 1
    assert json.loads(result.out)["run"] == "study/good"


@pytest.mark.parametrize("option", [["--force"], ["--run-dir", "study"]])
def test_two_configs_for_one_folder_are_refused_before_anything_is_trained(
    rnn: Rnn, option: list[str], tmp_path: Path
) -> None:
    result = rnn("train", "a/x.yaml", "b/x.yaml", *option)
    assert result.code == 2
    assert result.err == (
        "error: 2 configs or texts are called x, and each would be written to the same folder. "
        "Rename them, or train them in calls of their own.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_without_a_config_the_message_says_how_to_get_one(rnn: Rnn) -> None:
    result = rnn("train")
    assert result.code == 2
    assert result.err == (
        "error: CONFIG or TEXT is missing. With a text everything is chosen for you: rnn train my.txt. "
        "To get a first config: rnn init > config.yaml\n"
    )


def test_early_stopping_ends_a_training_that_no_longer_improves(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("mat the on sat cat the\nlog a saw a dog\n")  # what training unlearns
    settings = ["--set", "training.max_epochs=50", "--set", "training.patience=2"]
    result = rnn("train", str(tiny), "--json", *settings)
    summary = json.loads(result.out)
    validations = records(tmp_path / "runs/tiny", "validation")
    assert summary["reason"] == "stopped early"
    assert len(validations) < 50
    assert [record["best"] for record in validations[-3:]] == [True, False, False]
    assert summary["valid"]["perplexity"] == min(record["perplexity"] for record in validations)


def test_a_text_shorter_than_a_batch_shrinks_the_batch_and_says_so(rnn: Rnn, tiny: Path) -> None:
    result = rnn("train", str(tiny), "--set", "training.batch_size=64")
    assert result.code == 0
    assert "batch_size 64 is reduced to " in result.err


def test_an_empty_text_is_an_error_that_names_the_file(rnn: Rnn, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n \n")
    result = rnn("train", str(tiny))
    assert result.code == 1
    assert f"{tmp_path}/train.txt" in result.err


@pytest.mark.parametrize("mode", ["stream", "lines"])
@pytest.mark.parametrize("output_activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("kind", ["word", "char"])
def test_every_mode_output_and_tokenizer_trains(
    rnn: Rnn, tiny: Path, mode: str, output_activation: str, kind: str
) -> None:
    settings = [
        f"data.mode={mode}",
        f"model.output_activation={output_activation}",
        f"data.tokenizer.kind={kind}",
    ]
    result = rnn("train", str(tiny), "--json", *(part for setting in settings for part in ("--set", setting)))
    assert result.code == 0
    assert 1 < json.loads(result.out)["test"]["perplexity"] < 40


def test_the_sampled_softmax_and_the_fast_engine_train_too(rnn: Rnn, tiny: Path) -> None:
    settings = [
        "output.softmax=sampled",
        "output.samples=4",
        "training.engine=auto",
        "training.max_epochs=20",
    ]
    result = rnn("train", str(tiny), "--json", *(part for setting in settings for part in ("--set", setting)))
    assert result.code == 0
    assert json.loads(result.out)["valid"]["perplexity"] < 8


def start_long_run(tiny: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rnn_cli", "train", str(tiny), "--run-dir", "run"]
    command += ["--set", "training.max_epochs=100000", "--set", "training.validate_every_epochs=100000"]
    process = subprocess.Popen(command, cwd=tiny.parent, stderr=subprocess.PIPE, text=True, env=os.environ)
    metrics = tiny.parent / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        metrics.exists() and '"event": "train"' in metrics.read_text()
    ):
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_finishes_the_step_saves_and_exits_130(
    rnn: Rnn, tiny: Path, number: signal.Signals
) -> None:
    process = start_long_run(tiny)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1].endswith("everything is saved. Go on with: rnn train --resume run")
    assert records(tiny.parent / "run")[-1]["reason"] == "interrupted"
    assert rnn("complete", "the cat", "-m", "run").code == 0
    again = rnn("train", str(tiny), "--run-dir", "run")
    assert again.code == 2
    assert again.err == (
        "error: run holds a run that is not finished. Go on with it: rnn train --resume run. "
        "Or choose another folder with --run-dir, or overwrite it with --force.\n"
    )


def test_a_second_training_in_the_same_folder_is_told_who_holds_it(rnn: Rnn, tiny: Path) -> None:
    process = start_long_run(tiny)
    for arguments in (["train", str(tiny), "--run-dir", "run", "--force"], ["train", "--resume", "run"]):
        second = rnn(*arguments)
        assert second.code == 2
        assert second.err.startswith(f"error: run is held by process {process.pid} on ")
        assert second.err.endswith("Wait for it or stop it, or choose another folder with --run-dir.\n")
    process.kill()
    process.communicate()
    assert rnn("train", str(tiny), "--run-dir", "run", "--force").code == 0


def test_a_stop_before_the_first_step_leaves_nothing(
    rnn: Rnn, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("rnn_cli.training.run.build_texts", interrupted)
    result = rnn("train", str(tiny))
    assert result.code == 130
    assert result.err == "Stopped before the first step: there was nothing to save.\n"
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_second_signal_stops_at_once_and_the_last_checkpoint_goes_on(
    rnn: Rnn, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted_twice(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr("rnn_cli.training.loop.train_on_window", interrupted_twice)
        result = rnn("train", str(tiny), "--run-dir", "run")
    assert result.code == 130
    assert result.err.splitlines()[-1] == (
        "Stopped at once. Go on from the last checkpoint with: rnn train --resume run"
    )
    assert rnn("train", "--resume", "run").code == 0
