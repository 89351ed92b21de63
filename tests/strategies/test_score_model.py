"""The model of scores: distances, warping, what it learns."""

import random

import numpy as np
import pytest

from nas.space import SearchSpace, parse_definition
from nas.strategies.process import NegativeLogDensity, Process, Settings, fit
from nas.strategies.score_model import Encoder, ScoreModel, Warping
from tests.strategies.examples import decisions_space, make_table, table_space

GENES = {"kind": ("conv", "pool"), "conv.kernel": ("", "1", "3"), "only": ("", "one")}


def covariance(architectures, weights=(0.7, 0.4)):
    encoder = Encoder(GENES)
    features = encoder(architectures)
    settings = Settings(np.log(np.array(weights)), 0.0, -50.0, -5.0)
    process = Process(features, np.zeros(len(features)), encoder.gene_of, settings, np.zeros(len(features)))
    return process._covariance(features, features)


def test_genes_that_neither_has_make_no_distance():
    conv1, conv3 = {"kind": "conv", "conv.kernel": "1"}, {"kind": "conv", "conv.kernel": "3"}
    pool, other = {"kind": "pool"}, {"kind": "pool", "only": "one"}
    distances = -np.log(covariance([conv1, conv3, pool, other]))
    assert distances[0] == pytest.approx([0, 0.4, 0.7 + 0.2, 0.7 + 0.2])
    assert distances[2, 3] == pytest.approx(0)


def test_networks_that_differ_are_told_apart():
    text = """
input: 8x8x1
classes: 2
stages:
  - {filters: 16, choose: [conv: {filters: [16, 32], kernel: [1, 3]}, pool: {size: 3, stride: 1}]}
head: global_pool
"""
    space = SearchSpace(parse_definition(text))
    networks = {found.id: space.encode(found) for found in space.architectures()}
    assert len(np.unique(Encoder(space.genes())(list(networks.values())), axis=0)) == len(networks) == 5


def test_the_kernel_is_positive_definite_on_conditional_genes():
    space = decisions_space()
    rng = random.Random(0)
    encoder = Encoder(space.genes())
    features = encoder([space.encode(space.sample(rng)) for _ in range(120)])
    weights = np.random.default_rng(0).normal(0, 2, max(encoder.gene_of) + 1)
    process = Process(features, np.zeros(120), encoder.gene_of, Settings(weights, 0.0, -3.0, 0.0), np.zeros(120))
    assert np.linalg.eigvalsh(process._covariance(features, features)).min() > -1e-9


def test_fitting_finds_which_genes_matter_and_how_much_noise_there_is():
    rng = np.random.default_rng(1)
    encoder = Encoder({f"g{gene}": ("a", "b", "c") for gene in range(5)})
    codes = rng.integers(0, 3, (120, 5))
    features = encoder([{f"g{gene}": "abc"[code] for gene, code in enumerate(row)} for row in codes])
    truth = np.sin(3 * codes[:, 0] + codes[:, 1] * codes[:, 0])
    targets = truth + rng.normal(0, 0.2, 120)
    targets = (targets - targets.mean()) / targets.std()
    settings = fit(features, targets, encoder.gene_of, np.zeros(len(targets)))
    assert settings.weights[:2].min() > settings.weights[2:].max() + 0.5
    assert np.exp(settings.noise) * np.var(truth) == pytest.approx(0.04, rel=0.8)


def test_luck_is_not_taken_for_structure():
    rng = np.random.default_rng(3)
    encoder = Encoder({f"g{gene}": ("a", "b", "c") for gene in range(4)})
    codes = list(np.ndindex(3, 3, 3, 3))
    features = encoder([{f"g{gene}": "abc"[code] for gene, code in enumerate(row)} for row in codes])
    targets = rng.normal(size=81)
    settings = fit(features, (targets - targets.mean()) / targets.std(), encoder.gene_of, np.zeros(len(targets)))
    assert np.exp(settings.noise) > 0.25


def test_fitting_climbs_the_likelihood():
    encoder = Encoder({f"g{gene}": ("a", "b", "c") for gene in range(4)})
    rows = [row for row in make_table().rows if len(row.genes) == 4]
    features = encoder([row.genes for row in rows])
    targets = np.array([row.score for row in rows])
    targets = (targets - targets.mean()) / targets.std()
    start = Settings(np.log(np.full(4, 0.5)), 0.0, np.log(0.075), np.log(0.02))
    fitted = fit(features, targets, encoder.gene_of, np.zeros(len(targets)))
    before = Process(features, targets, encoder.gene_of, start, np.zeros(len(targets))).log_likelihood
    assert Process(features, targets, encoder.gene_of, fitted, np.zeros(len(targets))).log_likelihood > before + 5


