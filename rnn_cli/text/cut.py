"""A text cut into shards, each of which knows what it must of the others."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, Self

from rnn_cli.files import write_text
from rnn_cli.text.entries import hashes_of, writing_to
from rnn_cli.text.reader import ProgressCallback
from rnn_cli.text.shard import Shard, cut_into_shards
from rnn_cli.text.side_by_side import prepare
from rnn_cli.text.split import Part, count_characters


def shards_of(
    paths: Sequence[Path],
    *,
    encoding: str,
    part: Part | None,
    cache_dir: Path,
    processes: int,
    on_progress: ProgressCallback | None = None,
) -> list[Shard]:
    """The files, or a part of each; to place the parts of a stream, all of it is read once.

    Raises:
        TextError: a file cannot be read.
    """
    shards = cut_into_shards(paths, hashes_of(paths, encoding, cache_dir), encoding)
    if part is None or part.mode == "lines":
        return [replace(shard, part=part) for shard in shards]
    step = MeasureStep(cache_dir)
    prepare(step, shards, processes=processes, on_progress=on_progress)
    ends = list(accumulate(step.load(shard) for shard in shards))
    begins = [0, *ends[:-1]]
    return [
        replace(shard, part=part, begins=begin, characters=ends[-1])
        for shard, begin in zip(shards, begins, strict=True)
    ]


@dataclass(frozen=True)
class MeasureStep:
    """The number of characters in a shard."""

    cache_dir: Path
    name: ClassVar[str] = "measure"

    @classmethod
    def from_settings(cls, cache_dir: Path, _: dict[str, Any]) -> Self:
        """In a worker."""
        return cls(cache_dir)

    def settings(self) -> dict[str, Any]:
        """There are none."""
        return {}

    def entry(self, shard: Shard) -> Path:
        """Where the number is kept."""
        return self.cache_dir / "sizes" / f"{shard.key()}.json"

    def make(self, shard: Shard, on_progress: ProgressCallback | None = None) -> None:
        """Count, a line end after each line as one."""
        self._made(shard, on_progress)

    def load(self, shard: Shard) -> int:
        """The number; counted again where the entry is damaged."""
        try:
            return int(json.loads(self.entry(shard).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return self._made(shard)

    def _made(self, shard: Shard, on_progress: ProgressCallback | None = None) -> int:
        """What was counted and kept; it is not read again, because the cache may be deleted at any time."""
        characters = count_characters(shard.lines(on_progress))
        with writing_to(self.cache_dir):
            write_text(self.entry(shard), json.dumps(characters))
        return characters
