"""How near arithmetic is to the int8 file and to TFLM's arena, over random networks of every shipped space.

    nice -n 19 python benchmarks/device_prediction.py --to build/predictions.jsonl       # 20 minutes on an idle core
    python benchmarks/device_prediction.py --networks 20 --spaces plain tiny --to build/predictions.jsonl

Each network is converted and its arena measured, as in a search; a line of the file is one network, and what is in the
file is not measured again: a killed run goes on. Networks of all spaces take turns, so that a part says something of
each. Errors are shares of what is measured; an error below 0 promises too little. `seconds` is what a search spends on
a measurement, the prediction's time stands beside it.

The constants of `nas/architecture/device_bytes.py` were fitted on the networks 0 to 30 of each space; `--from 31`
reports on the others.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from nas import Architecture, load_space
from nas.architecture.device_bytes import PREDICTED
from nas.architecture.lowering import lower
from nas.export import measure
from nas.objectives import FLASH_BYTES, RAM_BYTES

SPACES = ("plain", "residual", "mixed", "inception", "bottleneck", "tiny")
HEADINGS = ("space", "networks", "flash: mean |error|", "worst", "RAM: lowest", "highest", "seconds", "prediction, ms")


def networks(spaces: list[str], count: int) -> Iterator[tuple[str, int, Architecture]]:
    """Of each space in turns."""
    found = {name: load_space(name).sample_distinct(count, random.Random(0)) for name in spaces}
    for number in range(count):
        for name, samples in found.items():
            if (network := next(samples, None)) is not None:
                yield name, number, network


def measured(network: Architecture) -> dict[str, float]:
    import keras

    begin = time.perf_counter()
    bytes_ = {cost.name: measure(cost, network) for cost in (FLASH_BYTES, RAM_BYTES)}
    seconds = time.perf_counter() - begin
    keras.utils.clear_session(free_memory=False)
    return {**bytes_, "seconds": round(seconds, 3)}


def predicted(network: Architecture) -> dict[str, float]:
    begin = time.perf_counter()
    operators = lower(network.nodes())
    bytes_ = {cost.name: arithmetic(network.input_shape, operators) for cost, arithmetic in PREDICTED.items()}
    return {**bytes_, "ms": 1_000 * (time.perf_counter() - begin)}


def row(name: str, known: list[dict[str, Any]]) -> tuple[str, ...]:
    predictions = [predicted(Architecture.from_json(each["architecture"])) for each in known]
    errors = {
        cost: [guess[cost.name] / each[cost.name] - 1 for guess, each in zip(predictions, known, strict=True)]
        for cost in (FLASH_BYTES, RAM_BYTES)
    }
    flash, ram = errors[FLASH_BYTES], errors[RAM_BYTES]
    return (
        name,
        str(len(known)),
        f"{statistics.fmean(map(abs, flash)):.2%}",
        f"{max(flash, key=abs):+.2%}",
        f"{min(ram):+.2%}",
        f"{max(ram):+.2%}",
        f"{statistics.median(each['seconds'] for each in known):.2f}",
        f"{statistics.median(guess['ms'] for guess in predictions):.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=200, help="of each space")
    parser.add_argument("--spaces", nargs="+", default=SPACES)
    parser.add_argument(
        "--from", dest="first", type=int, default=0, help="number of the first network that is reported"
    )
    parser.add_argument("--to", type=Path, required=True, help="file with a line a network")
    given = parser.parse_args()

    given.to.parent.mkdir(parents=True, exist_ok=True)
    lines = given.to.read_text().splitlines() if given.to.exists() else []
    known = {(each["space"], each["number"]): each for each in map(json.loads, lines)}
    with given.to.open("a") as file:
        for name, number, network in networks(given.spaces, given.networks):
            if (name, number) not in known:
                each = {"space": name, "number": number, "architecture": network.to_json(), **measured(network)}
                known[name, number] = each
                print(json.dumps(each), file=file, flush=True)
    rows = [
        row(name, [each for (space, number), each in known.items() if space == name and number >= given.first])
        for name in given.spaces
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    for line in (HEADINGS, *rows):
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
