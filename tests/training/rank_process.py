"""One of the processes that `test_ranks.py` starts: it goes through a list of trainings with the others.

    python -m tests.training.rank_process TRAININGS.json

A training is {"name", "config", "run", "resume", "rank", "step", "happens"}: on `rank`, in update number `step`, a
signal comes, the process dies, or its weights are spoilt; with "loses_model" the model file goes before the test.
"""

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from rnn_cli.config import Config
from rnn_cli.errors import RnnError
from rnn_cli.training import bptt, loop
from rnn_cli.training.events import Event
from rnn_cli.training.follow import follow
from rnn_cli.training.loop import run
from rnn_cli.training.parts import Training
from rnn_cli.training.ranks import Ranks
from rnn_cli.training.run import train
from rnn_cli.training.run_folder import RunFolder


def train_one(training: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    """What the training came to; {} where this rank has nothing to say."""
    prepare_what_happens(training, ranks)
    try:
        if not ranks.first:
            return {"code": follow(ranks)}
        path = Path(training["run"])
        events: list[Event] = []
        with RunFolder.reopen(path) if training.get("resume") else RunFolder.create(path) as folder:
            outcome = train(
                Config.model_validate_json(json.dumps(training["config"])),
                folder,
                on_event=events.append,
                resume=training.get("resume", False),
                ranks=ranks,
            )
        return {**outcome.to_dict(), "events": [event.to_record() for event in events if event.recorded]}
    except RnnError as error:
        ranks.tell(error)
        return {"error": str(error), "code": error.exit_code}


def prepare_what_happens(training: dict[str, Any], ranks: Ranks) -> None:
    steps = itertools.count(1)

    def run_and_lose(training: Training) -> str:
        reason = run(training)
        if ranks.first:
            training.folder.model.unlink()
        return reason

    def train_on_window(model: Any, *args: Any, **settings: Any) -> Any:
        if next(steps) == training.get("step") and ranks.number == training["rank"]:
            match training["happens"]:
                case "signal":
                    signal.raise_signal(signal.SIGTERM)
                case "death":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "nan":
                    model.c.data.fill_(float("nan"))
        return bptt.train_on_window(model, *args, **settings)

    loop.run = run_and_lose if training.get("loses_model") else run
    loop.train_on_window = train_on_window  # type: ignore[attr-defined]


def main() -> None:
    ranks = Ranks.join()
    for training in json.loads(Path(sys.argv[1]).read_text()):
        found = train_one(training, ranks)
        if ranks.first:
            print(json.dumps({"name": training["name"], **found}), flush=True)
        elif found.get("error"):
            print(f"rank {ranks.number}: {found['error']}", file=sys.stderr)
    ranks.leave()
    if ranks.first:
        names = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").iterdir()]
        print(json.dumps({"name": "left", "threads": [name for name in names if "gloo" in name]}))


if __name__ == "__main__":
    main()
