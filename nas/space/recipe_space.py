"""Networks with what they are trained with, as one space: a network and a recipe are one candidate."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, final

from nas.architecture import Architecture, Budget, BudgetError
from nas.architecture.count import Count
from nas.files import outside
from nas.objectives import Cost
from nas.recipe import Choices, Recipe, Value, described, effective, text
from nas.space.counting import Size
from nas.space.encoding import EncodingError
from nas.space.protocol import Genes
from nas.space.space import SearchSpace


@final
@dataclass(frozen=True, slots=True)
class Proposal:
    """A network and its recipe, which strategies see as one candidate."""

    architecture: Architecture
    recipe: Recipe = field(default_factory=dict)

    @property
    def id(self) -> str:
        """That of the network, and what is special about its training."""
        values = (f"{key}={text(value)}" for key, value in sorted(self.recipe.items()))
        return "+".join((self.architecture.id, *values))

    @property
    def count(self) -> Count:
        return self.architecture.count

    def predicted(self, cost: Cost) -> int | None:
        """As `Architecture.predicted`."""
        return self.architecture.predicted(cost)

    @property
    def in_words(self) -> str:
        """The network in one line, and its recipe if it has one."""
        return f"{self.architecture.describe()}{f' ({described(self.recipe)})' if self.recipe else ''}"

    def to_json(self) -> str:
        """The architecture's JSON if there is no recipe."""
        if not self.recipe:
            return self.architecture.to_json()
        return json.dumps({"architecture": self.architecture.to_dict(), "recipe": self.recipe})

    @classmethod
    def from_json(cls, written: str) -> Proposal:
        """The inverse of `to_json`, for what nas itself has written."""
        document = outside.parse_json(written)
        if "recipe" not in document:
            return cls(Architecture.from_json(written))
        return cls(Architecture.from_dict(document["architecture"]), document["recipe"])


class Form(NamedTuple):
    """The networks for images of one size and number of channels, and the part of the recipe that makes these."""

    recipe: Recipe
    space: SearchSpace


