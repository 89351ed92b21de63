"""The journal keeps what ended, whatever happens to the process."""

import json

import pytest

from nas.files.durable import StateError
from nas.results.trial import FinalTraining, TrialRecord, TrialStatus
from nas.tasks import DEFAULT_TASK
from nas.tuning.journal import Journal, JournalError
from tests.tracking.examples import architecture, failed, trial


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "trials.jsonl", DEFAULT_TASK.score)
    made.create()
    return made


def fill(journal):
    journal.start(0, architecture(4))
    journal.end(trial(0, 0.75, filters=4))
    journal.start(1, architecture(6))
    journal.end(failed(1))
    journal.start(2, architecture(8))


def test_reads_back_what_was_written(journal):
    fill(journal)
    first, second, third = journal.read().trials
    assert first == trial(0, 0.75, filters=4)
    assert (second.status, second.reason) == (TrialStatus.FAILED, "The loss became nan in epoch 2.")
    assert third == TrialRecord(number=2, architecture=architecture(8), status=TrialStatus.RUNNING)


def test_the_file_has_the_name_of_the_metric(journal):
    fill(journal)
    journal.final(0, FinalTraining(seed=7, val_score=0.7, test_score=0.6))
    lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert lines[2]["metrics"] == {"val_accuracy": 0.75, "val_loss": 0.25}
    assert list(lines[2]["curves"]) == ["val_accuracy", "loss"]
    assert lines[-1] == {"event": "final", "trial": 0, "seed": 7, "val_accuracy": 0.7, "test_accuracy": 0.6}


def test_a_used_up_space_is_known_when_it_is_read(journal):
    fill(journal)
    assert not journal.read().exhausted
    journal.exhaust()
    assert journal.read().exhausted
    assert len(journal.read().trials) == 3


def test_a_failed_training_of_the_final_stage_is_kept_beside_those_that_ended(journal):
    fill(journal)
    training = FinalTraining(seed=7, val_score=0.7, test_score=0.6)
    journal.final_failed(0, 5, "The loss became nan in epoch 2.")
    journal.final(0, training)
    first = journal.read().trials[0]
    assert (first.finals, first.failed_finals) == ((training,), {5: "The loss became nan in epoch 2."})


def test_a_trial_has_the_parent_of_its_end_or_if_that_names_none_of_its_start(journal):
    journal.start(0, architecture(4), parent=7)
    journal.end(trial(0, 0.75, filters=4))
    assert journal.read().trials[0].parent is None
    journal.path.write_text(journal.path.read_text().replace(',"parent":null', ""))
    assert journal.read().trials[0].parent == 7


def test_a_new_journal_is_empty_and_is_made_once(journal):
    assert journal.read().trials == ()
    fill(journal)
    journal.create()
    assert len(journal.read().trials) == 3


@pytest.mark.parametrize("use", [Journal.read, Journal.repair])
def test_an_absent_journal_is_an_error(tmp_path, use):
    with pytest.raises(JournalError, match=r"cannot read .*trials.jsonl: No such file.*; restore the file from a back"):
        use(Journal(tmp_path / "trials.jsonl", DEFAULT_TASK.score))


def test_nothing_is_written_to_a_journal_that_was_removed(journal):
    fill(journal)
    journal.path.unlink()
    with pytest.raises(StateError, match=r"cannot keep the search's state in .*: No such file or directory"):
        journal.resume(0)
    assert not journal.path.exists()


@pytest.mark.parametrize("kept", [0, 20])
def test_a_journal_without_a_first_line_is_an_error(journal, kept):
    journal.path.write_bytes(journal.path.read_bytes()[:kept])
    journal.repair()
    with pytest.raises(JournalError, match=r"trials.jsonl has not even its first line; restore the file .* or start"):
        journal.read()


def test_a_journal_without_its_header_is_an_error(journal):
    fill(journal)
    journal.path.write_bytes(journal.path.read_bytes().split(b"\n", 1)[1])
    with pytest.raises(JournalError, match=r"line 1 of .*this is no journal of nas"):
        journal.read()


