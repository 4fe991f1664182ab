"""What a step back does to a gradient, beside networks for which it is known."""

import math

import numpy as np
import pytest
import torch

from rnn_cli.insight.equations import written_out
from rnn_cli.insight.recurrence import Recurrence, recurrence
from rnn_cli.model.cells import Cell
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.text.streams import Window

H = 4
CELLS = ["elman", "gru", "lstm", "mogrifier", "indrnn"]


def make_model(cell: str, hidden: str) -> LanguageModel:
    torch.manual_seed(3)
    model = LanguageModel(
        vocab_size=6, embedding_size=3, hidden_size=H, cell=cell, hidden_activation=hidden, memory_steps=1
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.8, 0.8)
    return model


def window_of(steps: int) -> Window:
    words = np.random.default_rng(1).integers(6, size=(steps + 1, 2))
    return Window(inputs=words[:-1], targets=words[1:], mask=None, resets=True)


def measured(model: LanguageModel, cell: str, hidden: str = "tanh", steps: int = 5) -> Recurrence:
    (layer,) = written_out(
        dict(model.named_parameters()),
        window_of(steps),
        cell=cell,
        hidden_activation=hidden,
        output_activation="softmax",
    )[1]
    return recurrence(1, layer, cell)


def cell_of(model: LanguageModel) -> Cell:
    return model.layers()[0]


def test_the_recurrent_part_of_the_plain_cell_has_the_radius_and_slope_that_it_was_given() -> None:
    model = make_model("elman", "identity")
    with torch.no_grad():
        cell_of(model).W[:, :H] = torch.tensor(
            [[0.0, -0.9, 0, 0], [0.9, 0, 0, 0], [0, 0, 0.5, 3.0], [0, 0, 0, 0.5]]
        )
    found = measured(model, "elman", "identity")
    assert found.weights == {"ρ(W_h)": pytest.approx(0.9, abs=1e-6)}
    assert (found.lets_through, found.mean) == ("f'", 1)


@pytest.mark.parametrize(("cell", "gates"), [("gru", "rzn"), ("lstm", "ifgo"), ("mogrifier", "ifgo")])
def test_each_block_of_a_gated_cell_has_its_own_radius(cell: str, gates: str) -> None:
    model = make_model(cell, "tanh")
    with torch.no_grad():
        for number, block in enumerate(torch.split(cell_of(model).W[:, :H], H), start=1):
            block.copy_(number / 10 * torch.linalg.qr(torch.randn(H, H)).Q)
    found = measured(model, cell)
    assert found.weights == {
        f"ρ(W_{gate}h)": pytest.approx(number / 10) for number, gate in enumerate(gates, start=1)
    }


@pytest.mark.parametrize(("cell", "letter"), [("gru", "z"), ("lstm", "f"), ("mogrifier", "f")])
def test_a_gate_that_is_open_keeps_a_gradient_as_it_is(cell: str, letter: str) -> None:
    """All weights 0, and the bias of the gate ln 9: it lets 0.9 through at each step, and nothing else does."""
    model = make_model(cell, "tanh")
    with torch.no_grad():
        cell_of(model).W.zero_()
        cell_of(model).b.zero_()
        cell_of(model).b[H : 2 * H] = math.log(9)  # the second block, z of r z n and f of i f g o
    found = measured(model, cell, steps=400)
    assert found.lets_through == letter
    assert found.mean == pytest.approx(0.9)
    assert found.factor == pytest.approx(0.9)
    assert found.meaning() == "vanishes: a tenth is left after 22 steps"


def test_the_units_of_an_indrnn_go_back_each_by_its_own_weight() -> None:
    model = make_model("indrnn", "identity")
    with torch.no_grad():
        model.get_parameter("cells.0.u").copy_(torch.tensor([0.5, -1.25, 0.1, 0.95]))
    found = measured(model, "indrnn", "identity", steps=100)
    assert found.weights == {"max |u|": 1.25, "mean |u|": pytest.approx(0.7)}
    assert (found.lets_through, found.mean) == ("f'", 1)
    assert found.factor == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("cell", "scale", "hidden"),
    [("elman", 0.5, "identity"), ("elman", 1.0, "identity"), ("elman", 1.5, "tanh"), ("gru", 2.0, "tanh"),
     ("lstm", 2.0, "tanh"), ("mogrifier", 1.0, "tanh"), ("indrnn", 1.0, "tanh")],
)  # fmt: skip
def test_the_factor_of_a_step_back_is_that_of_real_gradients(cell: str, scale: float, hidden: str) -> None:
    model = make_model(cell, hidden)
    torch.manual_seed(1)
    if cell != "indrnn":
        with torch.no_grad():
            for block in torch.split(cell_of(model).W[:, :H], H):
                block.copy_(scale * torch.linalg.qr(torch.randn(H, H)).Q)
    found = measured(model, cell, hidden, steps=200)

    states = [model.initial_state(2)[0].requires_grad_()]
    for word in torch.from_numpy(window_of(200).inputs):
        states.append(cell_of(model)(model.embedding[word], states[-1]))
    (first, middle) = torch.autograd.grad(states[-1].sum(), [states[0], states[100]])
    lengths = (first.norm(dim=1) / middle.norm(dim=1)).log() / 100
    assert found.factor == pytest.approx(math.exp(float(lengths.mean())), rel=0.03)
    if hidden == "identity":
        assert found.factor == pytest.approx(scale, rel=1e-5)


@pytest.mark.parametrize(
    ("factor", "meaning"),
    [
        (0.5, "vanishes: a tenth is left after 3 steps"),
        (0.1, "vanishes: a tenth is left after 1 step"),
        (0.0, "vanishes at once: nothing is learnt from the step before"),
        (1.0, "keeps its size: times 1 in 100 steps"),
        (0.994, "keeps its size: times 0.55 in 100 steps"),
        (0.99, "vanishes: a tenth is left after 229 steps"),
        (1.006, "keeps its size: times 1.8 in 100 steps"),
        (1.01, "explodes: tenfold after 231 steps, unless it is clipped"),
        (1.5, "explodes: tenfold after 6 steps, unless it is clipped"),
        (2_000.0, "explodes: tenfold after 1 step, unless it is clipped"),
    ],
)
def test_the_way_back_is_put_into_words(factor: float, meaning: str) -> None:
    assert Recurrence(1, {}, "f'", 1.0, factor).meaning() == meaning
