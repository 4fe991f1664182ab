"""How text is cut up before it has ids: a long line into parts, a part into stretches, a stretch into words.

Whatever is cut, the ids of the pieces, one after another, are the ids of the whole.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

KINDS = ("word", "char", "bpe")
SPLITS = ("punctuation", "whitespace")
UNK = "<unk>"
EOS = "<eos>"

LONG_LINE = 100_000  # characters; the engine needs some 40 bytes for each character of a line
LONGEST_WORD = 1000  # characters; what is longer is no word that could be learnt, only a large vocabulary
GATHERED_CHARACTERS = 10_000_000  # of stretches counted before they are split: in some scripts few are alike

_LETTER = r"[\p{L}\p{M}\p{N}]"
# In this order, which is the fastest: words | clitics (the 't of don't, but not of 'tis) | runs of one
# punctuation mark | runs of spaces without the one that belongs to the word after them | runs of one other
# white-space character.
_WORDS_AND_PUNCTUATION = (
    rf" ?{_LETTER}+"
    rf"|['’](?<={_LETTER}['’])(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])(?!{_LETTER})"
    r"| ?([^\s\p{L}\p{M}\p{N}])\1*"
    r"| +(?!\S)"
    r"|([^\S ])\2*"
)
_WHITE_SPACE = r"[\s\x1c-\x1f]+"  # what Python's str.split() takes for white space
_ANY_CHARACTER = r"(?m)."  # (?m) lets the dot match line ends too in this regex dialect (Oniguruma)
_BETWEEN_WORDS = re.compile(r"(?<=\S) (?=\S)")
_WITH_SPACES_BEFORE = re.compile(r" *[^ ]+| +")


def count_words(lines: Iterable[str], *, kind: str, split: str, lowercase: bool) -> Counter[str]:
    """How often each word (or character) of at most `LONGEST_WORD` characters occurs, as it stands in a vocabulary.

    The counts of two texts add up to those of both together. A stretch that comes again is not split again, and
    memory grows with the number of different words only.
    """
    engine = make_engine(kind, split, lowercase)
    normalize, split_into_words = engine.normalizer.normalize_str, engine.pre_tokenizer.pre_tokenize_str
    counts: Counter[str] = Counter()
    for stretches in _counted_stretches(lines, kind):
        for stretch, times in stretches.items():
            text = normalize(stretch)
            words = text if kind == "char" else (word for word, _ in split_into_words(text))
            for word in words:
                if len(word) <= LONGEST_WORD:
                    counts[word] += times
    return counts


def _counted_stretches(lines: Iterable[str], kind: str) -> Iterator[Counter[str]]:
    """How often each stretch occurs, in as many counters as keep each of them small."""
    counts: Counter[str] = Counter()
    characters = 0  # at most so many are in `counts`
    for part in chain.from_iterable(parts_of(line, kind) for line in lines):
        counts.update(stretches_of(part, kind))
        characters += len(part) + 1
        if characters > GATHERED_CHARACTERS:
            characters = sum(map(len, counts))
            # Where many come again there is room for more before the next look.
            if characters > GATHERED_CHARACTERS // 2:
                yield counts
                counts, characters = Counter(), 0
    yield counts


def parts_of(line: str, kind: str) -> list[str]:
    """Cut a very long line; see `Tokenizer.parts`."""
    parts = []
    start = 0
    while len(line) - start > LONG_LINE:
        if space := _BETWEEN_WORDS.search(line, start + LONG_LINE, start + 2 * LONG_LINE):
            parts.append(line[start : space.start()])
            # A word gets its leading space back when the part is encoded; among characters it must stay.
            start = space.start() if kind == "char" else space.end()
        elif len(line) - start > 2 * LONG_LINE:
            end = _place_within_a_word(line, start)
            parts.append(line[start:end])
            start = end
        else:
            break
    return [*parts, line[start:]]


def _place_within_a_word(line: str, start: int) -> int:
    """Where a part that began at `start` may end, in the midst of a giant word."""
    limit = start + LONG_LINE
    for end in range(limit, start, -1):
        if not _joins_the_character_before(line[end]):
            return end
    return limit


def _joins_the_character_before(character: str) -> bool:
    """Whether NFC may put it together with its neighbour: a combining mark, or an inner part of Hangul."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"


def stretches_of(part: str, kind: str) -> list[str]:
    """Cut a part at single spaces; see `Tokenizer.stretches`."""
    if kind == "char":
        return _WITH_SPACES_BEFORE.findall(part)
    if "  " in part or part.startswith(" ") or part.endswith(" "):
        return _BETWEEN_WORDS.split(part)
    return part.split(" ")  # the same, and ten times as fast


def make_engine(kind: str, split: str, lowercase: bool) -> tokenizers.Tokenizer:
    """An engine with the rules of `kind` and no vocabulary yet.

    The special tokens are plain entries of the vocabulary, never the engine's AddedTokens: those would be
    found inside the text.
    """
    keeps_space = kind == "bpe" or (kind == "word" and split == "punctuation")
    engine = tokenizers.Tokenizer(models.BPE() if kind == "bpe" else models.WordLevel(unk_token=UNK))
    steps: list[normalizers.Normalizer] = [normalizers.NFC()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    if keeps_space:
        steps.append(normalizers.Prepend(" "))
    engine.normalizer = normalizers.Sequence(steps)
    if kind == "char":
        engine.pre_tokenizer = pre_tokenizers.Split(Regex(_ANY_CHARACTER), "isolated")
    elif keeps_space:
        engine.pre_tokenizer = pre_tokenizers.Split(Regex(_WORDS_AND_PUNCTUATION), "isolated")
    else:
        engine.pre_tokenizer = pre_tokenizers.Split(Regex(_WHITE_SPACE), "removed")
    if kind == "bpe":
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        engine.pre_tokenizer = pre_tokenizers.Sequence([engine.pre_tokenizer, to_bytes])
        engine.decoder = decoders.ByteLevel()
    return engine


def samples_of_giants(parts: Iterable[str]) -> Iterator[str]:
    """Of a part without spaces, cut from a giant word, a tenth: the trainer takes 32 bytes per character of it."""
    for part in parts:
        if len(part) < LONG_LINE or " " in part:
            yield part
        else:
            yield from (part[at : at + LONGEST_WORD] for at in range(0, len(part), 10 * LONGEST_WORD))
