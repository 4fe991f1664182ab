"""The weighted sum, and an engine that works with it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnn_cli.inference import TrainedModel
from rnn_cli.inference.additions import Additions, Numbers
from rnn_cli.inference.interpolation import MixedEngine, Weights, mixed
from rnn_cli.inference.neural_cache import NeuralCache
from rnn_cli.inference.ngram import NO_TOKEN, NgramModel
from rnn_cli.inference.ngram_counts import count_ngrams

MakeModel = Callable[..., TrainedModel]
WEIGHTS = Weights(cache=0.2, ngram=0.3)


def ngrams_of(model: TrainedModel, *, lines: bool = False) -> NgramModel:
    """The n-grams of an arbitrary text in a model's vocabulary."""
    ids = np.random.default_rng(1).integers(0, model.tokenizer.vocab_size, 200)
    ids[-1] = model.tokenizer.eos_id
    eos = model.tokenizer.eos_id
    ngrams = count_ngrams(ids, model.tokenizer.vocab_size, 3, eos_id=eos, lines=lines)
    return NgramModel(ngrams, lines=lines, eos_id=eos, vocabulary="v", counted={})


def test_the_mixture_is_the_weighted_sum() -> None:
    net = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)
    ngram = np.array([[0.2, 0.2, 0.6], [0.3, 0.3, 0.4]], np.float32)
    shares = np.array([[1.0, 0.0], [0.25, 0.75]], np.float32)

    found = np.exp(mixed(np.log(net), WEIGHTS, cache=(np.array([0, 2]), shares), ngram=ngram))

    assert found == pytest.approx(
        0.5 * net + 0.3 * ngram + 0.2 * np.array([[1, 0, 0], [0.25, 0, 0.75]]), abs=1e-6
    )


def test_a_cache_that_remembers_nothing_leaves_its_weight_to_the_others() -> None:
    net, ngram = np.array([[0.7, 0.3]], np.float32), np.array([[0.2, 0.8]], np.float32)
    for U in (0, 1):
        cache = np.arange(U), np.zeros((1, U), np.float32)
        found = np.exp(mixed(np.log(net), WEIGHTS, cache=cache, ngram=ngram))
        assert found == pytest.approx((0.5 * net + 0.3 * ngram) / 0.8, abs=1e-6)


def test_a_probability_too_small_for_a_float_keeps_its_logarithm() -> None:
    log_probs = np.array([[0.0, -400.0]], np.float32)

    found = mixed(log_probs, Weights(cache=0.5), cache=(np.array([0]), np.ones((1, 1), np.float32)))

    assert found[0] == pytest.approx([0.0, -400 + np.log(0.5)], rel=1e-5)


@pytest.mark.parametrize("cell", ["elman", "lstm"])
@pytest.mark.parametrize("lines", [False, True])
def test_the_engine_mixes_in_every_place_of_a_text(make_model: MakeModel, cell: str, lines: bool) -> None:
    model = make_model(cell=cell, num_layers=2)
    ngrams = ngrams_of(model, lines=lines)
    cache = NeuralCache(0.2)
    ids = np.array([model.tokenizer.eos_id, 3, 4, model.tokenizer.eos_id, 5])
    hidden, _ = model.engine.read(ids[:, None], model.engine.initial_state(1))
    cache.remember(hidden[:3, 0], ids[1:4])
    engine = MixedEngine(model.engine, WEIGHTS, cache=cache, ngrams=ngrams)

    found, state = engine.read(ids[:, None], engine.initial_state(1))  # at once
    log_probs = engine.log_probs(found)[:, 0]

    contexts = [[NO_TOKEN, ids[0]], ids[0:2], ids[1:3], ids[2:4], ids[3:5]]
    words, shares = cache.shares(hidden[:, 0])
    expected = 0.5 * np.exp(model.engine.log_probs(hidden[:, 0])) + 0.3 * ngrams.probabilities(
        np.array(contexts)
    )
    expected[:, words] += 0.2 * shares
    assert np.exp(log_probs) == pytest.approx(expected, abs=1e-6)
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    step_state = engine.initial_state(1)
    for t, id_ in enumerate(ids):  # step by step
        hidden_t, step_state = engine.step(np.array([id_]), step_state)
        assert engine.log_probs(hidden_t)[0] == pytest.approx(log_probs[t], abs=1e-5)
    hidden_each, state_each = engine.read_each([ids.tolist(), ids[:2].tolist()])  # side by side
    assert engine.log_probs(hidden_each) == pytest.approx(log_probs[[4, 1]], abs=1e-5)
    assert all(np.allclose(a[:1], b) for a, b in zip(state_each, state, strict=True))


