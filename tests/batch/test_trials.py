"""The trials of a search, without training any."""

from pathlib import Path

import pytest

from rnn_cli.batch.progress import Progress
from rnn_cli.batch.search import Search
from rnn_cli.errors import UsageError
from tests.batch.conftest import LoadPlan

pytest.importorskip("optuna")

PLAN = """\
configs: tiny.yaml
search: {trials: 9, startup_trials: 2}
sample: {model.hidden_size: {low: 20, high: 1060}}
"""


def test_repeats_do_not_count_among_the_startup_trials(
    plan_of: LoadPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optuna.Trial.should_prune", lambda _: True)
    validation = {"event": "validation", "step": 10, "loss": 1.0}
    with Search.open(plan_of(PLAN), Path("study")) as search:
        for _ in range(2):
            search._repeat(search._ask())
        trials = [search.next() for _ in range(3)]
        judged = [
            (trial.number, search.judge(trial, [validation], Progress(total_windows=30)))
            for trial in trials
            if trial
        ]
    assert judged == [(2, False), (3, False), (4, True)]


def test_a_name_that_is_too_long_is_one_sentence(plan_of: LoadPlan) -> None:
    path = Path("n" * 300)
    with pytest.raises(UsageError) as error:
        Search.open(plan_of(PLAN), path)
    assert str(error.value) == (
        f"{path}: cannot be written to (File name too long). Choose another --run-dir."
    )
