"""Trains every network of a small space on the digits: the table `digits-mixed` of `nas bench`.

    nice -n 15 python benchmarks/make_table.py            # 40 minutes on one free core
    python benchmarks/make_table.py --limit 10            # a quick look: how long would it take?

The space is `benchmarks/table_space.yaml`, a part of `mixed` below 10,000 parameters. All of it is trained, so that a
strategy on the table may propose everything that it could propose in a search. Each network is trained from two seeds,
in the loop of a search. It can be killed at any moment: each training is on the disk before the next one begins, and
the same command goes on from there. The table is written when all networks have been trained from a seed, with every
seed that is complete. The same trainings give the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from nas.architecture import Architecture, Budget
from nas.benchmark import parse_table
from nas.config import DatasetConfig, TrainingConfig
from nas.space import SearchSpace, load_space

HERE = Path(__file__).resolve().parent
SPACE = HERE / "table_space.yaml"
TABLE = HERE.parent / "nas" / "benchmark" / "data" / "digits-mixed.csv.gz"

BUDGET = Budget(max_parameters=10_000)
SEEDS = (0, 1)
TRAINING = TrainingConfig(epochs=15, batch_size=64, learning_rate=0.01)

Key = tuple[str, int]
Training = Mapping[str, Any]


def networks(space: SearchSpace) -> list[Architecture]:
    """All of the space inside the budget, each once, from small to large."""
    different = {found.id: found for found in space.architectures(BUDGET)}
    return sorted(different.values(), key=lambda found: (found.count.parameters, found.id))


def recorded(log: Path) -> dict[Key, Training]:
    """The trainings of earlier runs. A line that a kill cut off is cut off for good."""
    if not log.exists():
        return {}
    whole, _, _ = log.read_bytes().rpartition(b"\n")
    os.truncate(log, len(whole) + 1 if whole else 0)
    lines = [json.loads(line) for line in whole.splitlines()]
    return {(line["id"], line["seed"]): line for line in lines}


def train_all(found: list[Architecture], log: Path, limit: int | None) -> dict[Key, Training]:
    """One line of `log` per training, seed after seed, in an order that does not depend on size."""
    # One thread, set before TensorFlow is loaded: these networks are too small for two.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    from nas.datasets import load
    from nas.training import clear_session, evaluate, train

    data = load(DatasetConfig(name="digits"))
    done = recorded(log)
    order = random.Random(0).sample(found, len(found))
    todo = [(network, seed) for seed in SEEDS for network in order if (network.id, seed) not in done][:limit]
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("a", encoding="utf-8") as file:
        for number, (network, seed) in enumerate(todo, start=1):
            result = train(network, data, TRAINING, seed=seed)
            clear_session()
            line = {
                "id": network.id,
                "seed": seed,
                "curve": [round(value, 6) for value in result.curves["val_score"]],
                "test_accuracy": round(evaluate(network, result.weights, data.test)["score"], 6),
                "seconds": round(result.duration_seconds, 3),
            }
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
            done[network.id, seed] = line
            minutes = (time.monotonic() - started) / 60
            left = minutes / number * (len(todo) - number)
            print(f"{number}/{len(todo)}  {minutes:.1f} min, {left:.1f} left", end="\r", file=sys.stderr, flush=True)
    return done


def table(space: SearchSpace, found: list[Architecture], done: Mapping[Key, Training], seeds: list[int]) -> str:
    """As `nas bench --table` reads it."""
    genes = {network.id: space.encode(network) for network in found}
    # A gene with one value decides nothing.
    names = [name for name, values in space.genes().items() if len([value for value in values if value]) > 1]
    epochs = range(1, TRAINING.epochs + 1)
    header = [
        *names,
        *("parameters", "macs", "accuracy", *(f"accuracy_{seed + 1}" for seed in seeds)),
        *("test_accuracy", "cost_seconds"),
        *(f"accuracy_{seed + 1}@{epoch}" for seed in seeds for epoch in epochs),
        *(f"accuracy@{epoch}" for epoch in epochs),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for network in found:
        trainings = [done[network.id, seed] for seed in seeds]
        best = [max(training["curve"]) for training in trainings]
        writer.writerow(
            [
                *(genes[network.id].get(name, "") for name in names),
                *(network.count.parameters, network.count.macs, round(fmean(best), 6), *best),
                round(fmean(training["test_accuracy"] for training in trainings), 6),
                round(fmean(training["seconds"] for training in trainings), 3),
                *(value for training in trainings for value in training["curve"]),
                *(round(fmean(each), 6) for each in zip(*(t["curve"] for t in trainings), strict=True)),
            ]
        )
    return text.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, default=Path("runs/make_table.jsonl"), help="what was trained so far")
    parser.add_argument("--to", type=Path, default=TABLE)
    parser.add_argument("--limit", type=int, help="train at most this many")
    given = parser.parse_args()
    space = load_space(SPACE)
    found = networks(space)
    done = train_all(found, given.log, given.limit)
    missing = {seed: sum((network.id, seed) not in done for network in found) for seed in SEEDS}
    print("\ntrainings that are missing, by seed:", missing)
    seeds = [seed for seed in SEEDS if not missing[seed]]
    if not seeds:
        return
    text = table(space, found, done, seeds)
    parse_table(text, given.to.name)
    # Without the time of day, which gzip would write.
    given.to.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{given.to}: {len(found):,} networks, {given.to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
