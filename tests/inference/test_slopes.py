import numpy as np
import pytest
import torch

from rnn_cli.inference.activations import ACTIVATIONS
from rnn_cli.inference.slopes import SLOPES
from rnn_cli.model.activations import ACTIVATIONS as TORCH_ACTIVATIONS

KINKS = np.array([-6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0])
A = np.concatenate([np.linspace(-20, 20, 1001), KINKS])


def test_every_activation_has_a_slope() -> None:
    assert set(SLOPES) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", sorted(SLOPES))
def test_the_slopes_are_those_of_torch_also_at_kinks(name: str) -> None:
    a = torch.from_numpy(A.copy()).requires_grad_()
    TORCH_ACTIVATIONS[name](a).sum().backward()
    assert a.grad is not None
    np.testing.assert_allclose(SLOPES[name](A), a.grad.numpy(), atol=1e-12)
