"""Judging blocks of many texts against one token at a time."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_cli.inference import judging as judging_module
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.judging import judge
from rnn_cli.model_tensors import Tensors

INPUTS = [[1, 2, 3, 4, 5, 6], [1], [1, 2], [3, 3, 3, 1, 2, 2, 4], [5, 2]]
TARGETS = [[2, 3, 4, 5, 6, 0], [7], [0, 0], [1, 2, 3, 4, 5, 6, 7], [2, 5]]


@pytest.mark.parametrize(("tokens_at_once", "scores_at_once"), [(1, 1), (3, 40), (4096, 1 << 22)])
def test_a_block_is_judged_as_one_token_at_a_time(
    make_tensors: Callable[..., Tensors],
    monkeypatch: pytest.MonkeyPatch,
    tokens_at_once: int,
    scores_at_once: int,
) -> None:
    monkeypatch.setattr(judging_module, "TOKENS_AT_ONCE", tokens_at_once)
    monkeypatch.setattr(judging_module, "SCORES_AT_ONCE", scores_at_once)
    engine = Engine(
        make_tensors(8, num_layers=2), num_layers=2, hidden_activation="tanh", output_activation="sigmoid"
    )
    _, before = engine.read_each([[1], [2], [3], [4], [5]])
    kept = [h.copy() for h in before]

    judged, after = judge(engine, INPUTS, TARGETS, before)

    for row, (ids, targets) in enumerate(zip(INPUTS, TARGETS, strict=True)):
        state = [h[[row]] for h in kept]
        for t, (id_, target) in enumerate(zip(ids, targets, strict=True)):
            hidden, state = engine.step(np.array([id_]), state)
            log_probs = engine.log_probs(hidden)[0]
            assert judged[row].log_probs[t] == pytest.approx(log_probs[target], abs=1e-5)
            assert judged[row].best[t] == pytest.approx(log_probs.max(), abs=1e-5)
            assert judged[row].ranks[t] == list(np.argsort(-log_probs)).index(target) + 1
        np.testing.assert_allclose([h[row] for h in after], [h[0] for h in state], atol=1e-5)
    for h, h_kept in zip(before, kept, strict=True):
        np.testing.assert_array_equal(h, h_kept)
