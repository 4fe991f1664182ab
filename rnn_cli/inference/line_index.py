"""Lines of the training text by what a network remembered in them: which of them was it reminded of?

For each token of the indexed lines the index keeps h_t of the top layer right before it, each line read alone from no
memory. The likeness of two places is the cosine of the angle between their states (as in Khandelwal et al.,
Generalization through Memorization, 2020, where it takes part in the prediction; here it only explains).

The file is one of `tensor_file`, beside the model file:

    hidden   (N, H)  float16  h_t before each token, of length 1
    ids      (N,)    uint32   the tokens, one line after another, `<eos>` left out
    starts   (L,)    int64    where each line begins

Its texts are `format` and `weights`, a hash of the network that it belongs to.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_cli.errors import ModelFileError
from rnn_cli.inference.engine import Array, Engine
from rnn_cli.tensor_file import Arrays, read_tensor_file, write_tensor_file
from rnn_cli.text.tokenizer import Tokenizer

NAME_IN_RUN_FOLDER = "index.safetensors"
MOST_PLACES = 100_000  # tokens with a state; with 256 units that is 51 MB
LONGEST_LINE = 200  # tokens of a line that are indexed
NEAREST = 5

_FORMAT = "rnn_cli index"
_MEND = "Train with --index to make one anew."


@dataclass(frozen=True)
class NearLine:
    """A line of the training text, at the place where the network's state was most like the one asked about.

    Attributes:
        text: the line, as the model would write it.
        word: the token that came next in that place.
        position: the character of the text at which it begins.
        likeness: the cosine of the angle between the two states, -1 to 1.
    """

    text: str
    word: str
    position: int
    likeness: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class LineIndex:
    """Lines with their states; see the module for the shapes."""

    hidden: npt.NDArray[np.float16]
    ids: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, engine: Engine, lines: Iterable[Sequence[int]], eos_id: int) -> "LineIndex":
        """Read lines, ids without `<eos>` and none of them empty.

        Raises:
            ModelFileError: the network's numbers grew beyond what can be compared.
        """
        kept = [np.asarray(line[:LONGEST_LINE], np.uint32) for line in lines]
        lengths = np.array([len(line) for line in kept], np.int64)
        read = [[eos_id, *line[:-1].tolist()] for line in kept]
        states = np.empty((lengths.sum(), engine.hidden_size), np.float16)
        for hidden, places in engine.read_through(read, engine.initial_state(len(kept))):
            if not np.isfinite(hidden).all():
                raise ModelFileError(
                    "The model's numbers grew beyond all bounds while its lines were indexed."
                )
            states[places] = _directions(hidden)
        return cls(states, np.concatenate(kept), np.cumsum(lengths) - lengths)

    def nearest(self, hidden: Array, tokenizer: Tokenizer, count: int = NEAREST) -> list[NearLine]:
        """The `count` lines with the most similar state anywhere in them, each text once, most similar first.

        Args:
            hidden: h_t of the top layer, (H,).
        """
        likeness = self.hidden @ _directions(hidden[None])[0].astype(np.float16)  # (N,)
        ends = np.append(self.starts[1:], len(self.ids))
        found: dict[str, NearLine] = {}
        for line in np.argsort(-np.maximum.reduceat(likeness, self.starts), kind="stable"):
            start, end = self.starts[line], ends[line]
            place = start + int(np.argmax(likeness[start:end]))
            ids = self.ids[start:end].tolist()
            text = tokenizer.decode(ids)
            before = tokenizer.decode(ids[: place - start + 1])
            word = tokenizer.pieces[self.ids[place]].strip() or tokenizer.pieces[self.ids[place]]
            near = NearLine(text, word, max(0, len(before) - len(word)), min(1.0, float(likeness[place])))
            found.setdefault(text, near)
            if len(found) == count:
                break
        return list(found.values())


def write_index(path: Path, index: LineIndex, engine: Engine) -> None:
    """Write an index that belongs to a network.

    Raises:
        OSError: it cannot be written.
    """
    tensors: Arrays = {"hidden": index.hidden, "ids": index.ids, "starts": index.starts}
    write_tensor_file(path, tensors, {"format": _FORMAT, "weights": _weights_hash(engine)})


def read_index(path: Path, engine: Engine) -> LineIndex:
    """Read the index of a network.

    Raises:
        ModelFileError: it is none, or belongs to another network.
    """
    tensors, texts = read_tensor_file(path, mend=_MEND)
    if texts.get("format") != _FORMAT:
        raise ModelFileError(f"{path}: this is no index of training lines. {_MEND}")
    if texts.get("weights") != _weights_hash(engine):
        raise ModelFileError(f"{path}: the index belongs to another model than the one beside it. {_MEND}")
    hidden, ids, starts = (tensors.get(name, np.empty(0)) for name in ("hidden", "ids", "starts"))
    fits = (
        [(str(array.dtype), array.ndim) for array in (hidden, ids, starts)]
        == [("float16", 2), ("uint32", 1), ("int64", 1)]
        and len(hidden) == len(ids) > 0 == (starts[0] if len(starts) else -1)
        and bool((np.diff(starts) > 0).all() and starts[-1] < len(ids) and ids.max() < engine.vocab_size)
        and hidden.shape[1] == engine.hidden_size
    )
    if not fits:
        raise ModelFileError(f"{path}: the index is damaged. {_MEND}")
    return LineIndex(hidden, ids, starts)


def _directions(hidden: Array) -> Array:
    """The rows (N, H) at length 1; zeros stay."""
    lengths = np.linalg.norm(hidden, axis=1, keepdims=True).astype(np.float32)
    return np.asarray(hidden / np.maximum(lengths, np.float32(1e-12)))


def _weights_hash(engine: Engine) -> str:
    found = hashlib.sha256()
    for name in sorted(engine.weights):
        if name.startswith("cells.") or name == "c":
            found.update(np.ascontiguousarray(engine.weights[name]).tobytes())
    return found.hexdigest()
