"""What makes `ehvi` the default."""

import math
import random
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from scipy.special import ndtri

from nas.architecture import Budget
from nas.benchmark.replay import replay
from nas.benchmark.truth import Truth
from nas.objectives import COSTS, LATENCY, MACS, Cost
from nas.results.pareto import hypervolume, pareto_rank
from nas.results.trial import TrialStatus
from nas.strategies import History, ehvi
from nas.strategies.early_stopping import make_early_stopping
from nas.strategies.ehvi import DOUBLINGS, REUSE, START, Outlook, most_telling
from nas.strategies.learning_curve import Expected, expected
from nas.strategies.score_model import fit_model
from tests.strategies.examples import decisions_space, made, pretend, propose, table_space, trial


def outlook_after(strategy, trials):
    history = History.of(trials)
    return Outlook(strategy, expected(history), history)


def test_it_needs_fewer_trials_than_chance():
    space = table_space()
    truth = Truth(space, Budget())

    def share(name):
        strategy, none = made(name, space), make_early_stopping("none", 1, truth.objectives)
        return fmean(
            replay(strategy, none, truth=truth, budget=Budget(), trials=[20], most=None, seed=seed).shares[0]
            for seed in range(6)
        )

    assert share("ehvi") > share("random") + 0.02


def test_the_front_to_beat_is_what_the_model_believes_not_the_luckiest_observation():
    space = table_space()
    rows = random.Random(0).sample(space.table.rows, 40)
    # Scores that no decision explains: nothing but luck.
    history = [trial(number, row, 0.5 + random.Random(number).uniform(-0.1, 0.1)) for number, row in enumerate(rows)]
    strategy = made("ehvi", space)
    outlook = outlook_after(strategy, history)
    luckiest = max(strategy.objectives.worth(each.score) for each in history)
    assert outlook.stairs.levels.max() < luckiest - 0.7 * outlook.model.scale


def test_a_running_trial_makes_the_model_surer_and_raises_the_front():
    space = table_space()
    rows = random.Random(0).sample(space.table.rows, 20)
    history = [trial(number, row, row.score) for number, row in enumerate(rows[:12])]
    strategy = made("ehvi", space)
    outlook = outlook_after(strategy, history)
    found = max(rows[12:], key=lambda row: outlook.improvements([row])[0])
    later = outlook_after(strategy, [*history, trial(12, found, status=TrialStatus.RUNNING)])
    assert later.improvements([found])[0] < 0.7 * outlook.improvements([found])[0]
    assert later.model.predict([strategy.genes(found)])[1] < 0.7 * outlook.model.predict([strategy.genes(found)])[1]


def test_running_trials_count_as_if_they_had_ended_as_expected():
    space = table_space()
    strategy = made("ehvi", space)

    def after(rows, status):
        history = [trial(number, row, row.score) for number, row in enumerate(rows[:15])]
        first = propose(strategy, history)
        return propose(strategy, [*history, trial(15, first, status=status)]).id

    differ = 0
    for seed in range(6):
        rows = random.Random(seed).sample(space.table.rows, 15)
        # Neither is proposed again, but only what runs tells about its neighbors.
        differ += after(rows, TrialStatus.RUNNING) != after(rows, TrialStatus.FAILED)
    assert differ >= 2


def test_what_a_strategy_remembers_changes_no_proposal():
    space = table_space()
    rows = random.Random(0).sample(space.table.rows, 31)
    history = [trial(number, row, row.score) for number, row in enumerate(rows)]
    # Number 4 ends late: what was fitted without it does not hold any more.
    late = [*history[:4], trial(4, rows[4], status=TrialStatus.RUNNING), *history[5:]]
    remembering = made("ehvi", space)
    for length, trials in [(11, late), (12, late), (13, late), *((length, history) for length in range(13, 31))]:
        seen = History.of(trials[:length])
        fresh = made("ehvi", space)
        remembered, proposed = (strategy.propose(seen, random.Random(length)) for strategy in (remembering, fresh))
        assert remembered.id == proposed.id
        assert remembering.fitted(expected(seen)).settings.noise == fresh.fitted(expected(seen)).settings.noise


