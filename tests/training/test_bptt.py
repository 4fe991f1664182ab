"""One update, proven: by finite differences, by BPTT written by hand in NumPy, and at the window's edges."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import torch

from rnn_cli.model.cells import ElmanCell, IndRNNCell
from rnn_cli.model.dropout import Dropout
from rnn_cli.model.fused import read_window
from rnn_cli.model.language_model import LanguageModel, State, WindowReader, step_by_step
from rnn_cli.model.losses import ExactSoftmax, LossFunction, OneHotSigmoid, SampledSoftmax
from rnn_cli.model.penalties import NO_PENALTIES, Penalties
from rnn_cli.model_tensors import CELLS
from rnn_cli.text.streams import Window
from rnn_cli.training.bptt import Update, train_on_window
from rnn_cli.training.optimizer import build_optimizer
from rnn_cli.training.workers import Workers

VOCAB, E, H, B, T = 6, 3, 4, 2, 5
MOST_DIFFERENCES = 40  # of a parameter, spread over it: all of a plain cell's
WORDS = np.array([[1, 4], [0, 5], [2, 2], [5, 1], [3, 0], [4, 3]])  # (T + 1, B)


def make_model(**changes: Any) -> LanguageModel:
    torch.manual_seed(7)
    model = LanguageModel(**{"vocab_size": VOCAB, "embedding_size": E, "hidden_size": H, **changes}).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.8, 0.8)
    return model


def first_cell(model: LanguageModel) -> ElmanCell:
    return cast(ElmanCell, model.cells[0])


def window(words: np.ndarray = WORDS, mask: np.ndarray | None = None) -> Window:
    return Window(inputs=words[:-1], targets=words[1:], mask=mask, resets=True)


def update(
    model: LanguageModel,
    read: Window,
    state: State,
    *,
    loss_function: LossFunction | None = None,
    learning_rate: float = 1.0,
    max_grad_norm: float | None = None,
    workers: Workers | None = None,
    penalties: Penalties = NO_PENALTIES,
) -> tuple[State, Update]:
    tables = [model.embedding] if model.V is model.embedding else [model.embedding, model.V]
    others = [p for p in model.parameters() if all(p is not table for table in tables)]
    return train_on_window(
        model,
        read,
        state,
        loss_function=loss_function or ExactSoftmax(),
        optimizer=build_optimizer("sgd", others, tables, weight_decay=0.0, sparse=False),
        learning_rate=learning_rate,
        max_grad_norm=max_grad_norm,
        workers=workers or Workers(1),
        penalties=penalties,
    )


def gradients(model: LanguageModel, read: Window, state: State, **changes: Any) -> dict[str, np.ndarray]:
    """What the update takes off each parameter with a learning rate of 1: its gradient."""
    before = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    update(model, read, state, **changes)
    return {name: before[name] - p.detach().numpy() for name, p in model.named_parameters()}


@pytest.mark.parametrize("loss_function", [ExactSoftmax(), OneHotSigmoid()])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_equal_finite_differences(
    loss_function: ExactSoftmax | OneHotSigmoid, num_layers: int, cell: str
) -> None:
    def loss() -> float:
        inputs, targets = torch.from_numpy(WORDS[:-1]), torch.from_numpy(WORDS[1:]).flatten()
        hidden, _ = model.unroll(inputs, [h.clone() for h in state])
        return (
            loss_function(hidden.flatten(0, 1), targets, model.V, model.c).objective.item() / targets.numel()
        )

    settings = {"cell": cell, "num_layers": num_layers, "embedding_size": H}  # where E is H, an indrnn skips
    model = make_model(**settings)
    state = [torch.full_like(layer, 0.3) for layer in model.initial_state(B)]
    found = gradients(make_model(**settings), window(), state, loss_function=loss_function)
    step = 1e-5
    for name, parameter in model.named_parameters():
        flat = parameter.detach().view(-1)
        for i in range(0, flat.numel(), 1 + flat.numel() // MOST_DIFFERENCES):
            kept = flat[i].item()
            flat[i] = kept + step
            above = loss()
            flat[i] = kept - step
            below = loss()
            flat[i] = kept
            assert found[name].flat[i] == pytest.approx((above - below) / (2 * step), abs=1e-8), (name, i)


EVERYTHING: dict[str, Any] = {
    "dropout": Dropout(inputs=0.2, between=0.3, output=0.4, embedding=0.2, places=0.2, recurrent=0.4),
    "num_layers": 2,
    "embedding_size": 3,
    "tie_embeddings": True,
    "layer_norm": True,
}
"""Of what regularises and what stands between the layers and V."""

PENALTIES = Penalties(activation=2.0, change=1.5)


@pytest.mark.parametrize("reader", [step_by_step, read_window], ids=["reference", "fast"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_under_masks_and_penalties_equal_finite_differences(
    cell: str, reader: WindowReader
) -> None:
    mask = np.ones((T, B), dtype=bool)
    mask[3:, 1] = False
    settings = {**EVERYTHING, "cell": cell, "window_reader": reader}
    model = make_model(**settings).train()
    state = [torch.full_like(layer, 0.3) for layer in model.initial_state(B)]
    torch.manual_seed(11)
    masks = model.draw_masks(torch.from_numpy(WORDS[:-1]))
    assert masks is not None
    assert masks.output is not None
    silent = masks.output

    def loss() -> float:
        counts = torch.from_numpy(mask)
        hidden, _ = model.unroll(torch.from_numpy(WORDS[:-1]), [h.clone() for h in state], masks=masks)
        scores = model.read_out(hidden, masks) @ model.V.T + model.c
        came = torch.from_numpy(WORDS[1:])[counts]
        error = torch.nn.functional.cross_entropy(scores[counts], came, reduction="sum")
        small = (hidden * silent).pow(2).mean(2)[counts].sum()
        slow = (hidden[1:] - hidden[:-1]).pow(2).mean(2)[counts[1:]].sum()
        return (error + 2.0 * small + 1.5 * slow).item() / len(came)

    same = make_same(model, settings)
    torch.manual_seed(11)  # the same masks
    found = gradients(same, window(mask=mask), state, penalties=PENALTIES)
    step = 1e-5
    random = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        flat = parameter.detach().view(-1)
        for i in random.permutation(flat.numel())[:12]:
            kept = flat[i].item()
            flat[i] = kept + step
            above = loss()
            flat[i] = kept - step
            below = loss()
            flat[i] = kept
            assert found[name].flat[i] == pytest.approx((above - below) / (2 * step), abs=1e-7), (name, i)


def make_same(model: LanguageModel, settings: dict[str, Any]) -> LanguageModel:
    """Another network with the same weights."""
    other = make_model(**settings).train()
    other.load_state_dict(model.state_dict())
    return other


def test_penalties_are_not_counted_as_a_part_of_the_error() -> None:
    _, without = update(make_model(), window(), [torch.zeros(B, H).double()], learning_rate=0.0)
    _, seen = update(
        make_model(), window(), [torch.zeros(B, H).double()], learning_rate=0.0, penalties=PENALTIES
    )
    assert (seen.objective, seen.nll) == (without.objective, without.nll)
    assert seen.gradient_norm != pytest.approx(without.gradient_norm, rel=1e-3)


def bptt_by_hand(model: LanguageModel, h_0: np.ndarray) -> dict[str, np.ndarray]:
    """Backpropagation through time for one tanh layer and softmax, in NumPy, as the textbook writes it."""
    cell = first_cell(model)
    embedding, W, b, V, c = (p.detach().numpy() for p in (model.embedding, cell.W, cell.b, model.V, model.c))
    grad = {name: np.zeros(tuple(p.shape)) for name, p in model.named_parameters()}
    h = [h_0]
    for t in range(T):
        h_and_x = np.concatenate([h[t], embedding[WORDS[t]]], axis=1)
        h.append(np.tanh(h_and_x @ W.T + b))
    from_later = np.zeros((B, H))
    for t in reversed(range(T)):
        scores = h[t + 1] @ V.T + c
        y = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        y[np.arange(B), WORDS[t + 1]] -= 1  # ∂error_t/∂scores
        y /= T * B
        grad["V"] += y.T @ h[t + 1]
        grad["c"] += y.sum(axis=0)
        delta = (y @ V + from_later) * (1 - h[t + 1] ** 2)
        h_and_x = np.concatenate([h[t], embedding[WORDS[t]]], axis=1)
        grad["cells.0.W"] += delta.T @ h_and_x
        grad["cells.0.b"] += delta.sum(axis=0)
        np.add.at(grad["embedding"], WORDS[t], delta @ W[:, H:])
        from_later = delta @ W[:, :H]
    return grad


def test_gradients_equal_bptt_written_by_hand_in_numpy() -> None:
    h_0 = np.random.default_rng(0).uniform(-1, 1, (B, H))
    expected = bptt_by_hand(make_model(), h_0)
    found = gradients(make_model(), window(), [torch.from_numpy(h_0)])
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, atol=1e-8, err_msg=name)


def test_sgd_is_w_minus_learning_rate_times_gradient() -> None:
    state = make_model().initial_state(B)
    gradient = gradients(make_model(), window(), state)
    model = make_model()
    before = first_cell(model).W.detach().numpy().copy()
    update(model, window(), state, learning_rate=0.25)
    np.testing.assert_allclose(
        first_cell(model).W.detach().numpy(), before - 0.25 * gradient["cells.0.W"], atol=1e-15
    )


def test_no_gradient_crosses_the_windows_edge() -> None:
    carried = torch.full((B, H), 0.5, dtype=torch.float64, requires_grad=True)
    update(make_model(), window(), [carried * 1.0])
    assert carried.grad is None
    with_history = gradients(make_model(), window(), [torch.tanh(carried)])
    without = gradients(make_model(), window(), [torch.tanh(carried).detach()])
    for name, gradient in without.items():
        assert np.array_equal(with_history[name], gradient), name


def test_the_state_is_carried_into_the_next_window() -> None:
    model = make_model()
    state, _ = update(model, window(WORDS[:4]), model.initial_state(B), learning_rate=0.0)
    _, second = update(model, window(WORDS[3:]), state, learning_rate=0.0)
    _, first = update(model, window(WORDS[:4]), model.initial_state(B), learning_rate=0.0)
    _, whole = update(model, window(), model.initial_state(B), learning_rate=0.0)
    assert first.nll + second.nll == pytest.approx(whole.nll, abs=1e-12)


def test_padding_is_never_counted() -> None:
    mask = np.ones((T, B), dtype=bool)
    mask[3:, 1] = False
    garbage = WORDS.copy()
    garbage[4:, 1] = 0
    other_garbage = WORDS.copy()
    other_garbage[4:, 1] = 5
    state = make_model().initial_state(B)
    one = gradients(make_model(), window(garbage, mask), state)
    other = gradients(make_model(), window(other_garbage, mask), state)
    for name, gradient in one.items():
        np.testing.assert_allclose(gradient, other[name], atol=1e-15, err_msg=name)
    _, seen = update(make_model(), window(garbage, mask), state)
    assert seen.words == T + 3


def test_clipping_shortens_the_gradient_and_keeps_its_direction() -> None:
    state = make_model().initial_state(B)
    free = gradients(make_model(), window(), state)
    norm = np.sqrt(sum((g**2).sum() for g in free.values()))
    clipped = gradients(make_model(), window(), state, max_grad_norm=norm / 10)
    for name, gradient in free.items():
        np.testing.assert_allclose(clipped[name], gradient / 10, atol=1e-12, err_msg=name)
    _, seen = update(make_model(), window(), state, max_grad_norm=norm / 10)
    assert seen.gradient_norm == pytest.approx(norm)


def gradient_by_lag(scale: float) -> list[float]:
    """Norms of ∂error_T/∂h_t for t = T .. 1, with a recurrent part of W that is `scale` times an orthogonal one."""
    model = make_model(hidden_activation="identity", recurrent_init="orthogonal")
    cell = first_cell(model)
    with torch.no_grad():
        cell.W[:, :H] = scale * torch.linalg.qr(torch.randn(H, H).double()).Q
    h = model.initial_state(1)[0].requires_grad_()
    states = [h]
    for word in [1, 2, 3, 4, 5, 0]:
        states.append(cell(model.embedding[[word]], states[-1]))
    error = ExactSoftmax()(states[-1], torch.tensor([2]), model.V, model.c).objective
    return [float(g.norm()) for g in torch.autograd.grad(error, states[::-1])]


@pytest.mark.parametrize(
    ("scale", "holds"),
    [
        (0.5, lambda earlier, later: earlier < later),
        (1.0, lambda earlier, later: earlier == pytest.approx(later)),
        (2.0, lambda earlier, later: earlier > later),
    ],
    ids=["vanishes", "stays", "explodes"],
)
def test_the_gradient_on_its_way_back_through_time(
    scale: float, holds: Callable[[float, float], bool]
) -> None:
    norms = gradient_by_lag(scale)
    for later, earlier in pairwise(norms):
        assert holds(earlier, later)
        assert earlier == pytest.approx(scale * later)


def test_an_update_leaves_the_weights_of_an_indrnn_within_their_bounds() -> None:
    model = make_model(cell="indrnn", memory_steps=T)
    cell = cast(IndRNNCell, model.cells[0])
    with torch.no_grad():
        cell.u.copy_(torch.tensor([2.0, -2.0, 0.5, 1.0]))
    update(model, window(), model.initial_state(B), learning_rate=0.0)
    largest = 2 ** (1 / T)
    assert cell.u.tolist() == pytest.approx([largest, -largest, 0.5, 1.0])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("cell", "count"), [("elman", 2), ("elman", 3), ("elman", 7), ("gru", 2), ("lstm", 3)]
)
def test_workers_change_the_speed_and_not_the_update(cell: str, count: int, masked: bool) -> None:
    words = np.random.default_rng(0).integers(VOCAB, size=(T + 1, 5))
    mask = np.ones((T, 5), dtype=bool)
    mask[2:, 1] = mask[:, 4] = False  # a short line, and a stream with nothing that counts
    read = window(words, mask if masked else None)

    def found(workers: Workers) -> tuple[State, Update, list[torch.Tensor]]:
        model = make_model(cell=cell, **EVERYTHING).train()
        torch.manual_seed(1)  # the same masks
        before = [torch.full_like(layer, 0.3) for layer in model.initial_state(5)]
        state, seen = update(model, read, before, workers=workers, penalties=PENALTIES)
        return state, seen, [p.detach() for p in model.parameters()]

    alone, together = found(Workers(1)), found(Workers(count))
    assert together[1] == pytest.approx(alone[1], abs=1e-12)
    for one, other in zip([*alone[0], *alone[2]], [*together[0], *together[2]], strict=True):
        torch.testing.assert_close(other, one, atol=1e-12, rtol=1e-12)


def test_workers_share_the_words_drawn_for_a_sampled_softmax_and_add_their_own_targets() -> None:
    read = window(np.random.default_rng(0).integers(VOCAB, size=(T + 1, 4)))

    def loss_function() -> SampledSoftmax:
        return SampledSoftmax(torch.ones(VOCAB), samples=3, seed=1, sparse=False)

    state = [torch.full((4, H), 0.3).double()]
    _, together = update(make_model(), read, state, loss_function=loss_function(), workers=Workers(2))
    model, objective = make_model(), 0.0
    window_loss = loss_function().for_window()
    for streams in (slice(0, 2), slice(2, 4)):
        hidden, _ = model.unroll(torch.from_numpy(read.inputs[:, streams]), [state[0][streams]])
        came = torch.from_numpy(read.targets[:, streams]).flatten()
        objective += window_loss(hidden.flatten(0, 1), came, model.V, model.c).objective.item()
    assert together.objective == pytest.approx(objective, rel=1e-12)
