"""The unrolled network: word by word equals the whole, windows with carried state equal one long pass."""

import pytest
import torch
from torch.nn import functional

from rnn_cli.model.dropout import Masks
from rnn_cli.model.language_model import LanguageModel
from rnn_cli.model_tensors import CELLS

ALL_CELLS = pytest.mark.parametrize("cell", CELLS)


def make_model(**changes: object) -> LanguageModel:
    torch.manual_seed(3)
    settings = {"vocab_size": 7, "embedding_size": 4, "hidden_size": 5, "num_layers": 2}
    return LanguageModel(**{**settings, **changes}).double()  # type: ignore[arg-type]


WORDS = torch.tensor([[1, 4], [0, 6], [2, 2], [5, 1], [3, 0], [6, 3]])  # (T, B)


def test_the_parameters_carry_the_names_and_shapes_of_the_equations() -> None:
    shapes = {name: tuple(p.shape) for name, p in make_model().named_parameters()}
    assert shapes == {
        "embedding": (7, 4),
        "cells.0.W": (5, 5 + 4),
        "cells.0.b": (5,),
        "cells.1.W": (5, 5 + 5),
        "cells.1.b": (5,),
        "V": (7, 5),
        "c": (7,),
    }


@ALL_CELLS
def test_word_by_word_equals_the_whole(cell: str) -> None:
    model = make_model(cell=cell)
    whole, state_after = model.unroll(WORDS, model.initial_state(2))
    state = model.initial_state(2)
    for t, words in enumerate(WORDS):
        one, state = model.unroll(words[None], state)
        torch.testing.assert_close(one[0], whole[t], atol=1e-15, rtol=0)
    torch.testing.assert_close(state, state_after, atol=1e-15, rtol=0)


