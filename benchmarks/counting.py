"""How fast networks are counted: our arithmetic beside building them in Keras, in one run.

    python benchmarks/counting.py [--space mixed] [--input 32x32x3] [--networks 20] [--json]

Three times per network, in seconds: to build a `keras.Model` and call `count_params()`; to count from the specification
as in a search, where its blocks were seen on these maps before; and to count with all memory cleared. Then the rate at
which one core samples architectures and checks them against a budget. Medians; the load says how busy the machine was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from nas import Architecture, Budget, load_space
from nas.architecture import graph
from nas.architecture.blocks import base
from nas.space import parse_shape


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Median time of one call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def forget() -> None:
    """Clear everything that counting keeps between networks."""
    base._trace.cache_clear()
    graph._facts.cache_clear()


def measure(space_name: str, input_text: str, networks: int, samples: int) -> dict[str, Any]:
    import keras

    started = time.perf_counter()
    space = load_space(space_name, input_shape=parse_shape(input_text), classes=10)
    smallest, largest = space.fewest_parameters, space.most_parameters
    expansion = time.perf_counter() - started

    rng = random.Random(0)
    chosen = list(space.sample_distinct(networks, rng, Budget(max_parameters=200_000)))
    chosen[0].build()  # so that Keras' own first-use costs do not count
    rows = []
    for network in chosen:
        keras.utils.clear_session(free_memory=False)
        specification = {"input_shape": network.input_shape, "blocks": network.blocks}

        def build(network: Architecture = network) -> int:
            return int(network.build().count_params())

        built = seconds(build, 3)
        if build() != network.count.parameters:
            raise SystemExit(f"{network.to_json()}: Keras counts differently")

        def count(specification: dict[str, Any] = specification) -> int:
            return Architecture(**specification).count.parameters

        def count_cold(specification: dict[str, Any] = specification) -> int:
            forget()
            return Architecture(**specification).count.parameters

        count()
        rows.append({"keras": built, "warm": seconds(count, 201), "cold": seconds(count_cold, 21)})
    times = {name: statistics.median(row[name] for row in rows) for name in ("keras", "warm", "cold")}

    budget = Budget(max_parameters=20_000)
    for _ in range(min(samples, 2_000)):
        space.sample(rng, budget)
    # Processor time of this process, whatever else runs.
    start = time.process_time()
    admitted = sum(budget.admits(space.sample(rng, budget).count) for _ in range(samples))
    rate = samples / (time.process_time() - start)
    if admitted != samples:
        raise SystemExit(f"{samples - admitted} of {samples} samples are outside the budget")
    return {
        "space": space_name,
        "input": input_text,
        "networks": len(chosen),
        "smallest": smallest,
        "largest": largest,
        "expansion_seconds": expansion,
        "keras_seconds": times["keras"],
        "count_seconds": times["warm"],
        "count_cold_seconds": times["cold"],
        "ratio": times["keras"] / times["warm"],
        "ratio_cold": times["keras"] / times["cold"],
        "sampled_and_checked_per_second": rate,
        "load_average": os.getloadavg()[0],
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="mixed")
    parser.add_argument("--input", default="32x32x3", help="HEIGHTxWIDTHxCHANNELS")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    result = measure(options.space, options.input, options.networks, options.samples)
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"{result['networks']} networks of {result['space']} at {result['input']}, medians")
    print(f"{'':38}{'milliseconds':>14}{'faster':>10}")
    for label, key, ratio in (
        ("keras.Model, built and counted", "keras_seconds", ""),
        ("from the specification", "count_seconds", f"{result['ratio']:,.0f}x"),
        ("from the specification, nothing kept", "count_cold_seconds", f"{result['ratio_cold']:,.0f}x"),
    ):
        print(f"{label:38}{result[key] * 1000:>14.3f}{ratio:>10}")
    rate = result["sampled_and_checked_per_second"]
    print(f"sampled under 20,000 parameters and checked: {rate:,.0f} a second of one core")
    print(
        f"the space expanded once: {result['expansion_seconds']:.2f} s; "
        f"load of the machine {result['load_average']:.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
