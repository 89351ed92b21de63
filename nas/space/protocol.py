"""What strategies need of a space, whether it is a graph of decisions or a table of measured networks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from nas.architecture import Budget
from nas.architecture.count import Count
from nas.objectives import Cost

Genes = Mapping[str, str]
"""The decisions of one architecture by name. A decision that it does not have, such as the kernel of a pooling block,
is not in it."""


class Candidate(Protocol):
    """What may be proposed: a name that no other network has, and what it costs."""

    @property
    def id(self) -> str: ...
    @property
    def count(self) -> Count: ...
    def predicted(self, cost: Cost) -> int | None:
        """A cost that has to be measured, as arithmetic has it; None: it has nothing to say."""


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


class Space(Protocol[AnyCandidate]):
    """Sample, vary, encode, list. Whatever comes out is inside the space and the budget."""

    def counts(self, cost: Cost) -> tuple[int, int]:
        """The least and the most of a counted cost that a candidate has; of one without a `span`."""
        ...

    def check(self, budget: Budget) -> None:
        """Refuse a budget that nothing meets.

        Raises:
            BudgetError: with the smallest (or largest) count that there is.
        """
        ...

    def sample(
        self, rng: random.Random, budget: Budget | None = None, *, quantile: float | None = None
    ) -> AnyCandidate:
        """A candidate with about the size at `quantile` in [0, 1] of the log-parameters inside the budget."""
        ...

    def mutate(self, architecture: AnyCandidate, rng: random.Random, budget: Budget | None = None) -> AnyCandidate:
        """One decision changed, the others kept as far as they are still possible."""
        ...

    def cross(
        self, first: AnyCandidate, second: AnyCandidate, rng: random.Random, budget: Budget | None = None
    ) -> AnyCandidate:
        """Each decision from one of two candidates, as far as they go together."""
        ...

    def encode(self, architecture: AnyCandidate) -> Genes:
        """The decisions that make this candidate: what models learn from."""
        ...

    def build(self, genes: Genes, rng: random.Random, budget: Budget | None = None) -> AnyCandidate:
        """A candidate with these decisions, or with as many of them as the space and the budget allow."""
        ...

    def genes(self) -> Mapping[str, tuple[str, ...]]:
        """Every decision and what it may be; "" stands for: not there."""
        ...

    def architectures(self, budget: Budget | None = None) -> Iterator[AnyCandidate]:
        """Every candidate inside the budget, one after the other; the same may come twice."""
        ...
