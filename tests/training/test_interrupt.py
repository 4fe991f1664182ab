"""Ctrl-C and SIGTERM: at once before there is something to save; then asked once, forced twice."""

import signal

import pytest

from rnn_cli.training import interrupt
from rnn_cli.training.interrupt import Stopped, StopSignal

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_before_there_is_something_to_save_a_signal_stops_at_once(number: signal.Signals) -> None:
    with StopSignal() as stop, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert not stop.received


@pytest.mark.parametrize("number", SIGNALS)
def test_then_the_first_signal_is_only_remembered_until_it_is_asked_for(number: signal.Signals) -> None:
    with StopSignal() as stop:
        stop.wait_for_steps()
        stop.check()
        signal.raise_signal(number)
        assert stop.received
        with pytest.raises(Stopped):
            stop.check()


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_stops_at_once(
    first: signal.Signals, second: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StopSignal() as stop:
        stop.wait_for_steps()
        signal.raise_signal(first)
        monkeypatch.setattr(interrupt, "ECHO_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)


@pytest.mark.parametrize("first", SIGNALS)
def test_the_echo_of_a_signal_to_a_whole_group_leaves_the_time_to_save(first: signal.Signals) -> None:
    with StopSignal() as stop:
        stop.wait_for_steps()
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            stop.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_do_what_they_did_before() -> None:
    before_us = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopSignal() as stop:
        stop.wait_for_steps()
        assert [signal.getsignal(number) for number in SIGNALS] != before
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert stop.received
    signal.signal(signal.SIGINT, before_us)


def test_after_an_error_signals_do_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    def fail() -> None:
        with StopSignal():
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_each_training_begins_without_a_signal() -> None:
    with StopSignal() as first:
        first.wait_for_steps()
        signal.raise_signal(signal.SIGTERM)
    with StopSignal() as stop:
        assert not stop.received
