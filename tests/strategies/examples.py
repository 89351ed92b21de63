"""Spaces and made-up results for the tests of strategies."""

from __future__ import annotations

import itertools
import math
import random

from nas.architecture import Budget
from nas.benchmark import Row, Table, TableSpace
from nas.objectives import DEFAULT_COSTS
from nas.results.trial import TrialRecord, TrialStatus
from nas.space import SearchSpace, parse_definition
from nas.space.interest import objectives_of
from nas.space.recipe_space import Form, RecipeSpace
from nas.strategies import History, make_strategy
from nas.tasks import DEFAULT_TASK

SPACE = """
input: 8x8x1
classes: 3
stem:
  - conv: {filters: [2, 4], kernel: [1, 3]}
stages:
  - repeat: [0, 1, 2]
    filters: [2, 4]
    downsample: [none, max_pool]
    choose:
      - conv: {kernel: [1, 3]}
      - separable: {kernel: 3}
      - bottleneck: {squeeze: [1/2, 1]}
head:
  - global_pool: {pool: [average, max]}
"""


def decisions_space() -> SearchSpace:
    return SearchSpace(parse_definition(SPACE, "small"))


def recipes_space() -> RecipeSpace:
    """The same networks on images of two sizes, each trained in one of five ways."""
    definition = parse_definition(SPACE, "small")
    forms = [
        Form({"dataset.image_size": side}, SearchSpace(definition, input_shape=(side, side, 1))) for side in (8, 6)
    ]
    choices = {
        "dataset.image_size": (8, 6),
        "training.optimizer": ("adam", "sgd"),
        "training.learning_rate": (0.01,),
        "training.weight_decay": (0.0, 0.001, 0.01, 0.1),
    }
    return RecipeSpace(forms, choices)


def make_table(genes: int = 4, values: int = 3, noise: float = 0.01) -> Table:
    """`g0` and `g1` decide about the score, every gene about size; `g3` is there only where g2 is not a."""
    rng = random.Random(5)
    rows = []
    for codes in itertools.product(range(values), repeat=genes):
        named = {f"g{place}": "abcdefgh"[code] for place, code in enumerate(codes)}
        if named["g2"] == "a":
            if codes[3] != 0:
                continue
            del named["g3"]
        logit = 0.5 * codes[0] - abs(codes[1] - 1) + 0.2 * sum(codes)
        score = 1 / (1 + math.exp(-logit))
        observations = tuple(min(max(score + rng.gauss(0, noise), 0.0), 1.0) for _ in range(3))
        parameters = 100 + 70 * codes[0] + 150 * codes[2] + 11 * codes[1] + 5 * sum(codes)
        rows.append(
            Row(
                number=len(rows),
                genes=named,
                parameters=parameters,
                score=sum(observations) / 3,
                observations=observations,
            )
        )
    return Table(name="made up", rows=tuple(rows))


def table_space() -> TableSpace:
    return TableSpace(make_table())


def wanted(space, budget=None, costs=DEFAULT_COSTS, **options):
    """What a search over the space is for."""
    return objectives_of(space, budget or Budget(), score=DEFAULT_TASK.score, costs=costs, **options)


def made(name, space, budget=None, costs=DEFAULT_COSTS):
    """A strategy that searches the space for these costs."""
    return make_strategy(name, space, budget or Budget(), wanted(space, budget, costs))


def trial(number, architecture, score=None, status=None):
    """Completed with a score, failed or running without one."""
    if score is None:
        return TrialRecord(number=number, architecture=architecture, status=status or TrialStatus.FAILED)
    return TrialRecord(
        number=number,
        architecture=architecture,
        status=TrialStatus.COMPLETED,
        metrics={"val_score": score},
    )


def propose(strategy, trials, seed=0):
    """A strategy's next proposal after these trials."""
    return strategy.propose(History.of(trials), random.Random(seed))


def pretend(architecture) -> float:
    """A score that depends on the size and, a little, on the rest."""
    size = math.log(architecture.count.parameters)
    return 1 / (1 + math.exp(3 - size / 2 + int(random.Random(architecture.id).random() * 5) / 10))


class Watched:
    """A space that remembers what it was asked for.

    Attributes:
        mutated: parents of mutations.
        crossed: both parents of each crossing.
        quantiles: of samples.
    """

    def __init__(self, space):
        self.space, self.mutated, self.crossed, self.quantiles = space, [], [], []

    def __getattr__(self, name):
        return getattr(self.space, name)

    def sample(self, rng, budget=None, *, quantile=None):
        self.quantiles.append(quantile)
        return self.space.sample(rng, budget, quantile=quantile)

    def mutate(self, architecture, rng, budget=None):
        self.mutated.append(architecture)
        return self.space.mutate(architecture, rng, budget)

    def cross(self, first, second, rng, budget=None):
        self.crossed.append((first, second))
        return self.space.cross(first, second, rng, budget)
