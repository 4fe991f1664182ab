"""One text cut into a part to learn from and parts to measure on.

The cut depends on the text and the shares alone, so it is the same every time, and a part can be read without the
others having been written anywhere. A line is never cut.

* A stream is cut into stretches, each of which ends with its share of validation and then of test text. So a part
  is a few long blocks from all over the text, and neighbouring lines hardly ever come apart.
* Independent lines go by what they say: a line that occurs twice is in one part both times, so none that was learnt
  by heart is measured on.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rnn_cli.text.reader import ProgressCallback, TextFacts, TextReader

PartName = Literal["train", "valid", "test"]

STRETCH_CHARACTERS = 1_000_000
MOST_STRETCHES = 20
"""Enough for the parts to be alike; more would only make the blocks shorter and their edges more."""

_DIGEST_BYTES = 8


@dataclass(frozen=True)
class Part:
    """A part of a text.

    Attributes:
        name: which part.
        valid: share of the whole text that is validation text, from 0 to 1.
        test: share that is test text.
        mode: "stream" cuts out blocks, "lines" picks single lines.
    """

    name: PartName
    valid: float
    test: float
    mode: Literal["stream", "lines"]

    def key(self) -> list[str | float]:
        """What a cache entry of this part depends on, besides the text."""
        return [self.name, self.valid, self.test, self.mode]

    def holds(self, place: float) -> bool:
        """Whether a place within a stretch, from 0 to 1, lies in this part: train first, then valid, then test."""
        return self.name == part_at(place, valid=self.valid, test=self.test)


def too_few_lines(part: Part, path: str | Path) -> str:
    """What to say where a part of a text has no line.

    Args:
        path: what the text is called.
    """
    found = {
        "train": f"valid {part.valid:g} and test {part.test:g} leave",
        "valid": f"valid {part.valid:g} gives",
        "test": f"test {part.test:g} gives",
    }[part.name]
    why = {
        "stream": "the text has too few lines for it, and a line is never cut",
        "lines": "the text has too few different lines for it, and equal ones stay together",
    }[part.mode]
    return (
        f"data.split: {found} no line of {path} for {part.name}: {why}. Change the share, or set it to 0 and name "
        f"another text{'' if part.name == 'train' else f' in data.{part.name}'}."
    )


def text_of_split(data: Mapping[str, Any], name: PartName) -> tuple[list[Path], Part | None] | None:
    """The files that a split is read from, and which part of them it is; None where there is no such split.

    A split with files of its own is all of them; one without is what `split` keeps apart of the training text.

    Args:
        data: the section `data` of a config, or what a file of another version has of it.

    Returns:
        The files, and None for all of them or a part.
    """
    own, train = _paths(data.get(name)), _paths(data.get("train"))
    shares = data.get("split") or {}
    valid, test = shares.get("valid") or 0.0, shares.get("test") or 0.0
    share = {"train": valid + test, "valid": valid, "test": test}[name]
    if (own and name != "train") or (train and name == "train" and share == 0):
        return own, None
    if not train or share == 0:
        return None
    return train, Part(name, valid=valid, test=test, mode=data.get("mode", "stream"))


def _paths(given: str | Sequence[str] | None) -> list[Path]:
    return [Path(path) for path in ([given] if isinstance(given, str) else given or [])]


def part_at(place: float, *, valid: float, test: float) -> PartName:
    """The part that a place from 0 to 1 lies in."""
    if place >= 1 - test:
        return "test"
    return "valid" if place >= 1 - test - valid else "train"


class PartReader:
    """The lines of one part of the files, and `facts`: lines and characters of the part, all else of whole files.

    Args:
        characters: of the whole text, from `count_characters`; independent lines do not ask for them.
        begins: those of the text before these files.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        part: Part,
        *,
        characters: int,
        begins: int = 0,
        encoding: str = "auto",
        on_progress: ProgressCallback | None = None,
    ) -> None:
        self.facts: list[TextFacts] = []
        self._reader = TextReader(paths, encoding, on_progress)
        self._paths = list(paths)
        self._part = part
        self._characters = characters
        self._begins = begins

    @property
    def file(self) -> int:
        """The number, from 0, of the file that the latest line is from."""
        return self._reader.file

    def __iter__(self) -> Iterator[str]:
        lines, characters = [0] * len(self._paths), [0] * len(self._paths)
        place_of = self._place_of_line()
        for line in self._reader:
            if self._part.holds(place_of(line)):
                lines[self.file] += 1
                characters[self.file] += len(line) + 1
                yield line
        self.facts = [
            replace(facts, lines=of_part, characters=size)
            for facts, of_part, size in zip(self._reader.facts, lines, characters, strict=True)
        ]

    def _place_of_line(self) -> Callable[[str], float]:
        """A function that is called with every line in turn: its place within its stretch, from 0 to 1."""
        if self._part.mode == "lines":
            return place_of_words
        return Stretches(self._characters, self._begins).place


def count_characters(lines: Iterable[str]) -> int:
    """Code points of the lines, a line end after each counted as one."""
    return sum(len(line) + 1 for line in lines)


class Stretches:
    """Places in a stream of so many characters, the line ends counted as one each, from `begins` of them on."""

    def __init__(self, characters: int, begins: int = 0) -> None:
        count = min(max(characters // STRETCH_CHARACTERS, 1), MOST_STRETCHES)
        self._length = max(characters, 1) / count
        self._read = begins

    def place(self, line: str) -> float:
        """The place of the next line's beginning within its stretch, from 0 to 1."""
        place = self._read % self._length / self._length
        self._read += len(line) + 1
        return place


def place_of_words(line: str) -> float:
    """A number from 0 to 1 that depends on what the line says alone, spread evenly over all lines."""
    digest = hashlib.blake2b(line.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big") / float(1 << 8 * _DIGEST_BYTES)
