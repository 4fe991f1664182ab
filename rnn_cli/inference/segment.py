"""What stands behind a blank, as the model reads it on.

The borders of a blank are borders of tokens, whatever is put in: "rice" in "I eat ____." is read as "rice" and ".",
also by a model that has learnt to split text at white space alone.

The end of the text is no end of a line: the sentence may go on. An `<eos>` counts where a line end was typed. A word
that the model does not know is read but not weighed: how probable `<unk>` is says little about that word, and nothing
at all where training met no unknown word.
"""

from dataclasses import dataclass

from rnn_cli.errors import UsageError
from rnn_cli.inference.pieces import is_part_of_word
from rnn_cli.inference.prompt import LINE_END
from rnn_cli.text.tokenizer import Tokenizer

MOST_TOKENS_BEHIND = 256  # of the text behind the last blank; what is further away hardly tells words apart
MOST_TOKENS_BETWEEN = 1000  # between two blanks, where nothing can be left out
_LONGEST = 100_000  # characters that are looked at


@dataclass(frozen=True)
class Segment:
    """The text from a blank to the next one, or to the end.

    Attributes:
        lines: the ids of each line, the first of them the rest of the blank's own; an `<eos>` is read between two.
        after_space: whether white space stands before the next blank, and belongs to the word in it.
        unknown: the words that are read and the vocabulary does not have, as typed, each once.
    """

    lines: list[list[int]]
    after_space: bool
    unknown: list[str]

    @property
    def tokens(self) -> int:
        """How many tokens are read, line ends counted."""
        return sum(len(line) for line in self.lines) + len(self.lines) - 1

    def joined(self, eos_id: int) -> list[int]:
        """All ids one after another, an `<eos>` where a line ends."""
        first, *others = self.lines
        return [*first, *(id_ for line in others for id_ in (eos_id, *line))]


def read_segment(text: str, tokenizer: Tokenizer, *, is_last: bool, independent_lines: bool) -> Segment:
    """Turn the text behind a blank into what the model reads.

    Behind the last blank that is `MOST_TOKENS_BEHIND` tokens at most; with `independent_lines`, where a new line
    begins with no memory of the blank, it is the rest of the line.

    Raises:
        UsageError: there are more than `MOST_TOKENS_BETWEEN` tokens before the next blank.
    """
    if len(text) > _LONGEST and not is_last:
        raise _too_far_apart(f"{len(text):,} characters")
    text = text[:_LONGEST]
    typed = LINE_END.split(text)
    after_space = False
    if tokenizer.joins_with_space:
        stripped = typed[-1].rstrip()
        after_space = stripped != typed[-1] or (len(typed) > 1 and not stripped)
        typed[-1] = stripped
    if is_last and independent_lines and len(typed) > 1:
        typed = [typed[0], ""]
    unknown: list[str] = []
    lines = [joined_ids(typed[0], tokenizer, unknown)]
    lines += [_encode(line, tokenizer, unknown) for line in typed[1:]]
    if is_last:
        lines = _first(lines, MOST_TOKENS_BEHIND)
        unknown = unknown[: sum(id_ == tokenizer.unk_id for line in lines for id_ in line)]
    segment = Segment(lines, after_space, list(dict.fromkeys(unknown)))
    if segment.tokens > MOST_TOKENS_BETWEEN:
        raise _too_far_apart(f"{segment.tokens:,} tokens")
    return segment


def joined_ids(text: str, tokenizer: Tokenizer, unknown: list[str]) -> list[int]:
    """The ids of a text that follows a token with no white space between them but what it begins with itself.

    Each word that is not known is added to `unknown`, as often as it stands there.
    """
    if tokenizer.kind == "char" or tokenizer.split == "whitespace":
        return _encode(text, tokenizer, unknown)
    # A neighbour of the other sort, so that the two are tokens of their own; it is cut off again.
    return _encode(text, tokenizer, unknown, neighbour="(" if is_part_of_word(text[:1]) else "x")


def word_ids(word: str, tokenizer: Tokenizer, unknown: list[str], *, after_space: bool) -> list[int]:
    """The ids of a word in a blank; `after_space`: with the space before it, which was typed before the blank."""
    return (_encode if after_space else joined_ids)(word, tokenizer, unknown)


def _encode(text: str, tokenizer: Tokenizer, unknown: list[str], *, neighbour: str = "") -> list[int]:
    if not text:
        return []
    skipped = len(tokenizer.encode(neighbour)) if neighbour else 0
    ids = tokenizer.encode(neighbour + text)[skipped:]
    if tokenizer.unk_id in ids:
        words = tokenizer.encode_with_words(neighbour + text)[skipped:]
        unknown += [word for id_, word in words if id_ == tokenizer.unk_id]
    return ids


def _first(lines: list[list[int]], tokens: int) -> list[list[int]]:
    """The first lines, and of the last of them the first ids, that come to so many tokens."""
    kept: list[list[int]] = []
    for line in lines:
        if tokens < 0:
            break
        kept.append(line[:tokens])
        tokens -= len(line) + 1
    return kept


def _too_far_apart(length: str) -> UsageError:
    return UsageError(
        f"There are {length} between two blanks; at most {MOST_TOKENS_BETWEEN:,} tokens may be there. "
        "Fill the blanks one at a time."
    )
