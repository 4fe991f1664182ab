"""Text to token ids and back: words, characters or byte pairs, all on the Rust engine of `tokenizers`.

Text is brought to Unicode NFC. A word carries the space before it (" sushi"), and one space is put in
front of every line (taken off again on decoding), so that a word has the same id wherever it stands.
Spaces are never lost: text without unknown tokens decodes to what was encoded. The exception is
`split="whitespace"`, for corpora that come tokenized like WikiText: words come back with one space between.

`<eos>` ends a line and is also the symbol that a model reads first; `<unk>` stands for what is not in the
vocabulary of words or characters. Neither can be typed: the text "<eos>" is a word between two marks. Only
under `split="whitespace"` are `<unk>` and `<eos>` in the text the special tokens themselves.
"""

import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from rnn_cli.text.rules import (
    EOS,
    KINDS,
    SPLITS,
    UNK,
    count_words,
    make_engine,
    parts_of,
    samples_of_giants,
    stretches_of,
)

DEFAULT_BPE_SIZE = 8000
SMALLEST_SIZE = {"word": 3, "char": 3, "bpe": 257}  # the special tokens and one more; for bpe all 256 bytes
BPE_MIN_PAIRS = 2  # a pair seen once is no pattern: merging it would only learn that line by heart

_FORMAT_VERSION = 1


