"""`W := W - η ∂Loss/∂W` and its relatives, the learning rate's schedule, and clipping by norm."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from rnn_cli.training.muon import Muon

SPARSE_KINDS = ("sgd", "adagrad", "adam", "adamw", "muon")
"""Optimizers that can update only the rows of a table that a window touched."""


ROW_RATE = 2.0
"""How much larger Adam's learning rate is for rows than for whole tables.

A row is updated only in the windows that touch it, and most rows are rare. Measured on WikiText-2, 256 units, 1.2
epochs at 2e-3 for the rest: validation perplexity 231 with a factor of 1, 187 with 2.5. With 4, ten epochs of 512
units learnt the training text by heart.
"""

FIRST_SQUARES = 1e-5
"""What Adagrad's sum of squared gradients begins with in a table of its own rule.

From 0, the first gradient of a rare word would move its row by the whole rate, and the text would be learnt by heart.
So a rare row moves as under plain sgd at the rate / sqrt(1e-5), and a frequent one, whose squares add up, less and
less. Measured on a million words: docs/results.md, A text and some minutes.
"""


class Optimizer:
    """One of torch's optimizers; two where the word tables receive only the rows that a window touched."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    def step(self, learning_rate: float) -> None:
        """Update every parameter with this learning rate."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = learning_rate * group.get("rate_factor", 1.0)
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad = _as_the_rule_wants_it(parameter.grad, part, group)
            part.step()


def _as_the_rule_wants_it(gradient: Tensor, part: torch.optim.Optimizer, group: dict[str, Any]) -> Tensor:
    """A gradient that holds rows or all of a table, as the one that the rule can take; mostly it is that already.

    Rules that move a parameter whose gradient is zero (by its momentum, or by decay) need the whole gradient.
    """
    if isinstance(part, torch.optim.SparseAdam):
        return gradient if gradient.is_sparse else gradient.to_sparse(1)
    plain_sgd = isinstance(part, torch.optim.SGD) and not group["momentum"]
    by_rows = (plain_sgd or isinstance(part, torch.optim.Adagrad)) and not group["weight_decay"]
    return gradient.to_dense() if gradient.is_sparse and not by_rows else gradient


def build_optimizer(
    kind: str,
    parameters: Iterable[nn.Parameter],
    tables: Iterable[nn.Parameter],
    *,
    weight_decay: float,
    sparse: bool,
    table_kind: str = "sgd",
    table_rate: float | None = None,
) -> Optimizer:
    """Make the optimizer `kind` for the network's parameters and its word tables.

    Args:
        kind: sgd, momentum, nesterov, adam, adamw, muon, rmsprop or adagrad. muon is for matrices; what is none, and
            the tables, learn by adamw.
        parameters: all but the word tables.
        tables: the embedding table and V.
        weight_decay: applied to matrices only, not to b and c; sparse tables are left out of it too.
        sparse: whether the tables receive gradients that hold only the rows touched.
        table_kind: sgd or adagrad, for `table_rate`.
        table_rate: the tables learn by `table_kind`, with so many times the learning rate; None: by `kind`, too.
    """
    apart = sparse or table_rate is not None
    dense, tables = list(parameters), list(tables)
    matrices = [p for p in dense if p.dim() > 1]
    vectors = {"params": [p for p in dense if p.dim() == 1], "weight_decay": 0.0}
    if kind == "muon":
        parts = [Muon(matrices, weight_decay=weight_decay), _torch_optimizer("adamw", [vectors])]
        if not apart:
            parts[1].add_param_group({"params": tables, "weight_decay": weight_decay})
    else:
        decayed = matrices if apart else [*matrices, *tables]
        parts = [_torch_optimizer(kind, [{"params": decayed, "weight_decay": weight_decay}, vectors])]
    if apart:
        # torch warns until one says whether row indices should be checked; they come from its own embedding.
        torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]
        parts.append(_table_optimizer(kind, tables, table_kind, table_rate))
    return Optimizer(parts)


def _table_optimizer(
    kind: str, tables: list[nn.Parameter], table_kind: str, table_rate: float | None
) -> torch.optim.Optimizer:
    if table_rate is not None:
        groups = [{"params": tables, "rate_factor": table_rate}]
        if table_kind == "adagrad":
            return torch.optim.Adagrad(groups, initial_accumulator_value=FIRST_SQUARES)
        return _torch_optimizer("sgd", groups)
    if kind in ("adam", "adamw", "muon"):
        # torch's Adam needs the whole table's gradient; its SparseAdam is the same rule on the rows touched.
        return torch.optim.SparseAdam([{"params": tables, "rate_factor": ROW_RATE}])
    return _torch_optimizer(kind, [{"params": tables}])


def _torch_optimizer(kind: str, groups: list[dict[str, object]]) -> torch.optim.Optimizer:  # noqa: PLR0911
    match kind:
        case "sgd":
            return torch.optim.SGD(groups, lr=0.0)
        case "momentum":
            return torch.optim.SGD(groups, lr=0.0, momentum=0.9)
        case "nesterov":
            return torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True)
        case "adam":
            return torch.optim.Adam(groups, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups)
        case "adagrad":
            return torch.optim.Adagrad(groups)
    raise ValueError(f"no optimizer is called {kind!r}")


def clip_by_norm(parameters: Iterable[nn.Parameter], max_norm: float | None) -> float:
    """Scale all gradients down together so that their common Euclidean norm is at most `max_norm`.

    Returns the norm before that. Sparse gradients count as the dense ones they stand for. None: no clipping.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", arXiv:1211.5063.
    """
    gradients = list(_gradients(parameters))
    norm = float(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]).norm())
    if max_norm is not None and norm > max_norm:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm


def _gradients(parameters: Iterable[nn.Parameter]) -> Iterator[Tensor]:
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            # A row read twice has two entries; only their sum is its gradient.
            parameter.grad = parameter.grad.coalesce()
            yield parameter.grad._values()
        else:
            yield parameter.grad


def scheduled_learning_rate(
    step: int,
    *,
    total_steps: int,
    learning_rate: float,
    schedule: str,
    warmup_steps: int,
    share_of_time: float = 0.0,
) -> float:
    """The learning rate η of update number `step` (from 0) of `total_steps`.

    It rises linearly over `warmup_steps`; then: constant and plateau stay, linear falls in a straight line and
    cosine in half a wave, both to nearly 0 at the last update. (A plateau's own cuts come on top, in the loop.)

    Where a clock ends the training, `share_of_time`, from 0 to 1, says how much of its time is spent; the rate then
    falls with the updates or with the time, whichever is further along.
    """
    if step < warmup_steps:
        return learning_rate * (step + 1) / warmup_steps
    left = min(1 - (step - warmup_steps) / max(1, total_steps - warmup_steps), 1 - share_of_time)
    if schedule == "linear":
        return learning_rate * left
    if schedule == "cosine":
        return learning_rate * (1 - math.cos(math.pi * left)) / 2
    return learning_rate
