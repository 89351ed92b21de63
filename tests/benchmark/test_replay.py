"""Replays with early stopping: what is spent, what goes on, and what counts."""

import pytest

from nas.architecture import Budget
from nas.benchmark import TableSpace, load_table, parse_table, run_bench
from nas.benchmark.peers import KerasTunerOracle, make_contestant
from nas.benchmark.replay import replay
from nas.benchmark.truth import Truth
from nas.cli import main
from nas.results.trial import TrialStatus
from nas.strategies import Strategy
from nas.strategies.early_stopping import EARLY_STOPPING, EarlyStopping, make_early_stopping

# Three epochs; c is the best and slow, a and b learn at once.
TABLE = """g,parameters,accuracy,accuracy@1,accuracy@2,accuracy@3
z,10,0.1,0.1,0.1,0.1
a,100,0.5,0.4,0.5,0.5
b,100,0.6,0.5,0.5,0.6
c,1000,0.9,0.2,0.8,0.9
"""


@pytest.fixture
def table():
    return parse_table(TABLE, "four")


class Listed(Strategy):
    """Proposes rows in a given order."""

    order = ()

    def propose(self, history, rng):
        return self.space.table.rows[self.order[len(history)]] if len(history) < len(self.order) else None


class Scripted(EarlyStopping):
    """Stops after the first epoch and lets trials go on as it was told: (trials so far, number)."""

    rungs = (1, 3)
    script = ()

    def __init__(self, *script):
        super().__init__(3, None)
        self.left = list(script)
        self.seen = []

    def promote(self, history, *, more):
        self.seen.append(([(trial.number, trial.status, trial.curve) for trial in history.trials], more))
        if self.left and self.left[0][0] == len(history):
            return self.left.pop(0)[1]
        return None


def run(table, order, early_stopping, **options):
    truth = the_truth(table)
    strategy = Listed(TableSpace(table), Budget(), truth.objectives)
    strategy.order = order
    settings = {"truth": truth, "budget": Budget(), "trials": [1, 2, 3], "most": None, "seed": 0}
    return replay(strategy, early_stopping, **(settings | options))


def the_truth(table, budget=None):
    return Truth(TableSpace(table), budget or Budget())


def early(name, table):
    return make_early_stopping(name, 3, the_truth(table).objectives)


def test_only_what_was_trained_in_full_counts_and_only_when_it_is(table):
    truth = the_truth(table)
    whole = truth.share([table.rows[3]])
    # c: 1 epoch; b: 1; c goes on: 2 more. At 3 epochs, one full training, c has not ended: nothing counts.
    early_stopping = Scripted((2, 0))
    result = run(table, [3, 2], early_stopping, most=2)
    assert result.shares == (0.0, pytest.approx(whole), pytest.approx(whole))
    assert (result.trials, result.trainings, result.exhausted) == (2, pytest.approx(4 / 3), False)
    stopped, completed = TrialStatus.STOPPED, TrialStatus.COMPLETED
    assert early_stopping.seen[-2] == ([(0, stopped, (0.2,)), (1, stopped, (0.5,))], False)
    assert early_stopping.seen[-1] == ([(0, completed, (0.2, 0.8, 0.9)), (1, stopped, (0.5,))], False)


def test_the_last_count_is_where_the_epochs_end(table):
    result = run(table, [0, 1, 2, 3], Scripted((2, 0), (2, 1)), trials=[1, 2])
    assert (result.trainings, result.trials) == (2, 2)
    assert result.shares == (0.0, pytest.approx(the_truth(table).share(table.rows[:2])))


def test_trials_go_on_when_there_is_no_new_one(table):
    result = run(table, [0, 1, 2, 3], early("one-epoch-then-top-k", table), trials=[1, 4, 9])
    # An epoch each, then the best third in full: z, the smallest, and one more of the four.
    assert (result.trials, result.exhausted) == (4, True)
    assert result.trainings == pytest.approx((4 + 2 * 2) / 3)
    assert result.shares[-1] > 0


def test_a_network_outside_the_budget_costs_what_one_inside_does(table):
    budget = Budget(min_parameters=50)
    result = run(table, [0, 2], Scripted((2, 1)), budget=budget, truth=the_truth(table, budget), most=2)
    # An epoch for each, and two more for the one inside.
    assert (result.infeasible, result.trainings) == (1, pytest.approx(4 / 3))
    assert result.shares[0] == 0 < result.shares[1]
    whole = run(table, [0, 2], early("none", table), budget=budget, truth=the_truth(table, budget), most=2)
    assert (whole.infeasible, whole.trainings) == (1, 2)


