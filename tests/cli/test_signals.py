"""Signals end a block, whatever Python does when they come."""

import contextlib
import gc
import signal
import sys
import time
from functools import partial

import pytest

from nas.cli.signals import Signals, TerminatedError

SIGNALS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, TerminatedError)]


@pytest.fixture
def printed(monkeypatch):
    types = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: types.append(lost.exc_type))
    return types


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_a_signal_ends_the_block(number, error):
    before = signal.getsignal(number)
    with pytest.raises(error), Signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_a_signal_that_is_lost_in_garbage_collection_comes_again(printed, number, error):
    def interrupt(phase, info):
        gc.callbacks.remove(interrupt)
        signal.raise_signal(number)

    def lose_and_wait():
        gc.callbacks.append(interrupt)
        gc.collect()
        assert interrupt not in gc.callbacks
        time.sleep(30)

    began = time.monotonic()
    with pytest.raises(error) as raised, Signals():
        lose_and_wait()
    assert type(raised.value) is error
    assert time.monotonic() - began < 20
    assert not printed


def test_a_lost_signal_is_sent_until_it_is_handled(printed, monkeypatch):
    """The first one comes as the main thread begins to wait: it is as if it had not been sent."""
    sent, send = [], signal.pthread_kill

    def miss_the_first(thread, number):
        sent.append(number)
        if len(sent) > 1:
            send(thread, number)

    def interrupt(phase, info):
        gc.callbacks.remove(interrupt)
        signal.raise_signal(signal.SIGINT)

    def lose_and_wait():
        gc.callbacks.append(interrupt)
        gc.collect()
        time.sleep(10)

    monkeypatch.setattr(signal, "pthread_kill", miss_the_first)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Signals():
        lose_and_wait()
    assert time.monotonic() - began < 9
    assert set(sent) == {signal.SIGINT}
    assert not printed


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_a_signal_that_a_library_swallows_is_raised_at_the_next_event(number, error):
    with Signals() as signals:
        signals.on_trial_begin(None)
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        for event in (
            partial(signals.on_trial_begin, None),
            partial(signals.on_epoch, None, 1, {}),
            partial(signals.on_trial_end, None),
            partial(signals.on_final, None, 1, 2),
        ):
            with pytest.raises(error):
                event()


def test_a_lost_signal_does_not_come_after_the_block(printed):
    def interrupt(phase, info):
        gc.callbacks.remove(interrupt)
        signal.raise_signal(signal.SIGINT)

    with Signals():
        gc.callbacks.append(interrupt)
        gc.collect()
    time.sleep(0.3)
    assert interrupt not in gc.callbacks


def test_what_else_python_loses_is_reported_as_ever(printed):
    class Leaves:
        def __del__(self):
            raise ZeroDivisionError

    hook = sys.unraisablehook
    with Signals():
        Leaves()
    assert printed == [ZeroDivisionError]
    assert sys.unraisablehook is hook
