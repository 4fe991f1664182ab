"""A few prompts to try the models of a run with: its own questions, or how lines of its texts begin."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rnn_cli.errors import RnnError
from rnn_cli.evaluation.questions import read_questions
from rnn_cli.text.corpus import read_split
from rnn_cli.text.split import PartName, text_of_split

LINES_LOOKED_AT = 2000
FEWEST_WORDS = 4
MOST_WORDS = 12


@dataclass(frozen=True)
class Tried:
    """A prompt, and the word that belongs there where that is known."""

    text: str
    answer: str | None = None


def prompts_of(data: dict[str, Any], count: int) -> list[Tried]:
    """At most `count` prompts, no two the same, spread over what there is; none where the texts are gone.

    Args:
        data: the section `data` of a run's config.
    """
    asked: list[Tried] = []
    for path in (data.get("questions") or {}).values():
        try:
            asked += [Tried(question.text, question.answer) for question in read_questions(Path(path))]
        except RnnError:  # moved away since
            continue
    if asked:
        return _spread(asked, count)
    splits: tuple[PartName, ...] = ("valid", "train")
    for split in splits:
        text = text_of_split(data, split)
        try:
            found = (
                [] if text is None else _openings(read_split(*text, encoding=data.get("encoding", "auto")))
            )
        except RnnError:
            continue
        if found:
            return _spread(found, count)
    return []


def _openings(of_text: Iterable[str]) -> list[Tried]:
    """The first half of each of the first lines that are long enough."""
    lines = islice(of_text, LINES_LOOKED_AT)
    long = [words for line in lines if len(words := line.split()) >= FEWEST_WORDS]
    return [Tried(" ".join(words[: min(len(words) // 2, MOST_WORDS)])) for words in long]


def _spread(found: list[Tried], count: int) -> list[Tried]:
    """`count` of them, as far from each other as can be; lines may begin alike, and each counts once."""
    all_ = list(dict.fromkeys(found))
    if len(all_) <= count:
        return all_
    return [all_[i * len(all_) // count] for i in range(count)]
