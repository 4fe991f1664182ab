"""Write the corpus `favourites` from its tables: `python -m corpora.favourites.generate [OUT_DIR]`.

An example is one line: a statement that names the deciding word, some fillers, and a closing whose last
word is the answer. A pairing is a deciding word in one wording; its examples all fall in the same split.
"""

import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, cycle
from pathlib import Path

from corpora.favourites.tables import Family, Tables, Wording, load_tables, tokens_of, words_of

HERE = Path(__file__).parent
SEED = 1
SHORTEST_DISTANCE, LONGEST_DISTANCE = 5, 60
TURNS, TEST_TURNS, VALID_TURNS = 20, 2, 1  # of 20 pairings, 2 are held out for test and 1 for valid
# The examples take these numbers of fillers in turn. Training needs many short examples: a network first learns
# which answer a word decides, and only then to carry it past fillers.
TRAIN_FILLER_COUNTS = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6)
QUESTION_FILLER_COUNTS = (0, 1, 2, 3, 4, 5, 6, 6)
BLANK = "_____"
BANDS = ((1, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, 60))


@dataclass(frozen=True)
class Pairing:
    """A deciding word in one wording, and the answer that it decides."""

    family: str
    word: str
    answer: str
    wording: Wording


@dataclass(frozen=True)
class Question:
    """One example with its answer blanked. `distance`: the words between the deciding word and the blank."""

    text: str
    answer: str
    distance: int
    family: str

    @property
    def sentence(self) -> str:
        return self.text.replace(BLANK, self.answer)


@dataclass(frozen=True)
class Corpus:
    """The questions of every split; the test split is the two unseen ones together."""

    train: list[Question]
    valid: list[Question]
    unseen_pairings: list[Question]
    unseen_wordings: list[Question]


def split_pairings(family: Family) -> tuple[list[Pairing], list[Pairing], list[Pairing]]:
    """The pairings of the seen wordings, split into train, valid and test.

    The wordings take turns, shifted by one from word to word, so that every word and every wording is held out
    about equally often. The first word in the first wording is held out for test.
    """
    train, valid, test = [], [], []
    for shift, (word, answer) in enumerate(family.answers.items()):
        for index, wording in enumerate(family.wordings):
            pairing = Pairing(family.name, word, answer, wording)
            turn = (index + shift) % TURNS
            if turn < TEST_TURNS:
                test.append(pairing)
            elif turn < TEST_TURNS + VALID_TURNS:
                valid.append(pairing)
            else:
                train.append(pairing)
    return train, valid, test


def unseen_wording_pairings(family: Family) -> list[Pairing]:
    """Every deciding word in every wording that training never sees."""
    return [
        Pairing(family.name, word, answer, wording)
        for word, answer in family.answers.items()
        for wording in family.unseen_wordings
    ]


def ask(pairing: Pairing, fillers: Sequence[str], filler_count: int, rng: random.Random) -> Question:
    """Put a pairing with `filler_count` random fillers, drawn anew until the distance is allowed."""
    statement = pairing.wording.statement.format(word=pairing.word)
    closing = pairing.wording.closing.format(answer=BLANK)
    while True:
        text = " ".join([statement, *rng.sample(fillers, filler_count), closing])
        distance = len(words_of(text)) - words_of(text).index(pairing.word) - 1
        if SHORTEST_DISTANCE <= distance <= LONGEST_DISTANCE:
            return Question(text, pairing.answer, distance, pairing.family)


def make_corpus(tables: Tables) -> Corpus:
    """Draw every example; the same tables always give the same corpus."""
    rng = random.Random(SEED)

    def ask_all(pairings: Iterable[Pairing], filler_counts: Sequence[int]) -> list[Question]:
        counted = zip(pairings, cycle(filler_counts), strict=False)
        questions = [ask(pairing, tables.fillers, filler_count, rng) for pairing, filler_count in counted]
        rng.shuffle(questions)
        return questions

    splits = [split_pairings(family) for family in tables.families]
    train, valid, test = (chain.from_iterable(parts) for parts in zip(*splits, strict=True))
    unseen = chain.from_iterable(unseen_wording_pairings(family) for family in tables.families)
    return Corpus(
        train=ask_all(train, TRAIN_FILLER_COUNTS),
        valid=ask_all(valid, QUESTION_FILLER_COUNTS),
        unseen_pairings=ask_all(test, QUESTION_FILLER_COUNTS),
        unseen_wordings=ask_all(unseen, QUESTION_FILLER_COUNTS),
    )


def write_corpus(corpus: Corpus, folder: Path) -> None:
    """Write the splits as text, one example a line, and the test questions as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    test = corpus.unseen_pairings + corpus.unseen_wordings
    for split, questions in (("train", corpus.train), ("valid", corpus.valid), ("test", test)):
        _write_lines(folder / f"{split}.txt", (question.sentence for question in questions))
    _write_lines(folder / "unseen_pairings.jsonl", map(_as_json, corpus.unseen_pairings))
    _write_lines(folder / "unseen_wordings.jsonl", map(_as_json, corpus.unseen_wordings))


def _as_json(question: Question) -> str:
    return json.dumps(asdict(question), ensure_ascii=False)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def summary(tables: Tables, corpus: Corpus) -> Iterator[str]:
    """The lines of a short table: the families, then the splits with their examples by distance."""
    yield "family         words  answers  wordings  unseen wordings"
    for family in tables.families:
        words, answers = len(family.answers), len(set(family.answers.values()))
        seen, unseen = len(family.wordings), len(family.unseen_wordings)
        yield f"{family.name:13} {words:6} {answers:8} {seen:9} {unseen:16}"
    yield ""
    bands = "".join(f"{f'{low}-{high}':>7}" for low, high in BANDS)
    yield f"split            lines   tokens{bands}  words away"
    for split, questions in vars(corpus).items():
        tokens = sum(len(tokens_of(question.sentence)) for question in questions)
        in_bands = [sum(low <= question.distance <= high for question in questions) for low, high in BANDS]
        yield f"{split:15} {len(questions):6} {tokens:8}" + "".join(f"{count:7}" for count in in_bands)
    yield ""
    vocabulary = {token for question in corpus.train for token in tokens_of(question.sentence)}
    yield f"{len(vocabulary)} different tokens in train"


def main(arguments: Sequence[str]) -> None:
    """Write all files into the folder named by the first argument, or else into the folder of this script."""
    tables = load_tables(HERE)
    corpus = make_corpus(tables)
    write_corpus(corpus, Path(arguments[0]) if arguments else HERE)
    print("\n".join(summary(tables, corpus)))


if __name__ == "__main__":
    main(sys.argv[1:])
