"""Random texts from what breaks programs: marks, halves of pairs, controls, directions, mixed with known words."""

import random
from collections.abc import Sequence

ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789.,;:!?'’\"()[]{}<>/\\|@#$%^&*-+=~`…",
    "_" * 9 + " ",
    " \t\u00a0\u2003\u200b\u3000\x0b\x0c\x1c\x1f\x85\u2028\u2029\ufeff",  # white space, and what looks like it
    "\n\r",
    "\0\x01\x07\x08\x1b\x7f\x9b",
    "\u0301\u0308\u0327\u034f\u0345\u0f71\u0f72\u1ab0\u20d0\ufe0f",  # combining marks
    "\u1100\u1161\u11a8\uac00\uac01\u1112\u1175\u11c2",  # parts of Hangul
    "\ud800\udbff\udc00\udfff\udc80\udcff",  # halves of surrogate pairs
    "\U0001f469\u200d\U0001f467\U0001f3fd\U0001f1e9\U0001f1ea\u263a\ufe0f",  # emoji, joined and coloured
    "\u05e9\u05dc\u05d5\u05dd\u0645\u0631\u062d\u0628\u0627\u202e\u202a\u2066\u2069\u200f",  # right to left
    "\u00e9\u00c5\u212b\u212a\u2126\ufb01\u1e9b\u0130\u0131\u00df\u03c2\u01c5",  # characters with two spellings
    "\ufffd\ufffe\uffff\ufdd0\ue000\U000e0001\U0001d400\U0010ffff",
)
SPECIAL = (
    "<unk>",
    "<eos>",
    "____",
    "__",
    " ____ ",
    "_",
    "don't",
    "\r\n",
    "x" * 120,
    "{",
    '{"text": "',
    "1e999",
)


def text(rng: random.Random, words: Sequence[str], most: int = 12) -> str:
    """Up to `most` pieces: known words and spaces, characters of an alphabet, any character at all."""
    return "".join(_piece(rng, words) for _ in range(rng.randint(0, most)))


def _piece(rng: random.Random, words: Sequence[str]) -> str:
    match rng.randrange(10):
        case 0 | 1 | 2 | 3:
            return rng.choice(words)
        case 4 | 5:
            return " "
        case 6:
            return rng.choice(SPECIAL)
        case 7:
            return chr(rng.randrange(0x110000))
        case _:
            return "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randint(1, 4)))


def damaged(rng: random.Random, content: bytes, most: int = 3) -> bytes:
    """The bytes with up to `most` changes: a bit, a byte, a stretch left out, doubled, moved or cut off."""
    for _ in range(rng.randint(1, most)):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.randint(1, 16))
        match rng.randrange(6):
            case 0 if at < len(content):
                content = content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
            case 1:
                content = content[:at] + rng.randbytes(rng.randint(1, 4)) + content[at + 1 :]
            case 2:
                content = content[:at] + content[end:]
            case 3:
                content = content[:end] + content[at:]
            case 4:
                content = content[end:] + content[:at]
            case _:
                content = content[:at]
    return content
