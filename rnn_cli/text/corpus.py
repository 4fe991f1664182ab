"""A text as token ids on disk, prepared once and found again; `entries` says how it lies in the cache.

Each shard of the text is encoded by itself, and the ids of many shards are copied one after another into one array,
so that a training has one file to map, however many files the text has.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import IO, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rnn_cli.cache import cache_folder
from rnn_cli.errors import TextError
from rnn_cli.files import write_text
from rnn_cli.text.cut import shards_of
from rnn_cli.text.entries import appearing_whole, check_unchanged, joined_key, writing_to
from rnn_cli.text.line_encoder import LineEncoder, TokenIds, ids_dtype
from rnn_cli.text.reader import ProgressCallback, TextFacts, TextReader
from rnn_cli.text.shard import Shard
from rnn_cli.text.side_by_side import prepare
from rnn_cli.text.split import Part
from rnn_cli.text.tokenizer import Tokenizer

AT_ONCE = 1 << 22  # tokens that are copied or counted at once; np.bincount needs 8 bytes for each

SHORTEST_STRETCH, MOST_STRETCHES = 1_000, 16
"""Of what stands for a whole split: tokens, and how many."""

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
        file_lengths: tokens of each file, one after another in `ids`.
        of_tokens: tokens of the whole split, where these are stretches of it; None: it is all.
    """

    ids: TokenIds
    vocab_size: int
    eos_id: int
    unknown: int
    texts: tuple[TextFacts, ...]
    file_lengths: tuple[int, ...] = ()
    of_tokens: int | None = None

    @property
    def tokens(self) -> int:
        """Number of tokens, the `<eos>` of every line counted."""
        return len(self.ids)

    @property
    def lines(self) -> int:
        """Number of lines, blank ones counted."""
        if self.of_tokens is not None:
            return int(np.count_nonzero(self.ids == self.eos_id))
        return sum(facts.lines for facts in self.texts)

    @property
    def unknown_share(self) -> float:
        """The share of `<unk>` in all tokens, `<eos>` counted, from 0 to 1."""
        return self.unknown / self.tokens

    def counts(self) -> NDArray[np.int64]:
        """How often each id occurs: (vocab_size,)."""
        counts = np.zeros(self.vocab_size, np.int64)
        for first in range(0, self.tokens, AT_ONCE):
            counts += np.bincount(self.ids[first : first + AT_ONCE], minlength=self.vocab_size)
        return counts

    def backwards(self) -> "Corpus":
        """The same text from its last line to its first, and each line from its last token to its first.

        The last file comes first; `texts` stay in the order in which they were given. Its ids are in memory, 2 or 4
        bytes each.
        """
        ids = np.concatenate([self.ids[-2::-1], self.ids[-1:]])
        return replace(self, ids=ids, file_lengths=self.file_lengths[::-1])

    def stretches(self, tokens: int, unk_id: int | None) -> "Corpus":
        """Lines from all over the split, together about so many tokens, to stand for it; itself where it has no more.

        Args:
            unk_id: of `<unk>`; None: there is none.
        """
        if tokens >= self.tokens:
            return self
        count = min(max(tokens // SHORTEST_STRETCH, 1), MOST_STRETCHES)
        places: list[NDArray[np.int64]] = []
        end = 0
        for number in range(count):
            place = number * self.tokens // count
            start = max(end, self._line_end(place) if place else 0)
            rest = self.ids[start : start + AT_ONCE]
            # Blank lines alone measure nothing.
            word = int(np.argmax(rest != self.eos_id)) if len(rest) else 0
            end = self._line_end(start + max(tokens // count, word + 1))
            places.append(np.arange(start, end))
        ids = self.ids[np.concatenate(places)]
        unknown = 0 if unk_id is None else int(np.count_nonzero(ids == unk_id))
        return replace(self, ids=ids, unknown=unknown, file_lengths=(), of_tokens=self.tokens)

    def _line_end(self, place: int) -> int:
        """Where the line ends that a place is in, the place itself where one ends there; at most the end of all."""
        end = min(place, self.tokens)
        while self.ids[end - 1] != self.eos_id:  # the last token of all ends a line
            rest = self.ids[end : end + AT_ONCE]
            ends = np.flatnonzero(rest == self.eos_id)
            end += int(ends[0]) + 1 if len(ends) else len(rest)
        return end

    def line_spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each line that is not blank begins in `ids`, and its length with `<eos>`: (lines,) twice."""
        ends = np.concatenate(
            [
                first + np.flatnonzero(self.ids[first : first + AT_ONCE] == self.eos_id)
                for first in range(0, self.tokens, AT_ONCE)
            ]
        )
        starts = np.concatenate(([0], ends[:-1] + 1))
        lengths = ends + 1 - starts
        return starts[lengths > 1], lengths[lengths > 1]


def prepare_corpus(
    paths: Sequence[Path],
    tokenizer: Tokenizer,
    *,
    encoding: str = "auto",
    cache_dir: Path | None = None,
    part: Part | None = None,
    processes: int = 1,
    on_progress: ProgressCallback | None = None,
) -> Corpus:
    """The token ids of the files' lines, from the cache or encoded into it.

    Args:
        part: only the lines of this part, which may be none; None: all.
        cache_dir: None means `cache_folder()`.
        processes: at most so many encode side by side.
        on_progress: called while the files are read, not when everything is in the cache.

    Raises:
        TextError: when a file cannot be read, or the cache cannot be written.
    """
    cache_dir = cache_dir or cache_folder()
    shards = shards_of(
        paths, encoding=encoding, part=part, cache_dir=cache_dir, processes=processes, on_progress=on_progress
    )
    step = EncodeStep(cache_dir, tokenizer)
    entry = step.whole(shards)
    corpus = _load(entry, tokenizer)
    if corpus is None:
        if len(shards) == 1:
            step.make(shards[0], on_progress)
        else:
            prepare(step, shards, processes=processes, on_progress=on_progress)
            step.join(shards)
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
        TextError: when a file cannot be read, or the cache cannot be written.
    """
    if part is None:
        yield from TextReader(paths, encoding)  # without reading all of it first for a hash
        return
    shards = shards_of(
        paths, encoding=encoding, part=part, cache_dir=cache_dir or cache_folder(), processes=1
    )
    for shard in shards:
        yield from shard.lines()


class EncodeStep:
    """The token ids of a shard, and of all shards in one. What is remembered of a shard serves the next one, too."""

    name: ClassVar[str] = "encode"

    def __init__(self, cache_dir: Path, tokenizer: Tokenizer) -> None:
        self.cache_dir = cache_dir
        self._tokenizer = tokenizer
        self._rules = joined_key([tokenizer.to_json()])
        self._encoder = LineEncoder(tokenizer)

    @classmethod
    def from_settings(cls, cache_dir: Path, settings: dict[str, Any]) -> Self:
        """In a worker."""
        return cls(cache_dir, Tokenizer.from_json(settings["tokenizer"]))

    def settings(self) -> dict[str, Any]:
        """The whole tokenizer."""
        return {"tokenizer": self._tokenizer.to_json()}

    def entry(self, shard: Shard) -> Path:
        """A folder: ids, and what was found."""
        return self.cache_dir / "corpora" / shard.key(self._rules)

    def whole(self, shards: Sequence[Shard]) -> Path:
        """The entry of all shards together; that of a single one is its own."""
        if len(shards) == 1:
            return self.entry(shards[0])
        return self.cache_dir / "corpora" / joined_key([shard.key(self._rules) for shard in shards])

    def make(self, shard: Shard, on_progress: ProgressCallback | None = None) -> None:
        """Read and encode; an entry that is damaged is made anew."""
        reader = shard.reader(on_progress)
        encoder, unknown_before = self._encoder, self._encoder.unknown
        lengths = [0] * len(shard.paths)

        def encoded() -> Iterator[TokenIds]:
            for file, lines in groupby(reader, lambda _: reader.file):
                before = encoder.tokens
                yield from encoder.batches(lines)
                lengths[file] = encoder.tokens - before

        with self._making(self.entry(shard)) as folder:
            _write_ids(folder, encoder.dtype, encoded())
            check_unchanged(reader.facts, shard.hashes)
            _write_facts(folder, sum(lengths), encoder.unknown - unknown_before, reader.facts, lengths)

    def load(self, shard: Shard) -> Corpus:
        """What was made; made again where it is damaged.

        Raises:
            TextError: it does not stay as it was made.
        """
        for _ in range(2):
            corpus = _load(self.entry(shard), self._tokenizer)
            if corpus is not None:
                return corpus
            self.make(shard)
        raise TextError(
            f"Another program changes the cache folder {self.cache_dir} at the same time. Start again."
        )

    def join(self, shards: Sequence[Shard]) -> None:
        """Make the entry of all shards together from theirs, one open at a time."""
        unknown = 0
        texts: list[TextFacts] = []
        lengths: list[int] = []

        def loaded() -> Iterator[TokenIds]:
            nonlocal unknown
            for shard in shards:
                part = self.load(shard)
                unknown += part.unknown
                texts.extend(part.texts)
                lengths.extend(part.file_lengths)
                for first in range(0, part.tokens, AT_ONCE):
                    yield part.ids[first : first + AT_ONCE]

        with self._making(self.whole(shards)) as folder:
            _write_ids(folder, ids_dtype(self._tokenizer), loaded())
            _write_facts(folder, sum(lengths), unknown, texts, lengths)

    @contextmanager
    def _making(self, entry: Path) -> Iterator[Path]:
        if entry.exists() and _load(entry, self._tokenizer) is None:
            shutil.rmtree(entry, ignore_errors=True)  # damaged: entries appear whole or not at all
        with writing_to(self.cache_dir), appearing_whole(entry) as folder:
            yield folder


def _write_ids(folder: Path, dtype: type[np.uint16] | type[np.uint32], parts: Iterable[TokenIds]) -> None:
    tokens = 0
    with (folder / IDS_FILE).open("wb") as file:
        _write_header(file, dtype, 0)
        for ids in parts:
            file.write(ids.data)
            tokens += len(ids)
        file.seek(0)
        _write_header(file, dtype, tokens)
        file.flush()
        os.fsync(file.fileno())


def _write_facts(
    folder: Path, tokens: int, unknown: int, texts: Sequence[TextFacts], file_lengths: Sequence[int]
) -> None:
    found = {
        "tokens": tokens,
        "unknown": unknown,
        "texts": [asdict(facts) for facts in texts],
        "file_lengths": list(file_lengths),
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
        lengths = tuple(int(length) for length in found["file_lengths"])
        ids = np.load(entry / IDS_FILE, mmap_mode="r")
        size = (entry / IDS_FILE).stat().st_size
        is_whole = ids.shape == (found["tokens"],) and ids.offset + ids.nbytes == size
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
    if not is_whole or ids.dtype != ids_dtype(tokenizer):
        return None
    return Corpus(ids, tokenizer.vocab_size, tokenizer.eos_id, unknown, texts, lengths)
