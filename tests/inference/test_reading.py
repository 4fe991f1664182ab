"""Reading on, many rows at a time, against one row and one token at a time."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_cli.inference import reading as reading_module
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.reading import Readers, read_on
from rnn_cli.model_tensors import Tensors

TEXTS = [[3, 1, 4], [], [5], [2, 2, 2, 2], [0, 6]]
STARTS = [0, 3, 1, 2, 0]


@pytest.fixture
def engine(make_tensors: Callable[..., Tensors]) -> Engine:
    return Engine(
        make_tensors(9, num_layers=2), num_layers=2, hidden_activation="tanh", output_activation="softmax"
    )


def started(engine: Engine) -> Readers:
    hidden, state = engine.read_each([[start] for start in STARTS])
    return Readers(np.array([-1.0, -2.0, -3.0, -4.0, -5.0]), hidden, state)


@pytest.mark.parametrize("scores_at_once", [1, 30, 1 << 22])
def test_rows_read_together_come_to_what_each_comes_to_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, scores_at_once: int
) -> None:
    monkeypatch.setattr(reading_module, "SCORES_AT_ONCE", scores_at_once)

    read = read_on(engine, started(engine), TEXTS)

    for row, (start, text) in enumerate(zip(STARTS, TEXTS, strict=True)):
        hidden, state = engine.step(np.array([start]), engine.initial_state(1))
        total = -1.0 - row
        for id_ in text:
            total += float(engine.log_probs(hidden)[0, id_])
            hidden, state = engine.step(np.array([id_]), state)
        assert read.log_probs[row] == pytest.approx(total, abs=1e-5)
        np.testing.assert_allclose(read.hidden[row], hidden[0], atol=1e-5)
        np.testing.assert_allclose([h[row] for h in read.state], [h[0] for h in state], atol=1e-5)


def test_the_readers_that_were_given_stay_as_they_were(engine: Engine) -> None:
    readers = started(engine)
    before = [readers.log_probs.copy(), readers.hidden.copy(), *(h.copy() for h in readers.state)]

    read_on(engine, readers, TEXTS)

    for kept, now in zip(before, [readers.log_probs, readers.hidden, *readers.state], strict=True):
        np.testing.assert_array_equal(kept, now)


def test_what_is_not_weighed_is_read_all_the_same(engine: Engine) -> None:
    readers = started(engine).take([0])
    first = read_on(engine, readers, [[3]])
    unknown = read_on(engine, first, [[0]])

    skipped = read_on(engine, readers, [[3, 0, 4]], unweighed=0)

    rest = read_on(engine, unknown, [[4]]).log_probs - unknown.log_probs
    assert skipped.log_probs == pytest.approx(first.log_probs + rest, abs=1e-5)


def test_nothing_to_read_and_nobody_to_read_it_change_nothing(engine: Engine) -> None:
    readers = started(engine)

    assert list(read_on(engine, readers, [[]] * 5).log_probs) == list(readers.log_probs)
    assert len(read_on(engine, readers.take([]), []).log_probs) == 0
