"""`python -m rnn_cli.text.worker JOB`: prepare what no other worker has taken; `side_by_side` starts it."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from rnn_cli.errors import RnnError
from rnn_cli.text.corpus import EncodeStep
from rnn_cli.text.cut import MeasureStep
from rnn_cli.text.entries import writing_to
from rnn_cli.text.shard import Shard
from rnn_cli.text.side_by_side import Step
from rnn_cli.text.vocabulary import CountStep

OUT_OF_MEMORY = "Memory ran out while the text was prepared. Set data.processes to a smaller number, or to 1."
STEPS = {step.name: step for step in (MeasureStep, CountStep, EncodeStep)}


class _Terminated(BaseException):
    """SIGTERM: as an exception, so that half an entry of the cache is removed."""


def main(job_file: Path) -> int:
    """Work until every shard is taken; returns the exit code. Prints the bytes read so far, a line each time."""
    job = json.loads(job_file.read_text("utf-8"))
    step = STEPS[job["step"]].from_settings(Path(job["cache_dir"]), job["settings"])
    try:
        with writing_to(step.cache_dir):  # where the job lies, too
            _work(step, job, job_file.parent)
    except RnnError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except MemoryError:
        print(f"error: {OUT_OF_MEMORY}", file=sys.stderr)
        return RnnError.exit_code
    return 0


def _work(step: Step, job: dict[str, Any], folder: Path) -> None:
    done = 0

    def tell(of_shard: int, _: int) -> None:
        if os.getppid() != job["parent"]:
            raise _Terminated  # nobody waits for it any more
        print(done + of_shard, flush=True)

    for number, stored in enumerate(job["shards"]):
        if _take(folder / f"{number}.taken"):
            shard = Shard.from_dict(stored)
            if not step.entry(shard).exists():  # another training may have made it meanwhile
                step.make(shard, tell)
            done += shard.size()


def _take(mark: Path) -> bool:
    """Whether this worker is the first to ask."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(main(Path(sys.argv[1])))
    except _Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
