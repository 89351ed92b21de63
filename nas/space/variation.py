"""New architectures from old ones, always inside the space and the budget."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import final

from nas.architecture import Architecture, Budget
from nas.space.decisions import Choice, State, Step
from nas.space.encoding import Encoding
from nas.space.protocol import Genes
from nas.space.sampling import allowed

TRIES = 50
"""Walks before several limits at once are held to be out of reach from here."""


@final
class Variation:
    """Mutation and crossover as one walk that follows wishes as far as the space and the budget let it."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding, self.decisions = encoding, encoding.decisions

    def mutate(self, architecture: Architecture, rng: random.Random, budget: Budget) -> Architecture | None:
        """One decision changed, each with equal chance; the others are kept where they are still possible.

        None: nothing else fits.
        """
        path = self.encoding.path(architecture)
        genes = self.encoding.genes(architecture)
        places = [
            (place, name) for place, (state, step) in enumerate(path) for name in self.encoding.of_step(state, step)
        ]
        tries = 0
        while places and tries < TRIES:
            place, name = places.pop(int(rng.random() * len(places)))
            by_value = self.encoding.making(path[place][0])[name]
            others = [value for value in by_value if value != genes[name]]
            kept = [step for _, step in path[:place]]
            for value in rng.sample(others, len(others)):
                tries += 1
                found = self._follow(genes, rng, budget, kept, among=by_value[value])
                if found is not None and found.id != architecture.id:
                    return found
        return None

    def build(self, genes: Genes, rng: random.Random, budget: Budget) -> Architecture | None:
        """As many of these decisions as go together; those that nothing is said about are drawn."""
        for _ in range(TRIES):
            found = self._follow(genes, rng, budget)
            if found is not None:
                return found
        return None

    def cross(
        self, first: Architecture, second: Architecture, rng: random.Random, budget: Budget
    ) -> Architecture | None:
        """The decisions of each step from one parent, or from the other."""
        genes: dict[str, str] = {}
        parents = (self.encoding.genes(first), self.encoding.genes(second))
        places: dict[str, Genes] = {}
        for name in dict.fromkeys([*parents[0], *parents[1]]):
            # What is decided together is inherited together: the kind of a block and its options.
            place = _place(name)
            if place not in places:
                places[place] = parents[rng.random() < 0.5]
            if name in places[place]:
                genes[name] = places[place][name]
        return self.build(genes, rng, budget)

    def _follow(
        self,
        genes: Genes,
        rng: random.Random,
        budget: Budget,
        kept: Sequence[Step] = (),
        among: Sequence[Step] | None = None,
    ) -> Architecture | None:
        """A path that begins with `kept`, goes on with one of `among`, and takes the steps nearest to the wishes."""
        path = list(kept)
        parameters, macs = sum(step.parameters for step in path), sum(step.macs for step in path)
        state = path[-1].to if path else self.decisions.start
        while not self.decisions.is_end(state):
            possible = allowed(self.decisions, state, budget, parameters, macs, budget.max_parameters)
            if among is not None:
                possible = [choice for choice in possible if choice.step in among]
                among = None
            if not possible:
                return None
            step = self._nearest(state, possible, genes, rng)
            parameters += step.parameters
            macs += step.macs
            path.append(step)
            state = step.to
        height, width, channels = self.decisions.start.shape
        blocks = tuple([step.block for step in path if step.block is not None])
        traces = tuple([step.trace for step in path if step.trace is not None])
        found = Architecture.of_traces((height, width, channels), blocks, traces)
        return found if budget.may_admit(found) else None

    def _drawn(self, possible: Sequence[Choice], rng: random.Random) -> Step:
        """A group, then a step of it, each with equal chance."""
        groups: dict[str, list[Step]] = {}
        for choice in possible:
            groups.setdefault(choice.step.group, []).append(choice.step)
        return rng.choice(rng.choice(list(groups.values())))

    def _nearest(self, state: State, possible: Sequence[Choice], genes: Genes, rng: random.Random) -> Step:
        """The step with the most of the wished decisions."""
        scores = dict.fromkeys([choice.step for choice in possible], 0)
        for name, by_value in self.encoding.making(state).items():
            for step in by_value.get(genes.get(name, ""), ()):
                if step in scores:
                    scores[step] += 1
        best = max(scores.values())
        if best == 0:
            return self._drawn(possible, rng)
        return rng.choice([step for step, score in scores.items() if score == best])


def _place(name: str) -> str:
    """`stage1.2.0` of `stage1.2.0.conv.kernel`; the stage's own decisions are inherited one by one.

    >>> _place("stage1.2.0.conv.kernel"), _place("stage1.filters")
    ('stage1.2.0', 'stage1.filters')
    """
    parts = name.split(".")
    return ".".join(parts[:3]) if len(parts) > 2 else name
