"""Replays: what is scored, that it can be repeated, and how it is shown."""

import csv
import errno
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from statistics import stdev

import psutil
import pytest

from nas.architecture import Budget
from nas.benchmark import TableSpace, bench, load_table, parse_table, run_bench, with_means
from nas.benchmark.peers import make_contestant
from nas.benchmark.replay import observed, replay
from nas.benchmark.table import TableError
from nas.benchmark.truth import Truth
from nas.cli import main
from nas.objectives import PARAMETERS
from nas.strategies import Strategy
from nas.strategies.base import STRATEGIES
from nas.strategies.early_stopping import NoEarlyStopping
from tests.children import spawned_by

# One decade of parameters from each network to the next larger one, and a tenth of three behind the largest.
TABLE = """g,parameters,accuracy,accuracy_1,accuracy_2
a,10,0.1,0.1,0.1
b,100,0.5,0.4,0.6
c,1000,0.4,0.1,0.7
d,1000,0.9,0.9,0.9
e,10000,0.8,0.8,0.8
"""

INTERRUPTED = "Interrupted: a benchmark keeps nothing. Fewer --repeats or --strategies take less time.\n"


@pytest.fixture
def table():
    """In which a is no better than guessing."""
    return replace(parse_table(TABLE, "five"), floor=0.1)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "five.csv"
    file.write_text(TABLE)
    return file


def test_shares_by_hand(table):
    truth = Truth(TableSpace(table), Budget())
    b, d = map(truth.objectives.worth, (0.5, 0.9))
    whole = b * 1 + d * 1.3
    assert truth.whole == pytest.approx(whole / 3.3)
    assert truth.share(table.rows) == 1
    assert truth.share([]) == 0
    assert truth.share([table.rows[0]]) == 0
    assert truth.share([table.rows[3]]) == pytest.approx(d * 1.3 / whole)
    assert truth.share([table.rows[1], table.rows[2]]) == pytest.approx(b * 2.3 / whole)


def test_the_truth_is_that_of_a_search_inside_the_budget(table):
    truth = Truth(TableSpace(replace(table, finest=0.01)), Budget(max_parameters=2_000))
    # From a twentieth of the limit on: b is at the lower end.
    assert truth.objectives.interest == {PARAMETERS: (100, 2_000)}
    assert (truth.objectives.floor, truth.objectives.finest, truth.objectives.budget) == (0.1, 0.01, 2_000)
    assert truth.rows == list(table.rows[:4])
    b, d = map(truth.objectives.worth, (0.5, 0.9))
    decades = 1.1 * math.log10(20)
    assert truth.share([table.rows[1]]) == pytest.approx(b * decades / (b + d * (decades - 1)))


def test_a_front_without_hypervolume_is_an_error(table):
    message = (
        "the front of the table 'five' has no hypervolume: of 2 networks inside the budget none has a higher accuracy "
        "than 0.5; give better networks, or a lower floor"
    )
    with pytest.raises(TableError, match=f"^{message}$"):
        Truth(TableSpace(replace(table, floor=0.5)), Budget(max_parameters=500))


class Listed(Strategy):
    """Proposes rows in a given order."""

    order = ()

    def propose(self, history, rng):
        return self.space.table.rows[self.order[len(history)]] if len(history) < len(self.order) else None


def replayed(table, order, *, trials, seed=0, budget=None):
    """A run that trains rows in this order, and what it is measured against."""
    space, budget = TableSpace(table), budget or Budget()
    truth = Truth(space, budget)
    strategy, none = Listed(space, budget, truth.objectives), NoEarlyStopping(1, truth.objectives)
    strategy.order = order
    return replay(strategy, none, most=None, truth=truth, budget=budget, trials=trials, seed=seed), truth


def test_a_run_is_told_one_observation_and_scored_with_means(table):
    # A seed with which row c looks better than b: it is believed to be on the front above b and hides d's absence.
    seed = next(seed for seed in range(50) if observed(table.rows[2], seed) == 0.7)
    run, truth = replayed(table, [1, 2], trials=[1, 2, 5], seed=seed)
    # The mean of c is below that of b: it adds nothing.
    assert run.shares[0] == run.shares[1] == run.shares[2] == pytest.approx(truth.share([table.rows[1]]))
    assert (run.trials, run.exhausted, run.repeats, run.infeasible) == (2, True, 0, 0)


def test_a_point_that_is_not_believed_is_not_scored(table):
    seed = next(seed for seed in range(50) if observed(table.rows[1], seed) == 0.4)
    rows = table.rows
    run, truth = replayed(table, [0, 1, 2], trials=[3], seed=seed)
    believed = [rows[1], *([rows[2]] if observed(rows[2], seed) > 0.4 else [])]
    assert run.shares[0] == pytest.approx(truth.share(believed))


