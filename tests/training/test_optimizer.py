"""Optimizers, the learning rate's schedule and clipping."""

import math

import pytest
import torch
from torch import nn

from rnn_cli.training.optimizer import (
    ROW_RATE,
    SPARSE_KINDS,
    Optimizer,
    build_optimizer,
    clip_by_norm,
    scheduled_learning_rate,
)

KINDS = ["sgd", "momentum", "nesterov", "adam", "adamw", "muon", "rmsprop", "adagrad"]


def forget_gradients(optimizer: Optimizer) -> None:
    for part in optimizer.parts:
        part.zero_grad()


def minimised(kind: str, steps: int = 300) -> float:
    """|x| after minimising x² from 1."""
    x = nn.Parameter(torch.ones(1, 1))
    optimizer = build_optimizer(kind, [x], [], weight_decay=0.0, sparse=False)
    for _ in range(steps):
        forget_gradients(optimizer)
        (x**2).sum().backward()
        optimizer.step(0.05)
    return abs(x.item())


@pytest.mark.parametrize("kind", KINDS)
def test_every_optimizer_goes_downhill(kind: str) -> None:
    assert minimised(kind) < 0.2


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no optimizer is called 'sdg'$"):
        build_optimizer("sdg", [nn.Parameter(torch.ones(1))], [], weight_decay=0.0, sparse=False)


@pytest.mark.parametrize("kind", SPARSE_KINDS)
def test_only_the_rows_touched_are_updated(kind: str) -> None:
    table = nn.Parameter(torch.ones(5, 2))
    other = nn.Parameter(torch.ones(2, 2))
    optimizer = build_optimizer(kind, [other], [table], weight_decay=0.0, sparse=True)
    for _ in range(3):
        forget_gradients(optimizer)
        (nn.functional.embedding(torch.tensor([1, 3, 1]), table, sparse=True).sum() + other.sum()).backward()
        clip_by_norm([table, other], None)
        optimizer.step(0.1)
    assert (table[[0, 2, 4]] == 1).all()
    assert (table[[1, 3]] < 1).all()
    assert (other < 1).all()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_with_a_rate_of_their_own_the_tables_learn_by_plain_sgd(kind: str, sparse: bool) -> None:
    table = nn.Parameter(torch.ones(3, 2))
    other = nn.Parameter(torch.ones(2, 2))
    optimizer = build_optimizer(kind, [other], [table], weight_decay=0.0, sparse=sparse, table_rate=30.0)
    for _ in range(2):
        forget_gradients(optimizer)
        (nn.functional.embedding(torch.tensor([1, 1]), table, sparse=sparse).sum() + other.sum()).backward()
        clip_by_norm([table, other], None)
        optimizer.step(0.01)
    # W := W - η ∂Loss/∂W, twice, with η = 30 · 0.01 and a gradient of 2, the row being read twice
    expected = [[1.0, 1.0], [1 - 2 * 0.3 * 2] * 2, [1.0, 1.0]]
    assert table.tolist() == [pytest.approx(row) for row in expected]
    assert (other < 1).all()


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_when_every_row_is_touched_rows_and_whole_tables_are_updated_alike(kind: str) -> None:
    tables = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table = nn.Parameter(torch.randn(4, 3))
        other = nn.Parameter(torch.ones(1, 1))
        optimizer = build_optimizer(kind, [other], [table], weight_decay=0.0, sparse=sparse)
        for _ in range(5):
            forget_gradients(optimizer)
            rows = nn.functional.embedding(torch.tensor([0, 1, 2, 3, 1]), table, sparse=sparse)
            ((rows**2).sum() + other.sum()).backward()
            clip_by_norm([table, other], 0.5)
            optimizer.step(0.05 * (ROW_RATE if kind == "adam" and not sparse else 1))
        tables.append(table.detach())
    torch.testing.assert_close(tables[0], tables[1], atol=1e-5, rtol=1e-5)


def test_weight_decay_leaves_biases_alone() -> None:
    matrix, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimizer = build_optimizer("adamw", [matrix, bias], [], weight_decay=0.5, sparse=False)
    matrix.grad, bias.grad = torch.zeros(2, 2), torch.zeros(2)
    optimizer.step(0.1)
    assert matrix.detach().tolist() == [[pytest.approx(0.95)] * 2] * 2
    assert bias.tolist() == [1, 1]


