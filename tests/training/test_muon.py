"""Muon beside torch's own, and the precision that its products are made in."""

import pytest
import torch
from torch import Tensor, nn

from rnn_cli.training import muon
from rnn_cli.training.muon import Muon, orthogonalised

# torch makes its products in bfloat16, whose factors are right to 1 in 256; five steps add up what they lose.
BFLOAT16_OF_FIVE_STEPS = 0.05


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (7, 7)])
@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_it_takes_the_steps_that_torchs_own_takes(
    shape: tuple[int, int], has_bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(muon, "has_bfloat16_products", lambda device: has_bfloat16)
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Muon([ours], weight_decay=0.1)
    torchs = torch.optim.Muon([theirs], weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for rate in (0.1, 0.05, 0.2):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        mine.param_groups[0]["lr"] = torchs.param_groups[0]["lr"] = rate
        mine.step()
        torchs.step()
    moved, expected = ours.detach() - start, theirs.detach() - start
    assert (moved - expected).norm() < (1e-6 if has_bfloat16 else BFLOAT16_OF_FIVE_STEPS) * expected.norm()
    assert torch.equal(mine.state[ours]["momentum_buffer"], torchs.state[theirs]["momentum_buffer"])


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_products_are_made_in_what_the_device_multiplies_in(
    has_bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_in = []

    def watched(matrix: Tensor, dtype: torch.dtype) -> Tensor:
        made_in.append(dtype)
        return orthogonalised(matrix, dtype)

    monkeypatch.setattr(muon, "has_bfloat16_products", lambda device: has_bfloat16)
    monkeypatch.setattr(muon, "orthogonalised", watched)
    matrix = nn.Parameter(torch.ones(2, 3))
    matrix.grad = torch.ones(2, 3)
    Muon([matrix], weight_decay=0.0).step()
    assert made_in == [torch.bfloat16 if has_bfloat16 else torch.float32]


def test_singular_values_come_near_1_whatever_they_were() -> None:
    torch.manual_seed(0)
    matrix = (
        torch.linalg.qr(torch.randn(5, 5))[0]
        @ torch.diag(torch.tensor([100.0, 10, 1, 0.5, 0.3]))
        @ torch.randn(5, 8)
    )
    values = torch.linalg.svdvals(orthogonalised(matrix, torch.float32))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_a_matrix_without_a_gradient_stays_and_one_of_zeros_makes_no_nan() -> None:
    left, zeros = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = Muon([left, zeros], weight_decay=0.0)
    zeros.grad = torch.zeros(2, 2)
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.step()
    assert left.detach().tolist() == zeros.detach().tolist() == [[1, 1], [1, 1]]
