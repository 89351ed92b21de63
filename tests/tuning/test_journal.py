"""The journal keeps what ended, whatever happens to the process."""

import json
import zlib

import pytest

from nas.files.durable import StateError
from nas.results.trial import FinalTraining, TrialRecord, TrialStatus
from nas.tasks import DEFAULT_TASK
from nas.tuning.journal import Journal, JournalError
from tests.tracking.examples import architecture, failed, trial
from tests.tuning.edited import edit


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
    final = {"event": "final", "trial": 0, "seed": 7, "val_accuracy": 0.7, "test_accuracy": 0.6}
    assert lines[-1] == final | {"crc": lines[-1]["crc"]}


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
    journal.start(0, architecture(4))
    journal.start(1, architecture(6), parent=0)
    journal.end(trial(1, 0.75, filters=6))
    assert journal.read().trials[1].parent is None
    edit(journal.path, ',"parent":null')
    assert journal.read().trials[1].parent == 0


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
        ('{"event":"end","trial":9}', r"line 3 of .* is damaged \(trial 9 has not started\)"),
        ('{"event":"start","trial":1,"architecture":{}}', r"line 3 of .* is damaged \(ArchitectureError"),
        ("[]", r"line 3 of .* is damaged \(TypeError"),
        (
            '{"event":"end","trial":0,"status":"COMPLETED","metrics":{"val_loss":1},"curves":{},'
            '"duration_seconds":1,"reason":"","log":""}',
            r"line 3 of .* is damaged \(a trial was completed without a val_accuracy\)",
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
    with pytest.raises(JournalError, match=rf"line {line} of .* is damaged \(trial \d starts where trial \d would"):
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
        ('"val_accuracy":0.75', '"val_accuracy":1e308', r"must be in \[0, 1\]; received 1e\+308"),
        ('"val_accuracy":0.75', '"val_accuracy":NaN', "numbers are finite; received NaN"),
        ('"val_loss":0.25', '"val_loss":1e999', "numbers are finite; received 1e999"),
        ('"val_loss":0.25', f'"val_loss":{"9" * 400}', "OverflowError"),
        ('"val_loss":0.25', f'"val_loss":{"9" * 401}', "a number has at most 400 digits; received one of 401"),
        ('"val_loss":0.25', f'"val_loss":{"[" * 100_000}', "it is nested too deeply"),
        ('"val_loss":0.25', '"val_loss":true', "val_loss must be a number; received True"),
        (',"val_loss":0.25', "", "completed without a val_loss"),
        ('"loss":[3.0', '"loss":["3.0"', "loss must be a number; received '3.0'"),
        ('"val_accuracy":[0.375', '"val_accuracy":[1.5', r"a curve of val_accuracy must be in \[0, 1\]; received 1.5"),
        ('"duration_seconds":1.5', '"duration_seconds":-1', "duration_seconds must be at least 0; received -1"),
        ('"val_loss":0.25', '"val_loss":0.25,"latency_ms":-1', "latency_ms must be at least 0; received -1"),
        ('"reason":""', '"reason":0', "reason must be text; received 0"),
        ('"parent":null', '"parent":"\\u001b[31m"', r"parent must be a whole number from 0; received '\\x1b\[31m'"),
        ('"parent":null', '"parent":0', "the parent of trial 0 is an earlier one; received 0"),
        ('"status":"COMPLETED"', '"status":"RUNNING"', "a trial that has ended does not run"),
        ('"status":"COMPLETED"', '"status":"STOPPED","curves":{}', "an object has a key twice"),
        ('"event":"end","trial":0', '"event":"end","trial":0.0', "trial must be a whole number from 0; received 0.0"),
        ('"event":"end","trial":0', '"event":"end","trial":5', "trial 5 has not started"),
        ('"event":"end"', '"event":"banana"', "start, continue, end, final or exhausted; received 'banana'"),
        ('"event":"end"', '"event":"continue"', "trial 0 goes on when it is RUNNING, not STOPPED"),
        ('"event":"end"', '"event":"final"', "trial 0 is trained again when it is RUNNING, not COMPLETED"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(journal, old, new, says):
    fill(journal)
    edit(journal.path, old, new)
    with pytest.raises(JournalError, match=f"line 3 of .*{says}.*restore the file from a backup"):
        journal.read()


def test_a_trial_ends_once(journal):
    fill(journal)
    journal.end(trial(0, 1.0, filters=4))
    with pytest.raises(JournalError, match=r"line 7 of .*trial 0 ends when it is COMPLETED, not RUNNING"):
        journal.read()


def test_a_network_is_tried_once(journal):
    fill(journal)
    journal.start(3, architecture(4))
    with pytest.raises(JournalError, match=r"line 7 of .*trial 3 has the network of an earlier trial"):
        journal.read()


def test_a_seed_of_the_final_stage_is_trained_once(journal):
    fill(journal)
    journal.final_failed(0, 7, "The loss became nan in epoch 2.")
    journal.final(0, FinalTraining(seed=7, val_score=1.0, test_score=1.0))
    with pytest.raises(JournalError, match=r"line 8 of .*the seed 7 is there twice"):
        journal.read()


def test_a_trial_stops_and_goes_on(journal):
    journal.start(0, architecture(4))
    stopped = trial(0, 0.5, filters=4, status=TrialStatus.STOPPED)
    journal.end(stopped)
    assert journal.read().trials == (stopped,)
    journal.resume(0)
    assert journal.read().trials[0].status is TrialStatus.RUNNING
    journal.end(trial(0, 0.75, filters=4))
    assert journal.read().trials == (trial(0, 0.75, filters=4),)


def test_a_stopped_trial_has_a_curve(journal):
    journal.start(0, architecture(4))
    journal.end(trial(0, 0.5, filters=4, status=TrialStatus.STOPPED, curves={}))
    with pytest.raises(JournalError, match=r"line 3 of .*a trial stopped without a curve of val_accuracy"):
        journal.read()


def test_a_refused_trial_has_what_was_measured(journal):
    journal.start(0, architecture(4))
    refused = trial(0, 0, filters=4, status=TrialStatus.REFUSED, metrics={"latency_ms": 3.5}, curves={}, reason="slow")
    journal.end(refused)
    assert journal.read().trials == (refused,)


def test_a_line_ends_with_its_checksum(journal):
    fill(journal)
    for line in journal.path.read_bytes().splitlines():
        body, checksum = line.rsplit(b',"crc":', 1)
        assert checksum == b'"%08x"}' % zlib.crc32(body + b"}")
    assert journal.read().unchecked == 0


def test_any_changed_byte_is_damage(journal):
    fill(journal)
    whole = journal.path.read_bytes()
    third = sum(len(line) for line in whole.splitlines(keepends=True)[:2])
    end = whole.index(b"\n", third)
    name = end - len('crc":"12345678"}'), end - len('":"12345678"}')
    for place in range(third, end):
        changed = bytearray(whole)
        changed[place] ^= 1
        journal.path.write_bytes(changed)
        if place in range(*name):
            # A line without a checksum, whose content is as it was.
            assert journal.read().trials[0] == trial(0, 0.75, filters=4)
            assert journal.read().unchecked == 1
        else:
            with pytest.raises(JournalError, match="line 3 of"):
                journal.read()


def test_a_checksum_elsewhere_is_damage(journal):
    fill(journal)
    edit(journal.path, '"event":"end"', '"crc":"00000000","event":"end"')
    with pytest.raises(JournalError, match=r"line 3 of .*it was changed: the checksum is its last field, of 8 digits"):
        journal.read()


def test_lines_of_earlier_versions_are_read_unchecked(journal):
    fill(journal)
    before = journal.read().trials
    edit(journal.path)
    journal.end(trial(2, 0.5, filters=8))
    contents = journal.read()
    assert contents.unchecked == 6
    assert contents.trials[:2] == before[:2]
