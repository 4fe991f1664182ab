"""What a text looks like: how long it is, whether it has words, whether its lines belong together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rnn_cli.text.reader import ProgressCallback, TextReader

SAMPLE_CHARACTERS = 4_000_000
"""So much of the beginning tells what kind of text it is; its length is counted to the end."""

RARE_SHARE = 0.01
"""A word that stands in more of the lines than this says nothing about what a line is about."""

CHANCE = 0.01
"""Shared words a line that chance may make or miss: where there are hardly any, the lines are not alike."""


@dataclass(frozen=True)
class Look:
    """What a text looks like. All but the first three are of its first four million characters
    from the first line on that is not blank.

    Attributes:
        characters: code points, a line end counted as one.
        lines: those that are not blank.
        words: runs without white space, estimated from the sample.
        characters_per_word: between white space.
        distinct_share: different words in all words, from 0 to 1.
        blank_share: blank lines in all lines, from 0 to 1.
        words_per_line: mean, blank lines left out.
        likeness: how many times as many rare words neighbouring lines share as lines far apart do; about 1 where
            the order of the lines means nothing.
        is_split: whether words and marks stand apart and rare words are "<unk>" already, as in WikiText.
        distinct_lines: different ones that are not blank.
        encoding: that of every file, not to be found out again; auto where they differ or one is a guess.
    """

    characters: int
    lines: int
    words: int
    characters_per_word: float
    distinct_share: float
    blank_share: float
    words_per_line: float
    likeness: float
    is_split: bool
    distinct_lines: int
    encoding: str = "auto"


def look_at(paths: Sequence[Path], *, encoding: str, on_progress: ProgressCallback | None = None) -> Look:
    """Read the files once.

    Raises:
        TextError: a file cannot be read, or is no text.
    """
    characters = sampled = lines = 0
    sample: list[str] = []
    reader = TextReader(paths, encoding, on_progress)
    for line in reader:
        characters += len(line) + 1
        lines += bool(line.strip())
        if not sample:  # white space alone would say nothing of the kind
            line = line.lstrip()  # noqa: PLW2901
        if sampled < SAMPLE_CHARACTERS and (sample or line):
            sample.append(line[:SAMPLE_CHARACTERS])
            sampled += len(line) + 1
    found = {"auto" if facts.encoding_is_a_guess else facts.encoding for facts in reader.facts}
    encoding = found.pop() if len(found) == 1 else encoding
    return replace(look_of(sample, characters=characters, lines=lines), encoding=encoding)


def look_of(sample: Sequence[str], *, characters: int, lines: int) -> Look:
    """What lines from the beginning of a text with so many characters and lines say about it."""
    split = [words for line in sample if (words := line.split())]
    counts = Counter(word for words in split for word in words)
    total = counts.total()
    sampled = sum(len(line) + 1 for line in sample)
    return Look(
        characters=characters,
        lines=lines,
        words=round(total * characters / sampled),
        characters_per_word=sum(len(word) * count for word, count in counts.items()) / total,
        distinct_share=len(counts) / total,
        blank_share=1 - len(split) / len(sample),
        words_per_line=total / len(split),
        likeness=_likeness([set(words) for words in split]),
        is_split="<unk>" in counts,
        distinct_lines=len({line for line in sample if line.strip()}),
    )


def _likeness(lines: Sequence[set[str]]) -> float:
    """Rare words shared by neighbours, over those shared by lines half the text apart."""
    in_lines = Counter(word for words in lines for word in words)
    most = max(2.0, RARE_SHARE * len(lines))
    rare = [{word for word in words if in_lines[word] <= most} for words in lines]
    half = max(1, len(rare) // 2)

    def shared(distance: int) -> int:
        return sum(len(one & other) for one, other in zip(rare, rare[distance:], strict=False))

    neighbours, far = shared(1) / max(1, len(rare) - 1), shared(half) / max(1, len(rare) - half)
    return (neighbours + CHANCE) / (far + CHANCE)
