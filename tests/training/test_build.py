"""From a config to the parts of a training."""

import functools
import math
from typing import Any

import numpy as np
import pytest
import torch

from rnn_cli.config import Config
from rnn_cli.errors import TrainingError
from rnn_cli.model.cells import IndRNNCell
from rnn_cli.model.dropout import Dropout
from rnn_cli.model.fused import read_window
from rnn_cli.model.language_model import LanguageModel, step_by_step
from rnn_cli.model.losses import ExactSoftmax, LossFunction, OneHotSigmoid, SampledSoftmax
from rnn_cli.model.penalties import Penalties
from rnn_cli.model_tensors import CELLS, cell_shapes
from rnn_cli.text.streams import LineWindows, StreamWindows, Windows
from rnn_cli.training.build import (
    build_loss,
    build_model,
    build_training_optimizer,
    build_windows,
    parameter_count,
    penalties,
    product_dtype,
    rows_only,
    softmax_kind,
)
from rnn_cli.training.events import Event, Notice
from rnn_cli.training.optimizer import Optimizer
from rnn_cli.training.texts import build_texts
from tests.training.conftest import MakeConfig

COUNTS = np.array([0, 25, 30, 20, 15, 10, 5, 5, 5, 3, 2])  # of a vocabulary of 11


def ignore(event: Event) -> None:
    pass


def windows_of(config: Config) -> tuple[Windows, list[str]]:
    """The windows of the training text, and what was said about them."""
    events: list[Event] = []
    texts = build_texts(config, ignore)
    windows = build_windows(config, texts.train, events.append)
    return windows, [event.message for event in events if isinstance(event, Notice)]


def test_a_stream_is_cut_as_the_config_says(make_config: MakeConfig) -> None:
    windows, notices = windows_of(make_config())
    assert isinstance(windows, StreamWindows)
    assert (windows.batch_size, windows.bptt_steps, windows.tokens) == (3, 4, 145)
    assert windows.windows_in_epoch(0) == 13  # the longest of the three streams has 49 words
    assert notices == []


def test_lines_are_cut_as_the_config_says_and_shuffled_by_the_seed(make_config: MakeConfig) -> None:
    def inputs(seed: int) -> list[list[list[int]]]:
        windows, notices = windows_of(make_config(data={"mode": "lines"}, training={"seed": seed}))
        assert isinstance(windows, LineWindows)
        assert (windows.batch_size, windows.tokens, notices) == (3, 145, [])
        return [window.inputs.tolist() for window in windows.epoch(0)]

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)


@pytest.mark.parametrize(
    ("mode", "notice", "batch_size"),
    [
        ("stream", "The text has 145 tokens: batch_size 99 is reduced to 36.", 36),
        ("lines", "The text has 20 lines: batch_size 99 is reduced to 20.", 20),
    ],
)
def test_a_text_that_is_too_short_shrinks_the_batch_and_says_so(
    make_config: MakeConfig, mode: str, notice: str, batch_size: int
) -> None:
    windows, notices = windows_of(make_config(data={"mode": mode}, training={"batch_size": 99}))
    assert windows.batch_size == batch_size
    assert notices == [notice]


def test_the_network_has_the_shapes_of_the_config(make_config: MakeConfig) -> None:
    model = build_model(make_config(model={"embedding_size": 5, "hidden_size": 7, "num_layers": 2}), COUNTS)
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == {
        "embedding": (11, 5),
        "cells.0.W": (7, 12),
        "cells.0.b": (7,),
        "cells.1.W": (7, 14),
        "cells.1.b": (7,),
        "V": (11, 7),
        "c": (11,),
    }


@pytest.mark.parametrize(("tied", "E", "layer_norm"), [(False, 5, False), (True, 6, False), (True, 5, True)])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_the_parameters_counted_beforehand_are_those_of_the_network(
    make_config: MakeConfig, cell: str, num_layers: int, tied: bool, E: int, layer_norm: bool
) -> None:
    sizes = {"embedding_size": E, "hidden_size": 6, "num_layers": num_layers, "layer_norm": layer_norm}
    config = make_config(model={"cell": cell, **sizes}, output={"tie_embeddings": tied})
    model = build_model(config, COUNTS)
    shapes = {name: tuple(p.shape) for name, p in model.cells[-1].named_parameters()}
    assert shapes == cell_shapes(cell, E if num_layers == 1 else 6, 6)
    assert model.parameter_count == parameter_count(config, len(COUNTS))


@pytest.mark.parametrize(("mode", "largest_u"), [("stream", 1.0), ("lines", 2 ** (1 / 4))])
def test_a_state_of_an_indrnn_may_double_over_a_window_unless_it_is_carried_without_end(
    make_config: MakeConfig, mode: str, largest_u: float
) -> None:
    (cell,) = build_model(make_config(model={"cell": "indrnn"}, data={"mode": mode}), COUNTS).layers()
    assert isinstance(cell, IndRNNCell)
    assert cell.largest_u == largest_u
    assert cell.activation == "relu"


