import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from rnn_cli.errors import ModelFileError
from rnn_cli.inference.activations import ACTIVATIONS
from rnn_cli.inference.engine import Engine
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model.losses import log_probs as torch_log_probs
from rnn_cli.model_tensors import CELLS, Tensors

MakeTensors = Callable[..., Tensors]


@pytest.fixture(params=CELLS)
def engine(make_tensors: MakeTensors, request: pytest.FixtureRequest) -> Engine:
    """Two layers of each cell in turn; E is H, so that an indrnn skips."""
    cell = request.param
    return make_engine(make_tensors(11, cell=cell, E=6, num_layers=2), cell=cell, num_layers=2)


def make_engine(
    tensors: Tensors,
    *,
    num_layers: int = 1,
    cell: str = "elman",
    hidden: str = "tanh",
    output: str = "softmax",
) -> Engine:
    return Engine(
        tensors,
        num_layers=num_layers,
        cell=cell,
        hidden_activation=hidden,  # which cells without a choice of f ignore
        output_activation=output,
    )


def written_out(tensors: Tensors, num_layers: int, ids: list[int], output: str) -> list[float]:
    """ln P(next | ids) by the equations, one number after the other, in float64."""
    weights = {name: tensor.astype(float).tolist() for name, tensor in tensors.items()}
    H = len(weights["cells.0.b"])
    h = [[0.0] * H for _ in range(num_layers)]
    for id_ in ids:
        x = weights["embedding"][id_]
        for layer in range(num_layers):
            W, b = weights[f"cells.{layer}.W"], weights[f"cells.{layer}.b"]
            both = h[layer] + x
            x = [
                math.tanh(sum(w * v for w, v in zip(row, both, strict=True)) + b_i)
                for row, b_i in zip(W, b, strict=True)
            ]
            h[layer] = x
    z = [
        sum(v * u for v, u in zip(row, x, strict=True)) + c
        for row, c in zip(weights["V"], weights["c"], strict=True)
    ]
    g = [math.exp(value) if output == "softmax" else 1 / (1 + math.exp(-value)) for value in z]
    return [math.log(value / sum(g)) for value in g]


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_probabilities_are_those_of_the_equations_written_out(
    make_tensors: MakeTensors, num_layers: int, output: str
) -> None:
    tensors = make_tensors(7, num_layers=num_layers)
    engine = make_engine(tensors, num_layers=num_layers, output=output)
    ids = [1, 4, 2, 2, 6]

    hidden, _ = engine.read(np.array(ids)[:, None], engine.initial_state(1))

    expected = written_out(tensors, num_layers, ids, output)
    np.testing.assert_allclose(engine.log_probs(hidden)[-1, 0], expected, atol=2e-6)


@pytest.mark.parametrize("hidden", sorted(ACTIVATIONS))
def test_the_torch_model_says_the_same(make_tensors: MakeTensors, hidden: str) -> None:
    tensors = make_tensors(9, num_layers=2, scale=0.4)
    engine = make_engine(tensors, num_layers=2, hidden=hidden)
    model = LanguageModel(
        vocab_size=9, embedding_size=5, hidden_size=6, num_layers=2, hidden_activation=hidden
    )
    ids = np.array([[1, 1], [3, 5], [8, 0]])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(tensors[name]))
        theirs, _ = model.unroll(torch.from_numpy(ids), model.initial_state(2))
        expected = torch_log_probs(model.logits(theirs), "softmax").numpy()

    ours, _ = engine.read(ids, engine.initial_state(2))

    np.testing.assert_allclose(engine.log_probs(ours), expected, atol=1e-5)


def test_reading_a_text_is_reading_its_tokens_one_by_one(engine: Engine) -> None:
    ids = np.array([[1, 1, 1], [5, 2, 9], [10, 0, 3], [4, 4, 4]])  # (T, B)
    hidden, state = engine.read(ids, engine.initial_state(3))

    step_state = engine.initial_state(3)
    for t in range(4):
        h, step_state = engine.step(ids[t], step_state)
        np.testing.assert_allclose(hidden[t], h, atol=1e-6)

    for whole, stepped in zip(state, step_state, strict=True):
        np.testing.assert_allclose(whole, stepped, atol=1e-6)


def test_a_text_read_in_two_parts_is_the_text_read_at_once(engine: Engine) -> None:
    ids = np.array([[1, 1], [5, 2], [10, 0], [4, 4], [7, 8]])
    whole, whole_state = engine.read(ids, engine.initial_state(2))

    first, between = engine.read(ids[:2], engine.initial_state(2))
    second, state = engine.read(ids[2:], between)

    np.testing.assert_allclose(np.concatenate([first, second]), whole, atol=1e-6)
    np.testing.assert_allclose(state, whole_state, atol=1e-6)


def test_reading_does_not_change_the_state_that_came_in(engine: Engine) -> None:
    _, state = engine.read(np.array([[1], [2]]), engine.initial_state(1))
    before = [h.copy() for h in state]

    engine.step(np.array([3]), state)
    engine.read(np.array([[3], [4]]), state)

    np.testing.assert_array_equal(state, before)


