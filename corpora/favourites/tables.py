"""The tables of the corpus, read from their files and checked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml

FAMILY_NAMES = ("cuisines", "cities", "young_animals", "instruments", "tools")


@dataclass(frozen=True)
class Wording:
    """A way to put a fact: a statement with `{word}`, and a closing sentence that ends with `{answer}.`"""

    statement: str
    closing: str


@dataclass(frozen=True)
class Family:
    """Facts of one kind, and the wordings that put them. `answers` maps each deciding word to its answer."""

    name: str
    answers: dict[str, str]
    wordings: tuple[Wording, ...]
    unseen_wordings: tuple[Wording, ...]


@dataclass(frozen=True)
class Tables:
    """All that the corpus is made from. `fillers` are sentences that have nothing to do with any fact."""

    families: tuple[Family, ...]
    fillers: tuple[str, ...]


def words_of(text: str) -> list[str]:
    """The words of `text` in order: runs of letters."""
    return re.findall(r"[^\W\d_]+", text)


def tokens_of(text: str) -> list[str]:
    """The words of `text` and its punctuation marks, in order."""
    return re.findall(r"[^\W\d_]+|[^\w\s]", text)


def load_tables(folder: Path) -> Tables:
    """Read `families/*.yaml` and `fillers.txt` of `folder`. Raises ValueError where a table is at fault."""
    families = tuple(_load_family(folder / "families" / f"{name}.yaml") for name in FAMILY_NAMES)
    fillers = tuple((folder / "fillers.txt").read_text(encoding="utf-8").splitlines())
    tables = Tables(families, fillers)
    _check_facts(tables)
    _check_sentences(tables)
    return tables


def _load_family(path: Path) -> Family:
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    pairs = [(word, answer) for answer, words in table["facts"].items() for word in words]
    _refuse_duplicates((word for word, _ in pairs), where=path.name)
    return Family(
        name=path.stem,
        answers=dict(pairs),
        wordings=tuple(Wording(*pair) for pair in product(table["statements"], table["closings"])),
        unseen_wordings=tuple(Wording(*pair) for pair in table["unseen_wordings"]),
    )


def _check_facts(tables: Tables) -> None:
    """Every deciding word and every answer is one word, and no word plays two parts."""
    deciding_words = [word for family in tables.families for word in family.answers]
    answers = [answer for family in tables.families for answer in set(family.answers.values())]
    for word in deciding_words + answers:
        if words_of(word) != [word]:
            raise ValueError(f"'{word}' is not a single word of letters.")
    _refuse_duplicates((word.lower() for word in deciding_words + answers), where="the facts of all families")


def _check_sentences(tables: Tables) -> None:
    """No filler and no wording gives an answer away, and no sentence stands in the tables twice."""
    wordings = [w for family in tables.families for w in family.wordings + family.unseen_wordings]
    for wording in wordings:
        if wording.statement.count("{word}") != 1 or not wording.closing.endswith(" {answer}."):
            raise ValueError(
                f"A statement needs one {{word}}, a closing must end with {{answer}}.: {wording}"
            )
    _refuse_duplicates(wordings, where="the wordings")
    _refuse_duplicates(tables.fillers, where="the fillers")

    facts = {part.lower() for family in tables.families for fact in family.answers.items() for part in fact}
    templates = [sentence for wording in wordings for sentence in (wording.statement, wording.closing)]
    for sentence in [*templates, *tables.fillers]:
        if given_away := facts.intersection(words_of(sentence.lower())):
            raise ValueError(f"The sentence '{sentence}' holds a word of the facts: {sorted(given_away)}.")


def _refuse_duplicates(items: Iterable[object], *, where: str) -> None:
    seen: set[object] = set()
    for item in items:
        if item in seen:
            raise ValueError(f"'{item}' stands twice in {where}.")
        seen.add(item)
