"""One text cut into parts."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Literal

import pytest

from rnn_cli.text import cut as cut_module
from rnn_cli.text import shard as shard_module
from rnn_cli.text import split as split_module
from rnn_cli.text.corpus import prepare_corpus, read_split
from rnn_cli.text.reader import read_lines
from rnn_cli.text.split import (
    Part,
    PartName,
    PartReader,
    Stretches,
    count_characters,
    place_of_words,
    text_of_split,
)
from rnn_cli.text.vocabulary import train_tokenizer

NAMES: tuple[PartName, ...] = ("train", "valid", "test")
Mode = Literal["stream", "lines"]


def numbered(path: Path, lines: int) -> Path:
    """A text whose lines are 0000, 0001 and so on: 5 characters each with their ends."""
    path.write_text("".join(f"{number:04}\n" for number in range(lines)))
    return path


def part(name: PartName, mode: Mode = "stream", valid: float = 0.2, test: float = 0.1) -> Part:
    return Part(name, valid=valid, test=test, mode=mode)


def lines_of(paths: list[Path], name: PartName, mode: Mode = "stream") -> list[str]:
    return list(PartReader(paths, part(name, mode), characters=count_characters(read_lines(paths))))


def test_a_short_stream_ends_with_its_validation_and_then_its_test_text(tmp_path: Path) -> None:
    text = numbered(tmp_path / "a.txt", 100)
    assert lines_of([text], "train") == [f"{number:04}" for number in range(70)]
    assert lines_of([text], "valid") == [f"{number:04}" for number in range(70, 90)]
    assert lines_of([text], "test") == [f"{number:04}" for number in range(90, 100)]


def test_a_long_stream_is_cut_in_stretches_that_each_end_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_module, "STRETCH_CHARACTERS", 250)
    text = numbered(tmp_path / "a.txt", 100)
    assert lines_of([text], "valid") == [f"{n:04}" for n in [*range(35, 45), *range(85, 95)]]
    assert lines_of([text], "test") == [f"{n:04}" for n in [*range(45, 50), *range(95, 100)]]


def test_there_are_never_more_than_20_stretches() -> None:
    places = Stretches(split_module.STRETCH_CHARACTERS * 1000)
    line = "x" * (split_module.STRETCH_CHARACTERS * 25 - 1)
    assert [places.place(line) for _ in range(4)] == [0.0, 0.5, 0.0, 0.5]


def test_files_are_one_text_and_the_facts_of_each_tell_of_the_part(tmp_path: Path) -> None:
    texts = [numbered(tmp_path / "a.txt", 60), numbered(tmp_path / "b.txt", 40)]
    reader = PartReader(texts, part("train"), characters=500)
    assert len(list(reader)) == 70
    assert [(facts.lines, facts.characters) for facts in reader.facts] == [(60, 300), (10, 50)]
    assert [facts.line_ends for facts in reader.facts] == [{"LF": 60}, {"LF": 40}]


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_every_line_is_in_exactly_one_part(tmp_path: Path, mode: Mode) -> None:
    text = numbered(tmp_path / "a.txt", 1000)
    parts = [lines_of([text], name, mode) for name in NAMES]
    assert sorted(line for lines in parts for line in lines) == [f"{number:04}" for number in range(1000)]


def test_independent_lines_are_picked_from_all_over_the_text_in_about_the_shares_asked_for(
    tmp_path: Path,
) -> None:
    text = numbered(tmp_path / "a.txt", 5000)
    valid = lines_of([text], "valid", "lines")
    assert len(valid) == pytest.approx(1000, rel=0.1)
    assert sum(int(line) < 2500 for line in valid) == pytest.approx(500, rel=0.15)


def test_equal_lines_are_in_the_same_part(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("".join(f"{number % 50:04}\n" for number in range(1000)))
    parts = [set(lines_of([text], name, "lines")) for name in NAMES]
    assert sum(len(lines) for lines in parts) == 50


def test_the_place_of_a_line_does_not_change_from_version_to_version() -> None:
    assert place_of_words("the cat sat on the mat") == pytest.approx(0.7501, abs=1e-4)


def test_the_text_of_a_split_is_its_own_files_or_a_part_of_the_training_text() -> None:
    a, b = Path("a.txt"), Path("b.txt")
    apart = {"train": ["a.txt"], "mode": "lines", "split": {"valid": 0.2, "test": 0.0}}
    assert text_of_split(apart, "train") == ([a], Part("train", valid=0.2, test=0.0, mode="lines"))
    assert text_of_split(apart, "valid") == ([a], Part("valid", valid=0.2, test=0.0, mode="lines"))
    assert text_of_split(apart, "test") is None
    assert text_of_split({**apart, "test": "b.txt"}, "test") == ([b], None)
    whole = {"train": "a.txt", "valid": ["b.txt", "a.txt"]}  # as another version may have written it
    assert text_of_split(whole, "train") == ([a], None)
    assert text_of_split(whole, "valid") == ([b, a], None)
    assert text_of_split(whole, "test") is None
    assert text_of_split({}, "train") is None


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_the_lines_of_a_part_can_be_read_again(tmp_path: Path, mode: Mode) -> None:
    path = numbered(tmp_path / "text.txt", 200)
    assert list(read_split([path], None)) == path.read_text().splitlines()
    assert list(read_split([path], part("valid", mode))) == lines_of([path], "valid", mode)


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_the_lines_of_a_part_are_the_same_from_many_shards(
    tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_module, "STRETCH_CHARACTERS", 250)
    paths = [numbered(tmp_path / f"{lines}.txt", lines) for lines in (90, 1, 250, 30)]
    whole = {name: list(read_split(paths, part(name, mode), cache_dir=tmp_path / "one")) for name in NAMES}
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 1)
    for name in NAMES:
        assert list(read_split(paths, part(name, mode), cache_dir=tmp_path / "four")) == whole[name]
    assert sorted(chain.from_iterable(whole.values())) == sorted(read_split(paths, None))


def test_the_size_of_a_text_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = numbered(tmp_path / "a.txt", 100)
    counted: list[int] = []

    def count(lines: Iterable[str]) -> int:
        counted.append(count_characters(lines))
        return counted[-1]

    monkeypatch.setattr(cut_module, "count_characters", count)
    tokenizer = train_tokenizer([text], part=part("train"), cache_dir=tmp_path / "cache")
    for name in NAMES:
        prepare_corpus([text], tokenizer, part=part(name), cache_dir=tmp_path / "cache")
    assert counted == [500]


def test_each_part_has_a_cache_entry_of_its_own(tmp_path: Path) -> None:
    text = numbered(tmp_path / "a.txt", 100)
    cache = tmp_path / "cache"
    tokenizer = train_tokenizer([text], part=part("train"), cache_dir=cache)
    assert tokenizer.vocab_size == 2 + 70  # the words of the other parts are unknown
    for _ in range(2):
        corpora = [prepare_corpus([text], tokenizer, part=part(name), cache_dir=cache) for name in NAMES]
        assert [corpus.lines for corpus in corpora] == [70, 20, 10]
        assert [corpus.unknown for corpus in corpora] == [0, 20, 10]
    whole = prepare_corpus([text], train_tokenizer([text], cache_dir=cache), cache_dir=cache)
    assert (whole.lines, whole.vocab_size, whole.unknown) == (100, 102, 0)
