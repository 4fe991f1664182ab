"""Perplexity: every word once, whatever the window, and right to the last digit."""

import functools
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch

from rnn_cli.model.fused import read_window
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model.losses import log_probs
from rnn_cli.text.corpus import Corpus, prepare_corpus
from rnn_cli.text.streams import Window
from rnn_cli.text.vocabulary import train_tokenizer
from rnn_cli.training import validation
from rnn_cli.training.ranks import Ranks
from rnn_cli.training.validation import measure, read_and_score, seconds_per_token
from rnn_cli.training.workers import Workers

TEXT = "a b c a\nb\n\nc c a b\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return prepare_corpus([path], train_tokenizer([path], split="whitespace"))


@pytest.fixture
def model(corpus: Corpus) -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(vocab_size=corpus.vocab_size, embedding_size=3, hidden_size=4, dropout=0.5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1)
    return model


def nlls_word_by_word(
    model: LanguageModel, ids: list[int], eos_id: int, output_activation: str = "softmax"
) -> list[float]:
    """One stream from a zero state, one word at a time, by the definition."""
    nlls = []
    state = model.eval().initial_state(1)
    before = eos_id
    for word in ids:
        hidden, state = model.unroll(torch.tensor([[before]]), state)
        nlls.append(-log_probs(model.logits(hidden[0, 0]), output_activation)[word].item())
        before = word
    return nlls


def test_a_stretch_is_measured_as_if_no_more_were_there(model: LanguageModel, corpus: Corpus) -> None:
    some = corpus.stretches(6, None)
    result = measure(model, some, mode="stream", output_activation="softmax")
    nlls = nlls_word_by_word(model, corpus.ids[: some.tokens].tolist(), corpus.eos_id)
    assert result.nll == pytest.approx(sum(nlls))
    assert (result.tokens, result.of_tokens) == (7, corpus.tokens)


def test_a_stream_is_measured_word_by_word_with_the_state_carried(
    model: LanguageModel, corpus: Corpus
) -> None:
    result = measure(model, corpus, mode="stream", output_activation="softmax")
    assert result.tokens == 13
    nlls = nlls_word_by_word(model, corpus.ids.tolist(), corpus.eos_id)
    assert result.nll == pytest.approx(sum(nlls), rel=1e-5)


@pytest.mark.parametrize("output_activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("cores", [None, 2])
def test_the_standard_error_is_that_of_its_words(
    model: LanguageModel,
    corpus: Corpus,
    output_activation: str,
    cores: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(validation, "LOGITS_AT_ONCE", 20)
    workers = None if cores is None else Workers(cores)
    result = measure(model, corpus, mode="stream", output_activation=output_activation, workers=workers)
    nlls = nlls_word_by_word(model, corpus.ids.tolist(), corpus.eos_id, output_activation)
    assert result.loss_standard_error == pytest.approx(statistics.pstdev(nlls) / math.sqrt(13), rel=1e-5)


def test_lines_are_measured_each_from_a_zero_state(model: LanguageModel, corpus: Corpus) -> None:
    result = measure(model, corpus, mode="lines", output_activation="softmax")
    starts, lengths = corpus.line_spans()
    lines = [corpus.ids[s : s + n].tolist() for s, n in zip(starts, lengths, strict=True)]
    expected = sum(sum(nlls_word_by_word(model, line, corpus.eos_id)) for line in lines)
    assert result.tokens == 12  # the blank line is no example
    assert result.nll == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_the_result_does_not_depend_on_the_window(
    mode: str, model: LanguageModel, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure(model, corpus, mode=mode, output_activation="softmax")
    monkeypatch.setattr(validation, "WINDOW", 2)
    monkeypatch.setattr(validation, "LINES_AT_ONCE", 1)
    monkeypatch.setattr(validation, "LOGITS_AT_ONCE", 1)
    assert measure(model, corpus, mode=mode, output_activation="softmax").nll == pytest.approx(
        whole.nll, rel=1e-6
    )


@pytest.mark.parametrize("output_activation", ["softmax", "sigmoid"])
def test_zero_weights_give_perplexity_vocab_size(
    output_activation: str, model: LanguageModel, corpus: Corpus
) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    result = measure(model, corpus, mode="stream", output_activation=output_activation)
    assert result.perplexity == pytest.approx(corpus.vocab_size, rel=1e-6)


def test_measuring_uses_no_dropout_and_leaves_the_model_in_training(
    model: LanguageModel, corpus: Corpus
) -> None:
    model.train()
    results = [measure(model, corpus, mode="stream", output_activation="softmax") for _ in range(2)]
    assert results[0] == results[1]
    assert model.training


def test_perplexity_is_exp_of_the_mean_and_never_overflows() -> None:
    from rnn_cli.inference.scoring import Perplexity

    assert Perplexity(nll=6.0, tokens=3, unknown=0, state_carried=True).perplexity == pytest.approx(
        math.exp(2)
    )
    assert Perplexity(nll=1e6, tokens=1, unknown=0, state_carried=True).perplexity == math.inf


def test_measuring_is_exact_whatever_the_training_computes_in(model: LanguageModel, corpus: Corpus) -> None:
    exact = measure(model, corpus, mode="stream", output_activation="softmax")
    model.window_reader = functools.partial(read_window, product_dtype=torch.bfloat16)
    assert measure(model, corpus, mode="stream", output_activation="softmax") == exact


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_how_long_measuring_takes_is_tried_without_changing_the_model(
    model: LanguageModel, corpus: Corpus, mode: str
) -> None:
    before = [p.clone() for p in model.parameters()]
    assert 0 < seconds_per_token(model.train(), corpus, mode=mode, output_activation="softmax") < 1
    assert model.training
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
def test_ranks_share_the_words_of_a_stream_even_where_there_are_fewer_words_than_ranks(
    model: LanguageModel, threads: int
) -> None:
    window = Window(np.array([[1]]), np.array([[2]]), None, resets=True)
    state = model.eval().initial_state(1)
    whole, _ = read_and_score(model, window, state, "softmax")
    shares = [
        read_and_score(model, window, state, "softmax", Workers(threads), Ranks(number, 2))[0]
        for number in (0, 1)
    ]
    assert [share.words for share in shares] == [0, 1]
    assert [sum(column) for column in zip(*shares, strict=True)] == pytest.approx(list(whole))
