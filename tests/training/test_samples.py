"""What the network in training writes."""

import pytest
import torch

from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.training.samples import Sampler


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["the cat sat on the mat"])


def sampler(tokenizer: Tokenizer, opening: str = "the cat") -> Sampler:
    return Sampler(
        tokenizer,
        opening,
        cell="elman",
        hidden_activation="tanh",
        output_activation="softmax",
        independent_lines=False,
    )


def network(tokenizer: Tokenizer) -> LanguageModel:
    """After any word, "sat" is likely."""
    torch.manual_seed(0)
    model = LanguageModel(vocab_size=tokenizer.vocab_size, embedding_size=3, hidden_size=4, dropout=0.5)
    with torch.no_grad():
        model.c[tokenizer.pieces.index(" sat")] = 9.0
    return model.train()


def test_a_sample_goes_on_with_the_opening(tokenizer: Tokenizer) -> None:
    text = sampler(tokenizer).write(network(tokenizer))
    assert text is not None
    assert text.startswith("the cat sat sat sat")
    assert len(text.split()) == 22


def test_the_same_network_writes_the_same_and_draws_no_number_of_torchs(tokenizer: Tokenizer) -> None:
    model, writer = network(tokenizer), sampler(tokenizer)
    before = torch.get_rng_state()
    assert writer.write(model) == writer.write(model)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


def test_a_network_out_of_bounds_writes_nothing(tokenizer: Tokenizer) -> None:
    model = network(tokenizer)
    with torch.no_grad():
        model.c.fill_(float("nan"))
    assert sampler(tokenizer).write(model) is None


def test_a_sample_is_one_printable_line() -> None:
    tokenizer = Tokenizer.train(["a\tb\x07c"], kind="char")
    text = sampler(tokenizer, opening="a\t").write(network_of_bells(tokenizer))
    assert text is None or text.isprintable()


def network_of_bells(tokenizer: Tokenizer) -> LanguageModel:
    model = LanguageModel(vocab_size=tokenizer.vocab_size, embedding_size=3, hidden_size=4)
    with torch.no_grad():
        model.c[tokenizer.pieces.index("\x07")] = 9.0
    return model