def test_kernel_and_noise_are_fitted_again_only_after_many_trials(monkeypatch):
    fits = []
    monkeypatch.setattr(ehvi, "fit_model", lambda *given: fits.append(len(given[1])) or fit_model(*given))
    space = table_space()
    strategy = made("ehvi", space)
    history = [trial(number, row, row.score) for number, row in enumerate(space.table.rows[:40])]
    for length in range(10, 41):
        outlook_after(strategy, history[:length])
    assert fits == [10, 12, 14, 16, 19, 22, 26, 31, 37]


def test_a_model_of_limited_size_knows_the_best_and_some_of_all():
    rows = table_space().table.rows
    trials = [trial(number, row, row.score) for number, row in enumerate(rows)]
    telling = most_telling(trials)
    assert sorted(each.number for each in telling) == list(range(len(trials)))
    best = max(trials, key=lambda each: each.score)
    assert best.number in [each.number for each in telling[:30]]
    ranks = pareto_rank(trials)
    assert max(ranks[each.number] for each in telling[:30]) > sorted(ranks.values())[40]


def test_what_is_only_expected_is_less_sure():
    space = table_space()
    rows = random.Random(0).sample(space.table.rows, 16)
    history = [trial(number, row, row.score) for number, row in enumerate(rows)]

    def deviation(of_last):
        known = [*expected(History.of(history[:-1])), Expected(history[-1], history[-1].score, of_last)]
        strategy = made("ehvi", space)
        outlook = Outlook(strategy, known, History.of(history))
        return outlook.model.predict([strategy.genes(rows[-1])])[1][0]

    assert deviation(0.3) > 1.5 * deviation(0.0)


def test_predictions_take_no_more_trials_into_account_than_there_is_time_for(monkeypatch):
    monkeypatch.setattr(ehvi, "CONDITION_MOST", 14)
    space = table_space()
    history = [trial(number, row, row.score) for number, row in enumerate(space.table.rows[:30])]
    outlook = outlook_after(made("ehvi", space), history)
    assert len(outlook.model.believed) == 14


def test_what_is_dearer_than_everything_so_far_is_worth_something():
    space, rng = decisions_space(), random.Random(0)
    found = sorted({each.id: each for each in (space.sample(rng) for _ in range(200))}.values(), key=macs)
    known, dearer = found[:14], next(each for each in found[14:] if macs(each) > macs(found[13]))
    assert macs(dearer) < 2 * macs(known[-1])
    history = [trial(number, each, 0.5 + number / 100) for number, each in enumerate(known)]
    outlook = outlook_after(made("ehvi", space, costs=(MACS,)), history)
    assert outlook.improvements([dearer])[0] > 0


@pytest.mark.parametrize("name", ["parameters", "macs"])
def test_a_network_at_the_limit_is_worth_its_score(name):
    """The upper end of a front is often there: it must not be where volume ends."""
    cost = COSTS[name]
    space, rng = decisions_space(), random.Random(0)
    found = {each.id: each for each in (space.sample(rng) for _ in range(200))}.values()
    *known, largest = sorted(found, key=lambda each: cost.of(each.count))
    history = [trial(number, each, 0.5 + number / 1_000) for number, each in enumerate(known[-15:])]
    limited = made("ehvi", space, Budget(**{cost.limit: cost.of(largest.count)}), (cost,))
    assert outlook_after(limited, history).improvements([largest])[0] > 0