def test_waste_is_counted(table):
    run, truth = replayed(table, [1, 1, 4, 0], trials=[4], budget=Budget(max_parameters=5_000))
    assert (run.repeats, run.infeasible, run.shares[0]) == (1, 1, truth.share([table.rows[1]]))


def test_observations_are_the_same_in_one_run_and_vary_over_runs(table):
    assert {observed(table.rows[1], seed) for seed in range(20)} == {0.4, 0.6}
    assert observed(table.rows[1], 3) == observed(table.rows[1], 3)


def test_a_run_of_the_whole_table_may_be_misled_too():
    # Of c, half of the runs see 0.4: it is as if b were better, and the volume above b is lost.
    noisy = parse_table(
        "g,parameters,accuracy,accuracy_1,accuracy_2\na,10,0.1,0.1,0.1\nb,100,0.5,0.5,0.5\n"
        "c,1000,0.6,0.4,0.8\nd,10000,0.2,0.2,0.2\n",
        "noisy",
    )
    shares = {}
    for seed in range(20):
        run, truth = replayed(noisy, [0, 1, 2, 3], trials=[4], seed=seed)
        assert run.whole_table == run.shares[0]
        shares[observed(noisy.rows[2], seed)] = run.whole_table
    a, b, c = map(truth.objectives.worth, (0.1, 0.5, 0.6))
    assert shares == {0.8: 1.0, 0.4: pytest.approx((a + b * 2.3) / (a + b + c * 1.3))}


def test_seconds_are_those_of_proposals_and_not_of_the_first_import(path, monkeypatch):
    class Slow(Strategy):
        imported = False

        def propose(self, history, rng):
            if not Slow.imported:
                time.sleep(1)
            Slow.imported = True
            return self.space.sample(rng, self.budget)

    monkeypatch.setattr("nas.benchmark.bench.make_contestant", lambda name, *given: (Slow(*given), None))
    (result,) = run_bench([str(path)], ["slow"], trials=[2], repeats=2)
    assert Slow.imported
    assert result.seconds < 1 / 4 / 2


def test_keras_tuners_oracles_are_silent(path, capfd):
    run_bench([str(path)], ["keras-tuner-random"], trials=[2], repeats=1, processes=1)
    assert capfd.readouterr() == ("", "")


def test_two_benches_give_the_same_numbers_on_any_number_of_processes(path):
    def numbers(processes):
        budget = Budget(max_parameters=5_000)
        results = run_bench(
            [str(path)], ["random", "local"], trials=[2, 4], repeats=3, budget=budget, processes=processes
        )
        return [(result.strategy, result.shares, result.errors) for result in results]

    assert numbers(0) == numbers(2)


def test_an_exhausted_table_ends_the_run(path):
    result = run_bench([str(path)], ["random"], trials=[1, 50], repeats=2)[0]
    assert result.exhausted == 5
    assert result.shares[1] > result.shares[0]