def test_the_gradient_is_that_of_the_value():
    space = decisions_space()
    rng = random.Random(2)
    encoder = Encoder(space.genes())
    features = encoder([space.encode(space.sample(rng)) for _ in range(25)])
    draws = np.random.default_rng(0)
    density = NegativeLogDensity(features, draws.normal(size=25), encoder.gene_of, draws.uniform(0, 0.5, size=25))
    point = density.center + draws.normal(0, 0.5, len(density.center))
    _, gradient = density(point)
    step = 1e-5
    for place in range(len(point)):
        move = step * np.eye(len(point))[place]
        assert gradient[place] == pytest.approx(
            (density(point + move)[0] - density(point - move)[0]) / (2 * step), rel=1e-4, abs=1e-5
        )


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0])
def test_warping_increases_and_knows_its_slope(power):
    scores = np.array([0.1, 0.3, 0.5, 0.55, 0.6, 0.62])
    warping = Warping.of(scores, power)
    assert warping(scores).mean() == pytest.approx(0, abs=1e-12)
    assert (np.diff(warping(scores)) > 0).all()
    step = 1e-6
    slopes = (warping(scores + step) - warping(scores - step)) / (2 * step)
    # The slope of the first standardization is the same for every power and left out.
    assert warping.log_slopes(scores) == pytest.approx(np.log(slopes * scores.std()).sum(), abs=1e-4)


def test_warping_keeps_how_uncertain_scores_are():
    scores, deviations = np.array([0.1, 0.3, 0.5, 0.55, 0.6, 0.62]), np.array([0.0, 0.1, 0.02, 0.0, 0.05, 0.001])
    linear = Warping.of(scores, 1.0)
    assert linear.variances(scores, deviations) == pytest.approx((deviations / scores.std()) ** 2)


def test_the_mean_follows_the_observations():
    encoder = Encoder(GENES)
    rows = [{"kind": "conv", "conv.kernel": "1"}, {"kind": "conv", "conv.kernel": "3"}, {"kind": "pool"}]
    settings = Settings(np.log(np.array([0.7, 0.4])), 0.0, -3.0, -1.0)
    targets = np.array([0.1, -0.4, 0.8])
    low, high = (
        Process(encoder(rows), targets + shift, encoder.gene_of, settings, np.zeros(3)) for shift in (0.0, 5.0)
    )
    assert high.predict(encoder(rows))[0] == pytest.approx(low.predict(encoder(rows))[0] + 5)
    assert high.log_likelihood == pytest.approx(low.log_likelihood)


def test_the_warping_is_chosen_from_the_data():
    space = table_space()
    rows = [row for row in space.table.rows if len(row.genes) == 4]
    even = np.array([0.3 + 0.05 * int("abc".index(row.genes["g0"])) for row in rows])
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, len(rows))
    model = ScoreModel(Encoder(space.genes()), [row.genes for row in rows], even + noise)
    # As if seen through a root, so that bad results are far apart.
    bent = ScoreModel(Encoder(space.genes()), [row.genes for row in rows], -((0.5 - even - noise) ** 3))
    assert model.warping.power < bent.warping.power


def test_it_predicts_what_it_has_not_seen_and_is_less_sure_far_away():
    space = table_space()
    rows = list(space.table.rows)
    random.Random(0).shuffle(rows)
    seen, unseen = rows[:30], rows[30:]
    model = ScoreModel(
        Encoder(space.genes()), [row.genes for row in seen], np.array([row.observations[0] for row in seen])
    )
    means, deviations = model.predict([row.genes for row in unseen])
    truth = model.warping(np.array([row.score for row in unseen]))
    assert np.corrcoef(means, truth)[0, 1] > 0.9
    assert deviations.mean() > model.predict([row.genes for row in seen])[1].mean()


def test_imagined_results_change_no_mean_and_make_the_model_surer():
    space = table_space()
    rows = space.table.rows
    model = ScoreModel(
        Encoder(space.genes()), [row.genes for row in rows[:12]], np.array([row.score for row in rows[:12]])
    )
    mean, deviation = model.predict([rows[40].genes])
    model.imagine([rows[40].genes])
    after, surer = model.predict([rows[40].genes])
    assert after == pytest.approx(mean, abs=1e-3)
    assert surer < deviation


def test_what_is_believed_of_observations_is_what_would_be_predicted():
    space = table_space()
    rows = space.table.rows
    deviations = np.array([0.0, 0.05] * 6)
    model = ScoreModel(
        Encoder(space.genes()),
        [row.genes for row in rows[:12]],
        np.array([row.observations[0] for row in rows[:12]]),
        deviations,
    )
    model.imagine([row.genes for row in rows[40:42]])
    means, _ = model.predict([row.genes for row in [*rows[:12], *rows[40:42]]])
    assert model.believed == pytest.approx(means, abs=1e-9)
