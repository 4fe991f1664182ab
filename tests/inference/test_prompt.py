from dataclasses import astuple
from typing import Any

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.inference.prompt import Prompt, read_context
from rnn_cli.text.tokenizer import Tokenizer

LINES = ["I like sushi, too.", "I like pasta."]
WORD = Tokenizer.train(LINES)
CHAR = Tokenizer.train(LINES, kind="char")


def test_two_or_more_underscores_are_a_blank() -> None:
    for blank in ("__", "_____", "_" * 100):
        assert astuple(Prompt.parse(f"I like {blank}.")) == (f"I like {blank}.", ("I like ", "."))


def test_one_underscore_is_no_blank() -> None:
    prompt = Prompt.parse("snake_case is")

    assert (prompt.blanks, prompt.left, prompt.right) == (0, "snake_case is", None)


def test_there_may_be_several_blanks() -> None:
    prompt = Prompt.parse("I ___ to ___ with __.")

    assert prompt.segments == ("I ", " to ", " with ", ".")
    assert (prompt.blanks, prompt.left, prompt.right) == (3, "I ", ".")


def test_more_than_ten_blanks_are_refused() -> None:
    assert Prompt.parse("I" + " __" * 10).blanks == 10
    with pytest.raises(UsageError) as error:
        Prompt.parse("I" + " __" * 1234)

    assert str(error.value) == (
        "The text has 1,234 blanks; at most 10 can be filled at a time. Write words in place of the others."
    )


@pytest.mark.parametrize("text", ["__", " ___\n", "__ \t __"])
def test_a_blank_in_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        Prompt.parse(text)

    assert str(error.value) == ("The text is nothing but a blank. Write words before it, behind it, or both.")


@pytest.mark.parametrize("text", [None, b"I like", 3, ["I"]])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(UsageError) as error:
        Prompt.parse(text)

    assert str(error.value) == f"The text is of the type {type(text).__name__}; it has to be a str."


def test_a_text_of_more_than_ten_million_characters_is_refused() -> None:
    with pytest.raises(UsageError) as error:
        Prompt.parse("a" * 10_000_001)

    assert str(error.value) == (
        "The text has 10,000,001 characters; a prompt has at most 10,000,000. Give its last words only: a model "
        "remembers little of what was long before."
    )
    assert len(Prompt.parse("a" * 10_000_000).left) == 10_000_000


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_printed() -> None:
    assert Prompt.parse("I like \ud800 __").left == "I like \ufffd "


def test_the_model_reads_the_end_of_line_first() -> None:
    context = read_context("I like", WORD, independent_lines=False)

    assert context.ids == [WORD.eos_id, *WORD.encode("I like")]
    assert (context.kept, context.after_space, context.at_line_start) == ("I like", False, False)


def test_white_space_at_the_end_belongs_to_the_next_word() -> None:
    context = read_context("I like \t ", WORD, independent_lines=False)

    assert context.ids == [WORD.eos_id, *WORD.encode("I like")]
    assert (context.kept, context.after_space, context.at_line_start) == ("I like", True, False)


def test_the_first_word_of_a_line_begins_with_its_space() -> None:
    for left, kept in (("", ""), ("  ", ""), ("I like.\n", "I like.\n"), ("I like.\n ", "I like.\n")):
        context = read_context(left, WORD, independent_lines=False)

        assert (context.kept, context.after_space, context.at_line_start) == (kept, True, True)


def test_characters_are_read_as_they_were_typed() -> None:
    context = read_context("I like ", CHAR, independent_lines=False)

    assert context.ids == [CHAR.eos_id, *CHAR.encode("I like ")]
    assert (context.kept, context.after_space) == ("I like ", False)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_is_read_after_an_end_of_line(end: str) -> None:
    context = read_context(f"I like sushi.{end}I", WORD, independent_lines=False)

    assert context.ids == [WORD.eos_id, *WORD.encode("I like sushi."), WORD.eos_id, *WORD.encode("I")]


def test_where_lines_are_independent_the_last_one_is_read_alone() -> None:
    context = read_context("Sushi!\nI", WORD, independent_lines=True)

    assert context.ids == [WORD.eos_id, *WORD.encode("I")]
    assert context.unknown == []


def test_unknown_words_are_named_once_as_they_were_typed() -> None:
    context = read_context("I like Curry and curry, and Curry", WORD, independent_lines=False)

    assert context.unknown == ["Curry", "and", "curry"]


def test_unknown_characters_are_named() -> None:
    assert read_context("I like x€x", CHAR, independent_lines=False).unknown == ["x", "€"]


@pytest.mark.parametrize("remembered", [0, 2, 100_000])
def test_a_very_long_line_is_read_in_parts_as_it_would_be_at_once(
    monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    line = "I like Curry,  and (pasta) too.\t x€ " * 40
    tokenizers = [WORD, CHAR, Tokenizer.train(LINES, kind="bpe", max_size=280)]
    at_once = [read_context(line, tokenizer, independent_lines=False) for tokenizer in tokenizers]
    monkeypatch.setattr("rnn_cli.inference.prompt.LONG_LINE", 100)
    monkeypatch.setattr("rnn_cli.text.rules.LONG_LINE", 100)
    monkeypatch.setattr("rnn_cli.inference.prompt._REMEMBERED", remembered)

    in_parts = [read_context(line, tokenizer, independent_lines=False) for tokenizer in tokenizers]

    assert in_parts == at_once
    assert at_once[0].unknown[0] == "Curry"
