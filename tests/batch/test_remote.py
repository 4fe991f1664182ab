"""What a worker of a cluster does with an order, without the cluster."""

import json
import platform
import sys
import threading
import time
from pathlib import Path

import pytest

from rnn_cli.batch import remote
from rnn_cli.batch.launcher import Order
from rnn_cli.batch.remote import Sent, as_sent, run_order
from rnn_cli.training.run_lock import RunLock

FAKE = """
import json, os, signal, sys, time
from pathlib import Path

run = Path("runs/a")
with (run / "words").open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
print("out", os.environ["RNN_MODEL"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
if "slow" in sys.argv:
    (run / "trains").touch()
    time.sleep(30)
if "fail" in sys.argv:
    print("error: The text is unlucky.", file=sys.stderr)
    sys.exit(1)
with (run / "metrics.jsonl").open("a") as file:
    file.write("{}\\n")
"""
PROGRAM = (sys.executable, "fake.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs/a").mkdir(parents=True)
    (tmp_path / "fake.py").write_text(FAKE)
    return tmp_path


def order(folder: Path, *words: str, name: str = "one", resume: list[str] | None = None) -> Sent:
    run = Path("runs/a")
    return as_sent(
        name, folder, Order(run, words, run / "log", resume=resume, environment={"RNN_MODEL": str(run)})
    )


def words(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "runs/a/words").read_text().splitlines()]


def test_an_order_is_plain_texts(folder: Path) -> None:
    sent = order(folder, "train", "x")
    assert json.loads(json.dumps(sent)) == sent


def test_a_command_runs_in_the_folder_of_who_sent_it(folder: Path) -> None:
    assert run_order(order(folder, "train", "x"), lambda: True, PROGRAM) == {"exit_code": 0, "why": ""}
    assert words(folder) == [["train", "x"]]
    assert (folder / "runs/a/log").read_text() == "out runs/a\n"


def test_why_it_failed_is_sent_back(folder: Path) -> None:
    assert run_order(order(folder, "fail"), lambda: True, PROGRAM) == {
        "exit_code": 1,
        "why": "The text is unlucky.",
    }


def test_where_the_folder_is_not_seen_the_machine_is_named(folder: Path) -> None:
    gone = folder / "elsewhere"
    assert run_order(order(gone, "train"), lambda: True, PROGRAM)["why"] == (
        f"{platform.node()} does not see {gone}/runs/a. "
        "The runs must lie where all machines find them by the same path."
    )


def test_what_is_called_off_saves_and_ends(folder: Path) -> None:
    done = run_order(order(folder, "slow"), lambda: not (folder / "runs/a/trains").exists(), PROGRAM)
    assert done["exit_code"] == 130


def test_the_same_order_again_goes_on_where_the_training_saved(folder: Path) -> None:
    run = folder / "runs/a"
    train = order(folder, "train", "x", resume=["train", "--resume", "runs/a"])
    run_order(train, lambda: True, PROGRAM)
    run_order(train, lambda: True, PROGRAM)  # it had saved nothing
    (run / "good.safetensors").touch()
    run_order(train, lambda: True, PROGRAM)
    (run / "summary.json").touch()
    assert run_order(train, lambda: True, PROGRAM) == {"exit_code": 0, "why": ""}
    assert words(folder) == [["train", "x"], ["train", "x"], ["train", "--resume", "runs/a"]]


@pytest.mark.parametrize("left", ["good.safetensors", "summary.json"])
def test_what_lay_there_before_an_order_that_has_not_begun_is_not_gone_on_with(
    folder: Path, left: str
) -> None:
    run = folder / "runs/a"
    (run / left).touch()
    (run / "metrics.jsonl").write_text("of the training before\n")
    train = order(folder, "train", "x", "slow", resume=["train", "--resume", "runs/a"])
    # Its worker dies while it reads its texts, twice.
    for times in (1, 2):
        run_order(train, lambda: not (run / "trains").exists(), PROGRAM)
        assert words(folder) == [["train", "x", "slow"]] * times
        (run / "trains").unlink()
    (run / "metrics.jsonl").unlink()  # it has begun
    done = run_order(train, lambda: True, PROGRAM)
    assert done == {"exit_code": 0, "why": ""}
    further = [["train", "--resume", "runs/a"]] if left == "good.safetensors" else []
    assert words(folder) == [["train", "x", "slow"]] * 2 + further


def test_another_order_begins_anew_whatever_lies_there(folder: Path) -> None:
    resume = ["train", "--resume", "runs/a"]
    run_order(order(folder, "train", "x", resume=resume), lambda: True, PROGRAM)
    (folder / "runs/a/good.safetensors").touch()
    run_order(order(folder, "train", "x", name="two", resume=resume), lambda: True, PROGRAM)
    assert words(folder) == [["train", "x"]] * 2


def test_it_waits_until_the_training_of_the_dead_worker_has_saved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LOOK_EVERY_S", 0.01)
    run = folder / "runs/a"
    train = order(folder, "train", "x", resume=["train", "--resume", "runs/a"])
    run_order(train, lambda: True, PROGRAM)
    lock = RunLock.take(run)

    def save_and_end() -> None:
        time.sleep(0.1)
        (run / "good.safetensors").touch()
        lock.release()

    thread = threading.Thread(target=save_and_end)
    thread.start()
    run_order(train, lambda: True, PROGRAM)
    thread.join()
    assert words(folder)[1] == ["train", "--resume", "runs/a"]
