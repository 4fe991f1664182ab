"""The networks of a model, each with the end of a text that it reads from, and what they see of a request."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnn_cli.inference.engine import Engine, Ids
from rnn_cli.inference.reading import Readers
from rnn_cli.inference.request import Asked


@dataclass(frozen=True)
class Side:
    """A network, and from which end of a text it reads.

    Attributes:
        engine: the network.
        backwards: whether it reads from the last word to the first.
        weight: of what it says, from 0 to 1; the weights of all sides come to 1.
    """

    engine: Engine
    backwards: bool = False
    weight: float = 1.0


@dataclass(frozen=True)
class View:
    """Requests as one side sees them, what stands before their blanks read."""

    side: Side
    asked: list[Asked]
    readers: Readers

    @classmethod
    def of(cls, side: Side, asked: Sequence[Asked], eos_id: int) -> "View":
        """Read what a side reads before it looks at the first blank that it comes to."""
        seen = [one.mirrored(eos_id) if side.backwards and one.segments else one for one in asked]
        hidden, state = side.engine.read_each([one.context.ids for one in seen])
        return cls(side, seen, Readers(np.zeros(len(seen)), hidden, state))

    def take(self, rows: Sequence[int] | Ids) -> "View":
        """Those in the given rows."""
        return View(self.side, [self.asked[row] for row in rows], self.readers.take(rows))


def direction_of(views: Sequence[View]) -> str:
    """Which ways a text is read: "forward", "backward" or "both"."""
    return "both" if len(views) > 1 else "backward" if views[0].side.backwards else "forward"
