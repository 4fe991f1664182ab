"""Choices for a blank: just these are ranked, words that the model does not know among them."""

from collections.abc import Sequence

from rnn_cli.errors import UsageError
from rnn_cli.inference.options import MOST_BLANK_WORDS
from rnn_cli.inference.prompt import Prompt, without_surrogates
from rnn_cli.printable import masked

MOST_CHOICES = 1000
_SHOWN = 60  # characters of a choice in a message


def checked_choices(
    choices: Sequence[str], prompt: Prompt, blank_words: tuple[int, int] = (1, 1)
) -> list[str]:
    """The choices without the white space around them.

    Args:
        blank_words: the smallest and the largest number of words in the blank.

    Raises:
        UsageError: there are none or too many, one is empty, too long, no text or there twice, or the text has not
            one blank.
    """
    if isinstance(choices, str) or not all(isinstance(choice, str) for choice in choices):
        raise UsageError('The choices have to be a list of texts, such as ["cat", "dog"].')
    if not choices:
        raise UsageError("There are no choices. Name at least one word to rank.")
    if len(choices) > MOST_CHOICES:
        raise UsageError(f"There are {len(choices):,} choices; at most {MOST_CHOICES:,} can be ranked.")
    if not prompt.blanks:
        raise UsageError("The text has no blank for the choices. Put ____ where one of them belongs.")
    if prompt.blanks > 1:
        raise UsageError(
            f"The text has {prompt.blanks} blanks; choices are for one. Write words in place of the others."
        )
    stripped = [" ".join(without_surrogates(choice).split()) for choice in choices]
    for number, choice in enumerate(stripped, start=1):
        if not choice:
            raise UsageError(f"Choice {number} is empty. Every choice needs a word.")
        if choice in stripped[: number - 1]:
            raise UsageError(f'The choice "{masked(choice, _SHOWN)}" is there twice. Keep one of them.')
        check_length("choice", choice, blank_words)
    return stripped


def check_length(what: str, text: str, blank_words: tuple[int, int]) -> None:
    """Refuse a choice or an answer, as `what` calls it, that has more words than the blank is for.

    Raises:
        UsageError: it has.
    """
    if (words := len(text.split())) > blank_words[1]:
        longer = f"Longer blanks: --blank-words {blank_words[0]}-{words}."
        most = f"At most {MOST_BLANK_WORDS} can be asked for."
        raise UsageError(
            f'The {what} "{masked(text, _SHOWN)}" has {words} words, and the blank is for {blank_words[1]}. '
            f"{longer if words <= MOST_BLANK_WORDS else most}"
        )
