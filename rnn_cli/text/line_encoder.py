"""Lines to token ids, fast: a text repeats itself, and what was encoded once is remembered.

The slow way is `tokenizer.encode(line) + [tokenizer.eos_id]`, line by line; a test holds the two equal.
"""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rnn_cli.text.tokenizer import Tokenizer

BATCH_CHARACTERS = 200_000  # what is encoded at once: enough to keep all cores busy
REMEMBERED_CHARACTERS = 30_000_000  # some 400 MB of memory, for a text in which no word occurs twice

TokenIds = NDArray[np.uint16] | NDArray[np.uint32]

_LINE_END = "\n"  # cannot occur within a line


class LineEncoder:
    """Encodes lines with `tokenizer`, each ended by `<eos>`, and counts its work.

    Attributes:
        dtype: of the ids, uint16 for a vocabulary of up to 65,536 and uint32 beyond.
        tokens: how many ids were made, `<eos>` counted.
        unknown: how many of them are `<unk>`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.dtype = ids_dtype(tokenizer)
        self.tokens = 0
        self.unknown = 0
        self._tokenizer = tokenizer
        self._forget()

    def batches(self, lines: Iterable[str]) -> Iterator[TokenIds]:
        """The ids of all lines in arrays (tokens,) of a size that does not depend on the text's."""
        stretches: list[str] = []
        characters = 0
        for line in lines:
            for part in self._tokenizer.parts(line):
                stretches += self._tokenizer.stretches(part)
                characters += len(part) + 1
                if characters >= BATCH_CHARACTERS:
                    yield self._ids(stretches)
                    stretches, characters = [], 0
            stretches.append(_LINE_END)
        yield self._ids(stretches)

    def _ids(self, stretches: list[str]) -> TokenIds:
        if self._characters > REMEMBERED_CHARACTERS:
            self._forget()
        self._learn(list(set(stretches).difference(self._known)))
        # Joining bytes is the fastest way to put many short arrays one after another.
        joined = b"".join(map(self._known.__getitem__, stretches))
        ids = cast(TokenIds, np.frombuffer(joined, self.dtype))
        self.tokens += len(ids)
        if self._tokenizer.unk_id is not None:
            self.unknown += int(np.count_nonzero(ids == self._tokenizer.unk_id))
        return ids

    def _learn(self, stretches: list[str]) -> None:
        for stretch, ids in zip(stretches, self._tokenizer.encode_batch(stretches), strict=True):
            self._known[stretch] = np.array(ids, self.dtype).tobytes()
            self._characters += len(stretch)

    def _forget(self) -> None:
        self._known = {_LINE_END: np.array([self._tokenizer.eos_id], self.dtype).tobytes()}
        self._characters = 0


def ids_dtype(tokenizer: Tokenizer) -> type[np.uint16] | type[np.uint32]:
    """The narrowest type that holds every id of the vocabulary."""
    return np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32
