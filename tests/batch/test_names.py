"""What the run of a config is called, and what no run may be called."""

from pathlib import Path

import pytest

from rnn_cli.batch import journal, record, search, searched
from rnn_cli.batch.names import FILES_OF_A_STUDY, config_name
from rnn_cli.training import run_lock
from rnn_cli.training.run_folder import RunFolder


@pytest.mark.parametrize(
    ("path", "name"), [("a/b.yaml", "b"), ("b.c.yml", "b.c"), ("..yaml", "config"), ("...yaml", "config")]
)
def test_a_run_is_called_like_its_config_and_never_like_a_folder_above(path: str, name: str) -> None:
    assert config_name(Path(path)) == name


def test_every_file_beside_the_runs_is_one_that_no_run_is_called_like() -> None:
    run = RunFolder(Path("study"))
    known = {path.name for path in (run.config, run.metrics, run.summary)}
    known |= {record.NAME, searched.SEARCH, journal.JOURNAL, search.TURN, run_lock.NAME}
    assert known <= FILES_OF_A_STUDY