def test_every_cut_leaves_the_ended_trials(journal, tmp_path):
    """A kill may cut the file at any byte after the header, which is written as a whole."""
    fill(journal)
    whole = journal.path.read_bytes()
    ends = [position for position, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(ends[0] + 1, len(whole) + 1):
        journal.path.write_bytes(whole[:cut])
        journal.repair()
        kept = journal.read().trials
        assert sum(record.completed for record in kept) == (cut > ends[2])
        assert journal.path.read_bytes() == whole[: max((end + 1 for end in ends if end < cut), default=0)]


def test_writing_goes_on_after_a_cut(journal):
    fill(journal)
    journal.path.write_bytes(journal.path.read_bytes()[:-7])
    journal.repair()
    journal.start(2, architecture(8))
    journal.end(trial(2, 0.5, filters=8))
    assert [record.status for record in journal.read().trials] == [
        TrialStatus.COMPLETED,
        TrialStatus.FAILED,
        TrialStatus.COMPLETED,
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 3 of .*trials.jsonl is damaged \(JSONDecodeError"),
        ('{"event":"end","trial":9}', r"line 3 of .* is damaged \(KeyError"),
        ('{"event":"start","trial":1,"architecture":{}}', r"line 3 of .* is damaged \(ArchitectureError"),
        ("[]", r"line 3 of .* is damaged \(TypeError"),
        (
            '{"event":"end","trial":0,"status":"COMPLETED","metrics":{"val_loss":1},"curves":{},'
            '"duration_seconds":1,"reason":"","log":""}',
            r"line 3 of .* is damaged \(ValueError: a trial was completed without a val_accuracy\)",
        ),
    ],
)
def test_damage_is_an_error_and_never_a_restart(journal, line, message):
    fill(journal)
    lines = journal.path.read_text().splitlines()
    lines[2] = line
    journal.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(JournalError, match=message + r".*; restore the file from a backup, or start over with --fresh"):
        journal.read()


@pytest.mark.parametrize(("removed", "line"), [((1, 2), 2), ((3, 4), 4)])
def test_a_removed_trial_is_an_error(journal, removed, line):
    """Keras Tuner would give the number of another trial once more."""
    fill(journal)
    lines = journal.path.read_text().splitlines(keepends=True)
    journal.path.write_text("".join(line for number, line in enumerate(lines) if number not in removed))
    with pytest.raises(JournalError, match=rf"line {line} of .*: trial \d starts where trial \d would"):
        journal.read()


def test_a_newer_journal_is_refused(journal):
    journal.path.write_text(json.dumps({"format": 99, "kind": "nas trials"}) + "\n")
    with pytest.raises(JournalError, match=r"newer version .format 99, this one reads 1.; upgrade keras-nas"):
        journal.read()


def test_another_file_is_no_journal(journal):
    journal.path.write_text('{"a": 1}\n')
    with pytest.raises(JournalError, match=r"line 1 of .*this is no journal of nas"):
        journal.read()


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_full_disk_is_one_line_and_loses_nothing(journal, full_disk, room):
    fill(journal)
    before = journal.path.read_bytes()
    # Some of the line is taken before the disk is full.
    refused = pytest.raises(StateError, match=r"cannot keep the search's state in .*: File too large; everything that")
    with full_disk(len(before) + room), refused:
        journal.end(trial(2, 0.5, filters=8))
    assert journal.path.read_bytes() == before
    journal.end(trial(2, 0.5, filters=8))
    assert len(journal.read().trials) == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"val_accuracy":0.75', '"val_accuracy":2.0', r"val_accuracy must be in \[0, 1\]; received 2"),
        ('"val_accuracy":0.75', '"val_accuracy":-5', r"must be in \[0, 1\]; received -5"),
        ('"val_accuracy":0.75', '"val_accuracy":NaN', r"must be in \[0, 1\]; received nan"),
        ('"val_accuracy":0.75', '"val_accuracy":1e308', r"must be in \[0, 1\]; received 1e\+308"),
        ('"val_accuracy":0.75', f'"val_accuracy":{"9" * 400}', "OverflowError"),
        ('"val_accuracy":0.75', f'"val_accuracy":{"[" * 100_000}', "RecursionError"),
        ('"event":"end"', '"event":"banana"', "start, continue, end, final or exhausted; received 'banana'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(journal, old, new, says):
    fill(journal)
    journal.path.write_text(journal.path.read_text().replace(old, new, 1))
    with pytest.raises(JournalError, match=f"line 3 of .*{says}.*restore the file from a backup"):
        journal.read()
