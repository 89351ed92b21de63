"""How close a run came to the true front."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import quantiles
from typing import final

from nas.architecture import Budget
from nas.benchmark.table import Row, Table, TableError


@final
class Truth:
    """The true front of a table inside a budget.

    Area is measured over log10 of the parameters, up to the largest row, and over accuracy, from the 10 % quantile of
    all rows on: what one row in ten falls short of is worth nothing. From the worst row on, nearly all area would be
    what any search finds; from the nadir of the front on, the smallest networks would be worth nothing.

    Raises:
        TableError: no network is both smaller than the largest and more accurate than the quantile.
    """

    def __init__(self, table: Table, budget: Budget) -> None:
        self.rows = [row for row in table.rows if budget.admits(row.count)]
        accuracies = [row.accuracy for row in self.rows]
        self.reference = quantiles(accuracies, n=10, method="inclusive")[0] if len(self.rows) > 1 else 0.0
        self.largest = math.log10(max(row.parameters for row in self.rows))
        self.area = self._area(self.rows)
        if self.area <= 0:
            raise TableError(
                f"the front of the table {table.name!r} has no hypervolume: of {len(self.rows)} networks inside the "
                f"budget none is both smaller than the largest and more accurate than the worst tenth; give more "
                f"networks, or a larger budget"
            )

    def share(self, rows: Iterable[Row]) -> float:
        """Share in [0, 1] of the true front's hypervolume that rows reach with their mean accuracies."""
        return self._area(rows) / self.area

    def _area(self, rows: Iterable[Row]) -> float:
        area, level = 0.0, self.reference
        for row in sorted(rows, key=lambda row: (row.parameters, -row.accuracy)):
            if row.accuracy > level:
                # What this row adds above the smaller ones reaches from its size to the largest.
                area += (row.accuracy - level) * (self.largest - math.log10(row.parameters))
                level = row.accuracy
        return area
