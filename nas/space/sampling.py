"""Paths through a space's decisions that stay inside a budget."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from nas.architecture import Architecture, Budget, BudgetError
from nas.architecture.blocks import Block
from nas.objectives import ACTIVATION_BYTES, MACS
from nas.space.decisions import Choice, Decisions, State, Step
from nas.space.sums import Scale

Path = list[Step]
"""Steps from the start on."""

BAND = 1.1
"""A sample is aimed at parameter counts from its target / BAND to its target."""

ATTEMPTS = 200
"""Walks before several limits at once are held to be out of reach, and repeats before a space is listed instead."""


def sample(decisions: Decisions, rng: random.Random, budget: Budget, quantile: float) -> Architecture:
    """An architecture inside a budget that `SearchSpace.check` has passed.

    The walk goes only where the budget can still be met. With a limit on parameters alone it therefore always
    arrives; several limits may each be within reach but not together, which is tried `ATTEMPTS` times. If no walk met
    the limits that have to be measured, as predicted, it is the network that comes nearest: a measurement decides.

    Raises:
        BudgetError: no walk met all limits on counts.
    """
    reach = decisions.reach(decisions.start)
    if reach is None:
        raise BudgetError("the space has no architecture on this input")
    low = max(reach.fewest_parameters, budget.min_parameters or 0, 1)
    high = reach.most_parameters if budget.max_parameters is None else min(reach.most_parameters, budget.max_parameters)
    high = max(high, low)
    nearest: Architecture | None = None
    for _ in range(ATTEMPTS):
        target = math.exp(math.log(low) + quantile * (math.log(high) - math.log(low)))
        path = _walk(decisions, rng, budget, *_band(decisions, budget, min(max(math.ceil(target), low), high)))
        if path is not None:
            found = _architecture(decisions, path)
            # The walk knows the ends of parameters, multiply-adds and memory; any other cost shows only now.
            if budget.may_admit(found):
                return found
            if budget.admits(found.count):
                nearest = found if nearest is None else min(nearest, found, key=budget.overrun)
        quantile = rng.random()
    if nearest is not None:
        return nearest
    raise BudgetError(
        f"no architecture of the space {decisions.definition.name!r} with {budget} was found in {ATTEMPTS} attempts: "
        f"each limit can be met, together they hardly can; raise one of them"
    )


def architecture(decisions: Decisions, blocks: tuple[Block, ...]) -> Architecture:
    """The blocks on the space's input."""
    height, width, channels = decisions.start.shape
    return Architecture(input_shape=(height, width, channels), blocks=blocks)


def _architecture(decisions: Decisions, path: Path) -> Architecture:
    height, width, channels = decisions.start.shape
    blocks = tuple([step.block for step in path if step.block is not None])
    traces = tuple([step.trace for step in path if step.trace is not None])
    return Architecture.of_traces((height, width, channels), blocks, traces)


def _band(decisions: Decisions, budget: Budget, target: int) -> tuple[int, int]:
    """The parameter counts to aim at: just below the target, or just below the next smaller count that there is."""
    scale = decisions.sums.scale(target)
    least = max(int(target / BAND), budget.min_parameters or 0)
    if not scale.has(decisions.start, least, target):
        nearest = scale.nearest(decisions.start, target)
        least = int((least if nearest is None else nearest) / BAND)
    return max(least, budget.min_parameters or 0), target


def _walk(decisions: Decisions, rng: random.Random, budget: Budget, least: int, most: int) -> Path | None:
    """One random path with at most `most` parameters, at least `least` where that is possible; None: a dead end."""
    state, parameters, macs = decisions.start, 0, 0
    path: Path = []
    scale = decisions.sums.scale(most)
    while not decisions.is_end(state):
        step = _choose(decisions, state, rng, budget, macs, least - parameters, most - parameters, scale)
        if step is None:
            return None
        parameters += step.parameters
        macs += step.macs
        path.append(step)
        state = step.to
    if budget.min_parameters is not None and parameters < budget.min_parameters:
        return None
    return path


def _choose(
    decisions: Decisions,
    state: State,
    rng: random.Random,
    budget: Budget,
    macs: int,
    least: int,
    most: int,
    scale: Scale,
) -> Step | None:
    """A group, then a step of it, each with equal chance among those that can still end between `least` and `most`."""
    groups = list(decisions.groups(state))
    while groups:
        group = groups.pop(int(rng.random() * len(groups)))
        fitting = _within([choice for choice in group if choice[0] <= most and choice[1] >= least], budget, macs)
        while fitting:
            # The costly question only to those that are drawn; the first that passes is as random as all that do.
            step = fitting.pop(int(rng.random() * len(fitting))).step
            if scale.has(step.to, least - step.parameters, most - step.parameters):
                return step
    # Rather miss the lower end than the upper one, where wide steps of the scale have promised too much.
    rest = _within([choice for choice in decisions.choices(state) if choice.fewest_parameters <= most], budget, macs)
    return max(rest, key=lambda choice: choice.most_parameters).step if rest else None


def allowed(
    decisions: Decisions, state: State, budget: Budget, parameters: int, macs: int, most: int | None
) -> list[Choice]:
    """The choices from which a path that has these parameters and multiply-adds can still meet each limit.

    Args:
        decisions: of the space.
        state: where the path is.
        budget: its limit on parameters is not read; `most` stands for it.
        parameters: of the path so far.
        macs: of the path so far.
        most: parameters at the end of the path; None is no limit.
    """
    choices = decisions.choices(state)
    if most is not None:
        choices = [choice for choice in choices if choice.fewest_parameters <= most - parameters]
    if budget.min_parameters is not None:
        least = budget.min_parameters - parameters
        choices = [choice for choice in choices if choice.most_parameters >= least]
    return _within(choices, budget, macs)


def _within(choices: list[Choice], budget: Budget, macs: int) -> list[Choice]:
    """The choices from which the limits on multiply-adds and memory can still be met."""
    most_macs, most_bytes = budget.most(MACS), budget.most(ACTIVATION_BYTES)
    if most_macs is not None:
        choices = [choice for choice in choices if choice.fewest_macs <= most_macs - macs]
    if most_bytes is not None:
        choices = [choice for choice in choices if choice.least_activation_bytes <= most_bytes]
    return choices


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

    def ways(state: State, parameters: int, macs: int) -> Iterator[Step]:
        return (choice.step for choice in allowed(decisions, state, budget, parameters, macs, budget.max_parameters))

    # The path so far, and for each of its steps the ways not yet gone.
    path: Path = []
    open_ways = [ways(decisions.start, 0, 0)]
    totals = [(0, 0)]
    while open_ways:
        step = next(open_ways[-1], None)
        if step is None:
            open_ways.pop()
            totals.pop()
            del path[-1:]
            continue
        parameters, macs = totals[-1]
        parameters, macs = parameters + step.parameters, macs + step.macs
        if decisions.is_end(step.to):
            found = _architecture(decisions, [*path, step])
            if budget.may_admit(found):
                yield found
            continue
        path.append(step)
        totals.append((parameters, macs))
        open_ways.append(ways(step.to, parameters, macs))
