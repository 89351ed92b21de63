"""Every strategy and its peers on every table: the numbers behind the README.

    pip install 'keras-nas[bench,peers]'
    python benchmarks/strategies.py                       # all tables, no limit
    python benchmarks/strategies.py --max-params 118k     # a budget that 14 % of NAS-Bench-201 meets

Takes about half an hour on two cores. Two runs print the same shares; only the seconds differ. Keras Tuner's own
oracles, which need about a second a proposal, join on demand: --strategies keras-tuner-random,keras-tuner-bayesian
"""

from __future__ import annotations

import argparse
import sys

from nas.benchmark import table_names
from nas.cli import main
from nas.strategies import STRATEGIES

ALL = ",".join([*sorted(STRATEGIES), "optuna-nsga2-ungated", "optuna-tpe-ungated"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="append", help="default: every table that comes with the package or an extra")
    parser.add_argument("--strategies", default=ALL)
    parser.add_argument("--trials", default="25,50,100")
    parser.add_argument("--repeats", default="20")
    parser.add_argument("--max-params")
    parser.add_argument("--format", default="table", choices=["table", "json", "csv"])
    parser.add_argument("--plot")
    return parser.parse_args()


def command(given: argparse.Namespace) -> list[str]:
    """The same as a command line of `nas bench`."""
    # A budget is one for networks of similar size.
    every = ["nasbench201"] if given.max_params else sorted(table_names())
    options = {name: value for name, value in vars(given).items() if name != "table" and value}
    return [
        "bench",
        *(word for table in given.table or every for word in ("--table", table)),
        *(word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)),
    ]


if __name__ == "__main__":
    sys.exit(main(command(arguments())))
