"""Ctrl-C and SIGTERM: asked once, forced twice."""

import signal

import pytest

from rnn_cli.training.interrupt import StopSignal

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_only_remembered(number: signal.Signals) -> None:
    with StopSignal() as stop:
        assert not stop.received
        signal.raise_signal(number)
        assert stop.received


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_stops_at_once(first: signal.Signals, second: signal.Signals) -> None:
    with StopSignal():
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)


def test_afterwards_signals_do_what_they_did_before() -> None:
    before_us = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopSignal() as stop:
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
    with StopSignal():
        signal.raise_signal(signal.SIGTERM)
    with StopSignal() as stop:
        assert not stop.received
