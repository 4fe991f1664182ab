"""Predictions of a sample, against the same predictions made one by one."""

import math

import numpy as np
import pytest

from rnn_cli.inference import TrainedModel
from rnn_cli.insight import measured
from rnn_cli.insight.measured import Sample, mean_and_error, predict, take_sample, target_log_probs
from rnn_cli.text.corpus import Corpus
from tests.insight.conftest import LINES, MakeModel


def corpus_of(model: TrainedModel, lines: list[str]) -> Corpus:
    eos = model.tokenizer.eos_id
    ids = [id_ for line in lines for id_ in (*model.tokenizer.encode(line), eos)]
    return Corpus(np.array(ids, np.uint16), model.tokenizer.vocab_size, eos, unknown=0, texts=())


def log_prob(model: TrainedModel, context: list[int], target: int) -> float:
    _, state = model.engine.read(np.array(context)[:, None], model.engine.initial_state(1))
    return float(model.engine.log_probs(state[-1])[0, target])


def test_lines_are_read_each_from_its_beginning(make_model: MakeModel) -> None:
    model = make_model()
    sample = take_sample(corpus_of(model, ["I eat", "", "you drink tea"]), lines=True)
    eos = model.tokenizer.eos_id
    first, second = model.tokenizer.encode("I eat"), model.tokenizer.encode("you drink tea")
    assert sample.reads.tolist() == [eos, *first, eos, *second]
    assert sample.targets.tolist() == [*first, eos, *second, eos]
    assert sample.begins.tolist() == [0, 0, 0, 3, 3, 3, 3]


def test_a_stream_is_read_on_from_its_beginning(make_model: MakeModel) -> None:
    model = make_model()
    corpus = corpus_of(model, ["I eat", "you drink tea"])
    sample = take_sample(corpus, lines=False, most=5)
    assert sample.targets.tolist() == corpus.ids[:5].tolist()
    assert sample.reads.tolist() == [model.tokenizer.eos_id, *corpus.ids[:4].tolist()]
    assert sample.begins.tolist() == [0] * 5


def test_of_a_long_text_lines_are_taken_from_all_of_it(make_model: MakeModel) -> None:
    model = make_model()
    corpus = corpus_of(model, ["I eat rice", "you eat soup", "I drink tea", "you eat rice"])
    sample = take_sample(corpus, lines=True, most=9)
    eos = model.tokenizer.eos_id
    assert sample.targets.tolist() == [
        *model.tokenizer.encode("I eat rice"), eos, *model.tokenizer.encode("I drink tea"), eos,
    ]  # fmt: skip
    assert len(take_sample(corpus, lines=True, most=1).targets) == 4  # no fewer than one line


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_every_prediction_is_the_one_from_all_that_stands_before(
    make_model: MakeModel, lines: bool, num_layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(num_layers=num_layers)
    sample = take_sample(corpus_of(model, LINES), lines=lines)
    monkeypatch.setattr(measured, "INPUTS_AT_ONCE", 3)
    found = predict(model.engine, sample)
    contexts = sample.contexts(np.arange(len(sample.targets)))
    expected = [log_prob(model, *pair) for pair in zip(contexts, sample.targets, strict=True)]
    assert found.log_probs == pytest.approx(expected, abs=1e-5)
    assert found.right.tolist() == [
        bool(np.isclose(value, math.log(best), atol=1e-5))
        for value, best in zip(expected, found.confidence, strict=True)
    ]


def test_a_context_is_cut_to_its_last_words_but_not_beyond_its_line() -> None:
    sample = Sample(np.arange(7), np.arange(7) + 1, np.array([0, 0, 0, 3, 3, 3, 3]))
    places = np.array([2, 4, 6])
    assert sample.contexts(places) == [[0, 1, 2], [3, 4], [3, 4, 5, 6]]
    assert sample.contexts(places, words=2) == [[1, 2], [3, 4], [5, 6]]


def test_targets_are_scored_after_contexts_of_any_length(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    monkeypatch.setattr(measured, "SCORES_AT_ONCE", 1)
    contexts, targets = [[1, 4, 2], [3], [5, 5]], np.array([6, 0, 2])
    expected = [log_prob(model, *pair) for pair in zip(contexts, targets, strict=True)]
    assert target_log_probs(model.engine, contexts, targets) == pytest.approx(expected, abs=1e-5)


def test_a_mean_has_its_standard_error() -> None:
    assert mean_and_error(np.array([1.0, 3.0])) == (2.0, 1.0)
    assert mean_and_error(np.array([5.0])) == (5.0, 0.0)
