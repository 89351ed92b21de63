"""Tables from CSV files: a column a gene, and what was measured.

`parameters` and `accuracy`, the score, are required; `macs`, `test_accuracy` and `cost_seconds` are optional.
`accuracy_1`, `accuracy_2`, ... are single trainings, and `accuracy` is their mean. `accuracy@E` is the score after E
epochs, `accuracy_1@E`, `accuracy_2@E`, ... that of the single trainings; `training@E`, `training_1@E`, ... are the same
on the training images. Columns with the name of another cost are ignored. Every other column is a gene; an empty cell
means that the network does not have it.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import final

from nas.benchmark.table import Row, Table, TableError
from nas.errors import shown
from nas.files import outside
from nas.objectives import COSTS

REQUIRED = ("parameters", "accuracy")
OPTIONAL = ("macs", "test_accuracy", "cost_seconds")
SEED = re.compile(r"accuracy_([0-9]{1,9})")
EPOCH = re.compile(r"(accuracy|accuracy_[0-9]{1,9})@([0-9]{1,9})")
TRAINING_EPOCH = re.compile(r"training((?:_[0-9]{1,9})?)@([0-9]{1,9})")

ROUNDED = 0.005
"""By how much `accuracy` may miss the mean of the single trainings."""


def read_table(path: Path) -> Table:
    """Read a .csv or .csv.gz file.

    Raises:
        TableError: the file, and the line of the first mistake.
    """
    text = outside.read_text(
        path,
        lambda reason: TableError(f"the table {path} cannot be read: {reason}; give a .csv or .csv.gz file in UTF-8"),
        outside.TABLE,
    )
    return parse_table(text, path.name.removesuffix(".gz").removesuffix(".csv"))


def parse_table(text: str, name: str) -> Table:
    """The same from text.

    Raises:
        TableError: a column is missing, or the line of the first mistake.
    """
    found = csv.reader(io.StringIO(text))
    try:
        first, *lines = [(found.line_num, cells) for cells in found] or [(0, [])]
    except csv.Error as error:
        raise TableError(f"the table {name!r}, line {found.line_num}: {error}; give a CSV file") from None
    header = [column.strip() for column in first[1]]
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        raise TableError(
            f"the table {name!r} has no column {' and no column '.join(map(repr, missing))}; it needs "
            f"{', '.join(map(repr, REQUIRED))} and a column for each gene, with commas between them"
        )
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise TableError(f"the table {name!r} has the column {shown(repeated[0])} twice; keep one")
    reader = _Reader(name, header)
    return Table(name=name, rows=tuple(reader.row(number, cells) for number, cells in lines if any(cells)))


@final
class _Reader:
    def __init__(self, name: str, header: list[str]) -> None:
        self.name, self.header = name, header
        self.seeds = [column for column in header if SEED.fullmatch(column)]
        found = [match for column in header if (match := EPOCH.fullmatch(column))]
        # By the training that they are of: the epoch of each column.
        self.curves: dict[str, dict[int, str]] = {}
        for match in sorted(found, key=lambda match: int(match[2])):
            self.curves.setdefault(match[1], {})[int(match[2])] = match[0]
        # The same on the training images.
        self.training: dict[str, dict[int, str]] = {}
        seen = [match for column in header if (match := TRAINING_EPOCH.fullmatch(column))]
        for match in sorted(seen, key=lambda match: int(match[2])):
            self.training.setdefault(f"accuracy{match[1]}", {})[int(match[2])] = match[0]
        single = [training for training in self.curves if training != "accuracy"]
        lonely = [training for training in single if training not in self.seeds]
        if lonely:
            raise TableError(
                f"the table {name!r} has epochs of {shown(lonely[0])} and no column {shown(lonely[0])}; give the "
                f"result of that training"
            )
        # A cost as a gene would tell strategies what they have to find out, and would make equal networks differ.
        measured = {*REQUIRED, *OPTIONAL, *COSTS, *self.seeds, *(match[0] for match in (*found, *seen))}
        self.genes = [column for column in header if column not in measured]
        unclear = [column for column in self.genes if column.startswith("accuracy")]
        if unclear:
            raise TableError(
                f"the table {name!r} has the column {shown(unclear[0])}; an accuracy is accuracy_1, accuracy@5 or "
                f"accuracy_1@5, a gene begins with another word; rename it"
            )
        if not self.genes:
            raise TableError(f"the table {name!r} has no gene columns; add one for each decision")
        self.rows = 0
        self.lines: dict[tuple[str, ...], int] = {}

    def row(self, line: int, cells: list[str]) -> Row:
        if len(cells) != len(self.header):
            raise self.error(line, f"has {len(cells)} cells, not {len(self.header)} as the header")
        values = dict(zip(self.header, (cell.strip() for cell in cells), strict=True))
        spelling = tuple(values[name] for name in self.genes)
        if spelling in self.lines:
            raise self.error(
                line,
                f"has the same genes as line {self.lines[spelling]}; keep one line a network, and single trainings of "
                f"it as columns accuracy_1, accuracy_2, ...",
            )
        self.lines[spelling] = line
        score = self.share(line, values, "accuracy")
        trained = [column for column in self.seeds if values[column]]
        observations = [self.share(line, values, column) for column in trained]
        if observations and abs(score - fmean(observations)) > ROUNDED:
            raise self.error(
                line,
                f"`accuracy` must be the mean of {', '.join(trained)}, {fmean(observations):.4g}; received "
                f"{shown(values['accuracy'])}",
            )
        mean = self.curve(line, values, "accuracy")
        # Without curves of single trainings, that of the mean stands for each of them.
        curves = [self.curve(line, values, column) or mean for column in trained] or [mean]
        training = [self.curve(line, values, column, self.training) for column in trained or ["accuracy"]]
        number, self.rows = self.rows, self.rows + 1
        return Row(
            number=number,
            genes={name: values[name] for name in self.genes if values[name]},
            parameters=self.whole(line, values, "parameters", 1),
            score=score,
            observations=tuple(observations) or (score,),
            test_score=self.share(line, values, "test_accuracy") if values.get("test_accuracy") else None,
            cost_seconds=self.number(line, values, "cost_seconds", 0, math.inf) if values.get("cost_seconds") else None,
            macs=self.whole(line, values, "macs", 0) if values.get("macs") else 0,
            curves=tuple(curves),
            training=tuple(training) if self.training else (),
        )

    def curve(
        self,
        line: int,
        values: Mapping[str, str],
        training: str,
        of: Mapping[str, Mapping[int, str]] | None = None,
    ) -> dict[int, float]:
        columns = (self.curves if of is None else of).get(training, {})
        return {epoch: self.share(line, values, column) for epoch, column in columns.items() if values[column]}

    def whole(self, line: int, values: Mapping[str, str], column: str, low: float) -> int:
        number = self.number(line, values, column, low, 1e15)
        if number != int(number):
            raise self.error(line, f"`{column}` must be a whole number; received {shown(values[column])}")
        return int(number)

    def share(self, line: int, values: Mapping[str, str], column: str) -> float:
        return self.number(line, values, column, 0, 1)

    def number(self, line: int, values: Mapping[str, str], column: str, low: float, high: float) -> float:
        try:
            number = float(values[column])
        except ValueError:
            number = math.nan
        if math.isfinite(number) and low <= number <= high:
            return number
        limits = f"of at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise self.error(line, f"`{column}` must be a number {limits}; received {shown(values[column])}")

    def error(self, line: int, what: str) -> TableError:
        return TableError(f"the table {self.name!r}, line {line}: {what}")
