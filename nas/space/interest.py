"""Which networks a search is about: what it wants, and the range of costs that matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas.architecture import Budget, BudgetError
from nas.architecture.budget import INTEREST
from nas.objectives import DEFAULT_COSTS, PARAMETERS, Cost, Objectives, Score
from nas.space.protocol import Space


def objectives_of(
    space: Space[Any],
    budget: Budget,
    *,
    score: Score,
    costs: Sequence[Cost] = DEFAULT_COSTS,
    floor: float = 0.0,
    finest: float = 0.001,
) -> Objectives:
    """What a search over a space inside a budget wants.

    Args:
        space: what may be proposed.
        budget: also says which range matters, if that is not the usual one.
        score: to be high.
        costs: to be low.
        floor: as in `Objectives`.
        finest: as in `Objectives`.

    Raises:
        BudgetError: nothing that may be proposed lies in the budget's range of interest.
    """
    first, *others = costs
    interest = {first: _range(space, budget, first, budget.interest)}
    interest |= {cost: _range(space, budget, cost, None) for cost in others}
    return Objectives(score=score, interest=interest, floor=floor, finest=finest, budget=budget.most(first))


def _range(space: Space[Any], budget: Budget, cost: Cost, wanted: tuple[float, float] | None) -> tuple[float, float]:
    """The range of interest of a cost: what is wanted, else from a part of the limit on, of what there is."""
    least, most = cost.span or space.counts(cost)
    if cost is PARAMETERS:
        least = max(least, budget.min_parameters or 0)
    limit = budget.most(cost)
    if limit is not None:
        most = max(least, min(most, limit))
    if wanted is None:
        return (least if limit is None else max(least, min(most, limit / INTEREST))), most
    low, high = max(least, wanted[0]), min(most, wanted[1])
    if low > high:
        raise BudgetError(
            f"interest must overlap the networks that may be proposed, with {cost.text(least)} to {cost.words(most)}; "
            f"received {cost.text(wanted[0])}..{cost.text(wanted[1])}"
        )
    return low, high
