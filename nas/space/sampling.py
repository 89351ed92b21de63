"""Paths through a space's decisions that stay inside a budget."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from nas.architecture import Architecture, Budget, BudgetError
from nas.architecture.blocks import Block
from nas.space.decisions import Choice, Decisions, State, Step

BAND = 1.1
"""A sample is aimed at parameter counts from its target / BAND to its target."""

ATTEMPTS = 200
"""Walks before several limits at once are held to be out of reach, and repeats before a space is listed instead."""


def sample(decisions: Decisions, rng: random.Random, budget: Budget, quantile: float) -> Architecture:
    """An architecture inside a budget that `SearchSpace.check` has passed.

    The walk goes only where the budget can still be met. With a limit on parameters alone it therefore always
    arrives; several limits may each be within reach but not together, which is tried `ATTEMPTS` times.

    Raises:
        BudgetError: no walk met all limits.
    """
    reach = decisions.reach(decisions.start)
    if reach is None:
        raise BudgetError("the space has no architecture on this input")
    low = max(reach.fewest_parameters, budget.min_parameters or 0, 1)
    high = reach.most_parameters if budget.max_parameters is None else min(reach.most_parameters, budget.max_parameters)
    high = max(high, low)
    for _ in range(ATTEMPTS):
        target = math.exp(math.log(low) + quantile * (math.log(high) - math.log(low)))
        most = min(max(math.ceil(target), low), high)
        path = _walk(decisions, rng, budget, max(int(target / BAND), budget.min_parameters or 0), most)
        if path is not None:
            return architecture(decisions, path)
        quantile = rng.random()
    raise BudgetError(
        f"no architecture of the space {decisions.definition.name!r} with {budget} was found in {ATTEMPTS} attempts: "
        f"each limit can be met, together they hardly can; raise one of them"
    )


def architecture(decisions: Decisions, blocks: tuple[Block, ...]) -> Architecture:
    height, width, channels = decisions.start.shape
    return Architecture(input_shape=(height, width, channels), blocks=blocks)


def _walk(decisions: Decisions, rng: random.Random, budget: Budget, least: int, most: int) -> tuple[Block, ...] | None:
    """One random path with at most `most` parameters, at least `least` where that is possible; None: a dead end."""
    state, parameters, macs = decisions.start, 0, 0
    blocks = []
    while not decisions.is_end(state):
        choices = _allowed(decisions, state, budget, parameters, macs, most)
        if not choices:
            return None
        # Rather miss the band than the budget: the space may have no count in the band.
        wanted = [choice for choice in choices if parameters + choice.most_parameters >= least]
        step = _choose(wanted or [max(choices, key=lambda choice: choice.most_parameters)], rng)
        parameters, macs = parameters + step.parameters, macs + step.macs
        if step.block is not None:
            blocks.append(step.block)
        state = step.to
    if budget.min_parameters is not None and parameters < budget.min_parameters:
        return None
    return tuple(blocks)


def _allowed(
    decisions: Decisions, state: State, budget: Budget, parameters: int, macs: int, most: int | None
) -> list[Choice]:
    """The steps from which the budget can still be met."""
    choices = decisions.choices(state)
    if most is not None:
        room = most - parameters
        choices = [choice for choice in choices if choice.fewest_parameters <= room]
    if budget.max_macs is not None:
        room = budget.max_macs - macs
        choices = [choice for choice in choices if choice.fewest_macs <= room]
    if budget.max_activation_bytes is not None:
        choices = [choice for choice in choices if choice.least_activation_bytes <= budget.max_activation_bytes]
    return choices


def _choose(choices: list[Choice], rng: random.Random) -> Step:
    """A group, then a step of it, each with equal chance."""
    groups: dict[str, list[Step]] = {}
    for choice in choices:
        groups.setdefault(choice.step.group, []).append(choice.step)
    group = list(groups.values())[int(rng.random() * len(groups))]
    return group[int(rng.random() * len(group))]


def distinct(decisions: Decisions, count: int, rng: random.Random, budget: Budget) -> Iterator[Architecture]:
    """Different networks, sampled until samples only repeat, then listed until there are no more."""
    seen: set[str] = set()
    repeats = 0
    while len(seen) < count and repeats < ATTEMPTS:
        found = sample(decisions, rng, budget, rng.random())
        repeats = repeats + 1 if found.id in seen else 0
        if not repeats:
            seen.add(found.id)
            yield found
    for found in enumerate_all(decisions, budget) if len(seen) < count else ():
        if found.id not in seen:
            seen.add(found.id)
            yield found
            if len(seen) == count:
                return


def enumerate_all(decisions: Decisions, budget: Budget) -> Iterator[Architecture]:
    """Every path inside the budget; never goes where a limit on one quantity cannot be met any more."""

    def walk(state: State, parameters: int, macs: int, blocks: tuple[Block, ...]) -> Iterator[Architecture]:
        if decisions.is_end(state):
            found = architecture(decisions, blocks)
            if budget.admits(found.count):
                yield found
            return
        for choice in _allowed(decisions, state, budget, parameters, macs, budget.max_parameters):
            step = choice.step
            on = blocks if step.block is None else (*blocks, step.block)
            yield from walk(step.to, parameters + step.parameters, macs + step.macs, on)

    return walk(decisions.start, 0, 0, ())