def test_without_early_stopping_epochs_are_trials(tmp_path):
    path = tmp_path / "t.csv"
    # Twelve of similar size; the larger, the worse, and the sooner it is seen.
    rows = [f"{n},{100 + n},0.{90 - n},0.{80 - 2 * n},0.{85 - n},0.{90 - n}\n" for n in range(12)]
    path.write_text("g,parameters,accuracy,accuracy@1,accuracy@2,accuracy@3\n" + "".join(rows))
    none, asha = run_bench([str(path)], ["random"], trials=[1, 12], repeats=3, early_stopping=["none", "pareto-asha"])
    assert (none.name, none.tried, none.trainings) == ("random", 12, 12)
    assert (asha.name, asha.tried) == ("random, pareto-asha", 12)
    # An epoch of each, and at least three in full.
    assert (12 + 3 * 2) / 3 <= asha.trainings < 9


def test_all_kinds_end_on_a_real_table():
    results = run_bench(["naap440"], ["random"], trials=[10, 20], repeats=1, early_stopping=list(EARLY_STOPPING))
    by_kind = {result.early_stopping: result for result in results}
    assert {result.tried for result in results} == {20}
    assert by_kind["pareto-asha"].trainings < by_kind["none"].trainings
    assert all(result.shares[1] > 0.5 for result in results)


def command(capsys, *arguments):
    code = main(["bench", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_shows_what_was_spent(capsys):
    options = ("--strategies", "random", "--trials", "4,9", "--repeats", 1)
    code, out, _ = command(capsys, *options, "--early-stopping", "none,pareto-asha")
    assert code == 0
    assert "random, pareto-asha" in out
    assert "trainings" in out
    _, out, _ = command(capsys, *options)
    assert "trainings" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--early-stopping", "asha"),
            "there is no early stopping 'asha'; use one of none, one-epoch-then-top-k",
        ),
        (("--early-stopping", ","), "--early-stopping takes names with commas between them, such as none,pareto-asha"),
        (("--early-stopping", "pareto-asha"), "has no scores by epoch, which early stopping (Hyperband's too) needs"),
        (("--strategies", "keras-tuner-hyperband"), "which early stopping (Hyperband's too) needs; give columns"),
    ],
)
def test_mistakes_are_one_line(capsys, tmp_path, arguments, message):
    path = tmp_path / "plain.csv"
    path.write_text("g,parameters,accuracy\na,1,0.5\nb,2,0.4\nc,3,0.4\n")
    code, out, err = command(capsys, "--table", path, *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_keras_tuner_s_hyperband_spends_epochs_and_starts_what_it_likes():
    result, other = run_bench(["naap440"], ["keras-tuner-hyperband", "random"], trials=[10], repeats=1)
    assert result.name == "keras-tuner-hyperband, hyperband"
    assert 9 < result.trainings <= 10
    assert result.tried > other.tried == 10
    assert 0 < result.shares[0] < 1


@pytest.mark.slow
def test_keras_tuner_s_hyperband_is_told_the_score_of_each_round(monkeypatch):
    space = TableSpace(load_table("naap440"))
    truth = Truth(space, Budget())
    peer, rungs = make_contestant("keras-tuner-hyperband", space, Budget(), truth.objectives)
    rows, told, propose, tell = [], [], peer.propose, KerasTunerOracle.tell

    def proposing(*given):
        rows.append(propose(*given))
        return rows[-1]

    def telling(oracle, trial, score):
        told.append((peer._number_of[trial.trial_id], trial.hyperparameters.values, score))
        tell(oracle, trial, score)

    monkeypatch.setattr(peer, "propose", proposing)
    monkeypatch.setattr(KerasTunerOracle, "tell", telling)
    replay(peer, rungs, truth=truth, budget=Budget(), trials=[8], most=None, seed=0)
    later = 0
    for number, values, score in told:
        first, last = values["tuner/initial_epoch"], values["tuner/epochs"]
        assert score == max(value for epoch, value in rows[number].curves[0].items() if first < epoch <= last)
        later += first > 0
    assert later > 5
