"""Token ids cut into windows of T steps and B streams, time first, for truncated backpropagation through time.

Two ways to cut, with one protocol (`Windows`):

* `StreamWindows`: the text is one long stream, cut into B parallel ones; the state is carried from window to window.
* `LineWindows`: every line stands alone; the state starts from zero at the line's beginning.

In both, every token is a target exactly once per epoch. What a window has too much is padding, which `mask` marks.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Window:
    """T steps of B streams.

    Attributes:
        inputs: (T, B) int64, the token that is read at each step.
        targets: (T, B) int64, the token that comes next.
        mask: (T, B) bool, False where a target is padding and does not count; None when all count.
        resets: whether the state starts from zero before this window. If not, stream b goes on where stream b of
            the window before ended.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    mask: NDArray[np.bool_] | None
    resets: bool

    @property
    def words(self) -> int:
        """Targets that count."""
        return self.targets.size if self.mask is None else int(self.mask.sum())

    def streams(self, some: slice) -> "Window":
        """The window with some of its streams only."""
        mask = None if self.mask is None else self.mask[:, some]
        return Window(self.inputs[:, some], self.targets[:, some], mask, self.resets)


class Windows(Protocol):
    """A text cut into windows.

    Attributes:
        tokens: targets that count in one epoch.
        batch_size: B, the largest number of streams in a window.
        fewest_streams: the smallest.
    """

    tokens: int
    batch_size: int
    fewest_streams: int

    def windows_in_epoch(self, epoch: int) -> int:
        """Number of windows of an epoch, counted from 0."""

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Window]:
        """The windows of an epoch from number `first` on: a training can go on in the middle."""


SHARE_OF_WHOLE_WINDOWS = 0.95
DEVIATION = 1 / 14
SHORTEST = 1 / 14
"""Windows of random lengths, in the proportions of Merity, Keskar and Socher (arXiv:1708.02182): around T with a
deviation of T / 14 (5 of 70), now and then around T / 2, and not below T / 14."""


def random_lengths(total: int, bptt_steps: int, seed: int) -> NDArray[np.int64]:
    """Lengths of windows that vary around `bptt_steps` and add up to `total`, (windows,)."""
    random = np.random.default_rng(seed)
    lengths: list[int] = []
    left = total
    while left > 0:
        around = bptt_steps if random.random() < SHARE_OF_WHOLE_WINDOWS else bptt_steps / 2
        length = max(1, round(bptt_steps * SHORTEST), round(random.normal(around, bptt_steps * DEVIATION)))
        lengths.append(min(length, left))
        left -= lengths[-1]
    return np.array(lengths)


