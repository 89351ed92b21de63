"""How early a training tells its end: rank correlations at equal size, epoch by epoch.

    python benchmarks/rungs.py                          # every table that has accuracies by epoch
    python benchmarks/rungs.py --table fashion-tiny

Between the best validation accuracy so far and the accuracy at the end, given the number of parameters (partial rank
correlation): of all networks, of those whose every convolution is normalized, and of the others, where a gene says
which; then of the accuracy on the training images, where the table has it. Rungs of `pareto-asha` have a star. The line
`MACs` has the multiply-adds per parameter in place of an accuracy: what an untrained network tells for nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from nas.architecture import Budget
from nas.benchmark import load_table
from nas.benchmark.table import Row
from nas.benchmark.table_space import TableSpace
from nas.benchmark.truth import Truth
from nas.strategies.early_stopping import make_early_stopping
from nas.strategies.rank_correlation import rank_correlation

TABLES = ("fashion-tiny", "fashion-mixed", "fashion-widths", "digits-mixed", "naap440")
EPOCHS = (1, 2, 3, 4, 6, 8, 12, 20, 30, 60)


def is_normalized(row: Row) -> bool:
    return not any(name.endswith("normalization") and value == "none" for name, value in row.genes.items())


def correlation(rows: Sequence[Row], early: Sequence[float]) -> str:
    if len(rows) < 10:
        return "-"
    ends = [row.observations[0] for row in rows]
    return f"{rank_correlation(early, ends, given=[row.parameters for row in rows]):.2f}"


def best_until(row: Row, epoch: int) -> float:
    return max(score for each, score in row.curves[0].items() if each <= epoch)


def report(name: str) -> None:
    table = load_table(name)
    rows = [row for row in table.rows if row.curves and row.curves[0]]
    rungs = make_early_stopping("pareto-asha", table.epochs, Truth(TableSpace(table), Budget()).objectives).rungs
    groups = {
        "all": rows,
        "normalized": [row for row in rows if is_normalized(row)],
        "others": [row for row in rows if not is_normalized(row)],
    }
    print(f"\n{name}: {len(rows)} networks, {len(groups['others'])} of them not normalized everywhere")
    print(f"{'epoch':>8}" + "".join(f"{group:>12}" for group in (*groups, "training")))
    for epoch in sorted({*rungs[:-1], *(epoch for epoch in EPOCHS if epoch < table.epochs)}):
        cells = [correlation(group, [best_until(row, epoch) for row in group]) for group in groups.values()]
        if all(row.training for row in rows):
            cells.append(correlation(rows, [row.training[0][epoch] for row in rows]))
        print(f"{epoch:>8}" + "".join(f"{cell:>12}" for cell in cells) + " *" * (epoch in rungs))
    if all(row.count.macs for row in rows):
        cells = [correlation(group, [row.count.macs / row.parameters for row in group]) for group in groups.values()]
        print(f"{'MACs':>8}" + "".join(f"{cell:>12}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="append")
    for name in parser.parse_args().table or TABLES:
        report(name)


if __name__ == "__main__":
    main()