def test_no_rows_have_no_probabilities(make_model: MakeModel) -> None:
    model = make_model()
    cache = NeuralCache(0.2)
    cache.remember(np.ones((2, model.engine.hidden_size), np.float32), np.array([3, 4]))
    for settings in ({}, {"cache": cache}, {"ngrams": ngrams_of(model)}):
        engine = MixedEngine(model.engine, WEIGHTS, **settings)
        hidden, _ = engine.read(np.empty((0, 2), np.intp), engine.initial_state(2))
        assert engine.log_probs(hidden).shape == (0, 2, model.tokenizer.vocab_size)


def adapted(model: TrainedModel, context: list[str], **flags: Any) -> TrainedModel:
    numbers = Numbers(cache_weight=0.6, ngram_weight=0.3, theta=0.05)
    return model.with_additions(Additions(numbers=numbers, **flags), context=context)


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_a_word_of_the_context_becomes_more_probable_with_a_cache(make_model: MakeModel, mode: str) -> None:
    model = make_model(mode=mode)
    text = "My favourite dish is ____."

    def share(asked: TrainedModel, word: str) -> float:
        result = asked.complete(text, choices=["sushi", "paella"])
        return next(c.probability for c in result.completions if c.words == [word])

    context = ["is paella (paella), is paella"] * 3
    assert share(adapted(model, context, cache=True), "paella") > share(model, "paella")
    assert share(adapted(model, ["is sushi. is sushi"], cache=True), "sushi") > share(model, "sushi")


def test_a_blank_line_of_the_context_is_the_end_of_a_line_in_a_stream_and_nothing_among_lines(
    make_model: MakeModel,
) -> None:
    for mode, is_nothing in (("lines", True), ("stream", False)):
        model = make_model(mode=mode)
        dense = adapted(model, ["My dish", "is pasta"], cache=True)
        gaps = adapted(model, ["", "My dish", "", "", "is pasta", ""], cache=True)
        text = "My favourite dish is ____."
        assert (gaps.complete(text) == dense.complete(text)) is is_nothing


def test_a_word_earlier_in_the_prompt_becomes_more_probable_with_a_cache(make_model: MakeModel) -> None:
    model = make_model()
    for ask in (
        lambda asked, text: asked.complete(text, top=1000),
        lambda asked, text: asked.predict([text], top=1000)[0],
    ):
        text = "pasta pasta pasta pasta pasta ____"
        share = {
            name: next(c.probability for c in ask(asked, text).completions if c.words == ["pasta"])
            for name, asked in {"plain": model, "cache": adapted(model, [], cache=True)}.items()
        }
        assert share["cache"] > share["plain"]


def test_a_model_of_a_stream_reads_the_context(make_model: MakeModel) -> None:
    model = make_model(mode="stream")
    after = adapted(model, ["My favourite dish is pasta."], ngrams=ngrams_of(model))
    whole = adapted(model, [], ngrams=ngrams_of(model))

    found = after.complete("So ____", top=3)
    expected = whole.complete("My favourite dish is pasta.\nSo ____", top=3)

    assert [c.words for c in found.completions] == [c.words for c in expected.completions]
    log_probs = [c.log_prob for c in expected.completions]
    assert [c.log_prob for c in found.completions] == pytest.approx(log_probs, abs=1e-4)


def test_continuations_blanks_and_samples_work_with_all_that_is_added(make_model: MakeModel) -> None:
    for settings in ({}, {"kind": "char"}):
        model = make_model(mode="lines", **settings)
        all_added = adapted(model, ["My dish is pasta."], cache=True, ngrams=ngrams_of(model, lines=True))
        assert all_added.complete("My favourite").completions[0].words
        assert all_added.complete("My favourite", samples=2, seed=1).completions
        assert all_added.complete("My ____ dish is ____.", top=2).completions
        assert all_added.score("My favourite dish").log_prob < 0
