"""A shard of a text: a file, or small neighbouring files, prepared by themselves and found again by their content."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rnn_cli.text.entries import check_unchanged, key_of
from rnn_cli.text.reader import ProgressCallback, TextReader, file_status
from rnn_cli.text.split import Part, PartReader

SHARD_BYTES = 8 << 20
"""Small files are put together until there are so many bytes, as they lie on disk: an entry in the cache takes some
milliseconds, and there may be ten thousand files."""


@dataclass(frozen=True)
class Shard:
    """Neighbouring files of a text.

    Attributes:
        paths: the files.
        hashes: the sha256 of each.
        encoding: "auto" or a codec.
        part: only the lines of this part; None: all.
        begins: characters of the text before these files; 0 unless it is a part of a stream.
        characters: of the whole text; 0 unless it is a part of a stream.
    """

    paths: tuple[Path, ...]
    hashes: tuple[str, ...]
    encoding: str
    part: Part | None = None
    begins: int = 0
    characters: int = 0

    def key(self, *settings: object) -> str:
        """The name of an entry of the cache that is made of this shard."""
        part = [*self.part.key(), self.begins, self.characters] if self.part else None
        return key_of(self.paths, self.hashes, part, self.encoding, *settings)

    def size(self) -> int:
        """Bytes on disk."""
        return sum(file_status(path).st_size for path in self.paths)

    def reader(self, on_progress: ProgressCallback | None = None) -> TextReader | PartReader:
        """Its lines, and what is found in its files."""
        if self.part is None:
            return TextReader(self.paths, self.encoding, on_progress)
        return PartReader(
            self.paths,
            self.part,
            characters=self.characters,
            begins=self.begins,
            encoding=self.encoding,
            on_progress=on_progress,
        )

    def lines(self, on_progress: ProgressCallback | None = None) -> Iterator[str]:
        """Its lines; at the end, a TextError if a file is not what it was."""
        reader = self.reader(on_progress)
        yield from reader
        check_unchanged(reader.facts, self.hashes)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "paths": [str(path) for path in self.paths]}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        part = stored["part"]
        return cls(
            paths=tuple(Path(path) for path in stored["paths"]),
            hashes=tuple(stored["hashes"]),
            encoding=stored["encoding"],
            part=part and Part(**part),
            begins=stored["begins"],
            characters=stored["characters"],
        )


def cut_into_shards(paths: Sequence[Path], hashes: Sequence[str], encoding: str) -> list[Shard]:
    """All files in their order. Where a shard ends depends on their sizes alone, not on who prepares them."""
    sizes = [file_status(path).st_size for path in paths]
    shards = []
    first = size = 0
    left = sum(sizes)
    for end, file_size in enumerate(sizes, start=1):
        size += file_size
        left -= file_size
        # What is left and too small for a shard of its own belongs to the one before it.
        if end == len(paths) or (size >= SHARD_BYTES and left >= SHARD_BYTES):
            shards.append(Shard(tuple(paths[first:end]), tuple(hashes[first:end]), encoding))
            first, size = end, 0
    return shards


def in_turn(
    shards: Sequence[Shard], on_progress: ProgressCallback | None
) -> Iterator[tuple[Shard, ProgressCallback]]:
    """Each shard, and what to call with the progress in it so that it is told as progress in all of them."""
    total = sum(shard.size() for shard in shards)
    before = 0
    for shard in shards:

        def tell(done: int, _: int, before: int = before) -> None:
            if on_progress:
                on_progress(before + done, total)

        yield shard, tell
        before += shard.size()
