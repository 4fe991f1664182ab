"""The nearest training lines, against the cosine of states read token by token."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError
from rnn_cli.inference import TrainedModel
from rnn_cli.inference.line_index import LineIndex, read_index, write_index
from rnn_cli.tensor_file import write_tensor_file
from tests.inference.conftest import LINES

MakeModel = Callable[..., TrainedModel]


def state_after(model: TrainedModel, ids: list[int]) -> np.ndarray:
    state = model.engine.initial_state(1)
    for id_ in [model.tokenizer.eos_id, *ids]:
        hidden, state = model.engine.step(np.array([id_]), state)
    return np.asarray(hidden[0])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def index_of(model: TrainedModel, lines: list[str] = LINES) -> LineIndex:
    ids = [model.tokenizer.encode(line) for line in lines]
    return LineIndex.of(model.engine, ids, model.tokenizer.eos_id)


@pytest.mark.parametrize("kind", ["word", "char", "bpe"])
def test_the_nearest_lines_are_those_whose_states_point_the_same_way(
    make_model: MakeModel, kind: str
) -> None:
    model = make_model(kind=kind)
    asked = state_after(model, model.tokenizer.encode("A dish"))
    expected = {}
    for line in LINES:
        ids = model.tokenizer.encode(line)
        likeness = [cosine(asked, state_after(model, ids[:place])) for place in range(len(ids))]
        expected[line] = likeness

    found = index_of(model).nearest(asked, model.tokenizer)

    assert {near.text for near in found} == set(LINES)
    assert [near.likeness for near in found] == sorted((near.likeness for near in found), reverse=True)
    for near in found:
        ids = model.tokenizer.encode(near.text)
        assert near.likeness == pytest.approx(max(expected[near.text]), abs=2e-3)
        words = [model.tokenizer.pieces[id_].strip() or model.tokenizer.pieces[id_] for id_ in ids]
        likest = [place for place, p in enumerate(expected[near.text]) if p > near.likeness - 2e-3]
        assert near.word in [words[place] for place in likest]
        assert near.text[near.position : near.position + len(near.word)] == near.word


def test_a_line_that_was_indexed_is_the_nearest_to_itself_and_is_named_once(make_model: MakeModel) -> None:
    model = make_model()
    ids = model.tokenizer.encode(LINES[1])
    found = index_of(model, [*LINES, LINES[1]]).nearest(state_after(model, ids[:6]), model.tokenizer, count=2)
    assert (found[0].text, found[0].word, found[0].position) == (LINES[1], "So", 28)
    assert found[0].likeness == pytest.approx(1, abs=2e-3)
    assert found[1].text != LINES[1]


def test_an_index_is_read_back_with_its_own_model_only(make_model: MakeModel, tmp_path: Path) -> None:
    model, path = make_model(), tmp_path / "index.safetensors"
    index = index_of(model)
    write_index(path, index, model.engine)

    found = read_index(path, model.engine)

    for name in ("hidden", "ids", "starts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(index, name))
    with pytest.raises(ModelFileError) as error:
        read_index(path, make_model(scale=0.5).engine)
    assert str(error.value) == (
        f"{path}: the index belongs to another model than the one beside it. Train with --index to make one anew."
    )


def test_what_is_no_index_is_refused(make_model: MakeModel, tmp_path: Path) -> None:
    model, path = make_model(), tmp_path / "index.safetensors"
    index = index_of(model)
    write_tensor_file(path, {"a": np.zeros(3)}, {"format": "something"})
    with pytest.raises(ModelFileError) as error:
        read_index(path, model.engine)
    assert (
        str(error.value)
        == f"{path}: this is no index of training lines. Train with --index to make one anew."
    )
    damaged = [
        LineIndex(index.hidden[:-1], index.ids, index.starts),
        LineIndex(index.hidden, index.ids + 1000, index.starts),
        LineIndex(index.hidden, index.ids, index.starts[::-1].copy()),
        LineIndex(index.hidden[:, :2].copy(), index.ids, index.starts),
        LineIndex(index.hidden[:0], index.ids[:0], index.starts[:0]),
        LineIndex(index.hidden, np.array(1, np.uint32), index.starts),
        LineIndex(index.hidden, index.ids, index.starts[:, None].copy()),
        LineIndex(index.hidden[:, 0].copy(), index.ids, index.starts),
    ]
    for one in damaged:
        write_index(path, one, model.engine)
        with pytest.raises(ModelFileError) as error:
            read_index(path, model.engine)
        assert str(error.value) == f"{path}: the index is damaged. Train with --index to make one anew."
