"""Novels as they are printed, to one sentence a line in the spelling of the sentence completion questions.

    python -m corpora.holmes.prepare holmes.train.txt.xz sentences.txt

The questions of the Microsoft Research Sentence Completion Challenge are single sentences without quotation marks,
their commas and semicolons apart from the words. So are the sentences written here; the words stay as they are.
"""

import lzma
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rnn_cli.files import atomic_write

BOOK_END = "\f"
SHORTEST = 3  # words of a sentence; shorter ones are headings, numbers of pages and cries

_ABBREVIATIONS = frozenset(
    "mr mrs messrs dr st mme mlle mdlle col capt gen lieut sergt hon rev prof esq no vol chap etc viz jr sr".split()  # noqa: SIM905
)
_ALIKE = str.maketrans(
    {"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "—": "--", "–": "-", "_": " ", "*": " "}
)
_SENTENCE_END = re.compile(r"""(?<=[.!?])["')\]]*\s+(?=["'(\[]*[A-Z])""")
_QUOTES = re.compile(
    r"""["\[\](){}]|(?<![^\W_])'(?!(?:tis|twas|twere|twill|em|til)\b)|'(?![^\W_])(?<!s')""", re.I
)
_DASHES = re.compile(r"-{2,}")
_APART = re.compile(r"\s*([,;:])(?=\s|$)")
_WORD = re.compile(r"[^\W\d_]")


def sentences(lines: Iterable[str]) -> Iterator[str]:
    """The sentences of a text whose paragraphs have a blank line between them."""
    for paragraph in _paragraphs(lines):
        for sentence in _split(paragraph):
            written = _respelt(sentence)
            if len(written.split()) >= SHORTEST and _WORD.search(written):
                yield written


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Each paragraph as one line."""
    gathered: list[str] = []
    for line in lines:
        if text := line.replace(BOOK_END, "").strip():
            gathered.append(text)
        elif gathered:
            yield " ".join(gathered)
            gathered = []
    if gathered:
        yield " ".join(gathered)


def _split(paragraph: str) -> Iterator[str]:
    paragraph = paragraph.translate(_ALIKE)
    start = 0
    for end in _SENTENCE_END.finditer(paragraph):
        last_word = paragraph[start : end.start()].split()[-1].strip("\"'([").rstrip(".")
        is_short = last_word.lower() in _ABBREVIATIONS or (len(last_word) == 1 and last_word != "I")
        if is_short and paragraph[end.start() - 1] == ".":
            continue
        yield paragraph[start : end.start()]
        start = end.end()
    yield paragraph[start:]


def _respelt(sentence: str) -> str:
    sentence = _DASHES.sub(" -- ", sentence)
    sentence = _QUOTES.sub(" ", sentence)
    sentence = _APART.sub(r" \1", sentence)
    return " ".join(sentence.split()).replace(" .", ".").replace(" !", "!").replace(" ?", "?")


def main(source: str, target: str) -> int:
    """Prepare `source` (.xz or plain text, UTF-8) into `target`, whole or not at all."""
    opened = lzma.open if source.endswith(".xz") else open
    try:
        if Path(target).exists() and Path(target).samefile(source):
            print(
                f"error: {target} is the text itself. Name another file for its sentences.", file=sys.stderr
            )
            return 1
        with opened(source, "rt", encoding="utf-8", newline="\n") as lines, atomic_write(Path(target)) as out:
            count = 0
            for sentence in sentences(lines):
                out.write(f"{sentence}\n".encode())
                count += 1
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        print(f"error: {source} cannot be prepared into {target}: {error}", file=sys.stderr)
        return 1
    print(f"{count:,} sentences written to {target}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m corpora.holmes.prepare holmes.train.txt.xz sentences.txt")
    sys.exit(main(*sys.argv[1:]))
