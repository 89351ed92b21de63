"""The model of scores: distances, what it learns, in which units."""

import random

import numpy as np
import pytest

from nas.space import SearchSpace, parse_definition
from nas.strategies.process import NegativeLogDensity, Process, Settings, fit
from nas.strategies.score_model import Encoder, Fitted, ScoreModel, fit_model
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


def test_numbers_are_ordered_steps_if_there_are_four_and_words_are_not():
    encoder = Encoder(
        {
            "width": ("", "16", "32", "4", "8"),
            "ratio": ("1", "1/2", "1/4", "2"),
            "few": ("1", "2", "3"),
            "words": ("1", "2", "3", "none"),
        }
    )
    # Steps of the width, steps of the ratio, then one column per value.
    assert encoder.gene_of == [0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 7, 7]
    rows = encoder([{"width": width} for width in ("4", "8", "16", "32")])
    assert rows[:, :3].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    rows = encoder([{"ratio": ratio} for ratio in ("1/4", "1/2", "1", "2")])
    assert rows[:, 3:6].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    rows = encoder([{"few": "3", "words": "none"}, {"few": "1", "words": "2"}])
    assert rows[:, 6:].tolist() == [[0, 0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 1, 0, 0]]
    assert not rows[:, :6].any()


def test_values_are_the_farther_apart_the_more_steps_are_between():
    features = Encoder({"width": ("4", "8", "16", "32")})([{"width": width} for width in ("4", "8", "32")])
    settings = Settings(np.log(np.array([0.2, 0.4, 0.6])), 0.0, -50.0, -5.0)
    process = Process(features, np.zeros(3), [0, 1, 2], settings, np.zeros(3))
    distances = -np.log(process._covariance(features, features))
    assert distances == pytest.approx(np.array([[0, 0.1, 0.6], [0.1, 0, 0.5], [0.6, 0.5, 0]]))


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


def test_predictions_are_in_the_units_of_what_was_observed():
    space = table_space()
    encoder, rows = Encoder(space.genes()), space.table.rows[:20]
    genes, worths = [row.genes for row in rows], np.array([row.score for row in rows])
    deviations = np.linspace(0.0, 0.1, 20)
    one = ScoreModel(encoder, genes, worths, deviations)
    other = ScoreModel(encoder, genes, 7 + 3 * worths, 3 * deviations)
    means, spread = one.predict(genes)
    assert other.predict(genes) == (pytest.approx(7 + 3 * means, rel=1e-4), pytest.approx(3 * spread, rel=1e-3))
    assert other.believed == pytest.approx(7 + 3 * one.believed, rel=1e-4)


def test_what_was_fitted_before_is_used_as_it_is():
    space = table_space()
    encoder, rows = Encoder(space.genes()), space.table.rows[:20]
    genes, worths = [row.genes for row in rows], np.array([row.score for row in rows])
    fitted = fit_model(encoder, genes[:12], worths[:12], np.zeros(12))
    assert (fitted.center, fitted.scale) == (pytest.approx(worths[:12].mean()), pytest.approx(worths[:12].std()))
    # So noisy that nothing can be learned: all that is left is the mean.
    noisy = Fitted(fitted.settings._replace(noise=20.0), fitted.center, fitted.scale)
    believed = ScoreModel(encoder, genes, worths, fitted=noisy).believed
    assert believed == pytest.approx(np.full(20, worths.mean()), abs=1e-3)
    # Equal worths have no spread to measure by.
    assert fit_model(encoder, genes, np.full(20, 0.5), np.zeros(20)).scale == 1


def test_it_predicts_what_it_has_not_seen_and_is_less_sure_far_away():
    space = table_space()
    rows = list(space.table.rows)
    random.Random(0).shuffle(rows)
    seen, unseen = rows[:30], rows[30:]
    model = ScoreModel(
        Encoder(space.genes()), [row.genes for row in seen], np.array([row.observations[0] for row in seen])
    )
    means, deviations = model.predict([row.genes for row in unseen])
    truth = np.array([row.score for row in unseen])
    assert np.corrcoef(means, truth)[0, 1] > 0.9
    assert np.abs(means - truth).mean() < 0.25 * truth.std()
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
