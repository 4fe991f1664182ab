"""Processes that train together: two real ones, whose result is that of one with the same batch."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_cli
from rnn_cli.config import Config
from rnn_cli.model_file import read_model_file
from rnn_cli.training.events import Event, Notice
from rnn_cli.training.outcome import Outcome
from rnn_cli.training.ranks import Ranks
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder
from tests.training.conftest import LINES

pytestmark = pytest.mark.timeout(600)  # two cold starts, on a machine that may be busy
ROOT = Path(rnn_cli.__file__).parent.parent

# Three streams for two processes: one reads one of them, the other two.
BASE: dict[str, dict[str, Any]] = {
    "model": {"embedding_size": 6, "hidden_size": 6},
    "output": {"softmax": "exact"},
    "logging": {},
    "training": {
        "batch_size": 3, "bptt_steps": 4, "max_epochs": 3, "log_every_windows": 4, "checkpoint_windows": 5,
        "learning_rate": 0.02, "engine": "float32", "threads": 1,
    },
}  # fmt: skip
PAIR = "pair, index, gradient flow"
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "adamw, dropout, two layers, tied": {
        "model": {"dropout": 0.3, "num_layers": 2},
        "output": {"tie_embeddings": True},
    },
    "lstm, lines, plateau": {
        "data": {"mode": "lines"},
        "model": {"cell": "lstm"},
        "training": {"schedule": "plateau"},
    },
    "sgd, sigmoid, reference": {
        "model": {"output_activation": "sigmoid"},
        "training": {"optimizer": "sgd", "engine": "reference", "learning_rate": 0.5, "max_grad_norm": 0.3},
    },
    "sampled softmax, rows only": {"output": {"softmax": "sampled", "samples": 3, "exact_share": 0.3}},
    "sampled softmax, momentum, lines": {
        "data": {"mode": "lines"},
        "output": {"softmax": "sampled", "samples": 3},
        "training": {"optimizer": "momentum"},
    },
    "dropout of every kind, penalties, random windows, mean weights": {
        "model": {
            "cell": "lstm", "num_layers": 2, "dropout_input": 0.1, "dropout_between": 0.2, "dropout_output": 0.3,
            "dropout_embedding": 0.2, "dropout_words": 0.1, "dropout_weights": 0.3,
        },
        "training": {
            "activation_penalty": 2.0, "change_penalty": 1.0, "random_windows": True, "average_share": 0.6,
        },
    },
    "sampled softmax, penalties in lines, layer norm, words not heard": {
        "data": {"mode": "lines"},
        "model": {"layer_norm": True, "dropout_embedding": 0.4},
        "output": {"softmax": "sampled", "samples": 3},
        "training": {"activation_penalty": 2.0, "change_penalty": 1.0, "max_epochs": 2},
    },
    PAIR: {
        "data": {"mode": "lines"},
        "model": {"direction": "both", "dropout": 0.2},
        "training": {"max_epochs": 1},
        "logging": {"index": True, "gradient_flow": True},
    },
}  # fmt: skip


def ignore(event: Event) -> None:
    pass


def write_config(folder: Path, variant: dict[str, dict[str, Any]]) -> dict[str, Any]:
    data = {name: str(folder / f"{name}.txt") for name in ("train", "valid", "test")} | {"mode": "stream"}
    sections = BASE | {"data": data}
    return {name: keys | variant.get(name, {}) for name, keys in sections.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "train.txt").write_text("\n".join(LINES * 5) + "\n")
    (folder / "valid.txt").write_text("the cat saw the log\na dog sat on the cow\n")
    (folder / "test.txt").write_text("a dog sat on the log\na cat\nthe dog saw the cat on a mat\n")
    return folder


STOPPED = {"rank": 1, "step": 8, "happens": "signal"}


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, dict[str, Any]]:
    """What two processes found in all the trainings of this file, which they go through one after another."""
    config = write_config(folder, VARIANTS["adamw, dropout, two layers, tied"])
    clock = write_config(folder, {"training": {"max_epochs": 10**6, "max_minutes": 0.02}})
    trainings: list[dict[str, Any]] = [
        *({"name": name, "config": write_config(folder, VARIANTS[name])} for name in VARIANTS),
        {"name": "stopped", "config": config, **STOPPED},
        {"name": "resumed", "config": config, "run": str(folder / "stopped"), "resume": True},
        {"name": "for one", "config": config, **STOPPED},
        {"name": "spoilt", "config": config, "rank": 1, "step": 13, "happens": "nan"},
        {"name": "clock", "config": clock},
        {"name": "lost", "config": config, "loses_model": True},
        {"name": "too few streams", "config": write_config(folder, {"training": {"batch_size": 1}})},
        {"name": "death", "config": config, "rank": 1, "step": 13, "happens": "death"},
    ]
    for training in trainings:
        training.setdefault("run", str(folder / training["name"]))
    (folder / "trainings.json").write_text(json.dumps(trainings))
    processes = start_together(2, "tests.training.rank_process", str(folder / "trainings.json"))
    outputs = [process.communicate(timeout=580) for process in processes]
    assert [process.returncode for process in processes] == [0, -9], outputs
    assert outputs[1][0] == ""
    lines = [json.loads(line) for line in outputs[0][0].splitlines()]
    return {line.pop("name"): line for line in lines} | {"second": {"errors": outputs[1][1]}}


def start_together(count: int, *module: str, cwd: Path = ROOT) -> list[subprocess.Popen[str]]:
    """So many processes of `python -m module`, as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, "-m", *module],
            env=os.environ | together | {"RANK": str(number), "LOCAL_RANK": str(number)},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]


