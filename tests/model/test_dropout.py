"""Dropout: each rate silences what it is named after, the same for a whole window, and nothing else."""

from typing import Any

import pytest
import torch

from rnn_cli.model.dropout import Dropout, Masks
from rnn_cli.model.fused import read_window
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_tensors import CELLS

VOCAB, E, H, T, B = 4000, 30, 40, 5, 50
RATES = {
    "inputs": lambda masks: masks.inputs[0],
    "between": lambda masks: masks.inputs[1],
    "output": lambda masks: masks.output,
    "recurrent": lambda masks: masks.recurrent[1],
}


def make_model(dropout: Dropout | float, **changes: Any) -> LanguageModel:
    torch.manual_seed(3)
    settings = {"vocab_size": VOCAB, "embedding_size": E, "hidden_size": H, "num_layers": 2, **changes}
    return LanguageModel(**settings, dropout=dropout).double()


def some_words() -> torch.Tensor:
    return torch.randint(VOCAB, (T, B), generator=torch.Generator().manual_seed(0))


def draw(model: LanguageModel, words: torch.Tensor | None = None) -> Masks:
    masks = model.draw_masks(some_words() if words is None else words)
    assert masks is not None
    return masks


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("rate", [0.25, 0.6])
def test_a_rate_silences_its_share_of_what_it_is_for_and_leaves_the_rest(name: str, rate: float) -> None:
    masks = draw(make_model(Dropout(**{name: rate})))
    mask = RATES[name](masks)
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])
    deviation = (rate * (1 - rate) / mask.numel()) ** 0.5
    assert (mask == 0).double().mean().item() == pytest.approx(rate, abs=4 * deviation)
    for other, found in RATES.items():
        assert (found(masks) is None) == (other != name)
    assert masks.words is None


def test_one_rate_for_the_units_is_that_of_inputs_between_layers_and_of_the_output() -> None:
    assert make_model(0.3).dropout == Dropout(inputs=0.3, between=0.3, output=0.3)


def test_a_word_that_is_not_heard_is_heard_nowhere_in_the_window() -> None:
    words = torch.arange(2 * VOCAB).remainder(VOCAB).view(-1, 50)  # each word twice
    heard = draw(make_model(Dropout(embedding=0.3)), words).words
    assert heard is not None
    first, second = heard.flatten().split(VOCAB)
    assert torch.equal(first, second)
    assert first.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert (first == 0).double().mean().item() == pytest.approx(0.3, abs=4 * (0.21 / VOCAB) ** 0.5)


def test_a_silent_place_is_one_place_whatever_the_word() -> None:
    words = torch.ones(100, 50, dtype=torch.int64)  # always the same word
    heard = draw(make_model(Dropout(places=0.2)), words).words
    assert heard is not None
    assert heard.unique().tolist() == [0.0, 1.0]
    assert (heard == 0).double().mean().item() == pytest.approx(0.2, abs=4 * (0.16 / 5000) ** 0.5)
    both = draw(make_model(Dropout(places=0.2, embedding=0.5)), some_words()).words
    assert both is not None
    assert both.unique().tolist() == [0.0, 2.0]


def test_what_is_not_heard_is_read_as_zero() -> None:
    model = make_model(Dropout(embedding=0.5, places=0.2))
    masks = draw(model)
    assert masks.words is not None
    hidden, _ = model.unroll(some_words(), model.initial_state(B), masks=masks)
    state = model.initial_state(B)
    for t, words in enumerate(some_words()):
        x = model.embedding[words] * masks.words[t][:, None]
        below = model.layers()[0](x, state[0])
        state = [below, model.layers()[1](below, state[1])]
        torch.testing.assert_close(hidden[t], state[1])


@pytest.mark.parametrize("cell", CELLS)
def test_silent_weights_are_those_that_read_the_state_and_are_silent_at_every_step(cell: str) -> None:
    dropped, by_hand = (make_model(Dropout(recurrent=0.4), cell=cell) for _ in range(2))
    masks = draw(dropped)
    for layer, factors in zip(by_hand.layers(), masks.recurrent, strict=True):
        assert factors is not None
        with torch.no_grad():
            layer.recurrent_weights().mul_(factors)
    state = [torch.rand_like(layer) for layer in dropped.initial_state(B)]
    before = [p.detach().clone() for p in dropped.parameters()]
    for reader in (None, read_window):
        hidden, after = dropped.unroll(some_words(), state, masks=masks, reader=reader)
        expected, expected_after = by_hand.unroll(some_words(), state, reader=reader)
        torch.testing.assert_close(hidden, expected)
        torch.testing.assert_close(after, expected_after)
    assert all(torch.equal(p, kept) for p, kept in zip(dropped.parameters(), before, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_a_silent_weight_has_no_gradient_and_the_fast_path_gives_the_same_ones(cell: str) -> None:
    gradients = []
    for reader in (None, read_window):
        model = make_model(
            Dropout(inputs=0.2, between=0.3, output=0.4, embedding=0.1, places=0.1, recurrent=0.4), cell=cell
        )
        torch.manual_seed(1)
        masks = draw(model)
        hidden, _ = model.unroll(some_words(), model.initial_state(B), masks=masks, reader=reader)
        weights = [p for p in model.parameters() if p is not model.V and p is not model.c]
        gradients.append(torch.autograd.grad(model.read_out(hidden, masks).sin().sum(), weights))
        for layer, factors in zip(model.layers(), masks.recurrent, strict=True):
            name = "u" if cell == "indrnn" else "W"
            (gradient,) = [
                g for p, g in zip(weights, gradients[-1], strict=True) if p is layer._parameters[name]
            ]
            through = gradient if cell == "indrnn" else gradient[:, : layer.hidden_size]
            assert ((through == 0) == (factors == 0)).double().mean() > 0.99
            assert (through[factors == 0] == 0).all()
    for slow, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow, atol=1e-12, rtol=1e-12)


def test_a_worker_reads_its_streams_under_the_masks_of_all() -> None:
    model = make_model(Dropout(inputs=0.2, between=0.3, output=0.4, embedding=0.1, places=0.1, recurrent=0.4))
    masks = draw(model)
    hidden, _ = model.unroll(some_words(), model.initial_state(B), masks=masks)
    whole = model.read_out(hidden, masks)
    for streams in (slice(0, 20), slice(20, B)):
        some = masks.of_streams(streams)
        hidden, _ = model.unroll(
            some_words()[:, streams], [h[streams] for h in model.initial_state(B)], masks=some
        )
        torch.testing.assert_close(model.read_out(hidden, some), whole[:, streams])


def test_what_has_no_rate_takes_no_random_numbers() -> None:
    def after(rates: Dropout | float) -> torch.Tensor:
        model = make_model(rates)
        torch.manual_seed(5)
        model.draw_masks(some_words())
        return torch.get_rng_state()

    torch.manual_seed(5)
    untouched = torch.get_rng_state()
    assert torch.equal(after(0.0), untouched)
    torch.rand(B, H, dtype=torch.float64)  # of the one thing that has a rate
    assert torch.equal(after(Dropout(output=0.5)), torch.get_rng_state())
