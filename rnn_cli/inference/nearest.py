"""Known words that look like an unknown one."""

import difflib
from collections.abc import Iterable
from itertools import islice

MOST_COMPARED = 4000  # frequent words first; about 50 ms
LARGEST_DIFFERENCE = 2  # characters between the lengths of two words that are compared


def nearest_words(word: str, vocabulary: Iterable[str], count: int = 3) -> list[str]:
    """The known words that look most like `word`, best first: those that differ in case only, then by spelling.

    Only words of about the same length that begin alike (the first letter, or the two after it) are compared, and
    the more frequent of them, so that the time is bounded in a vocabulary of any size.

    Args:
        vocabulary: the known words, most frequent first.
        count: how many to give at most.
    """
    wanted = word.casefold()
    known = list(vocabulary)
    same = [other for other in known if len(other) == len(word) and other.casefold() == wanted]
    alike = (other for other in known if other not in same and _worth_comparing(other.casefold(), wanted))
    spelled: dict[str, str] = {}
    for other in islice(alike, MOST_COMPARED):
        spelled.setdefault(other.casefold(), other)
    close = difflib.get_close_matches(wanted, spelled, n=count)
    return (same + [spelled[other] for other in close])[:count]


def _worth_comparing(other: str, wanted: str) -> bool:
    begins_alike = other[:1] == wanted[:1] or (len(wanted) > 2 and other[1:3] == wanted[1:3])
    return begins_alike and abs(len(other) - len(wanted)) <= LARGEST_DIFFERENCE
