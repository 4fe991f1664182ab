"""The losses against their definitions, and the sampled softmax against the exact one."""

import math

import pytest
import torch
from torch.nn import functional

from rnn_cli.model import losses
from rnn_cli.model.losses import ExactSoftmax, OneHotSigmoid, SampledSoftmax, log_probs

N, H, VOCAB = 6, 4, 9


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    hidden, V, c = torch.randn(N, H).double(), torch.randn(VOCAB, H).double(), torch.randn(VOCAB).double()
    return hidden, torch.tensor([0, 3, 8, 3, 5, 1]), V, c


def test_the_exact_loss_is_the_sum_of_minus_ln_of_the_words_that_came(case: tuple[torch.Tensor, ...]) -> None:
    hidden, targets, V, c = case
    scores = hidden @ V.T + c
    expected = sum(-math.log(scores[n].exp()[y] / scores[n].exp().sum()) for n, y in enumerate(targets))
    loss = ExactSoftmax()(hidden, targets, V, c)
    assert loss.objective.item() == pytest.approx(expected, abs=1e-12)
    assert loss.nll.item() == pytest.approx(expected, abs=1e-12)


def test_the_sigmoid_loss_is_binary_cross_entropy_against_the_one_hot_word(
    case: tuple[torch.Tensor, ...],
) -> None:
    hidden, targets, V, c = case
    one_hot = functional.one_hot(targets, VOCAB).double()
    expected = functional.binary_cross_entropy(torch.sigmoid(hidden @ V.T + c), one_hot, reduction="sum")
    loss = OneHotSigmoid()(hidden, targets, V, c)
    assert loss.objective.item() == pytest.approx(expected.item(), abs=1e-10)


def test_under_sigmoid_a_words_probability_is_its_share_of_all_yes_es(case: tuple[torch.Tensor, ...]) -> None:
    hidden, targets, V, c = case
    y = torch.sigmoid(hidden @ V.T + c)
    share = y / y.sum(dim=1, keepdim=True)
    torch.testing.assert_close(log_probs(hidden @ V.T + c, "sigmoid").exp(), share)
    expected = -share.gather(1, targets[:, None]).log().sum().item()
    assert OneHotSigmoid()(hidden, targets, V, c).nll.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("loss_function", [ExactSoftmax(), OneHotSigmoid()])
def test_zero_weights_give_perplexity_vocab_size(loss_function: ExactSoftmax | OneHotSigmoid) -> None:
    zero = torch.zeros
    loss = loss_function(zero(N, H), torch.arange(N), zero(VOCAB, H), zero(VOCAB))
    assert math.exp(loss.nll.item() / N) == pytest.approx(VOCAB, rel=1e-6)


def test_probabilities_of_all_words_sum_to_one(case: tuple[torch.Tensor, ...]) -> None:
    hidden, _, V, c = case
    for output_activation in ("softmax", "sigmoid"):
        total = log_probs(hidden @ V.T + c, output_activation).exp().sum(dim=1)
        torch.testing.assert_close(total, torch.ones(N).double())


def test_a_sample_that_holds_every_word_gives_the_exact_loss(case: tuple[torch.Tensor, ...]) -> None:
    hidden, targets, V, c = (t.float() if t.is_floating_point() else t for t in case)
    sampled = SampledSoftmax(torch.ones(VOCAB), samples=5000, seed=1)(hidden, targets, V, c)
    exact = ExactSoftmax()(hidden, targets, V, c)
    assert sampled.objective.item() == pytest.approx(exact.objective.item(), rel=1e-5)


