"""What the options of a completion may be, checked before any work is done."""

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

from rnn_cli.errors import UsageError


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)  # NumPy's integers, too


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


_FROM_0 = ("a whole number of at least 0", lambda value: _is_whole(value) and value >= 0)
_FROM_1 = ("a whole number of at least 1", lambda value: _is_whole(value) and value >= 1)

# Each candidate and each sample holds a state and the scores of every word: more than this is a slip of the hand.
_FROM_1_TO_1000 = ("a whole number from 1 to 1,000", lambda value: _is_whole(value) and 1 <= value <= 1000)

MOST_BLANK_WORDS = 5  # each further word is a search of its own

_MOST_DIGITS = 40  # of a number that is shown

_ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "top": _FROM_1_TO_1000,
    "max_words": _FROM_1_TO_1000,
    "temperature": ("a number of at least 0", lambda value: _is_number(value) and value >= 0),
    "top_k": _FROM_1,
    "top_p": ("a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1),
    "samples": _FROM_1_TO_1000,
    "seed": _FROM_0,
}


def given_options(**options: Any) -> dict[str, Any]:
    """The options that are not None, all of them within their ranges.

    Raises:
        UsageError: names the option, what was found and what is allowed.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        allowed, holds = _ALLOWED[name]
        if not holds(value):
            raise UsageError(f"{option_name(name)} is {_shown(value)}; it has to be {allowed}.")
    return given


def checked_blank_words(blank_words: tuple[int, int]) -> None:
    """Check the smallest and the largest number of words in a blank.

    Raises:
        UsageError: they are no such numbers.
    """
    fewest, most = blank_words
    if not (_is_whole(fewest) and _is_whole(most) and 1 <= fewest <= most <= MOST_BLANK_WORDS):
        typed = _shown(fewest) if fewest == most else f"{_shown(fewest)}-{_shown(most)}"
        raise UsageError(blank_words_out_of_range(typed))


def check_together(
    *, blanks: int, blank_words: tuple[int, int], why: bool, drawing: Mapping[str, Any], remembers: bool
) -> None:
    """Check that the options of a completion go with its text, and with each other.

    Args:
        blanks: how many the text has.
        drawing: the options given that draw a continuation at random.
        remembers: whether a cache is added.

    Raises:
        UsageError: they do not.
    """
    if not blanks and blank_words != (1, 1):
        raise UsageError(
            "--blank-words is for a blank, and the text has none. Put ____ where words are missing."
        )
    if why and remembers:
        raise UsageError(
            "--why leaves words out that --cache would still remember. Leave one of the two out."
        )
    if why and blanks != 1:
        raise UsageError(f"--why is for one blank, and the text has {blanks or 'none'}.")
    if blanks and drawing:
        raise UsageError(
            f"{option_name(next(iter(drawing)))} is for drawing a continuation; "
            "the words for a blank are ranked, not drawn. Leave it out."
        )


def blank_words_out_of_range(typed: str) -> str:
    """The message about the number of words in a blank."""
    return (
        f"--blank-words is {typed}; it has to be a number of words from 1 to {MOST_BLANK_WORDS}, such as 2, "
        "or a range, such as 1-3."
    )


def _shown(value: Any) -> str:
    """The value, shortened: Python refuses to write out a number of more than 4,300 digits."""
    if isinstance(value, int) and abs(value) >= 10**_MOST_DIGITS:
        return f"a number of more than {_MOST_DIGITS} digits"
    return str(value)


def option_name(name: str) -> str:
    """The option as it is typed: `top_k` is `--top-k`."""
    return "--" + name.replace("_", "-")