@ALL_CELLS
def test_windows_with_carried_state_equal_one_long_pass(cell: str) -> None:
    model = make_model(cell=cell)
    whole, _ = model.unroll(WORDS, model.initial_state(2))
    first, state = model.unroll(WORDS[:4], model.initial_state(2))
    second, _ = model.unroll(WORDS[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-15, rtol=0)


def test_the_layer_above_reads_the_state_of_the_layer_below() -> None:
    model = make_model()
    hidden, state = model.unroll(WORDS[:1], model.initial_state(2))
    below, above = model.cells
    h_below = below(model.embedding[WORDS[0]], torch.zeros(2, 5).double())
    torch.testing.assert_close(hidden[0], above(h_below, torch.zeros(2, 5).double()))
    torch.testing.assert_close(state[0], h_below)


def test_the_layer_above_an_indrnn_reads_its_state_and_its_input_where_they_are_of_one_size() -> None:
    model = make_model(cell="indrnn", embedding_size=5, num_layers=3)
    state = [torch.rand(2, 5).double() for _ in range(3)]
    hidden, after = model.unroll(WORDS[:1], state)
    x = model.embedding[WORDS[0]]
    for cell, before, found in zip(model.layers(), state, after, strict=True):
        h = cell(x, before)
        torch.testing.assert_close(found, h)
        x = h + x
    torch.testing.assert_close(hidden[0], after[-1])
    smaller = make_model(cell="indrnn")  # E is not H: nothing to add
    hidden, after = smaller.unroll(WORDS[:1], smaller.initial_state(2))
    torch.testing.assert_close(hidden[0], smaller.layers()[1](after[0], torch.zeros(2, 5).double()))


def test_what_goes_past_a_cell_is_not_silenced_by_dropout() -> None:
    model = make_model(cell="indrnn", embedding_size=5, dropout=0.5)
    silent, heard = torch.zeros(2, 5).double(), torch.ones(2, 5).double()
    masks = Masks(words=None, inputs=[silent, heard], output=heard, recurrent=[None, None])
    hidden, after = model.unroll(WORDS[:1], model.initial_state(2), masks=masks)
    x = after[0] + model.embedding[WORDS[0]]
    torch.testing.assert_close(hidden[0], model.layers()[1](x, torch.zeros(2, 5).double()))


def test_state_is_not_kept_between_calls() -> None:
    model = make_model()
    once, _ = model.unroll(WORDS, model.initial_state(2))
    again, _ = model.unroll(WORDS, model.initial_state(2))
    assert torch.equal(once, again)


def test_the_scores_are_v_times_h_plus_c() -> None:
    model = make_model()
    h = torch.arange(5.0).double()
    torch.testing.assert_close(model.logits(h), model.V @ h + model.c)


def test_tied_tables_are_one_parameter() -> None:
    model = make_model(embedding_size=5, tie_embeddings=True)
    assert model.V is model.embedding
    assert "V" not in dict(model.named_parameters())
    assert model.parameter_count == 7 * 5 + 2 * (5 * 10 + 5) + 7


def test_a_fresh_network_with_nothing_to_say_predicts_the_words_frequencies() -> None:
    counts = torch.tensor([0, 9, 4, 1, 1, 1, 1])
    share = (counts + 1) / (counts + 1).sum()
    model = make_model()
    model.start_at_frequencies(counts, "softmax")
    torch.testing.assert_close(functional.softmax(model.c, dim=0), share.double())
    model.start_at_frequencies(counts, "sigmoid")
    torch.testing.assert_close(torch.sigmoid(model.c), share.double())


def test_dropout_silences_a_unit_for_the_whole_window_or_not_at_all() -> None:
    model = make_model(dropout=0.5)
    masks = model.draw_masks(WORDS)
    assert masks is not None
    units = [mask for mask in (*masks.inputs, masks.output) if mask is not None]
    assert [tuple(mask.shape) for mask in units] == [(2, 4), (2, 5), (2, 5)]  # x_t of each layer, the top h_t
    assert set(torch.cat([mask.flatten() for mask in units]).tolist()) == {0.0, 2.0}
    hidden, _ = model.unroll(WORDS, model.initial_state(2), masks=masks)
    assert (hidden != 0).all()
    assert torch.equal(model.read_out(hidden, masks) == 0, (units[-1] == 0).expand_as(hidden))


def test_dropout_is_off_outside_training() -> None:
    assert make_model(dropout=0.5).eval().draw_masks(WORDS) is None
    assert make_model(dropout=0.0).draw_masks(WORDS) is None


def test_tied_tables_of_another_width_read_a_projection_of_the_state() -> None:
    model = make_model(tie_embeddings=True)  # E 4, H 5
    assert model.P is not None
    assert model.P.shape == (4, 5)
    h = torch.arange(5.0).double()
    torch.testing.assert_close(model.logits(h), model.embedding @ (model.P @ h) + model.c)
    assert model.parameter_count == 7 * 4 + 5 * 9 + 5 * 10 + 2 * 5 + 4 * 5 + 7
    assert make_model(embedding_size=5, tie_embeddings=True).P is None
    assert make_model().P is None


@ALL_CELLS
def test_layer_norm_goes_between_layers_and_before_v_and_the_recurrence_reads_the_state_as_it_is(
    cell: str,
) -> None:
    model = make_model(cell=cell, layer_norm=True)
    state = [torch.rand_like(layer) for layer in model.initial_state(2)]
    hidden, after = model.unroll(WORDS[:1], state)
    below, above = model.layers()
    first = below(model.embedding[WORDS[0]], state[0])
    up = first[:, :5]
    up = (up - up.mean(1, keepdim=True)) / (up.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(after[0], first)
    torch.testing.assert_close(after[1], above(up, state[1]))
    torch.testing.assert_close(hidden[0], after[1][:, :5])
    out = model.read_out(hidden)
    torch.testing.assert_close(out.mean(2), torch.zeros(1, 2).double())
    torch.testing.assert_close(out.var(2, correction=0), torch.ones(1, 2).double(), atol=2e-2, rtol=0)
    with torch.no_grad():
        for name, number in (("norms.1.gain", 3.0), ("norms.1.shift", 0.5)):
            model.get_parameter(name).fill_(number)
    torch.testing.assert_close(model.read_out(hidden), 3 * out + 0.5)
