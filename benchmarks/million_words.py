"""Make a text as the record tables have it: a million words, a sentence a line, a vocabulary of 10,000.

    python -m benchmarks.million_words FOLDER OUT

FOLDER holds WikiText-2 (wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens). Its beginnings, in lower case and
without headings, are written to OUT/train.txt, valid.txt and test.txt; what is none of the 10,000 most frequent words
of the first is `<unk>`. It is as long as Penn Treebank, but 7 % of its training tokens are `<unk>`, and 10 % of the
others, which makes its perplexities lower.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rnn_cli.files import write_text

TOKENS = {"train": 923_839, "valid": 73_500, "test": 81_500}
"""Of each text, at least, an end of sentence counted for every line."""

WORDS = 10_000


def main(arguments: list[str]) -> None:
    """Write the three texts, and say what is in them."""
    folder, out = map(Path, arguments)
    texts = {name: list(beginning(folder / f"wiki.{name}.tokens", tokens)) for name, tokens in TOKENS.items()}
    counts = Counter(word for sentence in texts["train"] for word in sentence)
    known = {word for word, _ in counts.most_common(WORDS)}
    out.mkdir(parents=True, exist_ok=True)
    for name, sentences in texts.items():
        lines = [[word if word in known else "<unk>" for word in sentence] for sentence in sentences]
        write_text(out / f"{name}.txt", "".join(f"{' '.join(line)}\n" for line in lines))
        tokens = sum(len(line) + 1 for line in lines)
        unknown = sum(line.count("<unk>") for line in lines)
        print(f"{name}: {len(lines):,} sentences, {tokens:,} tokens, {unknown / tokens:.1%} <unk>")


def beginning(text: Path, tokens: int) -> Iterator[list[str]]:
    """Its first sentences, as words, until they have so many tokens."""
    read = 0
    for line in text.read_text(encoding="utf-8").splitlines():
        for sentence in sentences_of(line.lower().split()):
            yield sentence
            read += len(sentence) + 1
            if read >= tokens:
                return


def sentences_of(words: list[str]) -> Iterator[list[str]]:
    """A paragraph's sentences, each with its full stop; none of a heading."""
    if words[:1] == ["="]:
        return
    sentence: list[str] = []
    for word in words:
        sentence.append(word)
        if word == ".":
            if len(sentence) > 1:
                yield sentence
            sentence = []
    if sentence:
        yield sentence


if __name__ == "__main__":
    main(sys.argv[1:])