class StreamWindows:
    """One long text as B parallel streams, the state carried.

    All epochs are the same, unless the lengths of windows are random or files are shuffled.

    An `<eos>` is put in front of the N tokens as start symbol, so that all N are predicted. The lengths of the
    streams differ by one token at most; where they differ, the last window is padded.

    Args:
        ids: (N,) token ids of the text.
        eos_id: the start symbol.
        batch_size: B, the number of streams.
        bptt_steps: T; the last window may be shorter.
        random_lengths_from: a seed for windows whose lengths vary around T: the same lengths in another order in each
            epoch, so that windows end at other places. None: all are T long.
        file_lengths: tokens of the files that follow one another in `ids`: they are read in another order in
            every epoch, as if the text had been put together so. None: as they lie.
        seed: with the number of the epoch, decides that order.

    Raises:
        ValueError: when there are no tokens.
    """

    def __init__(
        self,
        ids: NDArray[np.integer],
        *,
        eos_id: int,
        batch_size: int,
        bptt_steps: int,
        random_lengths_from: int | None = None,
        file_lengths: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        if not len(ids):
            raise ValueError("There are no tokens to cut into windows.")
        self.tokens = len(ids)
        self.batch_size = self.fewest_streams = batch_size
        self.bptt_steps = bptt_steps
        self._ids = np.asarray(ids)  # indexing a np.memmap itself is slower
        self._eos_id = eos_id
        self._file_lengths = np.array(file_lengths or [self.tokens], np.int64)  # (files,)
        self._seed = seed
        edges = np.arange(batch_size + 1) * self.tokens // batch_size
        self._starts, self._lengths = edges[:-1], np.diff(edges)  # (B,) each

        self._lengths_seed = random_lengths_from
        longest = int(self._lengths.max())
        if self._lengths_seed is None:
            self._steps = np.diff(np.append(np.arange(0, longest, bptt_steps), longest))
        else:
            self._steps = random_lengths(longest, bptt_steps, self._lengths_seed)  # (windows,)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Window]:
        return self.epoch(0)

    def windows_in_epoch(self, epoch: int) -> int:  # noqa: ARG002  every epoch has as many
        """Number of windows, the same for every epoch."""
        return len(self)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Window]:
        """The windows of an epoch from number `first` on; what is random in it depends on the seeds and `epoch`."""
        steps = self._steps_in(epoch)
        begins = np.cumsum(steps) - steps
        lie_at = self._order(epoch)
        return (
            self._window(int(begins[number]), int(steps[number]), lie_at)
            for number in range(first, len(self))
        )

    def _steps_in(self, epoch: int) -> NDArray[np.int64]:
        if self._lengths_seed is None:
            return self._steps
        return np.random.default_rng([self._lengths_seed, epoch]).permutation(self._steps)

    def _order(self, epoch: int) -> "_Places | None":
        if len(self._file_lengths) == 1:
            return None
        random = np.random.default_rng([self._seed, epoch])
        return _Places(self._file_lengths, random.permutation(len(self._file_lengths)))

    def _window(self, first_step: int, steps: int, lie_at: "_Places | None") -> Window:
        return _window(self._ids, self._starts, self._lengths, first_step, steps, self._eos_id, lie_at)