def test_reading_nothing_leaves_the_state_as_it_is(engine: Engine) -> None:
    state = engine.initial_state(2)

    hidden, after = engine.read(np.zeros((0, 2), np.intp), state)

    assert hidden.shape == (0, 2, 6)
    np.testing.assert_array_equal(after, state)


def test_texts_of_different_lengths_are_read_as_if_alone(engine: Engine) -> None:
    texts = [[1, 5], [1, 2, 9, 3, 10], [1], [1, 4, 4], [1, 2, 9, 3, 7]]

    hidden, state = engine.read_each(texts)

    for row, text in enumerate(texts):
        alone, alone_state = engine.read(np.array(text)[:, None], engine.initial_state(1))
        np.testing.assert_allclose(hidden[row], alone[-1, 0], atol=1e-6)
        np.testing.assert_allclose([h[row] for h in state], [h[0] for h in alone_state], atol=1e-6)


@pytest.mark.parametrize("at_once", [1, 3, 7])
def test_long_texts_are_read_in_parts_as_they_would_be_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    texts = [[1, 2, 9, 3, 10] * 4, [1, 5], [1, 4, 4] * 5]
    expected, expected_state = engine.read_each(texts)
    monkeypatch.setattr("rnn_cli.inference.engine.INPUTS_AT_ONCE", at_once)

    hidden, state = engine.read_each(texts)

    np.testing.assert_allclose(hidden, expected, atol=1e-6)
    np.testing.assert_allclose(state, expected_state, atol=1e-6)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 3e38, -3e38])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_scores_that_are_no_usable_numbers_are_refused(
    make_tensors: MakeTensors, score: float, output: str
) -> None:
    tensors = make_tensors(8)
    tensors["c"][3] = score

    with pytest.raises(ModelFileError, match="grew beyond all bounds"):
        make_engine(tensors, output=output).log_probs(np.ones((2, 6), np.float32))


@pytest.mark.parametrize("E", [5, 6])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_each_way_of_reading_gives_what_the_torch_model_gives(
    make_tensors: MakeTensors, cell: str, num_layers: int, E: int
) -> None:
    tensors = make_tensors(9, cell=cell, E=E, num_layers=num_layers, scale=0.6)
    engine = make_engine(tensors, num_layers=num_layers, cell=cell, hidden="relu")
    model = LanguageModel(
        vocab_size=9,
        embedding_size=E,
        hidden_size=6,
        num_layers=num_layers,
        cell=cell,
        hidden_activation="relu",
    )
    ids = np.array([[1, 1], [3, 5], [8, 0]])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(tensors[name]))
        theirs, their_state = model.unroll(torch.from_numpy(ids), model.initial_state(2))

    ours, state = engine.read(ids, engine.initial_state(2))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
    last, state_each = engine.read_each(ids.T.tolist())
    np.testing.assert_allclose(last, theirs[-1].numpy(), atol=1e-5)
    before = engine.initial_state(2)
    for ids_t in ids:
        h, before = engine.step(ids_t, before)
    np.testing.assert_allclose(h, theirs[-1].numpy(), atol=1e-5)
    for layer, theirs_after in enumerate(their_state):
        for found in (state[layer], state_each[layer], before[layer]):
            np.testing.assert_allclose(found, theirs_after.numpy(), atol=1e-5)


@pytest.mark.parametrize("cell", ["elman", "indrnn"])
def test_a_cell_with_an_f_to_choose_needs_one(make_tensors: MakeTensors, cell: str) -> None:
    with pytest.raises(ValueError, match=f"the cell {cell} needs a hidden_activation"):
        Engine(
            make_tensors(7, cell=cell),
            num_layers=1,
            cell=cell,
            hidden_activation=None,
            output_activation="softmax",
        )


def test_zero_weights_give_every_token_the_same_probability(make_tensors: MakeTensors) -> None:
    for output in ("softmax", "sigmoid"):
        engine = make_engine(make_tensors(8, scale=0.0), output=output)
        hidden, _ = engine.step(np.array([3]), engine.initial_state(1))

        np.testing.assert_allclose(engine.log_probs(hidden), np.full((1, 8), -math.log(8)), atol=1e-6)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_probabilities_of_huge_scores_are_numbers_and_sum_to_one(
    make_tensors: MakeTensors, output: str
) -> None:
    engine = make_engine(make_tensors(8, scale=300.0), output=output)
    hidden, _ = engine.step(np.array([3]), engine.initial_state(1))

    log_probs = engine.log_probs(hidden)

    assert np.isfinite(log_probs).all()
    assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-5)


def test_without_v_the_embedding_is_v(make_tensors: MakeTensors) -> None:
    tied = make_tensors(7, E=6, H=6, tied=True)
    hidden = np.ones((2, 3, 6), np.float32)

    expected = make_engine({**tied, "V": tied["embedding"]}).log_probs(hidden)

    np.testing.assert_array_equal(make_engine(tied).log_probs(hidden), expected)
    assert expected.shape == (2, 3, 7)
