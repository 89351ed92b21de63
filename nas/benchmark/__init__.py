"""Strategies replayed on tables of measured networks."""

from nas.benchmark.bench import Result, with_means
from nas.benchmark.bench import bench as run_bench
from nas.benchmark.csv_table import parse_table, read_table
from nas.benchmark.report import as_csv, as_json, plot
from nas.benchmark.table import Row, Table, TableError
from nas.benchmark.table_space import TableSpace
from nas.benchmark.tables import load_table, resolve, table_names

__all__ = [
    "Result",
    "Row",
    "Table",
    "TableError",
    "TableSpace",
    "as_csv",
    "as_json",
    "load_table",
    "parse_table",
    "plot",
    "read_table",
    "resolve",
    "run_bench",
    "table_names",
    "with_means",
]
