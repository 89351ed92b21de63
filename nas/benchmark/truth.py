"""How close a run came to the true front."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from nas.architecture import Budget
from nas.benchmark.table import Row, TableError
from nas.benchmark.table_space import TableSpace
from nas.objectives import Objectives
from nas.results.pareto import hypervolume
from nas.space.interest import objectives_of
from nas.tasks import DEFAULT_TASK


@final
class Truth:
    """The true front of a table inside a budget, measured as a search measures its own (`hypervolume`).

    Attributes:
        rows: inside the budget.
        objectives: of a search there.

    Raises:
        TableError: no network is better than the floor.
    """

    def __init__(self, space: TableSpace, budget: Budget) -> None:
        table = space.table
        self.rows = [row for row in table.rows if budget.admits(row.count)]
        self.objectives: Objectives = objectives_of(
            space, budget, score=DEFAULT_TASK.score, floor=table.floor, finest=table.finest
        )
        self.whole = hypervolume(self.rows, self.objectives)
        if self.whole <= 0:
            raise TableError(
                f"the front of the table {table.name!r} has no hypervolume: of {len(self.rows)} networks inside the "
                f"budget none has a higher accuracy than {table.floor:g}; give better networks, or a lower floor"
            )

    def share(self, rows: Iterable[Row]) -> float:
        """Share in [0, 1] of the true front's hypervolume that rows reach with their mean scores."""
        return hypervolume(rows, self.objectives) / self.whole