def test_the_settings_of_the_network_reach_it(make_config: MakeConfig) -> None:
    settings = {"hidden_activation": "relu", "recurrent_init": "identity", "dropout": 0.25}
    model = build_model(make_config(model=settings, output={"tie_embeddings": True}), COUNTS)
    cell: Any = model.cells[0]
    assert model.V is model.embedding
    assert model.dropout == Dropout(inputs=0.25, between=0.25, output=0.25)
    assert cell.activation == "relu"
    assert torch.equal(cell.W[:, :6], torch.eye(6))


def test_a_rate_of_its_own_goes_before_the_common_one(make_config: MakeConfig) -> None:
    rates = {"dropout": 0.3, "dropout_input": 0.0, "dropout_output": 0.5, "dropout_embedding": 0.1}
    settings = {**rates, "dropout_words": 0.15, "dropout_weights": 0.2, "layer_norm": True}
    model = build_model(make_config(model=settings), COUNTS)
    assert model.dropout == Dropout(
        inputs=0.0, between=0.3, output=0.5, embedding=0.1, places=0.15, recurrent=0.2
    )
    assert len(model.norms) == 1
    config = make_config(training={"activation_penalty": 2.0, "change_penalty": 0.5})
    assert penalties(config) == Penalties(activation=2.0, change=0.5)


@pytest.mark.parametrize("output_activation", ["softmax", "sigmoid"])
def test_a_new_network_says_each_word_as_often_as_it_occurs(
    make_config: MakeConfig, output_activation: str
) -> None:
    model = build_model(make_config(model={"output_activation": output_activation}), COUNTS)
    g = torch.sigmoid if output_activation == "sigmoid" else functools.partial(torch.softmax, dim=0)
    shares = (COUNTS + 1) / (COUNTS + 1).sum()  # a word that was never seen counts as seen once
    assert g(model.c.detach()).tolist() == pytest.approx(shares.tolist(), rel=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_the_reference_engine_reads_step_by_step_and_the_others_by_hand_derived_passes(
    make_config: MakeConfig, cell: str
) -> None:
    def reader(engine: str) -> Any:
        config = make_config(model={"cell": cell}, training={"engine": engine})
        return build_model(config, COUNTS).window_reader

    assert reader("reference") is step_by_step
    fast = reader("auto")
    assert fast.func is read_window
    assert fast.keywords == {"product_dtype": torch.float32}


@pytest.mark.parametrize(
    ("has_bfloat16", "hidden_size", "engine", "expected"),
    [
        (True, 256, "auto", torch.bfloat16),
        (True, 255, "auto", torch.float32),
        (True, 256, "reference", torch.float32),
        (False, 256, "auto", torch.float32),
    ],
)
def test_products_are_bfloat16_where_the_machine_has_them_and_layers_are_wide(
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    has_bfloat16: bool,
    hidden_size: int,
    engine: str,
    expected: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16)
    config = make_config(model={"hidden_size": hidden_size}, training={"engine": engine})
    assert product_dtype(config) == expected


@pytest.mark.parametrize(
    ("softmax", "output_activation", "vocab_size", "expected"),
    [
        ("auto", "softmax", 39, "exact"),
        ("auto", "softmax", 40, "sampled"),
        ("auto", "sigmoid", 40, "exact"),
        ("exact", "softmax", 40, "exact"),
        ("sampled", "softmax", 5, "sampled"),
    ],
)
def test_auto_samples_from_a_vocabulary_of_four_times_the_samples_on(
    make_config: MakeConfig, softmax: str, output_activation: str, vocab_size: int, expected: str
) -> None:
    config = make_config(
        model={"output_activation": output_activation}, output={"softmax": softmax, "samples": 10}
    )
    assert softmax_kind(config, vocab_size) == expected


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, ExactSoftmax),
        ({"output": {"softmax": "sampled", "samples": 3}}, SampledSoftmax),
        ({"model": {"output_activation": "sigmoid"}}, OneHotSigmoid),
    ],
)
def test_the_loss_is_the_one_of_the_output_function(
    make_config: MakeConfig, settings: dict[str, Any], kind: type[LossFunction]
) -> None:
    assert type(build_loss(make_config(**settings), COUNTS)) is kind


def test_the_sampled_softmax_draws_as_many_words_as_asked_for_by_the_seed(make_config: MakeConfig) -> None:
    def loss(seed: int) -> SampledSoftmax:
        config = make_config(output={"softmax": "sampled", "samples": 3}, training={"seed": seed})
        loss_function = build_loss(config, COUNTS)
        assert isinstance(loss_function, SampledSoftmax)
        return loss_function

    assert loss(1).samples == 3
    assert loss(1).generator.initial_seed() == 1
    assert loss(2).generator.initial_seed() == 2
    assert loss(1).frequency.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("optimizer", "weight_decay", "expected"),
    [
        ("adamw", 0.1, True),
        ("adam", 0.1, True),
        ("muon", 0.1, True),
        ("sgd", 0.0, True),
        ("sgd", 0.1, False),  # a decay of rows that are not touched would be left out
        ("adagrad", 0.0, True),
        ("adagrad", 0.1, False),
        ("momentum", 0.0, False),
        ("nesterov", 0.0, False),
        ("rmsprop", 0.0, False),
    ],
)
def test_rows_alone_are_updated_where_that_is_the_same_rule(
    make_config: MakeConfig, optimizer: str, weight_decay: float, expected: bool
) -> None:
    settings = {"optimizer": optimizer, "weight_decay": weight_decay}
    config = make_config(output={"softmax": "sampled", "samples": 3}, training=settings)
    assert rows_only(config) is expected
    assert build_loss(config, COUNTS).sparse is expected


