"""What was typed, and what of it the model reads before it answers."""

import re
from dataclasses import dataclass

from rnn_cli.errors import UsageError
from rnn_cli.text.rules import LONG_LINE
from rnn_cli.text.tokenizer import Tokenizer

LONGEST_PROMPT = 10_000_000  # characters: more than a million words, and a minute's work
MOST_BLANKS = 10  # each is a search of its own

_BLANK = re.compile(r"_{2,}")
_REMEMBERED = 100_000  # stretches of a long line whose ids are kept: some 30 MB
LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Prompt:
    """A text with blanks to fill, or one to be continued.

    Attributes:
        text: what was typed.
        segments: what stands before, between and behind the blanks; without a blank the whole text alone.
    """

    text: str
    segments: tuple[str, ...]

    @property
    def blanks(self) -> int:
        """How many blanks there are."""
        return len(self.segments) - 1

    @property
    def left(self) -> str:
        """What stands before the first blank; the whole text where there is none."""
        return self.segments[0]

    @property
    def right(self) -> str | None:
        """What stands behind the last blank; None where there is none."""
        return self.segments[-1] if self.blanks else None

    @classmethod
    def parse(cls, text: str) -> "Prompt":
        """Find the blanks: runs of two or more underscores.

        Half a surrogate pair, which a terminal can deliver but nothing can print, becomes U+FFFD.

        Raises:
            UsageError: it is no text, or longer than `LONGEST_PROMPT`, or there are more than `MOST_BLANKS`, or
                there is nothing but blanks.
        """
        text = _checked(text)
        prompt = cls(text, segments=tuple(_BLANK.split(text)))
        if prompt.blanks > MOST_BLANKS:
            raise UsageError(
                f"The text has {prompt.blanks:,} blanks; at most {MOST_BLANKS} can be filled at a time. "
                "Write words in place of the others."
            )
        if prompt.blanks and not any(segment.strip() for segment in prompt.segments):
            raise UsageError("The text is nothing but a blank. Write words before it, behind it, or both.")
        return prompt


def lines_of(text: str) -> list[str]:
    """The lines of a text, checked like a prompt; a line end at its end begins no further line.

    Raises:
        UsageError: it is no text, or longer than `LONGEST_PROMPT`.
    """
    lines = LINE_END.split(_checked(text))
    return lines if lines[-1] else lines[:-1]


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise UsageError(f"The text is of the type {type(text).__name__}; it has to be a str.")
    if len(text) > LONGEST_PROMPT:
        raise UsageError(too_long(f"{len(text):,}"))
    return without_surrogates(text)


def without_surrogates(text: str) -> str:
    """U+FFFD for half a surrogate pair: a terminal or JSON can deliver such a thing, but nothing can print it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def too_long(characters: str) -> str:
    """The message about a text of so many characters."""
    return (
        f"The text has {characters} characters; a prompt has at most {LONGEST_PROMPT:,}. "
        "Give its last words only: a model remembers little of what was long before."
    )


@dataclass(frozen=True)
class Context:
    """What a model reads before it answers: the left side of a prompt.

    Attributes:
        ids: `<eos>`, then the tokens of the text; `<eos>` again where a line ends.
        kept: the left side as it stays in front of words that carry their own space.
        after_space: whether what follows begins with its own space (never so for kind char).
        at_line_start: whether nothing stands before what follows, so that its own space is not written.
        unknown: the words that the vocabulary does not have, as typed, each once.
    """

    ids: list[int]
    kept: str
    after_space: bool
    at_line_start: bool
    unknown: list[str]


def read_context(left: str, tokenizer: Tokenizer, *, independent_lines: bool) -> Context:
    """Turn the left side of a prompt into what the model reads.

    Where words carry the space before them, the white space at the end of the text belongs to the word that
    follows. With `independent_lines` the model has learnt each line without memory, so it reads the last alone.
    """
    lines = LINE_END.split(left)
    kept = left
    after_space = False
    if tokenizer.joins_with_space:
        last = lines[-1].rstrip()
        stripped = len(lines[-1]) - len(last)
        kept = left[: len(left) - stripped]
        after_space = stripped > 0 or last == ""
        lines[-1] = last
    ids: list[int] = []
    unknown: dict[str, None] = {}
    for line in lines[-1:] if independent_lines else lines:
        ids.append(tokenizer.eos_id)
        if len(line) <= LONG_LINE:
            ids += _encode(line, tokenizer, unknown) if line else []
        else:
            ids += _encode_long(line, tokenizer, unknown)
    return Context(ids, kept, after_space, at_line_start=lines[-1] == "", unknown=list(unknown))


def _encode(text: str, tokenizer: Tokenizer, unknown: dict[str, None]) -> list[int]:
    """The ids of `text`; the words in it that are not known are added to `unknown`."""
    ids = tokenizer.encode(text)
    if tokenizer.unk_id in ids:
        words = tokenizer.encode_with_words(text)
        unknown.update((word, None) for id_, word in words if id_ == tokenizer.unk_id)
    return ids


def _encode_long(line: str, tokenizer: Tokenizer, unknown: dict[str, None]) -> list[int]:
    """The same for a very long line: part by part, which bounds the memory, and each word only once."""
    ids: list[int] = []
    known: dict[str, list[int]] = {}
    for part in tokenizer.parts(line):
        if len(known) > _REMEMBERED:
            known = {}
        for stretch in tokenizer.stretches(part):
            if stretch not in known:
                known[stretch] = _encode(stretch, tokenizer, unknown)
            ids += known[stretch]
    return ids
