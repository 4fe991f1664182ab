"""The cache of prepared texts: what an entry is named after, and how it is written.

The cache folder holds five kinds of things, and all of it may be deleted at any time:

    corpora/KEY/ids.npy, facts.json   the ids of a text or of a shard of it, memory-mapped, and what was found there
    tokenizers/KEY.json               a vocabulary
    words/KEY.json                    how often each word or character occurs in a shard
    sizes/KEY.json                    the characters of a shard of a text that parts are kept apart of
    hashes/KEY.json                   the sha256 of a file of a certain path, inode, size and times of change

A KEY is made of everything that the entry depends on: the content of the files, the settings, the format. So a file
that has changed makes new entries for its own shard alone, and several processes can write at once: what two of them
write under one name is the same.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rnn_cli.errors import TextError
from rnn_cli.files import write_text
from rnn_cli.text.encoding import COMPRESSIONS, check_encoding
from rnn_cli.text.reader import TextFacts, file_status, hash_file

FORMAT_VERSION = 3
RACY_NS = 2_000_000_000  # a file may change twice within one tick of a coarse file system clock
HALF_MADE = f".{'[0-9a-f]' * 64}.*"
"""A folder that was to become an entry. Nothing else matches, should the cache lie among a user's own files."""
LEFT_AFTER_S = 24 * 3600.0  # whoever still makes an entry has written to it by then


def key_of(paths: Sequence[Path], hashes: Sequence[str], *settings: object) -> str:
    """One name for everything that an entry depends on."""
    # The ending of a file's name says whether it is unpacked.
    content = [
        (sha256, COMPRESSIONS.get(path.suffix.lower())) for sha256, path in zip(hashes, paths, strict=True)
    ]
    return joined_key([content, settings])


def joined_key(parts: Sequence[object]) -> str:
    """One name for several keys, or whatever else JSON can hold."""
    return hashlib.sha256(json.dumps([FORMAT_VERSION, parts]).encode()).hexdigest()


def hashes_of(paths: Sequence[Path], encoding: str, cache_dir: Path) -> list[str]:
    """The sha256 of each file, from the cache where the file has not changed since."""
    check_encoding(encoding)
    return [_hash(path, cache_dir) for path in paths]


def _hash(path: Path, cache_dir: Path) -> str:
    status = file_status(path)
    # mv, cp -p, rsync -a and touch -r keep or set mtime; none of them can set ctime.
    known = {"path": str(path.resolve()), "size": status.st_size, "inode": status.st_ino}
    known |= {"mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}
    note = cache_dir / "hashes" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()}.json"
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        noted = json.loads(note.read_text("utf-8"))
        sha256 = str(noted.pop("sha256"))
        if noted == known:
            return sha256
    sha256 = hash_file(path)
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > RACY_NS:
        with suppress(OSError):  # only saves time; a cache that cannot be written is reported later
            # Not synced, which takes longer than to read a small file: a damaged note is no note.
            write_text(note, json.dumps(known | {"sha256": sha256}), sync=False)
    return sha256


def check_unchanged(texts: Sequence[TextFacts], hashes: Sequence[str]) -> None:
    """Refuse files that are not what they were when they were hashed."""
    for text, sha256 in zip(texts, hashes, strict=True):
        if text.sha256 != sha256:
            raise TextError(f"{text.path} changed while it was read. Start again once nothing writes to it.")


@contextmanager
def appearing_whole(entry: Path) -> Iterator[Path]:
    """A folder to write to that becomes `entry` at the end, and leaves nothing behind on an error."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(entry.parent)
    with tempfile.TemporaryDirectory(prefix=f".{entry.name}.", dir=entry.parent) as beside:
        folder = Path(beside) / entry.name
        folder.mkdir()
        yield folder
        try:
            folder.rename(entry)
        except OSError:
            if not entry.is_dir():  # else another process was faster, and what it wrote is the same
                raise


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed have left half-made beside the entries: it may be as large as a text."""
    for left in folder.glob(HALF_MADE):
        with suppress(OSError):  # somebody else's, or another process was faster
            last_written = max(path.stat().st_mtime for path in (left, *left.rglob("*")))
            if time.time() - last_written > LEFT_AFTER_S:
                shutil.rmtree(left)


@contextmanager
def writing_to(cache_dir: Path) -> Iterator[None]:
    """Turn what the operating system says about the cache into a TextError."""
    try:
        yield
    except OSError as error:
        raise TextError(
            f"The cache folder {cache_dir} cannot be written: {error.strerror or error}. "
            "Set RNN_CACHE to a folder that can be, with room for the text."
        ) from error
