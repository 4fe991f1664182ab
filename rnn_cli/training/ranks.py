"""Processes that train one network together, on one machine or on several, started by torchrun.

Each of them, a rank, holds all weights and reads its share of the streams of a window; the gradients are added up, so
every rank makes the same update. Whatever decides what comes next (a loss, the clock, a stop) is made the same number
on all of them, so they go through the loop in step and none waits for a message that another does not send. The first
rank alone writes and speaks.

Source: the summation of gradients over processes is that of S. Li et al., "PyTorch Distributed: Experiences on
Accelerating Data Parallel Training" (2020), without its overlap of computing and sending.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from rnn_cli.errors import RankLostError, TrainingError, UsageError
from rnn_cli.text.streams import Windows
from rnn_cli.training.launch import on_several_machines

Result = TypeVar("Result")

PATIENCE = timedelta(hours=6)
"""A dead process is noticed at once by its connections. But all may wait long for the one that reads a text."""

PATIENCE_IN_STEPS = timedelta(minutes=30)
"""A machine whose network has gone says nothing any more, and no connection tells. Between two steps of a training
nobody has more to do alone than to save a state and to answer a few prompts."""

CONNECTING = timedelta(minutes=10)
"""All have been started before one connects; what is waited for is a slow disk that Python comes from."""

TELLING = timedelta(seconds=2)
"""So long after its own failure the first rank has said what went wrong."""

TOLD, LOST, OWN = "told", "lost", "own"
"""A note of the first rank: it says why it ends, which is that it lost another, or a reason of its own."""


class Said(NamedTuple):
    """What one rank sends to the others: named tensors and texts."""

    tensors: dict[str, Tensor]
    texts: dict[str, str]


class Ranks:
    """The ranks of a training, as one of them sees them. Without arguments: a process alone, which exchanges nothing.

    Args:
        number: which rank this process is, from 0.
        count: how many there are.
        host_first: whether it is the first on its machine.
        board: where ranks can leave notes, even for when they are gone; None for a process alone.
    """

    def __init__(
        self,
        number: int = 0,
        count: int = 1,
        *,
        host_first: bool = True,
        board: Store | None = None,
    ) -> None:
        self.number = number
        self.count = count
        self.host_first = host_first
        self._board = board

    @classmethod
    def join(cls) -> "Ranks":
        """Meet the other processes that torchrun has started; waits until all are there.

        Raises:
            RankLostError: they do not come.
        """
        # Torch's optimizers import it. Once the group is there, that would keep the group's threads beyond `leave`,
        # to the end of the process, which they then abort now and then (torch 2.13).
        import torch._dynamo

        try:
            with _exchange():
                board, number, count = next(iter(rendezvous("env://")))
                # Tensors in memory go by gloo, and those on a GPU by nccl where there is one.
                backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
                distributed.init_process_group(
                    backend, store=board, rank=number, world_size=count, timeout=CONNECTING
                )
            ranks = cls(number, count, host_first=os.environ.get("LOCAL_RANK", "0") == "0", board=board)
            ranks.sum(0)  # none goes on, and perhaps ends, while another is still connecting
        except RankLostError as error:
            raise RankLostError(f"{error}{_WAY_TO_EACH_OTHER if on_several_machines() else ''}") from error
        ranks._wait_at_most(PATIENCE)
        return ranks

    @contextmanager
    def in_steps(self) -> Iterator[None]:
        """Between the steps of a training, where this rank waits less long before it takes the others for lost."""
        self._wait_at_most(PATIENCE_IN_STEPS)
        try:
            yield
        finally:
            self._wait_at_most(PATIENCE)

    def _wait_at_most(self, time: timedelta) -> None:
        if self.count > 1:
            assert distributed.group.WORLD is not None
            distributed.group.WORLD.set_timeout(time)

    def leave(self) -> None:
        """Take down what `join` has built; no message can follow."""
        if self.count > 1:
            distributed.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.number == 0

    def share(self, total: int) -> slice:
        """This rank's share of `total` things; shares are as equal as can be and follow each other."""
        return slice(total * self.number // self.count, total * (self.number + 1) // self.count)

    def share_out(self, windows: Windows) -> str:
        """How the ranks share the streams, for a person.

        Raises:
            UsageError: there are too few streams.
        """
        fewest = windows.fewest_streams
        if fewest < self.count:
            raise UsageError(
                f"{self.count} processes cannot share {fewest} streams: each needs one. Start {fewest} at most, or "
                "raise training.batch_size."
            )
        return f"{self.count} processes train together; each reads its share of the {windows.batch_size} streams."

    def agree_on(self, device: torch.device) -> None:
        """See that all ranks train on the same kind of device.

        Raises:
            TrainingError: some have a GPU, others have none.
        """
        (with_gpu,) = self.sum(device.type != "cpu")
        if with_gpu not in (0, self.count):
            raise TrainingError(
                f"Of {self.count} processes that train together {with_gpu:g} found a GPU, the others none. Set "
                "training.device to cpu, or start them where each has one."
            )

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Each number summed over the ranks: the same on all of them."""
        if self.count == 1:
            return numbers
        sums = torch.tensor(numbers, dtype=torch.float64)
        with _exchange():
            distributed.all_reduce(sums)
        return tuple(sums.tolist())

    def of_first(self, number: float) -> float:
        """The first rank's number, on all of them."""
        return self.sum(number if self.first else 0.0)[0]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on a rank, the same answer on all of them."""
        return self.sum(flag)[0] > 0

    def host_by_host(self, do: Callable[[], Result]) -> Result:
        """What `do` gives; the first rank of each machine goes ahead, so that the others find its work done."""
        result = do() if self.host_first else None
        self.sum(0)  # the others wait here
        return do() if result is None else result

    def from_first(self, say: Callable[[], Said]) -> Said:
        """What `say` gives on the first rank, and it alone, on all of them."""
        if self.count == 1:
            return say()
        said = say() if self.first else Said({}, {})
        forms = {name: (t.numpy().dtype.str, t.shape) for name, t in said.tensors.items()}
        forms, texts = json.loads(self._bytes_from_first(json.dumps([forms, said.texts]).encode()))
        tensors = said.tensors or {
            name: torch.from_numpy(np.empty(shape, dtype)) for name, (dtype, shape) in forms.items()
        }
        for name in forms:
            self._copy_first(tensors[name])
        return Said(tensors, texts)

    def meet(self, model: nn.Module, fingerprint: str) -> None:
        """See that all ranks train the same network on the same text, and begin with the first one's weights.

        Args:
            fingerprint: of settings, vocabulary and text.

        Raises:
            TrainingError: they do not; each of them says so.
        """
        firsts = self.from_first(lambda: Said({}, {"fingerprint": fingerprint})).texts["fingerprint"]
        if self.any(fingerprint != firsts):
            raise TrainingError(
                "The processes of this training do not read the same text. See that the files of data.train, "
                "data.valid and data.test are the same on every machine."
            )
        self.take_weights_of_first(model)

    def take_weights_of_first(self, model: nn.Module) -> None:
        """Make the weights of a network those that the first rank has."""
        for parameter in model.parameters():
            self._copy_first(parameter.detach())

    def add_up_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the sum over all ranks in the place of each gradient. Of a table only the rows touched are sent."""
        if self.count == 1:
            return
        gradients = [_gradient(parameter) for parameter in parameters]
        by_rows = [gradient.coalesce() for gradient in gradients if gradient.is_sparse]
        rows = iter(zip(by_rows, self._counts([len(gradient.values()) for gradient in by_rows]), strict=True))
        whole, tables = [], []
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient.is_sparse:
                touched, counts = next(rows)
                if sum(counts) <= len(touched):  # else the table itself is less
                    parameter.grad = self._rows_of_all(touched, counts)
                    continue
                tables.append((parameter, touched))
            whole.append((parameter, gradient.to_dense()))
        # One message for all of them: most of the time of a short one is the way.
        summands = [dense for _, dense in whole] + [_touches(touched) for _, touched in tables]
        sums = torch.cat([summand.flatten() for summand in summands])
        with _exchange():
            distributed.all_reduce(sums)
        parts = torch.split(sums, [summand.numel() for summand in summands])
        for (parameter, _), part in zip(whole, parts[: len(whole)], strict=True):
            parameter.grad = part.view_as(parameter)
        for (parameter, _), touches in zip(tables, parts[len(whole) :], strict=True):
            parameter.grad = _rows(_gradient(parameter), touches.nonzero()[:, 0])

    def _rows_of_all(self, gradient: Tensor, counts: Sequence[int]) -> Tensor:
        """The sum of gradients that hold rows; `counts` says how many on each rank."""
        rows = self._gather(gradient.indices()[0], counts)  # (rows of all,)
        values = self._gather(gradient.values(), counts)  # (rows of all, size)
        return torch.sparse_coo_tensor(rows[None], values, gradient.shape, check_invariants=False)

    def gather_streams(self, layers: list[Tensor]) -> list[Tensor]:
        """From each rank's share of the streams, (its B, S) a layer, to all of them, (B, S)."""
        if self.count == 1 or not layers:
            return layers
        [counts] = self._counts([len(layers[0])])
        return [self._gather(layer.detach(), counts) for layer in layers]

    def tell(self, error: Exception) -> None:
        """Let the other ranks know that the first one says why it ends."""
        if self._board is not None:
            with suppress(RuntimeError):  # the launcher is gone, too
                self._board.set(TOLD, LOST if isinstance(error, RankLostError) else OWN)

    def is_told(self, error: Exception) -> bool:
        """Whether another rank says why all of them end, so that this one, which met `error`, need not."""
        if self._board is None:
            return False
        lost = isinstance(error, RankLostError)
        try:
            self._board.wait([TOLD], TELLING)
            # What the first rank met itself, all that are in step with it have met, too.
            return lost or self._board.get(TOLD) == OWN.encode()
        except RuntimeError:  # the first rank was killed: one of the others speaks
            with suppress(RuntimeError):  # and this one where nobody can be asked
                return lost and self._board.add("speakers", 1) > 1
            return False

    def _counts(self, mine: Sequence[int]) -> list[list[int]]:
        """For each of some numbers, what it is on each rank."""
        if not mine:
            return []
        counts = np.zeros((len(mine), self.count))
        counts[:, self.number] = mine
        return np.reshape(self.sum(*counts.flatten().tolist()), counts.shape).astype(int).tolist()

    def _gather(self, mine: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows of all ranks, (sum of counts, ...), from each one's own (its count, ...)."""
        longest = max(counts)
        padded = mine.new_zeros(longest, *mine.shape[1:])
        padded[: len(mine)] = mine
        found = [torch.empty_like(padded) for _ in counts]
        with _exchange():
            distributed.all_gather(found, padded)
        return torch.cat([rows[:count] for rows, count in zip(found, counts, strict=True)])

    def _bytes_from_first(self, mine: bytes) -> bytes:
        length = int(self.of_first(len(mine)))
        message = (
            torch.frombuffer(bytearray(mine), dtype=torch.uint8)
            if self.first
            else torch.empty(length, dtype=torch.uint8)
        )
        self._copy_first(message)
        return message.numpy().tobytes()

    def _copy_first(self, tensor: Tensor) -> None:
        """Fill a tensor with what the first rank has in its own."""
        if self.count > 1:
            with _exchange():
                distributed.broadcast(tensor, src=0)


ALONE = Ranks()
"""A process that trains by itself."""

_WAY_TO_EACH_OTHER = (
    " The machines have to reach each other by their names. Where a machine's own name leads to 127.0.1.1, as on "
    "Debian, name its network there: export GLOO_SOCKET_IFNAME=eth0."
)


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _touches(gradient: Tensor) -> Tensor:
    """1 for each row that a gradient by rows holds, even where it is 0, as it is for a word that is not heard."""
    touches = gradient.values().new_zeros(len(gradient))
    touches[gradient.indices()[0]] = 1
    return touches


def _rows(table: Tensor, rows: Tensor) -> Tensor:
    """A gradient that holds some rows of a table: a rule that keeps momentum moves these and no others."""
    return torch.sparse_coo_tensor(rows[None], table[rows], table.shape, check_invariants=False)


@contextmanager
def _exchange() -> Iterator[None]:
    """A message to the other ranks, or from them."""
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[\S*\] ", "", str(error).splitlines()[0]).split(". ")[0]
        raise RankLostError(
            f"Another process of this training has ended or cannot be reached ({reason})."
        ) from error
