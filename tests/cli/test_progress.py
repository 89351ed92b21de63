"""What a terminal shows while a search runs, and what a file gets."""

import io

import pytest
from rich.console import Console

from nas.cli import progress
from tests.tracking.examples import SCORE, failed, trial


@pytest.fixture
def shown(monkeypatch):
    """A progress display on a console of our own, and what it printed."""

    def make(*, terminal, width=120):
        text = io.StringIO()
        text.isatty = lambda: terminal
        console = Console(file=text, force_terminal=terminal or None, width=width, color_system=None)
        monkeypatch.setattr(progress, "errors", console)
        return progress.Progress(trials=4, epochs=3, time_limit=None, score=SCORE), text

    return make


def test_a_file_gets_one_plain_line_a_trial(shown):
    display, text = shown(terminal=False, width=200)
    with display:
        display.on_stage("reading the data")
        display.on_trial_begin(trial(0, 0.5))
        display.on_epoch(trial(0, 0.5), 1, {"val_score": 0.25})
        display.on_trial_end(trial(0, 0.5))
        display.on_trial_end(failed(1))
        display.on_trial_end(trial(2, 0.4, filters=20))
    first, *lines = text.getvalue().splitlines()
    assert first == "Reading the data ..."
    assert len(lines) == 3
    assert lines[0].startswith("   1/4  trial 0            ")
    assert "50.00%  front" in lines[0]
    assert "failed: The loss became nan in epoch 2." in lines[1]
    assert "front" not in lines[2]
    assert "\x1b" not in text.getvalue()


def test_a_terminal_also_shows_what_runs_now(shown):
    display, text = shown(terminal=True)
    with display:
        display.on_trial_end(trial(0, 0.5))
        display.on_trial_begin(trial(1, 0.5))
        display.on_epoch(trial(1, 0.5), 2, {"val_score": 0.25})
        display.live.refresh()
        assert "1/4 trials  1 on the front  best 50.00% at" in text.getvalue()
        assert "epoch 2/3, 25.00%" in text.getvalue()


def test_what_does_not_fit_stands_below_its_line(shown):
    display, text = shown(terminal=False, width=60)
    with display:
        display.on_trial_end(trial(0, 0.5))
        display.on_trial_end(trial(1, 0.25, filters=20))
    lines = text.getvalue().splitlines()
    assert [line.split()[:3] for line in lines[::2]] == [["1/4", "trial", "0"], ["2/4", "trial", "1"]]
    assert lines[1::2] == ["      conv3-16, max2, conv1-8, global_pool", "      conv3-20, max2, conv1-8, global_pool"]


def test_a_terminal_says_what_takes_a_while_before_the_first_trial(shown):
    display, text = shown(terminal=True)
    with display:
        display.on_stage("starting TensorFlow")
        assert "starting TensorFlow" in text.getvalue()  # before the import, which shows nothing
        display.on_trial_begin(trial(0, 0.5))
        display.live.refresh()
        assert "global_pool, building" in text.getvalue()


def test_colors_that_are_forced_make_no_terminal_of_a_file(shown, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    display, _ = shown(terminal=False)
    assert display.live is None


def test_kept_trials_count(shown):
    _, text = shown(terminal=False)
    display = progress.Progress(trials=4, epochs=3, time_limit=None, score=SCORE, known=[trial(0, 0.5), trial(1, 0.6)])
    display.on_trial_end(trial(2, 0.1, filters=40))
    assert text.getvalue().startswith("   3/4  trial 2 ")