def test_means_over_tables(path, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(TABLE.replace("0.9,0.9,0.9", "0.3,0.3,0.3"))
    tables = [str(path), str(other)]
    *results, mean = with_means(run_bench(tables, ["random"], trials=[2], repeats=4), {"both": tables})
    assert mean.table == "both (mean)"
    assert mean.shares[0] == pytest.approx((results[0].shares[0] + results[1].shares[0]) / 2)
    assert mean.whole_table == pytest.approx((results[0].whole_table + results[1].whole_table) / 2)
    # What one seed had luck with on one table, it has on the other: errors of these tables are not independent.
    by_seed = [(one + two) / 2 for (one,), (two,) in zip(results[0].runs, results[1].runs, strict=True)]
    assert mean.errors[0] == pytest.approx(stdev(by_seed) / 2)
    same = tmp_path / "same.csv"
    same.write_text(path.read_text())
    tables = [str(path), str(same)]
    one, _, mean = with_means(run_bench(tables, ["random"], trials=[2], repeats=4), {"both": tables})
    assert mean.errors == one.errors


def test_a_single_run_has_no_standard_error(capsys, path, tmp_path):
    arguments = ["--table", path, "--strategies", "random", "--trials", "2", "--repeats", "1"]
    code, out, _ = run(capsys, *arguments, "--plot", tmp_path / "one.png")
    assert code == 0
    assert "±" not in out.split("\n", 1)[1]
    (row,) = csv.DictReader(io.StringIO(run(capsys, *arguments, "--format", "csv")[1]))
    assert row["standard_error"] == ""


def test_no_strategy_of_ours_repeats_itself_or_leaves_the_budget():
    budget = Budget(max_parameters=4_500)
    ours = sorted(name for name in STRATEGIES if not name.startswith("optuna"))
    for result in run_bench(["naap440"], ours, trials=[30], repeats=1, budget=budget):
        assert (result.strategy, result.repeats, result.infeasible) == (result.strategy, 0, 0)


def run(capsys, *arguments):
    code = main(["bench", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_prints_a_table(capsys, path):
    code, out, err = run(capsys, "--table", path, "--strategies", "random", "--trials", "2,9", "--repeats", 2)
    assert code == 0
    assert "Share of the true front's hypervolume" in out
    assert "2 trials" in out
    assert "five.csv: a run of every network, observed once each, reaches 1.000" in " ".join(out.split())
    assert f"random on {path}: all 5 architectures tried" in err


def test_the_command_s_json_and_csv_agree(capsys, path):
    options = ("--table", path, "--strategies", "random,local", "--trials", "4,2", "--repeats", 2)
    _, text, _ = run(capsys, *options, "--format", "json")
    document = json.loads(text)
    assert document["settings"]["trials"] == [2, 4]
    _, text, _ = run(capsys, *options, "--format", "csv")
    records = list(csv.DictReader(io.StringIO(text)))
    assert [(r["strategy"], r["trials"]) for r in records] == [
        ("random", "2"),
        ("random", "4"),
        ("local", "2"),
        ("local", "4"),
    ]
    for record, other in zip(records, document["results"], strict=True):
        assert float(record["hypervolume_share"]) == other["hypervolume_share"]


def test_the_command_draws(capsys, path, tmp_path):
    picture = tmp_path / "new" / "bench.svg"
    options = ("--table", path, "--strategies", "random", "--trials", "2,4", "--repeats", 2, "--plot", picture)
    assert run(capsys, *options)[0] == 0
    assert "random" in picture.read_text()
    assert "every network" in picture.read_text()
    assert "<!-- trials -->" in picture.read_text()


@pytest.mark.parametrize(("picture", "why"), [("file/x.png", "File exists"), ("folder.png", "Is a directory")])
def test_a_picture_that_cannot_be_written_is_refused_before_anything_runs(capsys, monkeypatch, tmp_path, picture, why):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr("nas.benchmark.run_bench", lambda *_, **__: pytest.fail("it ran"))
    code, out, err = run(capsys, "--plot", tmp_path / picture)
    assert (code, out) == (1, "")
    assert err == f"Error: cannot write {tmp_path / picture}: {why}; choose another file\n"


def test_a_run_that_is_interrupted_leaves_no_picture_and_says_what_is_kept(capsys, monkeypatch, path, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.benchmark.run_bench", interrupted)
    code, out, err = run(capsys, "--table", path, "--plot", tmp_path / "x.png")
    assert (code, out) == (130, "")
    assert err == INTERRUPTED
    assert not (tmp_path / "x.png").exists()


def test_a_picture_that_fails_does_not_lose_the_numbers(capsys, monkeypatch, path, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nas.benchmark.plot", full)
    options = ("--table", path, "--strategies", "random", "--trials", "2", "--repeats", 1, "--format", "json")
    code, out, err = run(capsys, *options, "--plot", tmp_path / "x.png")
    assert code == 1
    assert json.loads(out)["results"]
    assert "the disk is full" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials", "0,5"), "--trials takes whole numbers from 1 up with commas between them, such as 25,50"),
        (("--trials", "many"), "received 'many'"),
        (("--strategies", "randm"), "there is no strategy 'randm' (did you mean 'random'?)"),
        (("--plot", "bench.txt"), "--plot takes a file that ends in .png, .svg, .pdf; received 'bench.txt'"),
        (("--strategies", ","), "--strategies takes names with commas between them"),
        (
            ("--table", "nowhere.csv"),
            "there is no table 'nowhere.csv'; give a .csv file, or one of digits-mixed, fashion-mixed, fashion-tiny, "
            "fashion-widths, naap440",
        ),
        (("--max-params", "1k"), "no row of the table 'naap440' is inside at most 1,000 parameters: they have 2,566"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_keras_tuner_s_own_oracles_waste_trials_and_it_is_counted():
    names = ["keras-tuner-random", "keras-tuner-bayesian"]
    for result in run_bench(["naap440"], names, trials=[12], repeats=1, budget=Budget(max_parameters=6_000)):
        assert result.infeasible > 0
        assert 0 < result.shares[0] < 1


def test_a_peer_without_the_gate_wastes_trials_and_it_is_counted():
    pytest.importorskip("optuna", reason="needs the extra `peers`")
    names = ["optuna-tpe-ungated", "optuna-tpe"]
    ungated, gated = run_bench(["naap440"], names, trials=[12], repeats=1, budget=Budget(max_parameters=6_000))
    assert ungated.infeasible > 0
    assert (gated.infeasible, gated.repeats) == (0, 0)


def test_repeats_are_shown(path):
    pytest.importorskip("optuna", reason="needs the extra `peers`")
    (result,) = run_bench([str(path)], ["optuna-nsga2-ungated"], trials=[12], repeats=1)
    # There are 5 networks.
    assert result.repeats >= 12 - 5


@pytest.mark.parametrize("name", ["keras-tuner-random", "optuna-tpe-ungated"])
def test_peers_are_told_the_scores_of_their_trials(name):
    if name.startswith("optuna"):
        pytest.importorskip("optuna", reason="needs the extra `peers`")
    rows = "".join(
        f"{a},{b},{100 + 10 * a + b},0.{5 + a + b},0.{4 + a + b},0.{6 + a + b}\n" for a in range(3) for b in range(2)
    )
    table = parse_table("a,b,parameters,accuracy,accuracy_1,accuracy_2\n" + rows, "complete")
    budget = Budget(max_parameters=115)
    truth = Truth(TableSpace(table), budget)
    strategy, _ = make_contestant(name, TableSpace(table), budget, truth.objectives)
    proposed = []

    class Asked(Strategy):
        def propose(self, history, rng):
            proposed.append(strategy.propose(history, rng))
            return proposed[-1]

    asked, none = Asked(strategy.space, budget, truth.objectives), NoEarlyStopping(1, truth.objectives)
    replay(asked, none, most=None, truth=truth, budget=budget, trials=[6], seed=0)
    # The last score was not told, as nothing was asked for after it.
    told = proposed[:-1]
    assert {budget.admits(row.count) for row in told} == {True, False}
    for row, trial in zip(told, strategy._trials, strict=False):
        if name.startswith("optuna"):
            worth = truth.objectives.worth(observed(row, 0))
            assert strategy._study.trials[trial.number].values == [worth, math.log10(row.parameters)]
        else:
            assert trial.score == (observed(row, 0) if budget.admits(row.count) else None)


def test_optuna_is_told_the_limit_as_a_constraint():
    pytest.importorskip("optuna", reason="needs the extra `peers`")
    space = TableSpace(load_table("naap440"))
    budget = Budget(max_parameters=8_000)
    truth, in_vain = Truth(space, budget), {}
    for name in ("optuna-tpe-ungated", "keras-tuner-random"):
        strategy, _ = make_contestant(name, space, budget, truth.objectives)
        none = NoEarlyStopping(1, truth.objectives)
        run = replay(strategy, none, most=None, truth=truth, budget=budget, trials=[60], seed=0)
        in_vain[name] = run.infeasible
    assert in_vain["optuna-tpe-ungated"] < 20 < in_vain["keras-tuner-random"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_its_processes_end_with_it_in_silence(number):
    command = [sys.executable, "-c", "from nas.cli import run; run()", "bench", "--strategies", "ehvi"]
    command += ["--repeats", "100", "--processes", "2"]
    bench = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline, children = time.monotonic() + 60, []
    while time.monotonic() < deadline and len(children) < 2:
        time.sleep(0.01)
        children = spawned_by(bench.pid)
    time.sleep(0.3)  # Python is there, and imports; Ctrl-C is for all of them
    (os.killpg if number == signal.SIGINT else os.kill)(bench.pid, number)
    _, err = bench.communicate(timeout=30)
    if number == signal.SIGINT:
        assert (bench.returncode, err) == (130, INTERRUPTED)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert len(children) == 2
    assert not alive


def test_a_killed_process_is_said_in_one_sentence(path, monkeypatch):
    class Killed(ThreadPoolExecutor):
        def __init__(self, processes, **_):
            super().__init__(processes)

        def submit(self, function, task):
            future = super().submit(function, task)
            if task.seed:
                future = Future()
                future.set_exception(BrokenProcessPool())
            return future

    monkeypatch.setattr(bench, "ProcessPoolExecutor", Killed)
    with pytest.raises(bench.BenchError, match="a process of the benchmark was killed after 1 of 2 runs; run it again"):
        run_bench([str(path)], ["random"], trials=[2], repeats=2, processes=1)


def test_peers_keep_their_own_early_stopping_or_none():
    names = ["random", "keras-tuner-random", "keras-tuner-hyperband"]
    results = run_bench(["naap440"], names, trials=[2], repeats=1, early_stopping=["pareto-asha"])
    assert [result.early_stopping for result in results] == ["pareto-asha", "none", "hyperband"]
