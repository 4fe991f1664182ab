"""What each kind of error means to a script that runs `rnn`."""

import pytest

from rnn_cli.errors import (
    ConfigError,
    Interrupted,
    ModelFileError,
    RankLostError,
    RnnError,
    TextError,
    TrainingError,
    UsageError,
)
from tests.conftest import Rnn

CODES = {
    RnnError("It failed."): 1,
    TextError("It failed."): 1,
    ModelFileError("It failed."): 1,
    TrainingError("It failed."): 1,
    RankLostError("It failed."): 1,
    UsageError("It failed."): 2,
    ConfigError(["It failed."]): 2,
}


@pytest.mark.parametrize("error", CODES, ids=lambda error: type(error).__name__)
def test_an_understood_failure_is_its_message_and_its_exit_code(
    rnn: Rnn, error: RnnError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("rnn_cli.config.load_config", fail)
    assert rnn("check", "x.yaml") == (CODES[error], "", "error: It failed.\n")


def test_a_stop_that_was_asked_for_is_a_note_and_130(rnn: Rnn, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise Interrupted("Stopped.")

    monkeypatch.setattr("rnn_cli.config.load_config", stop)
    assert rnn("check", "x.yaml") == (130, "", "Stopped.\n")


def test_every_kind_of_error_has_its_place_here() -> None:
    def kinds(error: type[RnnError]) -> set[type[RnnError]]:
        return {error}.union(*(kinds(kind) for kind in error.__subclasses__()))

    assert kinds(RnnError) == {type(error) for error in CODES} | {Interrupted}
