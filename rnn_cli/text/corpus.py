"""A text as token ids on disk, prepared once and found again.

The cache folder holds four kinds of things, and all of it may be deleted at any time:

    corpora/KEY/ids.npy, facts.json   the ids of one split, memory-mapped, and what was found in its files
    tokenizers/KEY.json               a vocabulary
    hashes/KEY.json                   the sha256 of a file of a certain path, size and time of change
    sizes/KEY.json                    the characters of a text that parts are kept apart of

A KEY is made of everything that the entry depends on: the content of the files, the settings, the format.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rnn_cli.cache import cache_folder
from rnn_cli.errors import TextError
from rnn_cli.files import write_text
from rnn_cli.text.encoding import COMPRESSIONS, check_encoding
from rnn_cli.text.line_encoder import LineEncoder, TokenIds, ids_dtype
from rnn_cli.text.reader import ProgressCallback, TextFacts, TextReader, file_status, hash_file
from rnn_cli.text.split import Part, PartReader, count_characters
from rnn_cli.text.tokenizer import LONGEST_WORD, Tokenizer

FORMAT_VERSION = 2
COUNTED_AT_ONCE = 1 << 22  # np.bincount needs 8 bytes for each id it counts
RACY_NS = 2_000_000_000  # a file may change twice within one tick of a coarse file system clock

IDS_FILE = "ids.npy"
FACTS_FILE = "facts.json"


@dataclass(frozen=True, eq=False)
class Corpus:
    """The token ids of one split of a text, one line after another, each ended by `<eos>`.

    Attributes:
        ids: (tokens,) memory-mapped, uint16 for a vocabulary of up to 65,536 and uint32 beyond. A blank line
            is a lone `<eos>`.
        vocab_size: number of ids of the tokenizer.
        eos_id: the id that ends a line.
        unknown: how many of the tokens are `<unk>`.
        texts: what was found in each file.
    """

    ids: TokenIds
    vocab_size: int
    eos_id: int
    unknown: int
    texts: tuple[TextFacts, ...]

    @property
    def tokens(self) -> int:
        """Number of tokens, the `<eos>` of every line counted."""
        return len(self.ids)

    @property
    def lines(self) -> int:
        """Number of lines, blank ones counted."""
        return sum(facts.lines for facts in self.texts)

    @property
    def unknown_share(self) -> float:
        """The share of `<unk>` in all tokens, `<eos>` counted, from 0 to 1."""
        return self.unknown / self.tokens

    def counts(self) -> NDArray[np.int64]:
        """How often each id occurs: (vocab_size,)."""
        counts = np.zeros(self.vocab_size, np.int64)
        for first in range(0, self.tokens, COUNTED_AT_ONCE):
            counts += np.bincount(self.ids[first : first + COUNTED_AT_ONCE], minlength=self.vocab_size)
        return counts

    def backwards(self) -> "Corpus":
        """The same text from its last line to its first, and each line from its last token to its first.

        Its ids are in memory, 2 or 4 bytes each.
        """
        return replace(self, ids=np.concatenate([self.ids[-2::-1], self.ids[-1:]]))

    def line_spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each line that is not blank begins in `ids`, and its length with `<eos>`: (lines,) twice."""
        ends = np.flatnonzero(self.ids == self.eos_id)
        starts = np.concatenate(([0], ends[:-1] + 1))
        lengths = ends + 1 - starts
        return starts[lengths > 1], lengths[lengths > 1]


def train_tokenizer(
    paths: Sequence[Path],
    *,
    encoding: str = "auto",
    cache_dir: Path | None = None,
    kind: str = "word",
    split: str = "punctuation",
    lowercase: bool = False,
    min_count: int = 1,
    max_size: int | None = None,
    part: Part | None = None,
    on_progress: ProgressCallback | None = None,
) -> Tokenizer:
    """`Tokenizer.train` on the lines of the files, or the same from the cache.

    Args:
        part: only the lines of this part; None: all.
        cache_dir: None means `cache_folder()`. For the other settings see `Tokenizer.train`.

    Raises:
        TextError: when a file cannot be read, the vocabulary stays empty, or the cache cannot be written.
        ValueError: for settings that cannot be.
    """
    cache_dir = cache_dir or cache_folder()
    train = partial(
        Tokenizer.train,
        kind=kind,
        split=split,
        lowercase=lowercase,
        min_count=min_count,
        max_size=max_size,
    )
    rules = train([]).to_json()  # without a vocabulary: when the rules change, so does the key
    hashes = _hashes(paths, encoding, cache_dir)
    entry = (
        cache_dir / "tokenizers" / f"{_key(paths, hashes, part, encoding, rules, min_count, max_size)}.json"
    )
    with suppress(OSError, ValueError):  # not there yet, or damaged
        return Tokenizer.from_json(entry.read_text("utf-8"))
    reader = _reader(paths, part, encoding, hashes, cache_dir, on_progress)
    tokenizer = train(reader)
    _check_unchanged(reader.facts, hashes)
    _check_vocabulary(tokenizer, paths, min_count)
    with _writing_to(cache_dir):
        write_text(entry, tokenizer.to_json())
    return tokenizer


