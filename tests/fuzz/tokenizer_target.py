"""The tokenizer: whatever is typed has ids, and what is known comes back as it was."""

import json
import random
import re
from itertools import groupby

from tokenizers import normalizers

from rnn_cli.text.tokenizer import Tokenizer
from tests.fuzz import nasty

_SEED = random.Random(0)
WORDS = (
    "My",
    "favourite",
    "dish",
    "is",
    "sushi",
    "cuisine",
    "Japanese",
    "don't",
    "well-known",
    "été",
    "12",
    "Ⅻ",
)
# Texts of every alphabet, half surrogates left out, so that much of what is typed is known.
LINES = [
    *(nasty.text(_SEED, WORDS).encode("utf-8", "ignore").decode().replace("\n", " ") for _ in range(400)),
    *(" ".join(alphabet.encode("utf-8", "ignore").decode()) for alphabet in nasty.ALPHABETS),
]
_WHITE_SPACE = re.compile(r"[\s\x1c-\x1f]+")
SETTINGS = (
    {"kind": "word"},
    {"kind": "word", "split": "whitespace"},
    {"kind": "char"},
    {"kind": "bpe", "max_size": 400},
    {"kind": "word", "lowercase": True},
    {"kind": "char", "lowercase": True},
    {"kind": "bpe", "max_size": 400, "lowercase": True},
)


class TokenizerTarget:
    """Encodes and decodes random texts with tokenizers of every kind, by the promises of `tokenizer.py`."""

    name = "tokenizer"

    def __init__(self) -> None:
        # Through JSON, as a model file holds them.
        self._tokenizers = [
            Tokenizer.from_json(Tokenizer.train(LINES, **settings).to_json()) for settings in SETTINGS
        ]
        self._nfc = normalizers.NFC()

    def make(self, rng: random.Random) -> bytes:
        """JSON: which tokenizer, and a text."""
        return json.dumps([rng.randrange(len(SETTINGS)), nasty.text(rng, WORDS)]).encode()

    def check(self, data: bytes) -> str | None:
        """Ids in range, the same from every way to encode; the text again, unless something is unknown."""
        which, text = json.loads(data)
        tokenizer: Tokenizer = self._tokenizers[which]
        ids = tokenizer.encode(text)
        assert all(0 <= id_ < tokenizer.vocab_size for id_ in ids), "an id is out of range"
        decoded = tokenizer.decode(ids)
        decoded.encode("utf-8")  # can be printed
        with_words = tokenizer.encode_with_words(text)
        assert [id_ for id_, _ in with_words] == ids, "encode_with_words has other ids"
        assert all(word for _, word in with_words), "a token stands for nothing"
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "\n" not in whole:
            stretches = [s for part in tokenizer.parts(whole) for s in tokenizer.stretches(part)]
            batch = tokenizer.encode_batch(stretches)
            assert [id_ for some in batch for id_ in some] == ids, "the stretches have other ids"
        if tokenizer.unk_id in ids:
            return "unknown"
        if not tokenizer.lowercase:
            expected = self._nfc.normalize_str(whole)
            if tokenizer.split == "whitespace" and tokenizer.kind == "word":
                words = [word for word in _WHITE_SPACE.split(expected) if word]
                by_line = groupby(words, key="<eos>".__eq__)  # a typed <eos> ends a line here, as documented
                expected = "".join("\n" * len([*run]) if is_eos else " ".join(run) for is_eos, run in by_line)
            assert decoded == expected, "the text came back changed"
        return None
