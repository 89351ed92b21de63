"""A table as a search space: every row is an architecture, near are rows that differ in few decisions."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

from nas.architecture import Budget, BudgetError
from nas.benchmark.table import Row, Table
from nas.objectives import PARAMETERS, Cost
from nas.space.protocol import Genes
from nas.space.sampling import BAND

if TYPE_CHECKING:
    import numpy as np

    Integers = np.ndarray[Any, np.dtype[np.int64]]

ABSENT = 0
"""Code of a gene that a row does not have."""


@final
class TableSpace:
    """What `nas.space.protocol.Space` asks for, over the rows of a table."""

    def __init__(self, table: Table) -> None:
        import numpy as np

        self.table = table
        self.names = tuple(dict.fromkeys(name for row in table.rows for name in row.genes))
        values = [sorted({row.genes[name] for row in table.rows if name in row.genes}) for name in self.names]
        self.codes_of = [{value: code for code, value in enumerate(known, start=1)} for known in values]
        self.codes = np.array([self._coded(row.genes) for row in table.rows], dtype=np.int64)
        self.parameters = np.array([row.parameters for row in table.rows], dtype=np.int64)
        self.complete = not (self.codes == ABSENT).any()
        self.row_of = {tuple(codes): row for row, codes in enumerate(self.codes.tolist())}
        self.inside = lru_cache(maxsize=8)(self._inside)

    def counts(self, cost: Cost) -> tuple[int, int]:
        values = [cost.of(row.count) for row in self.table.rows]
        return min(values), max(values)

    def check(self, budget: Budget) -> None:
        if not len(self.inside(budget)):
            least, most = self.counts(PARAMETERS)
            raise BudgetError(
                f"no row of the table {self.table.name!r} is inside {budget}: they have {least:,} to {most:,} "
                f"parameters; widen the budget"
            )

    def sample(self, rng: random.Random, budget: Budget | None = None, *, quantile: float | None = None) -> Row:
        import numpy as np

        rows = self.inside(budget or Budget())
        logs = np.log(self.parameters[rows])
        target = float(logs[0] + (rng.random() if quantile is None else quantile) * (logs[-1] - logs[0]))
        # Counts from the target / BAND to the target; if there are none, those nearest to it.
        low, high = np.searchsorted(logs, [target - math.log(BAND), target + 1e-9])
        if low == high:
            gaps = np.abs(logs - target)
            rows = rows[gaps <= gaps.min() + 1e-12]
        else:
            rows = rows[low:high]
        return self.table.rows[int(rows[int(rng.random() * len(rows))])]

    def mutate(self, architecture: Row, rng: random.Random, budget: Budget | None = None) -> Row:
        budget = budget or Budget()
        codes = self.codes[architecture.number]
        if self.complete:
            # In a table that is nearly complete the neighbors need not be searched for.
            near = [row for row in self._changed_once(codes.tolist()) if budget.admits(self.table.rows[row].count)]
            if near:
                return self.table.rows[near[int(rng.random() * len(near))]]
        rows = self.inside(budget)
        rows = rows[rows != architecture.number]
        return self._nearest(codes, rows, rng) if len(rows) else architecture

    def cross(self, first: Row, second: Row, rng: random.Random, budget: Budget | None = None) -> Row:
        import numpy as np

        from_first = np.array([rng.random() < 0.5 for _ in self.names])
        return self._closest(np.where(from_first, self.codes[first.number], self.codes[second.number]), budget, rng)

    def encode(self, architecture: Row) -> Genes:
        return architecture.genes

    def build(self, genes: Genes, rng: random.Random, budget: Budget | None = None) -> Row:
        import numpy as np

        return self._closest(np.array(self._coded(genes)), budget, rng)

    def genes(self) -> Mapping[str, tuple[str, ...]]:
        absent = (self.codes == ABSENT).any(axis=0)
        return {
            name: (*(("",) if absent[place] else ()), *self.codes_of[place]) for place, name in enumerate(self.names)
        }

    def architectures(self, budget: Budget | None = None) -> Iterator[Row]:
        return (self.table.rows[int(row)] for row in self.inside(budget or Budget()))

    def _coded(self, genes: Genes) -> list[int]:
        return [codes.get(genes.get(name, ""), ABSENT) for name, codes in zip(self.names, self.codes_of, strict=True)]

    def _inside(self, budget: Budget) -> Integers:
        """Numbers of the rows inside a budget by ascending parameters."""
        import numpy as np

        rows = [row.number for row in self.table.rows if budget.admits(row.count)]
        return np.array(sorted(rows, key=lambda number: (int(self.parameters[number]), number)), dtype=np.int64)

    def _changed_once(self, codes: list[int]) -> Iterator[int]:
        for place, known in enumerate(self.codes_of):
            for code in known.values():
                if code != codes[place]:
                    row = self.row_of.get((*codes[:place], code, *codes[place + 1 :]))
                    if row is not None:
                        yield row

    def _closest(self, codes: Integers, budget: Budget | None, rng: random.Random) -> Row:
        budget = budget or Budget()
        exact = self.row_of.get(tuple(codes.tolist()))
        if exact is not None and budget.admits(self.table.rows[exact].count):
            return self.table.rows[exact]
        return self._nearest(codes, self.inside(budget), rng)

    def _nearest(self, codes: Integers, rows: Integers, rng: random.Random) -> Row:
        """One of the rows with the fewest changes. Genes that only one side has count as one change together."""
        theirs = self.codes[rows]
        both = (theirs != ABSENT) & (codes != ABSENT)
        differ = theirs != codes
        changes = (differ & both).sum(axis=1) + (differ & ~both).any(axis=1)
        nearest = rows[changes == changes.min()]
        return self.table.rows[int(nearest[int(rng.random() * len(nearest))])]
