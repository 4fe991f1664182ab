"""The scalars for TensorBoard, read back as TensorBoard reads them."""

import json
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rnn_cli.errors import UsageError
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from tests.training.conftest import MakeConfig
from tests.training.test_run import ignore, train_in, train_with_a_stop_at


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by name."""
    board = EventAccumulator(str(folder))
    board.Reload()
    return {name: [(s.step, s.value) for s in board.Scalars(name)] for name in board.Tags()["scalars"]}


def metrics(run: Path, event: str) -> list[dict[str, float]]:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["event"] == event]


def assert_same(scalars: list[tuple[int, float]], records: list[dict[str, float]], name: str) -> None:
    assert scalars == [(record["step"], pytest.approx(record[name], rel=1e-6)) for record in records]  # type: ignore[comparison-overlap]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_holds_what_the_metrics_hold(tmp_path: Path, make_config: MakeConfig) -> None:
    run = tmp_path / "run"
    train_in(run, make_config(logging={"tensorboard": True}))
    found = scalars(run / "tensorboard")
    for name in ("loss", "perplexity", "gradient_norm", "learning_rate"):
        assert_same(found[f"training/{name}"], metrics(run, "train"), name)
    for name in ("loss", "perplexity"):
        assert_same(found[f"valid/{name}"], metrics(run, "validation"), name)
    assert {"gradient_by_lag/0", "gradient_by_lag/1", "gradient_by_lag/2"} <= found.keys()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_a_resume_no_step_is_there_twice(
    tmp_path: Path, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    train_with_a_stop_at(22, run, make_config(logging={"tensorboard": True}), monkeypatch)
    steps = [step for step, _ in scalars(run / "tensorboard")["training/loss"]]
    assert steps == [r["step"] for r in metrics(run, "train")]


def test_without_the_package_the_message_says_what_to_install(
    tmp_path: Path, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UsageError) as caught, RunFolder.create(tmp_path / "run") as folder:
        train(make_config(logging={"tensorboard": True}), folder, on_event=ignore)
    assert str(caught.value) == (
        "logging.tensorboard is true, and the package tensorboard is not installed. "
        "Install it from a clone: pip install -c constraints.txt '.[tensorboard]', "
        "or set logging.tensorboard to false."
    )
