from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from rnn_cli.inference.engine import Engine
from rnn_cli.inference.pieces import PieceTable
from rnn_cli.inference.rules import Memory, OneWord, Sentence
from rnn_cli.inference.sampling import Sampling, draw, sample_drafts
from rnn_cli.inference.search import beam_search
from rnn_cli.model_tensors import Tensors

PIECES = [" <unk>", "\n", " a", " b", " c", ".", ","]
LOG_PROBS = np.log(np.array([0.1, 0.4, 0.05, 0.25, 0.2], np.float32))
MakeTensors = Callable[..., Tensors]


def drawn(log_probs: np.ndarray, times: int = 2000, **settings: float) -> Counter[int]:
    generator = np.random.default_rng(11)
    sampling = Sampling(**settings)  # type: ignore[arg-type]
    return Counter(draw(log_probs, generator, sampling) for _ in range(times))


def test_pieces_are_drawn_as_often_as_they_are_probable() -> None:
    counts = drawn(LOG_PROBS)

    for id_, log_prob in enumerate(LOG_PROBS):
        assert counts[id_] / 2000 == pytest.approx(np.exp(log_prob), abs=0.03)


def test_what_is_impossible_is_never_drawn() -> None:
    log_probs = np.where([True, False, True, False, False], LOG_PROBS, np.float32(-np.inf))

    assert set(drawn(log_probs)) == {0, 2}


def test_a_low_temperature_favours_the_probable_and_a_high_one_levels() -> None:
    assert drawn(LOG_PROBS, temperature=0.5)[1] / 2000 == pytest.approx(0.4**2 / 0.275, abs=0.03)
    assert drawn(LOG_PROBS, temperature=1e6)[2] / 2000 == pytest.approx(0.2, abs=0.03)
    assert set(drawn(LOG_PROBS, temperature=1e-320)) == {1}


def test_temperature_0_takes_the_best() -> None:
    assert set(drawn(LOG_PROBS, times=20, temperature=0)) == {1}


def test_top_k_draws_from_the_k_best_only() -> None:
    assert set(drawn(LOG_PROBS, top_k=3)) == {1, 3, 4}
    assert set(drawn(LOG_PROBS, times=20, top_k=1)) == {1}
    assert set(drawn(LOG_PROBS, top_k=100)) == {0, 1, 2, 3, 4}


def test_top_p_draws_from_the_fewest_that_reach_the_share() -> None:
    assert set(drawn(LOG_PROBS, top_p=0.39)) == {1}
    assert set(drawn(LOG_PROBS, top_p=0.41)) == {1, 3}
    assert set(drawn(LOG_PROBS, top_p=0.9)) == {0, 1, 3, 4}
    assert set(drawn(LOG_PROBS, top_p=1.0)) == {0, 1, 2, 3, 4}


def test_top_p_is_a_share_of_what_top_k_leaves() -> None:
    assert set(drawn(LOG_PROBS, top_k=2, top_p=0.6)) == {1}
    assert set(drawn(LOG_PROBS, top_k=2, top_p=0.7)) == {1, 3}


@pytest.fixture
def engine(make_tensors: MakeTensors) -> Engine:
    return Engine(
        make_tensors(len(PIECES)), num_layers=1, hidden_activation="tanh", output_activation="softmax"
    )


@pytest.fixture
def rules() -> Sentence:
    pieces = PieceTable(PIECES, kind="word", eos_id=1, unk_id=0)
    return Sentence(pieces, first=~pieces.none, max_words=5)


def memory(engine: Engine) -> Memory:
    hidden, state = engine.read_each([[1]])
    return Memory(hidden, state, last=1)


def test_the_same_seed_draws_the_same_and_another_one_does_not(engine: Engine, rules: Sentence) -> None:
    def ids(seed: int) -> list[tuple[int, ...]]:
        sampling = Sampling(samples=6, seed=seed)
        return [draft.ids for draft in sample_drafts(engine, rules, memory(engine), sampling)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_the_first_draft_is_the_same_however_many_are_drawn(engine: Engine, rules: Sentence) -> None:
    many = sample_drafts(engine, rules, memory(engine), Sampling(samples=200, seed=3))
    few = sample_drafts(engine, rules, memory(engine), Sampling(samples=2, seed=3))

    assert [draft.ids for draft in few] == [draft.ids for draft in many[:2]]
    assert len(many) == 200


def test_a_draft_has_the_probability_that_the_model_gives_it(engine: Engine, rules: Sentence) -> None:
    for draft in sample_drafts(engine, rules, memory(engine), Sampling(temperature=2.0, samples=8, seed=4)):
        expected = 0.0
        for i, id_ in enumerate(draft.ids):
            hidden, _ = engine.read_each([[1, *draft.ids[:i]]])
            expected += float(engine.log_probs(hidden)[0, id_])
        assert draft.log_prob == pytest.approx(expected, abs=1e-5)
        assert 0 not in draft.ids  # <unk>


def test_temperature_0_is_the_greedy_search(engine: Engine, rules: Sentence) -> None:
    drafts = sample_drafts(engine, rules, memory(engine), Sampling(temperature=0, samples=2))

    (greedy,) = beam_search(engine, rules, memory(engine), width=1, top=1)
    assert [draft.ids for draft in drafts] == [greedy.ids] * 2
    assert drafts[0].log_prob == pytest.approx(greedy.log_prob, abs=1e-5)


def test_a_word_of_characters_ends_where_the_next_piece_does_not_go_on(make_tensors: MakeTensors) -> None:
    characters = ["<unk>", "\n", "a", "b", " ", "."]
    pieces = PieceTable(characters, kind="char", eos_id=1, unk_id=0)
    engine = Engine(make_tensors(6), num_layers=1, hidden_activation="tanh", output_activation="softmax")
    rules = OneWord(pieces, first=pieces.word, instead=pieces.none)

    drafts = sample_drafts(engine, rules, memory(engine), Sampling(samples=20, seed=1))

    assert {len(draft.ids) for draft in drafts} > {1, 2}
    for draft in drafts:
        read = [
            engine.log_probs(engine.read_each([[1, *draft.ids[:i]]])[0])[0] for i in range(len(draft.ids) + 1)
        ]
        expected = sum(float(read[i][id_]) for i, id_ in enumerate(draft.ids))
        expected += float(np.log(np.exp(read[-1][[0, 1, 4, 5]]).sum()))
        assert draft.log_prob == pytest.approx(expected, abs=1e-5)


def test_where_nothing_may_be_written_nothing_is_drawn(engine: Engine, rules: Sentence) -> None:
    nothing = OneWord(rules.pieces, first=rules.pieces.none, instead=rules.pieces.none)

    assert sample_drafts(engine, nothing, memory(engine), Sampling(samples=3)) == []
