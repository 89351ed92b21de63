"""Measured networks as a table: what a strategy may propose, and what it would have been told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from nas.architecture.count import Count
from nas.errors import NasError
from nas.objectives import Cost
from nas.space.protocol import Genes


class TableError(NasError):
    """A table that cannot be replayed; the message names the row."""


@final
@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured network.

    Attributes:
        number: in the table, from 0.
        genes: its decisions; one that it does not have is left out.
        parameters: all weights.
        score: the best estimate, in [0, 1]: the mean where several seeds were trained. Fronts are compared by it.
        observations: the scores of single trainings. A strategy is told one of them.
        test_score: in [0, 1], or None.
        cost_seconds: of one training, or None.
        macs: multiply-adds of one example; 0 if unknown.
        curves: one for each observation: score by epochs trained, ascending; empty if unknown.
        training: the same on the training images.
    """

    number: int
    genes: Genes
    parameters: int
    score: float
    observations: tuple[float, ...]
    test_score: float | None = None
    cost_seconds: float | None = None
    macs: int = 0
    curves: tuple[Mapping[int, float], ...] = ()
    training: tuple[Mapping[int, float], ...] = ()

    @cached_property
    def id(self) -> str:
        return f"row-{self.number}"

    @property
    def completed(self) -> bool:
        """A row is a full training."""
        return True

    def cost(self, cost: Cost) -> float:
        """As the table has it."""
        return float(cost.of(self.count))

    @cached_property
    def count(self) -> Count:
        """Its parameters and multiply-adds; nothing else is known of it."""
        return Count(trainable=self.parameters, macs=self.macs)

    def predicted(self, cost: Cost) -> None:
        """Nothing: a row has no layers."""
        del cost


@final
@dataclass(frozen=True, kw_only=True)
class Table:
    """Every row has genes of its own.

    Attributes:
        floor, finest: as in `nas.objectives.Objectives`.
        side: of the images, in pixels; 0 if unknown.

    Raises:
        TableError: no rows, or two with the same genes.
    """

    name: str
    rows: tuple[Row, ...]
    floor: float = 0.0
    finest: float = 0.001
    side: int = 0

    def __post_init__(self) -> None:
        if not self.rows:
            raise TableError(f"the table {self.name!r} has no rows; give at least one network")
        first: dict[frozenset[tuple[str, str]], int] = {}
        for row in self.rows:
            known = first.setdefault(frozenset(row.genes.items()), row.number)
            if known != row.number:
                raise TableError(
                    f"the table {self.name!r} has the same genes in rows {known + 1} and {row.number + 1}; keep one "
                    f"row a network, and single trainings of it as columns accuracy_1, accuracy_2, ..."
                )

    @cached_property
    def epochs(self) -> int:
        """Of a full training, for early stopping.

        Raises:
            TableError: a row lacks the score after one of them.
        """
        most = max((max(curve, default=0) for row in self.rows for curve in row.curves), default=0)
        if not most:
            raise TableError(
                f"the table {self.name!r} has no scores by epoch, which early stopping (Hyperband's too) needs; give "
                f"columns accuracy@1, accuracy@2, ..., or leave early stopping out"
            )
        for row in self.rows:
            for curve in row.curves or ({},):
                missing = next((epoch for epoch in range(1, most + 1) if epoch not in curve), None)
                if missing is not None:
                    raise TableError(
                        f"the table {self.name!r}, row {row.number + 1}: has no score after epoch {missing}, and early "
                        f"stopping needs that of each of {most} epochs; give it, or leave early stopping out"
                    )
        return most
