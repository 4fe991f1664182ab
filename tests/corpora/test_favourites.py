"""Tests of the corpus `favourites`: the committed files and the script that writes them."""

import json
from pathlib import Path

import pytest

from corpora.favourites.generate import BANDS, HERE, Question, main, split_pairings
from corpora.favourites.tables import Tables, load_tables, tokens_of, words_of

GENERATED = ("test.txt", "train.txt", "unseen_pairings.jsonl", "unseen_wordings.jsonl", "valid.txt")
SUSHI = "My favourite dish is sushi. So, my favourite cuisine is Japanese."


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables(HERE)


def lines_of(split: str) -> list[str]:
    return (HERE / f"{split}.txt").read_text(encoding="utf-8").splitlines()


def questions_of(name: str) -> list[Question]:
    lines = (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Question(**json.loads(line)) for line in lines]


@pytest.fixture(scope="module")
def pairings(tables: Tables) -> dict[str, set[tuple[str, str]]]:
    """By split: the statements and closings of its lines, between which only fillers stand."""
    found: dict[str, set[tuple[str, str]]] = {}
    for split in ("train", "valid", "test"):
        lines = [line.removesuffix(".").split(". ") for line in lines_of(split)]
        assert {f"{sentence}." for line in lines for sentence in line[1:-1]} <= set(tables.fillers)
        found[split] = {(line[0], line[-1]) for line in lines}
    return found


def test_the_script_writes_the_committed_files_byte_for_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == list(GENERATED)
    for name in GENERATED:
        assert (tmp_path / name).read_bytes() == (HERE / name).read_bytes(), name
    assert "unseen_pairings" in capsys.readouterr().out


def test_all_generated_files_together_stay_below_six_megabytes() -> None:
    assert sum((HERE / name).stat().st_size for name in GENERATED) < 6_000_000


def test_there_are_150_dishes_20_cuisines_5_families_40_wordings_and_60_fillers(tables: Tables) -> None:
    cuisines = tables.families[0]
    assert len(cuisines.answers) >= 150
    assert len(set(cuisines.answers.values())) >= 20
    assert len(tables.families) >= 5
    assert all(len(family.wordings) + len(family.unseen_wordings) >= 40 for family in tables.families)
    assert len(tables.fillers) >= 60


def test_the_readme_gives_the_counts_of_every_family(tables: Tables) -> None:
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    for family in tables.families:
        words, answers = len(family.answers), len(set(family.answers.values()))
        assert f"| `{family.name}` | {words} | {answers} |" in readme


def test_each_deciding_word_stands_once_and_is_no_answer(tables: Tables) -> None:
    words = [word.lower() for family in tables.families for word in family.answers]
    answers = {answer.lower() for family in tables.families for answer in family.answers.values()}
    assert len(words) == len(set(words))
    assert answers.isdisjoint(words)


def test_fillers_have_4_to_11_words(tables: Tables) -> None:
    assert {len(words_of(filler)) for filler in tables.fillers} <= set(range(4, 12))


def test_the_sushi_sentence_is_a_question_on_an_unseen_pairing() -> None:
    question = Question(SUSHI.replace("Japanese", "_____"), "Japanese", 5, "cuisines")
    assert question in questions_of("unseen_pairings")
    assert SUSHI in lines_of("test")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_sushi_is_never_put_in_that_wording_outside_test(split: str) -> None:
    statement, closing = SUSHI.split(". ")
    assert not [line for line in lines_of(split) if line.startswith(statement) and line.endswith(closing)]


def test_no_pairing_stands_in_two_splits(pairings: dict[str, set[tuple[str, str]]]) -> None:
    assert pairings["test"].isdisjoint(pairings["train"] | pairings["valid"])
    assert pairings["valid"].isdisjoint(pairings["train"])


def test_no_sentence_of_an_unseen_wording_stands_in_train_or_valid(
    pairings: dict[str, set[tuple[str, str]]],
) -> None:
    seen = {sentence for split in ("train", "valid") for pairing in pairings[split] for sentence in pairing}
    for question in questions_of("unseen_wordings"):
        sentences = question.sentence.removesuffix(".").split(". ")
        assert seen.isdisjoint((sentences[0], sentences[-1]))


def test_test_is_both_question_files_filled_in() -> None:
    questions = questions_of("unseen_pairings") + questions_of("unseen_wordings")
    assert lines_of("test") == [question.text.replace("_____", question.answer) for question in questions]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_train_holds_every_token_of(split: str) -> None:
    known = {token for line in lines_of("train") for token in tokens_of(line)}
    assert {token for line in lines_of(split) for token in tokens_of(line)} <= known


@pytest.mark.parametrize("name", ["unseen_pairings", "unseen_wordings"])
def test_distances_count_the_words_between_the_deciding_word_and_the_blank(name: str, tables: Tables) -> None:
    deciding = {word for family in tables.families for word in family.answers}
    for question in questions_of(name):
        words = words_of(question.text.replace("_____", "BLANK"))
        (position,) = (index for index, word in enumerate(words) if word in deciding)
        assert question.distance == words.index("BLANK") - position - 1
        assert 5 <= question.distance <= 60


def test_every_distance_band_has_150_questions_on_unseen_pairings() -> None:
    questions = questions_of("unseen_pairings")
    assert len(questions) >= 1_500
    for low, high in BANDS:
        assert sum(low <= question.distance <= high for question in questions) >= 150


def test_there_are_600_questions_on_unseen_wordings() -> None:
    assert len(questions_of("unseen_wordings")) >= 600


def test_every_word_keeps_most_of_its_wordings_for_training(tables: Tables) -> None:
    for family in tables.families:
        train, valid, test = split_pairings(family)
        for word in family.answers:
            counts = [sum(pairing.word == word for pairing in part) for part in (train, valid, test)]
            assert sum(counts) == len(family.wordings)
            assert counts[0] >= 0.8 * sum(counts)
