from typing import Any

import pytest

from rnn_cli.errors import UsageError
from rnn_cli.inference.choices import checked_choices
from rnn_cli.inference.prompt import Prompt

BLANK = Prompt.parse("I eat __.")


def test_choices_lose_the_white_space_around_them() -> None:
    assert checked_choices([" rice", "brown\t rice\n"], BLANK, (1, 2)) == ["rice", "brown rice"]


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_printed() -> None:
    assert checked_choices(["rice\ud83d"], BLANK) == ["rice\ufffd"]


@pytest.mark.parametrize(
    ("choices", "text", "message"),
    [
        ([], "I __", "There are no choices. Name at least one word to rank."),
        ("ab", "I __", 'The choices have to be a list of texts, such as ["cat", "dog"].'),
        ([1], "I __", 'The choices have to be a list of texts, such as ["cat", "dog"].'),
        (["a", " "], "I __", "Choice 2 is empty. Every choice needs a word."),
        (
            ["of two"],
            "I __",
            'The choice "of two" has 2 words, and the blank is for 1. Longer blanks: --blank-words 1-2.',
        ),
        (
            ["1 2 3 4 5 6"],
            "I __",
            'The choice "1 2 3 4 5 6" has 6 words, and the blank is for 1. At most 5 can be asked for.',
        ),
        (["a", "b", "a "], "I __", 'The choice "a" is there twice. Keep one of them.'),
        (["\x1b" * 99] * 2, "I __", f'The choice "{"?" * 60}" is there twice. Keep one of them.'),
        (["a"], "I", "The text has no blank for the choices. Put ____ where one of them belongs."),
        (
            ["a"],
            "__ I __",
            "The text has 2 blanks; choices are for one. Write words in place of the others.",
        ),
        (
            [str(number) for number in range(1234)],
            "I __",
            "There are 1,234 choices; at most 1,000 can be ranked.",
        ),
    ],
)
def test_choices_that_cannot_be_are_refused(choices: Any, text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        checked_choices(choices, Prompt.parse(text))

    assert str(error.value) == message