class Tokenizer:
    """A vocabulary and the rules by which text becomes ids of that vocabulary.

    Made by `Tokenizer.train` or `Tokenizer.from_json`.

    Attributes:
        kind: "word", "char" or "bpe".
        split: "punctuation" or "whitespace"; matters for words only.
        lowercase: whether text is lower-cased before it is split.
        vocab_size: number of ids, special tokens included; ids are 0 .. vocab_size - 1.
        eos_id: the id of `<eos>`.
        unk_id: the id of `<unk>`, None for bpe, where every text has ids.
        pieces: by id, the token as it stands in the middle of a text: " sushi" (word), "s" (char), " sus"
            (bpe; U+FFFD for bytes that are no whole character); "\\n" for `<eos>`.
        joins_with_space: whether the pieces of words carry the space before them (word and bpe).
    """

    def __init__(self, engine: tokenizers.Tokenizer, *, kind: str, split: str, lowercase: bool) -> None:
        ids = engine.get_vocab(with_added_tokens=False)
        tokens = sorted(ids, key=ids.__getitem__)
        if [ids[token] for token in tokens] != list(range(len(ids))):
            raise ValueError("its ids have gaps")
        self.kind = kind
        self.split = split
        self.lowercase = lowercase
        self.vocab_size = len(tokens)
        self.eos_id = tokens.index(EOS)
        self.unk_id = tokens.index(UNK) if kind != "bpe" else None
        self.joins_with_space = kind != "char"
        self.pieces = _pieces(tokens, kind, split)
        self._engine = engine
        self._json: str | None = None  # made once: a large vocabulary takes a second

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        *,
        kind: str = "word",
        split: str = "punctuation",
        lowercase: bool = False,
        min_count: int = 1,
        max_size: int | None = None,
    ) -> "Tokenizer":
        """Build the vocabulary of `lines` (without line ends), and of nothing else.

        The special tokens come first, then the tokens by count, most frequent first, equal counts in the
        order of their code points; for bpe `<eos>`, the 256 bytes and the pairs in the order of merging.

        Args:
            min_count: words or characters seen less often become unknown; without effect on bpe. So do words
                of more than `LONGEST_WORD` characters.
            max_size: upper limit of the whole vocabulary, special tokens included. None: no limit, but 8000
                for bpe.

        Raises:
            ValueError: for a kind, split or size that cannot be.
        """
        _check_settings(kind, split, min_count, max_size)
        if kind != "bpe":
            counts = count_words(lines, kind=kind, split=split, lowercase=lowercase)
            return cls.of_counts(
                counts, kind=kind, split=split, lowercase=lowercase, min_count=min_count, max_size=max_size
            )
        engine = make_engine(kind, split, lowercase)
        parts = chain.from_iterable(parts_of(line, kind) for line in lines)
        _train_bpe(engine, parts, max_size or DEFAULT_BPE_SIZE)
        return cls(engine, kind=kind, split=split, lowercase=lowercase)

    @classmethod
    def of_counts(
        cls,
        counts: Counter[str],
        *,
        kind: str,
        split: str = "punctuation",
        lowercase: bool = False,
        min_count: int = 1,
        max_size: int | None = None,
    ) -> "Tokenizer":
        """What `train` makes of a text whose words or characters occur so often; see `count_words`.

        Raises:
            ValueError: for a kind, split or size that cannot be.
        """
        _check_settings(kind, split, min_count, max_size)
        # In a corpus that contains the special tokens (WikiText) they would otherwise be listed twice.
        learnt = [word for word, count in counts.items() if count >= min_count and word not in {UNK, EOS}]
        learnt.sort(key=lambda word: (-counts[word], word))
        tokens = [UNK, EOS, *learnt][:max_size]
        engine = make_engine(kind, split, lowercase)
        engine.model = models.WordLevel({token: id_ for id_, token in enumerate(tokens)}, unk_token=UNK)
        return cls(engine, kind=kind, split=split, lowercase=lowercase)

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """Restore a tokenizer that `to_json` wrote: same ids for every text.

        Raises:
            ValueError: if the text is not such a tokenizer, or one of a newer version.
        """
        try:
            stored = json.loads(text)
            version = stored["format_version"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError("This is not a tokenizer of rnn_cli.") from error
        if version != _FORMAT_VERSION:
            raise ValueError(
                f"The tokenizer has format version {reprlib.repr(version)}; this rnn_cli reads version "
                f"{_FORMAT_VERSION}. A newer rnn_cli may read it."
            )
        try:
            settings = {key: stored[key] for key in ("kind", "split", "lowercase")}
            _check_settings(settings["kind"], settings["split"])
            engine = make_engine(**settings)
            engine.model = _stored_model(stored["tokenizer"]["model"], settings["kind"])
            tokenizer = cls(engine, **settings)
        except Exception as error:  # the Rust side raises nothing more special
            raise ValueError(f"The tokenizer is damaged: {error}") from error
        tokenizer._json = text
        return tokenizer

    def to_json(self) -> str:
        """The whole tokenizer as JSON; under its key "tokenizer" lies a `tokenizer.json` of Hugging Face."""
        if self._json is None:
            stored = {
                "format_version": _FORMAT_VERSION,
                "kind": self.kind,
                "split": self.split,
                "lowercase": self.lowercase,
                "tokenizer": json.loads(self._engine.to_str()),
            }
            self._json = json.dumps(stored, ensure_ascii=False)
        return self._json

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without an `<eos>` at the end."""
        return list(self._engine.encode(_without_surrogates(text), add_special_tokens=False).ids)

    def encode_with_words(self, text: str) -> list[tuple[int, str]]:
        """The ids of `text`, each with the stretch of the text (in NFC) that it stands for.

        The space around a word is left off; a token that is white space keeps it. This is how an unknown
        word is named to the user.
        """
        text, spans = self.encode_with_spans(text)
        stretches = ((id_, text[start:end]) for id_, start, end in spans)
        return [(id_, stretch.strip() or stretch) for id_, stretch in stretches]

    def encode_with_spans(self, text: str) -> tuple[str, list[tuple[int, int, int]]]:
        """The text in NFC, and for each token its id and where it begins and ends there.

        The space before a word may be in its span. Tokens that share a character (kind bpe) have the same span.
        """
        # In NFC already, because the engine counts a composed character as its first code point only.
        text = normalizers.NFC().normalize_str(_without_surrogates(text))
        encoding = self._engine.encode(text, add_special_tokens=False)
        return text, [
            (id_, start, end) for id_, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
        ]

    def encode_batch(self, lines: Sequence[str]) -> list[list[int]]:
        """What `encode` gives for each line, on all cores at once. Lone surrogates are not allowed here."""
        return [list(e.ids) for e in self._engine.encode_batch_fast(lines, add_special_tokens=False)]

    def parts(self, line: str) -> list[str]:
        """Cut a very long line (some corpora are one single line) so that it can be encoded bit by bit.

        The ids of the parts, one after another, are the ids of the line, unless it has to be cut where there
        is no space for 100,000 characters. Mostly there is one part: the line.
        """
        return parts_of(line, self.kind)

    def encode_line(self, line: str) -> list[int]:
        """The ids of a line of any length."""
        return [id_ for part in self.parts(line) for id_ in self.encode(part)]

    def stretches(self, part: str) -> list[str]:
        """Cut a part at single spaces. The ids of the stretches, one after another, are the ids of the part.

        Most stretches of a text are words that were seen before, which need not be encoded again.
        """
        return stretches_of(part, self.kind)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`: `<eos>` ends a line ("\\n"), an unknown token is "<unk>", nothing is hidden."""
        lines: list[str] = [""]
        for is_eos, run in groupby(ids, key=lambda id_: id_ == self.eos_id):
            if is_eos:
                lines.extend("" for _ in run)
            else:
                lines[-1] = self._decode_line(list(run))
        return "\n".join(lines)

    def _decode_line(self, ids: list[int]) -> str:
        # bpe cannot be put together from pieces: a character's bytes may lie in several of them.
        text = self._engine.decode(ids) if self.kind == "bpe" else "".join(self.pieces[i] for i in ids)
        return text.removeprefix(" ") if self.joins_with_space else text


def _check_settings(kind: str, split: str, min_count: int = 1, max_size: int | None = None) -> None:
    if kind not in KINDS:
        raise ValueError(f"The tokenizer's kind is {kind!r}; allowed are {', '.join(KINDS)}.")
    if split not in SPLITS:
        raise ValueError(f"The tokenizer's split is {split!r}; allowed are {', '.join(SPLITS)}.")
    if min_count < 1:
        raise ValueError(f"The tokenizer's min_count is {min_count}; it is at least 1.")
    if max_size is not None and max_size < SMALLEST_SIZE[kind]:
        raise ValueError(
            f"The tokenizer's max_size is {max_size}; for {kind} it is at least {SMALLEST_SIZE[kind]}."
        )


def _stored_model(stored: dict[str, Any], kind: str) -> models.Model:
    """A vocabulary without the rules around it: those are ours, so that a file cannot bring any of its own.

    (A regular expression may never end, and padding may ask for terabytes.)
    """
    if kind == "bpe":
        return models.BPE(stored["vocab"], [tuple(pair) for pair in stored["merges"]])
    if UNK not in stored["vocab"]:
        raise ValueError(f"{UNK} is missing")
    return models.WordLevel(stored["vocab"], UNK)


def _train_bpe(engine: tokenizers.Tokenizer, parts: Iterable[str], max_size: int) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=max_size - 1,  # <eos> is put in front afterwards
        min_frequency=BPE_MIN_PAIRS,
        special_tokens=[],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    engine.train_from_iterator(samples_of_giants(parts), trainer)
    model = json.loads(engine.to_str())["model"]
    # No merge can spell "<eos>": marks and letters are split before pairs are merged.
    vocabulary = {EOS: 0} | {token: id_ + 1 for token, id_ in model["vocab"].items()}
    engine.model = models.BPE(vocabulary, [(left, right) for left, right in model["merges"]])


def _pieces(tokens: list[str], kind: str, split: str) -> list[str]:
    """The tokens of the vocabulary as they stand in the middle of a text."""
    if kind == "bpe":
        byte_level = decoders.ByteLevel()
        pieces = [byte_level.decode([token]) for token in tokens]
    elif kind == "word" and split == "whitespace":
        pieces = [f" {token}" for token in tokens]
    else:
        pieces = [f" {UNK}" if token == UNK and kind == "word" else token for token in tokens]
    pieces[tokens.index(EOS)] = "\n"
    return pieces


def _without_surrogates(text: str) -> str:
    """Put U+FFFD for half a surrogate pair: a terminal can deliver such a thing, and Rust refuses it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
