"""The vocabulary of a text, learnt once and found again: its words are counted shard by shard and added up."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Self

from rnn_cli.cache import cache_folder
from rnn_cli.errors import TextError
from rnn_cli.files import write_text
from rnn_cli.text.cut import shards_of
from rnn_cli.text.entries import joined_key, writing_to
from rnn_cli.text.reader import ProgressCallback
from rnn_cli.text.rules import LONGEST_WORD, count_words
from rnn_cli.text.shard import Shard, in_turn
from rnn_cli.text.side_by_side import prepare
from rnn_cli.text.split import Part, too_few_lines
from rnn_cli.text.tokenizer import Tokenizer


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
    processes: int = 1,
    on_progress: ProgressCallback | None = None,
) -> Tokenizer:
    """`Tokenizer.train` on the lines of the files, or the same from the cache.

    Args:
        part: only the lines of this part; None: all.
        cache_dir: None means `cache_folder()`. For the other settings see `Tokenizer.train`.
        processes: at most so many count side by side; pairs of bytes (bpe) are merged by one.

    Raises:
        TextError: when a file cannot be read, the vocabulary stays empty, or the cache cannot be written.
        ValueError: for settings that cannot be.
    """
    cache_dir = cache_dir or cache_folder()
    # Without a vocabulary: when the rules change, so does the key.
    rules = Tokenizer.train(
        [], kind=kind, split=split, lowercase=lowercase, min_count=min_count, max_size=max_size
    ).to_json()
    shards = shards_of(
        paths, encoding=encoding, part=part, cache_dir=cache_dir, processes=processes, on_progress=on_progress
    )
    key = joined_key([*(shard.key(rules) for shard in shards), min_count, max_size])
    entry = cache_dir / "tokenizers" / f"{key}.json"
    with suppress(OSError, ValueError):  # not there yet, or damaged
        return Tokenizer.from_json(entry.read_text("utf-8"))
    if kind == "bpe":
        lines = chain.from_iterable(shard.lines(tell) for shard, tell in in_turn(shards, on_progress))
        tokenizer = Tokenizer.train(lines, kind=kind, split=split, lowercase=lowercase, max_size=max_size)
    else:
        step = CountStep(cache_dir, kind, split, lowercase)
        tokenizer = Tokenizer.of_counts(
            step.counts(shards, processes, on_progress),
            kind=kind,
            split=split,
            lowercase=lowercase,
            min_count=min_count,
            max_size=max_size,
        )
    _check_vocabulary(tokenizer, shards, paths, min_count)
    with writing_to(cache_dir):
        write_text(entry, tokenizer.to_json())
    return tokenizer


@dataclass(frozen=True)
class CountStep:
    """How often each word or character occurs in a shard."""

    cache_dir: Path
    kind: str
    split: str
    lowercase: bool
    name: ClassVar[str] = "count"

    @classmethod
    def from_settings(cls, cache_dir: Path, settings: dict[str, Any]) -> Self:
        """In a worker."""
        return cls(cache_dir, **settings)

    def settings(self) -> dict[str, Any]:
        """The rules of splitting."""
        return {"kind": self.kind, "split": self.split, "lowercase": self.lowercase}

    def entry(self, shard: Shard) -> Path:
        """Where the counts are kept."""
        rules = Tokenizer.train([], **self.settings()).to_json()
        return self.cache_dir / "words" / f"{shard.key(rules)}.json"

    def count(self, shard: Shard, on_progress: ProgressCallback | None = None) -> Counter[str]:
        """Count."""
        return count_words(shard.lines(on_progress), **self.settings())

    def make(self, shard: Shard, on_progress: ProgressCallback | None = None) -> None:
        """Count, and keep the counts."""
        self._made(shard, on_progress)

    def load(self, shard: Shard) -> dict[str, int]:
        """The counts; counted again where the entry is damaged."""
        try:
            stored = json.loads(self.entry(shard).read_text("utf-8"))
            return {str(word): int(count) for word, count in dict(stored).items()}
        except (OSError, ValueError, TypeError):
            return self._made(shard)

    def counts(
        self, shards: Sequence[Shard], processes: int, on_progress: ProgressCallback | None
    ) -> Counter[str]:
        """Those of all shards together. A text of one shard keeps none: its vocabulary is kept."""
        if len(shards) == 1:
            return self.count(shards[0], on_progress)
        prepare(self, shards, processes=processes, on_progress=on_progress)
        counts: Counter[str] = Counter()
        for shard in shards:
            counts.update(self.load(shard))
        return counts

    def _made(self, shard: Shard, on_progress: ProgressCallback | None = None) -> dict[str, int]:
        """What was counted and kept; it is not read again, because the cache may be deleted at any time."""
        counts = self.count(shard, on_progress)
        with writing_to(self.cache_dir):
            write_text(self.entry(shard), json.dumps(counts, ensure_ascii=False))
        return counts


def _check_vocabulary(
    tokenizer: Tokenizer, shards: Sequence[Shard], paths: Sequence[Path], min_count: int
) -> None:
    """Refuse a vocabulary of `<unk>` and `<eos>` alone, from which nothing can be learnt."""
    if tokenizer.vocab_size > 2:
        return
    part = shards[0].part
    if part is not None and not any(line.strip() for shard in shards for line in shard.lines()):
        raise TextError(too_few_lines(part, paths[0]))
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