def train_alone(path: Path, config: dict[str, Any], *, threads: int = 1, resume: bool = False) -> Outcome:
    config = config | {"training": config["training"] | {"threads": threads}}
    with RunFolder.reopen(path) if resume else RunFolder.create(path) as run:
        return train(Config.model_validate_json(json.dumps(config)), run, on_event=ignore, resume=resume)


def weights(path: Path) -> dict[str, np.ndarray]:
    return read_model_file(path / "model.safetensors").tensors


def assert_close(found: Path, expected: Path) -> None:
    ours, others = weights(found), weights(expected)
    assert ours.keys() == others.keys()
    for name, tensor in others.items():
        np.testing.assert_allclose(ours[name], tensor, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("total", "expected"), [(3, [(0, 1), (1, 3)]), (4, [(0, 2), (2, 4)]), (1, [(0, 0), (0, 1)])]
)
def test_shares_cover_everything_once(total: int, expected: list[tuple[int, int]]) -> None:
    shares = [Ranks(number, 2).share(total) for number in (0, 1)]
    assert [(share.start, share.stop) for share in shares] == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_train_what_one_does(
    variant: str, folder: Path, found: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    # With a sampled softmax the words that come in a share of the streams are its candidates: as with two threads.
    threads = 2 if "sampled" in variant else 1
    alone = train_alone(
        tmp_path / "alone", write_config(folder, VARIANTS[variant]), threads=threads
    ).to_dict()
    together = found[variant]
    assert together["steps"] == alone["steps"]
    assert together["reason"] == "epochs done"
    for split in ("valid", "test"):
        assert together[split]["tokens"] == alone[split]["tokens"]
        for figure in ("perplexity", "loss", "loss_standard_error"):
            assert together[split][figure] == pytest.approx(alone[split][figure], rel=1e-5), figure
    assert_close(folder / variant, tmp_path / "alone")
    events, alone_events = (
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (folder / variant, tmp_path / "alone")
    )
    said = [event for event in events if event["event"] != "notice"]
    assert [event["event"] for event in said] == [
        event["event"] for event in alone_events if event["event"] != "notice"
    ]


def test_the_first_process_alone_writes_and_says_how_the_streams_are_shared(
    folder: Path, found: dict[str, dict[str, Any]]
) -> None:
    variant = next(iter(VARIANTS))
    records = [json.loads(line) for line in (folder / variant / "metrics.jsonl").read_text().splitlines()]
    assert records == found[variant]["events"]
    said = "2 processes train together; each reads its share of the 3 streams."
    assert [record.get("message") for record in records].count(said) == 1
    assert [record["event"] for record in records].count("start") == 1


def test_a_signal_to_one_process_stops_all_after_the_step_and_the_same_number_resumes_bit_for_bit(
    folder: Path, found: dict[str, dict[str, Any]]
) -> None:
    assert found["stopped"] == {
        "code": 130,
        "error": "Stopped at step 8; everything is saved. "
        f"Go on with: torchrun --nproc-per-node 2 -m rnn_cli train --resume {folder / 'stopped'}",
    }
    straight = weights(folder / "adamw, dropout, two layers, tied")
    for name, tensor in weights(folder / "stopped").items():
        assert np.array_equal(tensor, straight[name]), name
    assert not any("number of processes" in str(event) for event in found["resumed"]["events"])


def test_another_number_of_processes_resumes_to_nearly_the_same_and_says_so(
    folder: Path, found: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    config = write_config(folder, VARIANTS["adamw, dropout, two layers, tied"])
    shutil.copytree(folder / "for one", tmp_path / "run")
    events: list[Event] = []
    with RunFolder.reopen(tmp_path / "run") as run:
        train(Config.model_validate_json(json.dumps(config)), run, on_event=events.append, resume=True)
    said = "Up to step 8 the number of processes was 2, now it is 1: the result will not be the same bit for bit."
    assert Notice(said) in events
    assert_close(tmp_path / "run", folder / "adamw, dropout, two layers, tied")


def test_what_goes_wrong_on_one_process_is_taken_back_on_all(found: dict[str, dict[str, Any]]) -> None:
    [rollback] = found["spoilt"]["rollbacks"]
    assert (rollback["step"], rollback["back_to"]) == (13, 10)
    assert rollback["reason"] == "the loss is not finite"
    assert found["spoilt"]["reason"] == "epochs done"


def test_a_model_that_is_lost_before_the_test_is_written_again_by_all(
    folder: Path, found: dict[str, dict[str, Any]]
) -> None:
    said = f"{folder}/lost/model.safetensors is gone, and with it the best model: the last weights take its place."
    assert [event.get("message") for event in found["lost"]["events"]].count(said) == 1
    assert read_model_file(folder / "lost/model.safetensors").metrics["step"] == found["lost"]["steps"] == 39
    assert found["lost"]["test"] is not None


def test_the_first_clock_ends_the_training_of_all(found: dict[str, dict[str, Any]]) -> None:
    assert found["clock"]["reason"] == "time is up"
    assert found["clock"]["elapsed_s"] < 1.3


def test_more_processes_than_streams_are_refused_once(found: dict[str, dict[str, Any]]) -> None:
    assert found["too few streams"] == {
        "code": 2,
        "error": "2 processes cannot share 1 streams: each needs one. Start 1 at most, or raise training.batch_size.",
    }
    assert found["second"]["errors"] == ""


def test_nothing_of_the_exchange_lives_on_after_the_last_training(found: dict[str, dict[str, Any]]) -> None:
    assert found["left"]["threads"] == []


def test_a_killed_process_ends_the_training_with_a_message(
    folder: Path, found: dict[str, dict[str, Any]]
) -> None:
    # The reason is gloo's: the other end was reset, or closed, whichever is seen first.
    assert re.sub(r"\(.*by peer.*?\)", "(REASON)", found["death"]["error"]) == (
        "Another process of this training has ended or cannot be reached (REASON). Go on from the last "
        "checkpoint, with as many processes or others: "
        f"torchrun --nproc-per-node 2 -m rnn_cli train --resume {folder / 'death'}"
    )
    assert found["death"]["code"] == 1
    assert len(RunFolder(folder / "death").states()) == 1
