"""A text read in order with all that is added, against the same one token at a time."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rnn_cli.inference import TrainedModel
from rnn_cli.inference.adapted import AdaptedReader
from rnn_cli.inference.additions import Additions, Numbers, default_theta
from rnn_cli.inference.dynamic import DynamicNetwork
from rnn_cli.inference.neural_cache import NeuralCache
from rnn_cli.inference.ngram import NO_TOKEN
from tests.inference.test_interpolation import ngrams_of

MakeModel = Callable[..., TrainedModel]
NUMBERS = Numbers(cache_weight=0.2, theta=0.1, window=9, ngram_weight=0.3, rate=0.02, decay=0.01)
LINES = ["My favourite dish is pasta.", "", "Is it? It is! A well-known dish", "So, my favourite cuisine"]


def reader_of(model: TrainedModel, additions: Additions, *, carried: bool) -> AdaptedReader:
    return AdaptedReader(
        model.engine, eos_id=model.tokenizer.eos_id, state_carried=carried, additions=additions
    )


def slowly(
    model: TrainedModel, lines: Sequence[list[int]], additions: Additions, *, carried: bool, at_once: int
) -> list[list[float]]:
    """ln P of each token of each line, `<eos>` last: every sum written out, and learning after `at_once` tokens."""
    eos, numbers, ngrams = model.tokenizer.eos_id, additions.numbers, additions.ngrams
    network = DynamicNetwork(
        model.engine, rate=numbers.rate if additions.dynamic else 0.0, decay=numbers.decay
    )
    engine = network.engine
    memory: list[tuple[np.ndarray, int]] = []
    found: list[list[float]] = []
    state, seen = engine.initial_state(1), [NO_TOKEN, NO_TOKEN]
    waiting: list[tuple[int, int]] = []
    begun = state

    def learn() -> None:
        nonlocal begun
        if waiting:
            ids, targets = (np.array(some) for some in zip(*waiting, strict=True))
            tapes, _ = engine.record(ids, begun)
            network.learn(ids, tapes, engine.log_probs(engine.top_of(tapes)), targets)
        waiting.clear()
        begun = state

    for line in lines:
        if not carried:
            learn()
            state, seen = engine.initial_state(1), [NO_TOKEN, NO_TOKEN]
            begun = state
        log_probs = []
        for read, target in zip([eos, *line], [*line, eos], strict=True) if line or carried else []:
            hidden, state = engine.step(np.array([read]), state)
            seen = [*seen, read]
            w = additions.weights
            p = w.network * np.exp(engine.log_probs(hidden)[0, target].astype(np.float64))
            rest = 1.0
            if ngrams is not None:
                p += w.ngram * ngrams.probabilities(np.array([seen[-2:]]))[0, target]
            if additions.cache and memory:
                likeness = [np.exp(numbers.theta * hidden[0] @ h) for h, _ in memory[-numbers.window :]]
                same = [
                    e
                    for e, (_, word) in zip(likeness, memory[-numbers.window :], strict=True)
                    if word == target
                ]
                p += w.cache * sum(same) / sum(likeness)
            elif additions.cache:
                rest = 1 - w.cache
            log_probs.append(float(np.log(p / rest)))
            memory.append((hidden[0], target))
            waiting.append((read, target))
            if additions.dynamic and len(waiting) == at_once:
                learn()
        found.append(log_probs)
    return found


@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize("names", ["cache", "dynamic", "ngram", "cache dynamic ngram"])
@pytest.mark.parametrize("cell", ["elman", "lstm"])
def test_every_token_is_judged_by_the_mixture_and_learnt_from_after(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, carried: bool, names: str, cell: str
) -> None:
    monkeypatch.setattr("rnn_cli.inference.adapted.TOKENS_AT_ONCE", 4)
    monkeypatch.setattr("rnn_cli.inference.dynamic.TOKENS_TO_DECAY", 6)
    monkeypatch.setattr("rnn_cli.inference.adapted.SCORES_AT_ONCE", 100)
    model = make_model(cell=cell, num_layers=2)
    lines = [model.tokenizer.encode(line) for line in LINES]
    additions = Additions(
        cache="cache" in names,
        dynamic="dynamic" in names,
        ngrams=ngrams_of(model, lines=not carried) if "ngram" in names else None,
        numbers=NUMBERS,
    )

    found = reader_of(model, additions, carried=carried).judge(lines)

    expected = slowly(model, lines, additions, carried=carried, at_once=4)
    assert [judged.log_probs.tolist() for judged in found] == [
        pytest.approx(line, abs=2e-4) for line in expected
    ]
    for judged in found:
        assert (judged.ranks >= 1).all()
        assert (judged.best >= judged.log_probs - 1e-6).all()


@pytest.mark.parametrize("window", [1, 300])
def test_the_cache_weighs_a_bounded_number_of_places_at_once(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    model = make_model()
    lines = [model.tokenizer.encode(" ".join(LINES))] * 30
    additions = Additions(cache=True, numbers=replace(NUMBERS, window=window))
    at_once = reader_of(model, additions, carried=True).judge(lines)
    sizes: list[int] = []
    read = NeuralCache.read

    def measured(cache: NeuralCache, hidden: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(len(hidden) * (len(hidden) + len(cache._words)))
        return read(cache, hidden, words)

    monkeypatch.setattr(NeuralCache, "read", measured)
    monkeypatch.setattr("rnn_cli.inference.adapted.SCORES_AT_ONCE", 2000)
    bit_by_bit = reader_of(model, additions, carried=True).judge(lines)

    assert 1000 < max(sizes) <= 2 * 2000
    for one, other in zip(bit_by_bit, at_once, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-5)


def test_what_was_read_before_is_remembered_from_group_to_group(make_model: MakeModel) -> None:
    model = make_model()
    lines = [model.tokenizer.encode(line) for line in LINES]
    additions = Additions(cache=True, ngrams=ngrams_of(model), numbers=NUMBERS)
    whole = reader_of(model, additions, carried=True).judge(lines)
    reader = reader_of(model, additions, carried=True)

    parts = [judged for line in lines for judged in reader.judge([line])]

    for one, other in zip(parts, whole, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-5)


def test_the_default_theta_goes_by_the_length_of_the_states(make_model: MakeModel) -> None:
    engine = make_model().engine
    hidden, _ = engine.read(np.arange(engine.vocab_size)[:, None], engine.initial_state(1))

    assert default_theta(engine) == pytest.approx(8 / (hidden**2).sum(axis=-1).mean(), rel=1e-5)
