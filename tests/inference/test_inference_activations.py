import numpy as np
import pytest
import torch

from rnn_cli.inference.activations import ACTIVATIONS
from rnn_cli.model.activations import ACTIVATIONS as TORCH_ACTIVATIONS

ORDINARY = np.linspace(-30, 30, 4001)
EXTREME = np.array([0.0, 1e-30, 0.5, 1.0, 3.0, 6.0, 20.0, 88.0, 90.0, 1e4, 1e30])
X = np.concatenate([ORDINARY, EXTREME, -EXTREME]).astype(np.float32)


def test_the_names_are_those_of_the_torch_model() -> None:
    assert set(ACTIVATIONS) == set(TORCH_ACTIVATIONS)
    assert len(ACTIVATIONS) == 21


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_the_values_are_those_of_torch(name: str) -> None:
    theirs = TORCH_ACTIVATIONS[name](torch.from_numpy(X)).numpy()

    np.testing.assert_allclose(ACTIVATIONS[name](X), theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_shape_and_type_stay(name: str) -> None:
    x = np.ones((2, 3), np.float32)

    assert ACTIVATIONS[name](x).shape == (2, 3)
    assert ACTIVATIONS[name](x).dtype == np.float32
