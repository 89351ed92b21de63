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

    Area is measured over log10 of the parameters, up to the largest row, and over the score, from the 10 % quantile of
    all rows: one row in ten is below it and worth nothing. Measured from the worst row, nearly all area would be what
    any search finds; measured from the nadir of the front, the smallest networks would be worth nothing.

    Raises:
        TableError: no network is both smaller than the largest and better than the quantile.
    """

    def __init__(self, table: Table, budget: Budget) -> None:
        self.rows = [row for row in table.rows if budget.admits(row.count)]
        scores = [row.score for row in self.rows]
        self.reference = quantiles(scores, n=10, method="inclusive")[0] if len(self.rows) > 1 else 0.0
        self.largest = math.log10(max(row.parameters for row in self.rows))
        self.area = self._area(self.rows)
        if self.area <= 0:
            raise TableError(
                f"the front of the table {table.name!r} has no hypervolume: of {len(self.rows)} networks inside the "
                f"budget none is both smaller than the largest and better than the worst tenth; give more networks, or "
                f"a larger budget"
            )

    def share(self, rows: Iterable[Row]) -> float:
        """Share in [0, 1] of the true front's hypervolume that rows reach with their mean scores."""
        return self._area(rows) / self.area

    def _area(self, rows: Iterable[Row]) -> float:
        area, level = 0.0, self.reference
        for row in sorted(rows, key=lambda row: (row.parameters, -row.score)):
            if row.score > level:
                # What this row adds above the smaller ones reaches from its size to the largest.
                area += (row.score - level) * (self.largest - math.log10(row.parameters))
                level = row.score
        return area