def prepare_corpus(
    paths: Sequence[Path],
    tokenizer: Tokenizer,
    *,
    encoding: str = "auto",
    cache_dir: Path | None = None,
    part: Part | None = None,
    on_progress: ProgressCallback | None = None,
) -> Corpus:
    """The token ids of the files' lines, from the cache or encoded into it.

    Args:
        part: only the lines of this part, which may be none; None: all.
        cache_dir: None means `cache_folder()`.
        on_progress: called while the files are read, not when everything is in the cache.

    Raises:
        TextError: when a file cannot be read, or the cache cannot be written.
    """
    cache_dir = cache_dir or cache_folder()
    hashes = _hashes(paths, encoding, cache_dir)
    entry = cache_dir / "corpora" / _key(paths, hashes, part, encoding, tokenizer.to_json())
    was_there = entry.exists()
    corpus = _load(entry, tokenizer)
    if corpus is None:
        if was_there:
            shutil.rmtree(entry, ignore_errors=True)  # damaged: entries appear whole or not at all
        with _writing_to(cache_dir), _appearing_whole(entry) as folder:
            reader = _reader(paths, part, encoding, hashes, cache_dir, on_progress)
            _encode(reader, tokenizer, folder)
            _check_unchanged(reader.facts, hashes)
        corpus = _load(entry, tokenizer)
    if corpus is None:
        raise TextError(
            f"Another program changes the cache folder {cache_dir} at the same time. Start again."
        )
    # The same content may have been prepared under another name.
    texts = tuple(replace(facts, path=str(path)) for facts, path in zip(corpus.texts, paths, strict=True))
    return replace(corpus, texts=texts)


def read_split(
    paths: Sequence[Path], part: Part | None, *, encoding: str = "auto", cache_dir: Path | None = None
) -> Iterator[str]:
    """The lines of the files, or of a part of them; the size of a whole text comes from the cache.

    Raises:
        TextError: when a file cannot be read.
    """
    cache_dir = cache_dir or cache_folder()
    hashes = [] if part is None else _hashes(paths, encoding, cache_dir)
    yield from _reader(paths, part, encoding, hashes, cache_dir, None)


def _reader(
    paths: Sequence[Path],
    part: Part | None,
    encoding: str,
    hashes: list[str],
    cache_dir: Path,
    on_progress: ProgressCallback | None,
) -> TextReader | PartReader:
    if part is None:
        return TextReader(paths, encoding, on_progress)
    characters = _characters(paths, encoding, hashes, cache_dir) if part.mode == "stream" else 0
    return PartReader(paths, part, characters=characters, encoding=encoding, on_progress=on_progress)


def _characters(paths: Sequence[Path], encoding: str, hashes: list[str], cache_dir: Path) -> int:
    """The size of the whole text, which each of its parts asks for: from the cache, or counted into it."""
    entry = cache_dir / "sizes" / f"{_key(paths, hashes, None, encoding)}.json"
    with suppress(OSError, ValueError, TypeError):
        return int(json.loads(entry.read_text("utf-8")))
    characters = count_characters(paths, encoding)
    with suppress(OSError):  # only saves time; a cache that cannot be written is reported later
        write_text(entry, json.dumps(characters))
    return characters