def test_an_improvement_is_what_the_hypervolume_is_expected_to_gain():
    """Of the front that the model believes in, by the reports' hypervolume, over many values of what it predicts."""
    space = table_space()
    rows = random.Random(0).sample(space.table.rows, 40)
    history = [trial(number, row, row.score) for number, row in enumerate(rows[:20])]
    strategy = made("ehvi", space, Budget(interest=(250, 900)))
    objectives, outlook = strategy.objectives, outlook_after(strategy, history)

    def scored(row, worth):
        most = 1 - objectives.floor + objectives.finest
        return trial(row.number, row, 1 + objectives.finest - most * (objectives.finest / most) ** worth)

    trials = most_telling(expected(History.of(history)))
    front = [scored(each.architecture, worth) for each, worth in zip(trials, outlook.model.believed, strict=True)]
    before = hypervolume(front, objectives)
    quantiles = ndtri((np.arange(300) + 0.5) / 300)
    sizes = [row.parameters for row in rows[20:]]
    assert min(sizes) < 250 < max(sizes)
    for row in rows[20:]:
        means, deviations = outlook.model.predict([strategy.genes(row)])
        after = [hypervolume([*front, scored(row, means[0] + deviations[0] * z)], objectives) for z in quantiles]
        wanted = np.mean(after) - before
        assert outlook.improvements([row])[0] == pytest.approx(wanted, rel=0.05, abs=2e-5)


def macs(architecture):
    return architecture.count.macs


def test_refused_networks_tell_which_others_are_too_slow():
    """A limit that most networks exceed: once there is a model, hardly any of these is proposed."""
    limit, space = 0.9, decisions_space()
    assert sum(macs(space.sample(random.Random(seed))) / 1_000 > limit for seed in range(100)) > 50
    strategy, late = made("ehvi", space, Budget(max_latency_ms=limit)), 0
    for seed in (1, 3):
        history = []
        while (trained := sum(each.completed for each in history)) < 30:
            found = propose(strategy, history, f"{seed}/{len(history)}")
            number, latency = len(history), macs(found) / 1_000
            done = trial(number, found, pretend(found))
            fast = replace(done, metrics={**done.metrics, "latency_ms": latency})
            slow = replace(done, status=TrialStatus.REFUSED, metrics={"latency_ms": latency})
            history.append(slow if latency > limit else fast)
            late += latency > limit and trained >= START
    assert late <= 8


def test_of_a_refused_network_what_was_measured_counts():
    """Measuring ended at the first limit that was exceeded: the other costs are unknown."""
    energy = Cost(name="energy_mj", heading="energy", unit="mJ", measured="energy", span=(0.001, 1_000.0))
    space, rng = decisions_space(), random.Random(0)
    *found, slow = {each.id: each for each in (space.sample(rng) for _ in range(40))}.values()
    history = []
    for number, each in enumerate(found[:12]):
        measured = {"latency_ms": macs(each) / 1_000, "energy_mj": macs(each) / 100}
        done = trial(number, each, pretend(each))
        history.append(replace(done, metrics={**done.metrics, **measured}))
    refused = replace(trial(12, slow), status=TrialStatus.REFUSED, metrics={"latency_ms": 99.0})
    strategy = made("ehvi", space, Budget(max_latency_ms=9), (LATENCY, energy))
    before, after = (outlook_after(strategy, trials).cost_model([slow])[0] for trials in (history, [*history, refused]))
    assert after[0] > before[0]
    assert after[1] == before[1]


def test_the_model_knows_how_often_weights_are_used():
    space = decisions_space()
    strategy, found = made("ehvi", space, Budget()), [space.sample(random.Random(seed)) for seed in range(30)]
    steps = [int(strategy.genes(network)[REUSE]) for network in found]
    assert len(set(steps)) > 3
    for network, step in zip(found, steps, strict=True):
        assert abs(step - math.log2(network.count.macs / network.count.parameters)) <= 0.5
    features = strategy.encoder([{REUSE: "0"}, {REUSE: str(DOUBLINGS)}])
    assert features.sum(axis=1).tolist() == [0, DOUBLINGS]