def test_muon_moves_a_matrix_alike_in_every_direction_and_as_far_as_adamw_would() -> None:
    torch.manual_seed(0)
    matrix = nn.Parameter(torch.zeros(20, 50))
    gradient = torch.randn(20, 3) @ torch.randn(3, 50) + 0.1 * torch.randn(20, 50)  # nearly of rank 3
    assert torch.linalg.cond(gradient) > 50
    optimizer = build_optimizer("muon", [matrix], [], weight_decay=0.0, sparse=False)
    matrix.grad = gradient
    optimizer.step(0.01)
    moved = -matrix.detach()
    assert torch.linalg.cond(moved) < 3
    assert (moved * gradient).sum() > 0
    # AdamW's updates have a root mean square of about 0.2 times the learning rate.
    assert moved.pow(2).mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.25)


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_no_matrix_and_the_tables_learn_by_adamw_under_muon(sparse: bool) -> None:
    found = []
    for kind in ("muon", "adamw"):
        torch.manual_seed(0)
        bias, table, matrix = (nn.Parameter(torch.ones(*shape)) for shape in ((3,), (4, 3), (3, 3)))
        optimizer = build_optimizer(kind, [matrix, bias], [table], weight_decay=0.1, sparse=sparse)
        for _ in range(3):
            forget_gradients(optimizer)
            rows = nn.functional.embedding(torch.tensor([0, 2]), table, sparse=sparse)
            ((rows @ matrix + bias) ** 2).sum().backward()
            clip_by_norm([table, bias, matrix], 1.0)
            optimizer.step(0.01)
            with torch.no_grad():
                matrix.fill_(1.0)  # so that the gradients of the others are the same under both
        found.append((bias.detach(), table.detach()))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert not torch.equal(found[0][0], torch.ones(3))


def test_clipping_equals_torchs_own() -> None:
    for max_norm in (0.5, 100.0):
        ours, theirs = (
            [nn.Parameter(torch.zeros(3)) for _ in range(2)],
            [nn.Parameter(torch.zeros(3)) for _ in range(2)],
        )
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(3)
            other.grad = mine.grad.clone()
        norm = clip_by_norm(ours, max_norm)
        assert norm == pytest.approx(nn.utils.clip_grad_norm_(theirs, max_norm).item(), rel=1e-5)
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine.grad, other.grad, atol=1e-6, rtol=1e-5)


def test_a_row_read_twice_counts_with_the_sum_of_its_gradients() -> None:
    norms = []
    for sparse in (True, False):
        table = nn.Parameter(torch.ones(4, 1))
        nn.functional.embedding(torch.tensor([2, 2, 0]), table, sparse=sparse).sum().backward()
        norms.append(clip_by_norm([table], None))
    assert norms == [pytest.approx(math.sqrt(5))] * 2


def rates(schedule: str, warmup_steps: int = 0, total_steps: int = 10) -> list[float]:
    return [
        scheduled_learning_rate(
            step, total_steps=total_steps, learning_rate=1.0, schedule=schedule, warmup_steps=warmup_steps
        )
        for step in range(total_steps)
    ]


def test_a_constant_rate_stays() -> None:
    assert rates("constant") == [1.0] * 10


def test_a_linear_rate_falls_in_a_straight_line() -> None:
    assert rates("linear") == pytest.approx([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


def test_a_cosine_rate_falls_in_half_a_wave() -> None:
    assert rates("cosine")[0] == 1.0
    assert rates("cosine")[5] == pytest.approx(0.5)
    assert rates("cosine")[9] == pytest.approx((1 + math.cos(0.9 * math.pi)) / 2)


def test_a_warm_up_rises_in_a_straight_line_to_the_full_rate() -> None:
    assert rates("linear", warmup_steps=4)[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


@pytest.mark.parametrize(
    ("schedule", "left"), [("linear", 0.25), ("cosine", (1 - math.sqrt(0.5)) / 2), ("constant", 1.0)]
)
def test_where_the_clock_is_further_along_than_the_updates_the_rate_follows_it(
    schedule: str, left: float
) -> None:
    def rate(share_of_time: float) -> float:
        return scheduled_learning_rate(
            5,
            total_steps=10,
            learning_rate=1.0,
            schedule=schedule,
            warmup_steps=0,
            share_of_time=share_of_time,
        )

    assert rate(0.75) == pytest.approx(left)
    assert rate(0.3) == rate(0.0)


def test_rows_under_adam_take_the_whole_gradient_of_an_exact_softmax_too() -> None:
    tables = []
    for whole in (False, True):
        table = nn.Parameter(torch.ones(4, 3))
        optimizer = build_optimizer("adamw", [], [table], weight_decay=0.0, sparse=True)
        gradient = torch.arange(12.0).view(4, 3) + 1
        table.grad = gradient if whole else gradient.to_sparse(1)
        optimizer.step(0.1)
        tables.append(table.detach())
    assert torch.equal(*tables)
    assert not torch.equal(tables[0], torch.ones(4, 3))
