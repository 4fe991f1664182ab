"""The penalties on hidden states, against the same written out."""

import numpy as np
import pytest
import torch

from rnn_cli.model.penalties import Penalties

T, B, H = 4, 3, 5


def some() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """hidden (T, B, H), a mask of dropout (B, H), and which words count (T, B)."""
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(T, B, H, generator=random, dtype=torch.float64)
    counts = torch.ones(T, B, dtype=torch.bool)
    counts[2:, 1] = False
    return hidden, 2.0 * (torch.rand(B, H, generator=random) < 0.5), counts


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("dropped", [False, True])
def test_activations_are_penalised_after_dropout_and_changes_before_it(padded: bool, dropped: bool) -> None:
    hidden, mask, counts = some()
    expected = 0.0
    for t in range(T):
        for b in range(B):
            if padded and not counts[t, b]:
                continue
            h = hidden[t, b].numpy()
            expected += 2.0 * np.mean((h * (mask[b].numpy() if dropped else 1)) ** 2)
            expected += 0.0 if t == 0 else 3.0 * np.mean((h - hidden[t - 1, b].numpy()) ** 2)
    found = Penalties(activation=2.0, change=3.0).of_window(
        hidden, mask if dropped else None, counts if padded else None
    )
    assert found is not None
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_each_penalty_stands_alone() -> None:
    hidden, _, _ = some()
    still = hidden[:1].expand(T, B, H)
    change = Penalties(change=1.0).of_window(still, None, None)
    assert change is not None
    assert change.item() == 0.0
    activation = Penalties(activation=1.0).of_window(hidden, None, None)
    assert activation is not None
    assert activation.item() == pytest.approx(hidden.pow(2).mean().item() * T * B)


def test_without_penalties_nothing_is_added() -> None:
    assert Penalties().of_window(*some()) is None
    assert Penalties(change=1.0).of_window(some()[0][:1], None, None) is None  # no step before the only one
