"""How long counting the reference networks takes: from a loaded definition to every layer's shape and parameters.

    python benchmarks/reference_counting.py [--repeats 30]

Prints two medians per network, in milliseconds of processor time, which other programs on the machine disturb least.
"cold" forgets every block and layer that was counted before, as in a new process; "warm" counts the same network again,
as a search does with blocks that it has seen.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time

from nas.architecture import graph
from nas.architecture.blocks import base
from nas.files.shipped import find_space, shipped
from nas.space import Definition, SearchSpace, load_definition


def count(definition: Definition) -> int:
    """Parameters of the network, counted from its definition."""
    architecture = SearchSpace(definition).only()
    if architecture is None:
        raise SystemExit(f"{definition.name} is not one network")
    return architecture.count.parameters


def seconds(definition: Definition, *, cold: bool) -> float:
    if cold:
        base._trace.cache_clear()
        graph._facts.cache_clear()
    gc.collect()
    started = time.process_time()
    count(definition)
    return time.process_time() - started


def medians(name: str, repeats: int) -> tuple[float, float]:
    """Milliseconds, cold and warm."""
    definition = load_definition(find_space(name))
    count(definition)  # imports and code paths, once
    cold, warm = (
        statistics.median(seconds(definition, cold=is_cold) for _ in range(repeats)) for is_cold in (True, False)
    )
    return 1e3 * cold, 1e3 * warm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    print(
        f"median of {repeats}, milliseconds of processor time\n\n{'network':16}{'parameters':>14}{'cold':>9}{'warm':>9}"
    )
    for name in shipped("search_spaces"):
        if name.startswith("reference/"):
            cold, warm = medians(name, repeats)
            parameters = count(load_definition(find_space(name)))
            print(f"{name.removeprefix('reference/'):16}{parameters:14,}{cold:9.2f}{warm:9.2f}")


if __name__ == "__main__":
    main()
