"""What a text looks like."""

import random
from pathlib import Path

import pytest

from rnn_cli.errors import TextError
from rnn_cli.recipe import look as look_module
from rnn_cli.recipe.look import look_at, look_of
from rnn_cli.recipe.text_choice import UNRELATED


def running_text(topics: int = 200, lines_each: int = 5) -> list[str]:
    """Lines that share a rare word with their neighbours: each topic has a word of its own."""
    return [f"the topic{topic} is told of in line {n}" for topic in range(topics) for n in range(lines_each)]


def test_a_text_is_counted_to_its_end_and_told_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_module, "SAMPLE_CHARACTERS", 40)
    path = tmp_path / "a.txt"
    path.write_text("one two\n" * 5 + "\n" * 10 + "twelve\n" * 20)
    look = look_at([path], encoding="auto")
    assert (look.characters, look.lines) == (5 * 8 + 10 + 20 * 7, 25)
    assert look.words == 48  # 10 in the first 40 of 190 characters
    assert (look.blank_share, look.words_per_line, look.characters_per_word) == (0.0, 2.0, 3.0)
    assert look.distinct_share == 0.2


@pytest.mark.parametrize("white", ["\n" * 50, " " * 50 + "\n" + " " * 50])
def test_white_space_before_a_text_says_nothing_of_it(
    white: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_module, "SAMPLE_CHARACTERS", 40)
    path = tmp_path / "a.txt"
    path.write_text(white + "one two\n" * 5)
    look = look_at([path], encoding="auto")
    assert (look.lines, look.characters) == (5, len(white) + 40)
    assert (look.blank_share, look.words_per_line, look.characters_per_word) == (0.0, 2.0, 3.0)


def test_neighbouring_lines_of_running_text_are_more_alike_than_lines_far_apart() -> None:
    lines = running_text()
    assert look_of(lines, characters=1, lines=len(lines)).likeness > 50


def test_lines_in_any_order_are_as_alike_as_lines_far_apart() -> None:
    lines = running_text()
    random.Random(1).shuffle(lines)
    assert look_of(lines, characters=1, lines=len(lines)).likeness < UNRELATED


def test_lines_that_share_nothing_are_not_alike() -> None:
    lines = [f"name{number}" for number in range(500)]
    look = look_of(lines, characters=4000, lines=500)
    assert (look.likeness, look.distinct_share) == (1.0, 1.0)


def test_a_text_with_marked_rare_words_is_split_already() -> None:
    assert look_of(["the <unk> sat"], characters=14, lines=1).is_split
    assert not look_of(["the unk sat"], characters=12, lines=1).is_split


def test_a_line_that_comes_again_is_counted_once() -> None:
    assert look_of(["a b", "", "c", "a b", " "], characters=14, lines=3).distinct_lines == 2


def test_a_text_of_one_line_can_be_looked_at() -> None:
    look = look_of(["the cat"], characters=8, lines=1)
    assert (look.words, look.likeness) == (2, 1.0)


def test_an_empty_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(" \n\n")
    with pytest.raises(TextError) as caught:
        look_at([path], encoding="auto")
    assert str(caught.value) == f"{path} has no text: it is empty or holds only white space. Leave it out."


def test_an_encoding_that_is_sure_need_not_be_found_out_again(tmp_path: Path) -> None:
    texts = [tmp_path / "a.txt", tmp_path / "b.txt"]
    texts[0].write_text("caf\u00e9\n", encoding="utf-8")
    texts[1].write_text("caf\u00e9\n", encoding="cp1252")
    assert look_at(texts[:1], encoding="auto").encoding == "utf-8"
    assert look_at(texts[1:], encoding="auto").encoding == "auto"  # only a guess, to be told
    assert look_at(texts, encoding="auto").encoding == "auto"