def test_tables_with_a_rate_of_their_own_are_updated_by_rows_whatever_the_optimizer(
    make_config: MakeConfig,
) -> None:
    settings = {"optimizer": "rmsprop", "learning_rate": 0.5, "table_learning_rate": 2.0}
    config = make_config(output={"softmax": "sampled", "samples": 3}, training=settings)
    model, loss_function = build_model(config, COUNTS), build_loss(config, COUNTS)
    optimizer = build_training_optimizer(config, model, loss_function)
    assert loss_function.sparse
    assert parameters_of(optimizer, model) == [["c", "cells.0.W", "cells.0.b"], ["V", "embedding"]]
    optimizer.step(0.25)  # half of the full rate, as a schedule asks for
    assert [group["lr"] for group in optimizer.parts[1].param_groups] == [1.0]


def parameters_of(optimizer: Optimizer, model: LanguageModel) -> list[list[str]]:
    """The names of the parameters in each part of an optimizer."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [
        sorted(names[id(p)] for group in part.param_groups for p in group["params"])
        for part in optimizer.parts
    ]


def test_a_row_by_adagrad_moves_less_the_more_it_has_moved(make_config: MakeConfig) -> None:
    settings = {"learning_rate": 0.5, "table_learning_rate": 0.2, "table_optimizer": "adagrad"}
    config = make_config(output={"softmax": "sampled", "samples": 3}, training=settings)
    model, loss_function = build_model(config, COUNTS), build_loss(config, COUNTS)
    optimizer = build_training_optimizer(config, model, loss_function)
    start = model.embedding.detach().clone()
    for gradient in (0.003, 0.004):
        values = torch.full((1, model.embedding.shape[1]), gradient)
        model.embedding.grad = torch.sparse_coo_tensor(torch.tensor([[2]]), values, model.embedding.shape)
        optimizer.step(0.5)
    moved = 0.2 * (0.003 / math.sqrt(1e-5 + 0.003**2) + 0.004 / math.sqrt(1e-5 + 0.003**2 + 0.004**2))
    torch.testing.assert_close(model.embedding[2], start[2] - moved)
    others = [0, 1, 3, 4]
    torch.testing.assert_close(model.embedding[others], start[others], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({}, [["V", "c", "cells.0.W", "cells.0.b", "embedding"]]),
        ({"tie_embeddings": True}, [["c", "cells.0.W", "cells.0.b", "embedding"]]),
        (
            {"softmax": "sampled", "samples": 3},
            [["c", "cells.0.W", "cells.0.b"], ["V", "embedding"]],
        ),
        (
            {"softmax": "sampled", "samples": 3, "tie_embeddings": True},
            [["c", "cells.0.W", "cells.0.b"], ["embedding"]],
        ),
    ],
)
def test_the_optimizer_holds_every_parameter_once(
    make_config: MakeConfig, output: dict[str, Any], expected: list[list[str]]
) -> None:
    config = make_config(output=output)
    model = build_model(config, COUNTS)
    optimizer = build_training_optimizer(config, model, build_loss(config, COUNTS))
    assert parameters_of(optimizer, model) == expected


def test_under_muon_the_matrices_are_apart(make_config: MakeConfig) -> None:
    settings = {"optimizer": "muon", "table_learning_rate": 3.0}
    model_settings = {"embedding_size": 4, "layer_norm": True}
    config = make_config(model=model_settings, training=settings, output={"tie_embeddings": True})
    model = build_model(config, COUNTS)
    optimizer = build_training_optimizer(config, model, build_loss(config, COUNTS))
    assert parameters_of(optimizer, model) == [
        ["P", "cells.0.W"],
        ["c", "cells.0.b", "norms.0.gain", "norms.0.shift"],
        ["embedding"],
    ]


def test_weight_decay_reaches_the_matrices_alone(make_config: MakeConfig) -> None:
    config = make_config(training={"optimizer": "sgd", "weight_decay": 0.5})
    model = build_model(config, COUNTS)
    optimizer = build_training_optimizer(config, model, build_loss(config, COUNTS))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(0.1)
    for name, parameter in model.named_parameters():
        factor = 1 if parameter.dim() == 1 else 1 - 0.1 * 0.5
        assert torch.allclose(parameter, factor * before[name]), name


@pytest.mark.parametrize("key", ["hidden_size", "embedding_size", "num_layers"])
def test_a_network_larger_than_the_machine_is_refused(make_config: MakeConfig, key: str) -> None:
    config = make_config(model={"hidden_size": 64, key: 10**9})
    with pytest.raises(
        TrainingError, match=r"^The network would have [\d,]+ parameters and take about [\d,]+ GB"
    ):
        build_model(config, np.ones(10))