@final
class RecipeSpace:
    """Implements `nas.space.protocol.Space`. Without choices it is the space that it holds, to the last random number.

    Args:
        forms: one for each shape of images, the first being what a network gets that comes from elsewhere.
        choices: what may stand at each key, those keys included that forms are told by.
    """

    def __init__(self, forms: Sequence[Form], choices: Choices) -> None:
        self.forms, self.choices = tuple(forms), choices
        self._by_shape = {form.space.input_shape: form for form in forms}
        of_images = forms[0].recipe.keys()
        self._trained = {key: values for key, values in choices.items() if key not in of_images}

    @classmethod
    def of(cls, space: SearchSpace) -> RecipeSpace:
        """Of a space whose networks are all trained alike."""
        return cls([Form({}, space)], {})

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """Every recipe for images of one form."""
        every = (
            effective(dict(zip(self._trained, values, strict=True)))
            for values in itertools.product(*self._trained.values())
        )
        return tuple({tuple(recipe.items()): recipe for recipe in every}.values())

    def networks(self, *, times: int = 1) -> Size:
        """How many there are on all forms together, each taken so many times."""
        sizes = [form.space.size() for form in self.forms]
        total = times * sum(size.architectures for size in sizes)
        return Size(architectures=total, exact=all(size.exact for size in sizes))

    def space_of(self, architecture: Architecture) -> SearchSpace:
        """The networks on the same images."""
        return self._form(architecture).space

    def with_first_choices(self, architecture: Architecture) -> Proposal:
        """A network that comes from elsewhere: of each choice it gets the first value."""
        first = {key: values[0] for key, values in self._trained.items()}
        return self._proposal(architecture, effective(first))

    def counts(self, cost: Cost) -> tuple[int, int]:
        found = [form.space.counts(cost) for form in self.forms]
        return min(least for least, _ in found), max(most for _, most in found)

    def check(self, budget: Budget) -> None:
        if not self._within(budget):
            self.forms[0].space.check(budget)

    def sample(self, rng: random.Random, budget: Budget | None = None, *, quantile: float | None = None) -> Proposal:
        form = self._drawn_form(rng, budget)
        architecture = form.space.sample(rng, budget, quantile=quantile)
        return self._proposal(architecture, self._completed({}, rng))

    def mutate(self, architecture: Proposal, rng: random.Random, budget: Budget | None = None) -> Proposal:
        candidate, space = architecture, self.space_of(architecture.architecture)
        if not self.choices:
            return Proposal(space.mutate(candidate.architecture, rng, budget))
        decisions = sum(name in self._open for name in space.encode(candidate.architecture))
        if rng.random() * (decisions + len(candidate.recipe)) >= len(candidate.recipe):
            mutated = space.mutate(candidate.architecture, rng, budget)
            if mutated.id != candidate.architecture.id:
                return Proposal(mutated, candidate.recipe)
        others = [(key, value) for key, now in candidate.recipe.items() for value in self.choices[key] if value != now]
        for key, value in rng.sample(others, len(others)):
            found = self._made({**candidate.recipe, key: value}, [candidate.architecture], rng, budget)
            if found is not None:
                return found
        return self.sample(rng, budget)

    def cross(self, first: Proposal, second: Proposal, rng: random.Random, budget: Budget | None = None) -> Proposal:
        recipe: dict[str, Value] = {}
        for key in self.choices:
            parent = (first, second)[rng.random() < 0.5]
            if key in parent.recipe:
                recipe[key] = parent.recipe[key]
        parents = [first.architecture, second.architecture]
        return self._made(recipe, parents, rng, budget) or self.sample(rng, budget)

    def encode(self, architecture: Proposal) -> Genes:
        genes = self.space_of(architecture.architecture).encode(architecture.architecture)
        recipe = architecture.recipe
        return {**genes, **{key: text(value) for key, value in recipe.items()}} if recipe else genes

    def __contains__(self, architecture: Proposal) -> bool:
        shape = architecture.architecture.input_shape
        return shape in self._by_shape and architecture.architecture in self._by_shape[shape].space

    def build(self, genes: Genes, rng: random.Random, budget: Budget | None = None) -> Proposal:
        wanted = {key: {text(value): value for value in values} for key, values in self.choices.items()}
        recipe = {key: values[genes[key]] for key, values in wanted.items() if genes.get(key) in values}
        form = self._form_for(recipe, budget) or self._drawn_form(rng, budget)
        return self._proposal(form.space.build(genes, rng, budget), self._completed(recipe, rng))

    def genes(self) -> Mapping[str, tuple[str, ...]]:
        found = [form.space.genes() for form in self.forms]
        if not self.choices:
            return found[0]
        genes: dict[str, tuple[str, ...]] = {}
        for name in dict.fromkeys(name for each in found for name in each):
            values = {value for each in found for value in each.get(name, ("",))}
            genes[name] = tuple(sorted(values))
        for key, offered in self.choices.items():
            everywhere = key not in self._trained or all(key in recipe for recipe in self.recipes)
            genes[key] = (*(() if everywhere else ("",)), *map(text, offered))
        return genes

    def architectures(self, budget: Budget | None = None) -> Iterator[Proposal]:
        self.check(budget or Budget())
        for form in self._within(budget):
            for architecture in form.space.architectures(budget):
                for recipe in self.recipes:
                    yield self._proposal(architecture, recipe)

    @cached_property
    def _open(self) -> frozenset[str]:
        """Names of the decisions about a network that are not settled."""
        return frozenset(name for name, values in self.genes().items() if len(values) > 1)

    def _form(self, architecture: Architecture) -> Form:
        form = self._by_shape.get(architecture.input_shape)
        if form is None:
            shape = "x".join(map(str, architecture.input_shape))
            raise EncodingError(f"no network of the search takes images of {shape}")
        return form

    def _proposal(self, architecture: Architecture, trained: Recipe) -> Proposal:
        """With the whole recipe, in the order of the choices."""
        recipe = {**self._form(architecture).recipe, **trained}
        return Proposal(architecture, {key: recipe[key] for key in self.choices if key in recipe})

    def _completed(self, recipe: Recipe, rng: random.Random) -> Recipe:
        """What a recipe says of the training; what it does not say is drawn."""
        return effective(
            {key: recipe[key] if key in recipe else rng.choice(values) for key, values in self._trained.items()}
        )

    def _within(self, budget: Budget | None) -> list[Form]:
        """The forms that have a network inside a budget."""
        found = []
        for form in self.forms:
            try:
                form.space.check(budget or Budget())
            except BudgetError:
                continue
            found.append(form)
        return found

    def _drawn_form(self, rng: random.Random, budget: Budget | None) -> Form:
        if len(self.forms) == 1:
            return self.forms[0]
        self.check(budget or Budget())
        return rng.choice(self._within(budget))

    def _form_for(self, recipe: Recipe, budget: Budget | None) -> Form | None:
        """The one that a recipe asks for, if it has a network inside the budget."""
        return next((form for form in self._within(budget) if form.recipe.items() <= recipe.items()), None)

    def _made(
        self, recipe: Recipe, parents: Sequence[Architecture], rng: random.Random, budget: Budget | None
    ) -> Proposal | None:
        """A child of one or two networks on the images that a recipe asks for; None: none is inside the budget."""
        form = self._form_for(recipe, budget)
        if form is None:
            return None
        shape = form.space.input_shape
        moved = [
            parent
            if parent.input_shape == shape
            else form.space.build(self.space_of(parent).encode(parent), rng, budget)
            for parent in parents
        ]
        child = form.space.cross(moved[0], moved[1], rng, budget) if len(moved) > 1 else moved[0]
        return self._proposal(child, self._completed(recipe, rng) if self.choices else {})
