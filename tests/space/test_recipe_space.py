"""Networks with recipes as one space: what strategies are promised of any space, and what recipes add."""

import random

import pytest

from nas.architecture import Budget, BudgetError
from nas.objectives import PARAMETERS
from nas.space.encoding import EncodingError
from nas.space.recipe_space import Proposal, RecipeSpace
from tests.strategies.examples import decisions_space, recipes_space

SPACE = recipes_space()
BUDGET = Budget(max_parameters=150)
SIZE, OPTIMIZER, DECAY = "dataset.image_size", "training.optimizer", "training.weight_decay"


def test_without_choices_it_is_the_space_itself_to_the_last_random_number():
    plain = decisions_space()
    wrapped = RecipeSpace.of(plain)

    def walk(space, unwrapped):
        rng, found = random.Random(3), []
        for _ in range(20):
            first, second = space.sample(rng, BUDGET), space.sample(rng, BUDGET, quantile=0.3)
            found += [first, second, space.mutate(first, rng, BUDGET), space.cross(first, second, rng, BUDGET)]
            found.append(space.build(space.encode(first), rng, BUDGET))
        return [unwrapped(each) for each in found]

    assert walk(wrapped, lambda proposal: proposal.architecture) == walk(plain, lambda architecture: architecture)
    assert wrapped.genes() == plain.genes()
    assert wrapped.counts(PARAMETERS) == plain.counts(PARAMETERS)
    proposal = Proposal(plain.sample(random.Random(0)))
    assert (proposal.id, proposal.to_json()) == (proposal.architecture.id, proposal.architecture.to_json())


def test_adam_has_no_decay_and_every_other_optimizer_each():
    assert [tuple(recipe.values()) for recipe in SPACE.recipes] == [
        ("adam", 0.01),
        *(("sgd", 0.01, decay) for decay in (0.0, 0.001, 0.01, 0.1)),
    ]
    assert SPACE.genes()[OPTIMIZER] == ("adam", "sgd")
    assert SPACE.genes()[DECAY] == ("", "0", "0.001", "0.01", "0.1")


def test_all_candidates_are_listed_once_each():
    found = list(SPACE.architectures(BUDGET))
    networks = [list(form.space.architectures(BUDGET)) for form in SPACE.forms]
    assert len(found) == 5 * sum(map(len, networks))
    assert len({each.id for each in found}) == 5 * sum(len({each.id for each in of_form}) for of_form in networks)
    assert SPACE.networks(times=5).architectures == 5 * SPACE.networks().architectures


def test_genes_say_all_and_make_the_same_candidate_again():
    rng = random.Random(0)
    for _ in range(50):
        found = SPACE.sample(rng, BUDGET)
        assert found in SPACE
        assert SPACE.build(SPACE.encode(found), rng, BUDGET).id == found.id
        assert Proposal.from_json(found.to_json()) == found
        assert found.architecture.input_shape[0] == found.recipe[SIZE]
        assert list(found.recipe) == [key for key in SPACE.choices if key in found.recipe]


def test_a_mutation_changes_one_decision_of_either_kind():
    rng = random.Random(0)
    sizes, recipes, networks = 0, 0, 0
    for _ in range(200):
        parent = SPACE.sample(rng, BUDGET)
        child = SPACE.mutate(parent, rng, BUDGET)
        assert child.id != parent.id
        changed = {key for key in SPACE.choices if parent.recipe.get(key) != child.recipe.get(key)} - {DECAY}
        sizes += changed == {SIZE}
        recipes += parent.architecture.id == child.architecture.id
        networks += parent.recipe == child.recipe
        assert len(changed) <= 1
    assert min(sizes, recipes, networks) >= 20


def test_a_child_of_two_has_its_recipe_of_both():
    rng = random.Random(0)
    for _ in range(100):
        parents = [SPACE.sample(rng, BUDGET), SPACE.sample(rng, BUDGET)]
        child = SPACE.cross(*parents, rng, BUDGET)
        assert BUDGET.admits(child.count)
        for key in (SIZE, OPTIMIZER):
            assert child.recipe[key] in [parent.recipe[key] for parent in parents]


def test_a_network_from_elsewhere_gets_the_first_values():
    architecture = SPACE.forms[1].space.sample(random.Random(0))
    recipe = {SIZE: 6, OPTIMIZER: "adam", "training.learning_rate": 0.01}
    assert SPACE.with_first_choices(architecture).recipe == recipe


def test_a_budget_that_nothing_meets_is_refused_whatever_the_images():
    with pytest.raises(BudgetError, match="no architecture of the space 'small' has at most 5 parameters"):
        SPACE.check(Budget(max_parameters=5))


def test_networks_on_other_images_are_not_of_the_space():
    stranger = Proposal(decisions_space().sample(random.Random(0)))
    other = RecipeSpace(SPACE.forms[1:], SPACE.choices)
    assert stranger in SPACE
    assert stranger not in other
    with pytest.raises(EncodingError, match="no network of the search takes images of 8x8x1"):
        other.encode(stranger)