class _Places:
    """Where the tokens of files that are read in another order lie.

    Args:
        lengths: tokens of each file, (files,), as they lie one after another.
        order: the numbers of the files, (files,), as they are read.
    """

    def __init__(self, lengths: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        order = order[lengths[order] > 0]  # of what is empty nothing is read
        self._ends = np.cumsum(lengths[order])  # (files,), in the text as it is read
        lie_at = np.cumsum(lengths) - lengths
        self._further = lie_at[order] - (self._ends - lengths[order])  # (files,)

    def __call__(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """From places in the text as it is read to places in the text as it lies."""
        return places + self._further[np.searchsorted(self._ends, places, side="right")]


class LineWindows:
    """Lines as examples of their own: `<eos> w1 .. wn` is read, `w1 .. wn <eos>` is predicted.

    Lines of similar length make a batch. The batches are as equal in size as can be, so B may be one less than
    `batch_size` or, for few lines, smaller still; it is constant between resets. A line longer than `bptt_steps`
    goes on in the next window of its batch, where shorter lines are padding.

    Args:
        ids: (N,) token ids of the text.
        spans: where the lines begin in `ids`, and their lengths with `<eos>`; see `Corpus.line_spans`.
        eos_id: the start symbol.
        batch_size: B, the largest number of lines in a batch.
        bptt_steps: T; windows may be shorter.
        seed: with the number of the epoch, decides which lines of equal length share a batch, and the order of
            the batches.
        shuffle: False gives every epoch the same order, short lines first.

    Raises:
        ValueError: when there are no lines.
    """

    def __init__(
        self,
        ids: NDArray[np.integer],
        spans: tuple[NDArray[np.int64], NDArray[np.int64]],
        *,
        eos_id: int,
        batch_size: int,
        bptt_steps: int,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        self._ids = np.asarray(ids)  # indexing a np.memmap itself is slower
        self._starts, self._lengths = spans  # (lines,) each
        if not len(self._starts):
            raise ValueError("There are no lines to cut into windows.")
        self.tokens = int(self._lengths.sum())
        self.batch_size = batch_size
        self.bptt_steps = bptt_steps
        self._eos_id = eos_id
        self._seed = seed
        self._shuffle = shuffle
        lines = len(self._starts)
        batches = math.ceil(lines / batch_size)
        self._edges = np.arange(batches + 1) * lines // batches  # in the order of length
        self.fewest_streams = int(np.diff(self._edges).min())
        longest = np.sort(self._lengths)[self._edges[1:] - 1]  # (batches,)
        self._windows_of_batch = -(-longest // bptt_steps)  # (batches,)

    def windows_in_epoch(self, epoch: int) -> int:  # noqa: ARG002  the same lengths meet in every epoch
        """Number of windows, the same for every epoch."""
        return int(self._windows_of_batch.sum())

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Window]:
        """The windows of an epoch from number `first` on; the order depends on the seed and `epoch` only."""
        lines, batches = self._order(epoch)
        windows_until = np.cumsum(self._windows_of_batch[batches])  # (batches,)
        for number in range(first, self.windows_in_epoch(epoch)):
            place = int(np.searchsorted(windows_until, number, side="right"))
            batch = batches[place]
            part = number - int(windows_until[place] - self._windows_of_batch[batch])
            yield self._part_of_batch(lines[self._edges[batch] : self._edges[batch + 1]], part)

    def _order(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The lines in the order of length, (lines,), and the order of the batches, (batches,)."""
        if not self._shuffle:
            return np.argsort(self._lengths, kind="stable"), np.arange(len(self._windows_of_batch))
        random = np.random.default_rng([self._seed, epoch])
        lines = random.permutation(len(self._starts))
        lines = lines[np.argsort(self._lengths[lines], kind="stable")]
        return lines, random.permutation(len(self._windows_of_batch))

    def _part_of_batch(self, lines: NDArray[np.int64], part: int) -> Window:
        starts, lengths = self._starts[lines], self._lengths[lines]
        window = _window(self._ids, starts, lengths, part * self.bptt_steps, self.bptt_steps, self._eos_id)
        if window.resets:
            window.inputs[0] = self._eos_id
        return window


def _window(
    ids: NDArray[np.integer],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    first_step: int,
    bptt_steps: int,
    eos_id: int,
    lie_at: _Places | None = None,
) -> Window:
    """At most `bptt_steps` steps, from `first_step` on, of B streams that begin at `starts` of the text, (B,)."""
    last_step = min(first_step + bptt_steps, int(lengths.max()))
    steps = np.arange(first_step, last_step)[:, np.newaxis]  # (T, 1)
    counts = steps < lengths  # (T, B)
    places = np.where(counts, starts + steps, 0)  # (T, B)
    before = np.maximum(places - 1, 0)
    came, read = (ids[places], ids[before]) if lie_at is None else (ids[lie_at(places)], ids[lie_at(before)])
    targets = np.where(counts, came, eos_id).astype(np.int64)
    inputs = np.where(counts & (places > 0), read, eos_id).astype(np.int64)
    return Window(inputs, targets, None if counts.all() else counts, resets=first_step == 0)


def fit_batch_size(
    amount: int, batch_size: int, bptt_steps: int, *, mode: Literal["stream", "lines"] = "stream"
) -> tuple[int, str | None]:
    """A batch size that a small text can fill, and the sentence that says so (None when nothing changes).

    Args:
        amount: tokens of the text in stream mode, lines that are not blank in lines mode.

    In stream mode each of the B streams gets at least one whole window of `bptt_steps` tokens: shorter streams
    would see less context, make fewer updates and gain no speed. In lines mode a batch holds no more lines than
    there are.
    """
    fitting = max(1, amount // bptt_steps if mode == "stream" else amount)
    if batch_size <= fitting:
        return batch_size, None
    unit = ("token" if mode == "stream" else "line") + ("" if amount == 1 else "s")
    return fitting, f"The text has {amount:,} {unit}: batch_size {batch_size} is reduced to {fitting}."