def _encode(reader: TextReader | PartReader, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the ids and what was found into `folder`."""
    encoder = LineEncoder(tokenizer)
    with (folder / IDS_FILE).open("wb") as file:
        _write_header(file, encoder.dtype, 0)
        for ids in encoder.batches(reader):
            file.write(ids.data)
        file.seek(0)
        _write_header(file, encoder.dtype, encoder.tokens)
        file.flush()
        os.fsync(file.fileno())
    found = {
        "tokens": encoder.tokens,
        "unknown": encoder.unknown,
        "texts": [asdict(facts) for facts in reader.facts],
    }
    write_text(folder / FACTS_FILE, json.dumps(found, indent=1))


def _write_header(file: IO[bytes], dtype: type[np.uint16] | type[np.uint32], tokens: int) -> None:
    """NumPy leaves room for any number of tokens, so the header can be written again once it is known."""
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (tokens,)}
    np.lib.format.write_array_header_1_0(file, header)


def _load(entry: Path, tokenizer: Tokenizer) -> Corpus | None:
    """The corpus in the folder `entry`; None when it is not there or not whole."""
    try:
        found = json.loads((entry / FACTS_FILE).read_text("utf-8"))
        texts = tuple(TextFacts(**facts) for facts in found["texts"])
        unknown = int(found["unknown"])
        ids = np.load(entry / IDS_FILE, mmap_mode="r")
        size = (entry / IDS_FILE).stat().st_size
        is_whole = ids.shape == (found["tokens"],) and ids.offset + ids.nbytes == size
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
    if not is_whole or ids.dtype != ids_dtype(tokenizer):
        return None
    return Corpus(ids, tokenizer.vocab_size, tokenizer.eos_id, unknown, texts)


@contextmanager
def _appearing_whole(entry: Path) -> Iterator[Path]:
    """A folder to write to that becomes `entry` at the end, and leaves nothing behind on an error."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{entry.name}.", dir=entry.parent) as beside:
        folder = Path(beside) / entry.name
        folder.mkdir()
        yield folder
        try:
            folder.rename(entry)
        except OSError:
            if not entry.is_dir():  # else another process was faster, and what it wrote is the same
                raise


@contextmanager
def _writing_to(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TextError(
            f"The cache folder {cache_dir} cannot be written: {error.strerror or error}. "
            "Set RNN_CACHE to a folder that can be, with room for the text."
        ) from error


def _key(paths: Sequence[Path], hashes: list[str], part: Part | None, *settings: object) -> str:
    """One name for everything that an entry depends on."""
    if part is not None:
        settings = (part.key(), *settings)
    # The ending of a file's name says whether it is unpacked.
    content = [
        (sha256, COMPRESSIONS.get(path.suffix.lower())) for sha256, path in zip(hashes, paths, strict=True)
    ]
    return hashlib.sha256(json.dumps([FORMAT_VERSION, content, settings]).encode()).hexdigest()


def _hashes(paths: Sequence[Path], encoding: str, cache_dir: Path) -> list[str]:
    """The sha256 of each file, from the cache where the file has not changed since."""
    check_encoding(encoding)
    return [_hash(path, cache_dir) for path in paths]


def _hash(path: Path, cache_dir: Path) -> str:
    status = file_status(path)
    known = {"path": str(path.resolve()), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    note = cache_dir / "hashes" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()}.json"
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        noted = json.loads(note.read_text("utf-8"))
        sha256 = str(noted.pop("sha256"))
        if noted == known:
            return sha256
    sha256 = hash_file(path)
    if time.time_ns() - status.st_mtime_ns > RACY_NS:
        with suppress(OSError):  # only saves time; a cache that cannot be written is reported later
            write_text(note, json.dumps(known | {"sha256": sha256}))
    return sha256


def _check_unchanged(texts: list[TextFacts], hashes: list[str]) -> None:
    for text, sha256 in zip(texts, hashes, strict=True):
        if text.sha256 != sha256:
            raise TextError(f"{text.path} changed while it was read. Start again once nothing writes to it.")


def _check_vocabulary(tokenizer: Tokenizer, paths: Sequence[Path], min_count: int) -> None:
    """Refuse a vocabulary of `<unk>` and `<eos>` alone, from which nothing can be learnt."""
    if tokenizer.vocab_size > 2:
        return
    texts = f"{paths[0]} and {len(paths) - 1:,} more" if len(paths) > 1 else str(paths[0])
    if min_count > 1:
        raise TextError(
            f"The vocabulary of {texts} is empty: no {tokenizer.kind} occurs {min_count:,} times, as "
            "data.tokenizer.min_count asks for. Lower it."
        )
    raise TextError(
        f"The vocabulary of {texts} is empty: there is no word of {LONGEST_WORD:,} characters or less. "
        "Set data.tokenizer.kind to char or bpe."
    )
