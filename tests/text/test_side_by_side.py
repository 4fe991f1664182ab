"""Shards prepared by several processes: the same bytes, and what happens when a process fails."""

import bz2
import errno
import gzip
import json
import lzma
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnn_cli.errors import TextError
from rnn_cli.text import shard as shard_module
from rnn_cli.text import side_by_side, worker
from rnn_cli.text.corpus import EncodeStep, prepare_corpus
from rnn_cli.text.cut import shards_of
from rnn_cli.text.side_by_side import WORKER
from rnn_cli.text.split import Part
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.text.vocabulary import train_tokenizer
from tests.text.conftest import written


@pytest.fixture(autouse=True)
def every_file_is_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 1)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [written(tmp_path / f"{number}.txt", f"tea or {number}\n") for number in range(3)]


def worker_that(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in the place of the workers."""
    monkeypatch.setattr(side_by_side, "WORKER", (sys.executable, "-c", code))


def complaint(paths: list[Path], tokenizer: Tokenizer, cache: Path, *, processes: int = 2) -> str:
    with pytest.raises(TextError) as caught:
        prepare_corpus(paths, tokenizer, cache_dir=cache, processes=processes)
    assert work_folders(cache) == []
    return str(caught.value)


def work_folders(cache: Path) -> list[Path]:
    return [found for found in cache.rglob("*") if found.name.startswith(".")]


def test_two_processes_make_what_one_makes_byte_for_byte(tmp_path: Path) -> None:
    texts = [
        "tea or tea\n\nor sushi?\n" * 99,
        "cats, dogs\r\nand tea" * 50,
        "Über ééé\n" * 20,
        "sashi\n" * 60,
    ]
    paths = [
        tmp_path / "a.txt.gz", tmp_path / "b.txt.xz", tmp_path / "c.txt", tmp_path / "d.txt.bz2",
    ]  # fmt: skip
    packers: list[Callable[[bytes], bytes]] = [gzip.compress, lzma.compress, bytes, bz2.compress]
    for path, text, pack in zip(paths, texts, packers, strict=True):
        path.write_bytes(pack(text.encode("utf-16" if path.name == "c.txt" else "utf-8")))
    part = Part("train", valid=0.2, test=0.1, mode="stream")  # all three steps

    def files_made(cache: Path, processes: int) -> dict[str, bytes]:
        tokenizer = train_tokenizer(paths, part=part, cache_dir=cache, processes=processes)
        prepare_corpus(paths, tokenizer, part=part, cache_dir=cache, processes=processes)
        return {
            str(file.relative_to(cache)): file.read_bytes() for file in cache.rglob("*") if file.is_file()
        }

    alone = files_made(tmp_path / "one", 1)
    assert len([name for name in alone if name.endswith("ids.npy")]) == 5
    assert files_made(tmp_path / "two", 2) == alone


def test_no_process_is_started_for_a_single_shard(
    paths: list[Path], tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_that("import sys; sys.exit(9)", monkeypatch)
    assert prepare_corpus(paths[:1], tokenizer, cache_dir=cache, processes=2).tokens == 4
    assert prepare_corpus(paths, tokenizer, cache_dir=cache, processes=1).tokens == 12


def test_a_file_that_cannot_be_read_is_told_as_one_process_tells_it(
    paths: list[Path], tokenizer: Tokenizer, cache: Path, tmp_path: Path
) -> None:
    paths[1] = written(tmp_path / "broken.gz", "tea\n")
    message = complaint(paths, tokenizer, cache)
    assert message.startswith(f"{paths[1]} cannot be unpacked: it is damaged, cut short or not a .gz file")
    assert message == complaint(paths, tokenizer, cache, processes=1)


def test_a_process_that_is_killed_is_told(
    paths: list[Path], tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_that("import os; os.kill(os.getpid(), 9)", monkeypatch)
    assert complaint(paths, tokenizer, cache) == (
        "A process that prepared the text was killed (SIGKILL). If memory ran out, set data.processes to less "
        "than 2. What was finished is kept: start again to go on."
    )
    worker_that("import os; os.kill(os.getpid(), 15)", monkeypatch)
    assert complaint(paths, tokenizer, cache) == (
        "A process that prepared the text was killed (SIGTERM). What was finished is kept: start again to go on."
    )


def test_when_one_process_is_killed_the_others_are_stopped(
    paths: list[Path], tokenizer: Tokenizer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "first"
    worker_that(
        "import os, pathlib, time\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "try: mark.touch(exist_ok=False)\n"
        "except FileExistsError: os.kill(os.getpid(), 9)\n"
        "mark.write_text(str(os.getpid()))\n"
        "time.sleep(60)",
        monkeypatch,
    )
    assert "was killed (SIGKILL)" in complaint(paths, tokenizer, cache)
    if pid := mark.read_text():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_a_process_that_cannot_be_started_is_told(
    paths: list[Path], tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "WORKER", ("/no/such/program",))
    assert complaint(paths, tokenizer, cache) == (
        "No process can be started to prepare the text (No such file or directory). "
        "Set data.processes to less than 2."
    )


def test_a_bug_in_a_process_is_a_bug_here(
    paths: list[Path], tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_that("1 / 0", monkeypatch)
    with pytest.raises(RuntimeError, match=r"failed:\n(.|\n)*ZeroDivisionError"):
        prepare_corpus(paths, tokenizer, cache_dir=cache, processes=2)


def test_a_process_that_could_not_say_why_it_failed_had_no_room_for_it(
    paths: list[Path], tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_that("import sys; sys.exit(1)", monkeypatch)
    assert complaint(paths, tokenizer, cache) == (
        "A process that prepared the text failed and could not write down why. Make room where the cache folder "
        "lies, or set RNN_CACHE to another one."
    )


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """As in a terminal; a shell that runs the tests in the background has them ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_interrupts")
def test_ctrl_c_stops_every_process_and_leaves_nothing_half(tmp_path: Path, cache: Path) -> None:
    words = " ".join(f"w{number}" for number in range(300_000))
    paths = [written(tmp_path / f"{number}.txt", f"{number} {words}\n") for number in range(2)]
    tokenizer = Tokenizer.train(["tea"])

    def ctrl_c_once_they_read(done: int, _total: int) -> None:
        if done:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        prepare_corpus(paths, tokenizer, cache_dir=cache, processes=2, on_progress=ctrl_c_once_they_read)
    assert work_folders(cache) == []
    assert list((cache / "corpora").iterdir()) == []


@pytest.fixture
def job(paths: list[Path], tokenizer: Tokenizer, cache: Path, tmp_path: Path) -> Path:
    """A job whose parent is not the process that starts its worker."""
    step = EncodeStep(cache, tokenizer)
    shards = shards_of(paths, encoding="auto", part=None, cache_dir=cache, processes=1)
    stored = {
        "parent": 1,
        "step": step.name,
        "cache_dir": str(cache),
        "settings": step.settings(),
        "shards": [shard.to_dict() for shard in shards],
    }
    file = tmp_path / "job" / "job.json"
    file.parent.mkdir()
    file.write_text(json.dumps(stored))
    return file


def test_a_worker_whose_parent_is_gone_ends(job: Path, cache: Path) -> None:
    done = subprocess.run([*WORKER, str(job)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")
    assert work_folders(cache) == []
    assert list((cache / "corpora").iterdir()) == []


def test_a_worker_leaves_out_what_is_taken_or_made(
    job: Path, paths: list[Path], tokenizer: Tokenizer, cache: Path
) -> None:
    stored = json.loads(job.read_text()) | {"parent": os.getpid()}
    job.write_text(json.dumps(stored))
    (job.parent / "0.taken").touch()
    prepare_corpus(paths[1:2], tokenizer, cache_dir=cache)
    done = subprocess.run([*WORKER, str(job)], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "18"  # the third file alone was read
    assert {file.name for file in job.parent.glob("*.taken")} == {"0.taken", "1.taken", "2.taken"}
    assert len(list((cache / "corpora").iterdir())) == 2


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "The cache folder {cache} cannot be written: No space left on device. "
            "Set RNN_CACHE to a folder that can be, with room for the text.",
        ),
        (
            MemoryError(),
            "Memory ran out while the text was prepared. Set data.processes to a smaller number, or to 1.",
        ),
    ],
)
def test_a_worker_without_room_or_memory_says_so(
    error: Exception,
    message: str,
    job: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker, "_work", fail)
    assert worker.main(job) == 1
    assert capsys.readouterr().err == f"error: {message.format(cache=cache)}\n"
