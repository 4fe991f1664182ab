"""The fast path through the output layer against the plain one: the same values and the same gradients."""

import math

import pytest
import torch

from rnn_cli.model import fused_softmax
from rnn_cli.model.fused_softmax import fused_cross_entropy
from rnn_cli.model.losses import CrossEntropy, ExactSoftmax, SampledSoftmax, softmax_cross_entropy

N, K, H = 12, 23, 5


def inputs(dtype: torch.dtype, scale: float = 1.0) -> list[torch.Tensor]:
    torch.manual_seed(0)
    hidden, rows = scale * torch.randn(N, H, dtype=dtype), torch.randn(K, H, dtype=dtype)
    bias, came_bias = torch.randn(K, dtype=dtype), torch.randn(N, dtype=dtype)
    return [tensor.requires_grad_() for tensor in (hidden, rows, bias, came_bias)]


def value_and_gradients(
    cross_entropy: CrossEntropy, given: list[torch.Tensor], **settings: torch.dtype
) -> list[torch.Tensor]:
    hidden, rows, bias, came_bias = given
    came = torch.arange(N) % 7  # some words come twice, most never
    loss = cross_entropy(hidden, rows, bias, came, came_bias, **settings)
    return [loss.detach(), *torch.autograd.grad(3 * loss, given)]


@pytest.mark.parametrize("words_at_once", [2048, 10])
def test_the_hand_derived_backward_pass_equals_autograd(
    monkeypatch: pytest.MonkeyPatch, words_at_once: int
) -> None:
    monkeypatch.setattr(fused_softmax, "WORDS_AT_ONCE", words_at_once)
    given = inputs(torch.float64)
    plain, fast = (value_and_gradients(f, given) for f in (softmax_cross_entropy, fused_cross_entropy))
    for one, other in zip(plain, fast, strict=True):
        torch.testing.assert_close(other, one, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("scale", [60.0, 1e4])
def test_scores_beyond_what_exp_can_hold_are_no_problem(scale: float) -> None:
    given = inputs(torch.float32, scale)
    assert not torch.exp(given[0] @ given[1].T).isfinite().all()
    plain, fast = (value_and_gradients(f, given) for f in (softmax_cross_entropy, fused_cross_entropy))
    for one, other in zip(plain, fast, strict=True):
        assert other.isfinite().all()
        torch.testing.assert_close(other, one, atol=2e-3, rtol=1e-4)


def test_scores_so_low_that_every_exponential_is_zero_are_no_problem() -> None:
    hidden, rows, bias, came_bias = inputs(torch.float32)
    given = [
        hidden,
        rows,
        (bias.detach() - 300).requires_grad_(),
        (came_bias.detach() - 300).requires_grad_(),
    ]
    plain, fast = (value_and_gradients(f, given) for f in (softmax_cross_entropy, fused_cross_entropy))
    for one, other in zip(plain, fast, strict=True):
        torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-4)


def test_a_state_that_is_not_finite_gives_a_loss_that_is_not_finite() -> None:
    given = inputs(torch.float32)
    with torch.no_grad():
        given[0][0, 0] = torch.inf
    assert not value_and_gradients(fused_cross_entropy, given)[0].isfinite()


def test_bfloat16_products_stay_near_the_float32_ones() -> None:
    given = inputs(torch.float32)
    plain = value_and_gradients(softmax_cross_entropy, given)
    fast = value_and_gradients(fused_cross_entropy, given, product_dtype=torch.bfloat16)
    for one, other in zip(plain, fast, strict=True):
        assert other.dtype == torch.float32
        assert ((other - one).norm() / one.norm()).item() < 0.02


def test_a_bias_keeps_the_bits_that_bfloat16_does_not_have() -> None:
    rows, bias = torch.tensor([[10.0], [0.0]]), torch.tensor([-9.97, 0.0])  # bfloat16 holds -10 and -9.9375
    loss = fused_cross_entropy(
        torch.ones(1, 1), rows, bias, torch.tensor([1]), torch.zeros(1), product_dtype=torch.bfloat16
    )
    assert loss.item() == pytest.approx(math.log(1 + math.exp(10 - 9.97)), rel=2e-3)


def test_a_part_without_a_word_costs_nothing() -> None:
    hidden, rows = torch.zeros(0, H, requires_grad=True), torch.randn(K, H, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    loss = fused_cross_entropy(hidden, rows, torch.zeros(K), none, torch.zeros(0))
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, rows)[0].any()


@pytest.mark.parametrize("kind", ["exact", "sampled"])
def test_the_losses_are_the_same_with_either(kind: str) -> None:
    torch.manual_seed(1)
    hidden, V, c = (t.requires_grad_() for t in (torch.randn(N, H), torch.randn(K, H), torch.randn(K)))
    targets = torch.randint(K, (N,))

    def found(cross_entropy: CrossEntropy) -> list[torch.Tensor]:
        loss_function = (
            ExactSoftmax(cross_entropy)
            if kind == "exact"
            else SampledSoftmax(torch.arange(K), samples=4, seed=1, sparse=False, cross_entropy=cross_entropy)
        )
        objective = loss_function(hidden, targets, V, c).objective
        return [objective.detach(), *torch.autograd.grad(objective, (hidden, V, c))]

    for one, other in zip(found(softmax_cross_entropy), found(fused_cross_entropy), strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-5)