def test_the_log_inclusion_is_how_often_a_word_really_is_among_the_candidates() -> None:
    counts = torch.tensor([400, 100, 50, 10, 5, 1, 1, 0, 0])
    loss_function = SampledSoftmax(counts, samples=4, seed=0)
    generator = torch.Generator().manual_seed(1)
    hits = torch.zeros(VOCAB)
    rounds = 4000
    for _ in range(rounds):
        drawn = torch.multinomial(loss_function.draw_probability, 4, replacement=True, generator=generator)
        text = torch.multinomial(loss_function.frequency, 3, replacement=True, generator=generator)
        hits[torch.cat([drawn, text]).unique()] += 1
    expected = loss_function._log_inclusion(torch.arange(VOCAB), 3).exp()
    torch.testing.assert_close(hits.double() / rounds, expected, atol=0.02, rtol=0)


def test_the_sampled_nll_is_near_the_exact_one_on_average() -> None:
    torch.manual_seed(1)
    counts = torch.randint(1, 500, (300,))
    hidden, V, c = torch.randn(60, H), torch.randn(300, H), torch.randn(300)
    targets = torch.multinomial(counts.float(), 60, replacement=True)
    exact = ExactSoftmax()(hidden, targets, V, c).nll.item()
    loss_function = SampledSoftmax(counts, samples=60, seed=0)
    estimates = [loss_function(hidden, targets, V, c).nll.item() for _ in range(40)]
    assert sum(estimates) / 40 == pytest.approx(exact, rel=0.03)


def test_training_on_samples_reaches_the_probabilities_of_the_words() -> None:
    torch.manual_seed(0)
    frequency = torch.tensor([0.4, 0.2, 0.1, 0.1, 0.08, 0.05, 0.04, 0.02, 0.01])
    words = torch.multinomial(frequency, 20_000, replacement=True)
    c = torch.zeros(VOCAB, requires_grad=True)
    hidden, V = torch.zeros(200, H), torch.zeros(VOCAB, H)
    loss_function = SampledSoftmax(torch.bincount(words, minlength=VOCAB), samples=3, seed=0)
    optimizer = torch.optim.Adam([c], lr=0.02)
    for targets in words.split(200) * 8:
        optimizer.zero_grad()
        (loss_function(hidden, targets, V, c).objective / 200).backward()
        optimizer.step()
    torch.testing.assert_close(torch.softmax(c.detach(), dim=0), frequency, atol=0.03, rtol=0)


def test_sampling_touches_only_the_candidates_rows_of_v() -> None:
    V, c = torch.randn(1000, H, requires_grad=True), torch.zeros(1000, requires_grad=True)
    loss = SampledSoftmax(torch.ones(1000), samples=10, seed=0)(torch.randn(2, H), torch.tensor([7, 9]), V, c)
    loss.objective.backward()
    assert V.grad is not None
    assert V.grad.is_sparse
    rows = V.grad.coalesce().indices().flatten().tolist()
    assert {7, 9} <= set(rows)
    assert len(rows) <= 12


def test_the_same_seed_draws_the_same_candidates(case: tuple[torch.Tensor, ...]) -> None:
    hidden, targets, V, c = (t.float() if t.is_floating_point() else t for t in case)
    losses = [
        SampledSoftmax(torch.ones(VOCAB), samples=2, seed=5)(hidden, targets, V, c).nll for _ in range(2)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("kind", ["exact", "sampled"])
def test_a_long_window_is_scored_in_parts_that_add_up(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    torch.manual_seed(0)
    hidden, V, c = torch.randn(20, H), torch.randn(VOCAB, H), torch.randn(VOCAB)
    targets = torch.randint(VOCAB, (20,))

    def loss_function() -> ExactSoftmax | SampledSoftmax:
        return ExactSoftmax() if kind == "exact" else SampledSoftmax(torch.ones(VOCAB), samples=2, seed=3)

    of_parts = loss_function().for_window()
    expected = sum(of_parts(hidden[i : i + 8], targets[i : i + 8], V, c).nll.item() for i in range(0, 20, 8))
    monkeypatch.setattr(losses, "SCORES_AT_ONCE", 8 * VOCAB + 1)
    monkeypatch.setattr(losses, "POSITIONS_AT_ONCE", 8)
    found = loss_function()(hidden, targets, V, c)
    assert found.objective.item() == pytest.approx(expected, rel=1e-6)
