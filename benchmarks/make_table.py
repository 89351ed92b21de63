"""Trains the networks of a table of `nas bench`.

    nice -n 15 python benchmarks/make_table.py fashion-tiny            # hours on one core; resumable
    python benchmarks/make_table.py fashion-tiny --limit 10            # a quick look: how long would it take?

`digits-mixed` is all of `benchmarks/table_space.yaml`, a part of `mixed` below 10,000 parameters, so that a strategy on
the table may propose everything that it could propose in a search. The others are networks of larger spaces on 10,000
images of Fashion-MNIST (6,000 in `fashion-mixed-28`), with augmentation: half of them of all sizes, half of them
neighbors of these. Each is trained in the loop of a search, a part of them from a second seed. It can be killed at any
moment: each training is on the disk before the next one begins, and the same command goes on from there. The table is
written when all networks have been trained from a seed, with what there is of the second one. The same trainings give
the same file, byte for byte.
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
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, final

from nas.architecture import Architecture, Budget
from nas.benchmark import parse_table
from nas.config import AugmentationConfig, DatasetConfig, TrainingConfig
from nas.datasets import peek
from nas.space import SearchSpace, load_space

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "nas" / "benchmark" / "data"


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a table is made of.

    Attributes:
        space: name or path of a search space.
        count: networks; None for all of the space.
        again: how many of them are trained from a second seed.
    """

    space: str
    dataset: DatasetConfig
    most: int
    training: TrainingConfig
    count: int | None = None
    again: int | None = None


FASHION = DatasetConfig(name="fashion_mnist", validation_fraction=0.05, train_limit=10_000)
SMALL_FASHION = FASHION.model_copy(update={"image_size": 14})
SHIFTED = TrainingConfig(
    epochs=12, batch_size=128, learning_rate=0.03, augmentation=AugmentationConfig(shift=1, flip=True)
)
PLANS = {
    "digits-mixed": Plan(
        space=str(HERE / "table_space.yaml"),
        dataset=DatasetConfig(name="digits"),
        most=10_000,
        training=TrainingConfig(epochs=15, batch_size=64, learning_rate=0.01),
    ),
    "fashion-tiny": Plan(space="tiny", dataset=FASHION, most=2_000, training=SHIFTED, count=320, again=80),
    "fashion-mixed": Plan(
        space="mixed",
        dataset=SMALL_FASHION,
        most=50_000,
        training=SHIFTED.model_copy(update={"learning_rate": 0.02}),
        count=320,
        again=0,
    ),
    "fashion-mixed-28": Plan(
        space="mixed",
        dataset=FASHION.model_copy(update={"train_limit": 6_000}),
        most=50_000,
        training=SHIFTED.model_copy(update={"learning_rate": 0.02}),
        count=160,
        again=0,
    ),
    "fashion-widths": Plan(
        space=str(HERE / "table_widths.yaml"),
        dataset=SMALL_FASHION,
        most=20_000,
        training=SHIFTED.model_copy(update={"learning_rate": 0.02}),
        count=320,
        again=80,
    ),
}
SEEDS = (0, 1)

Key = tuple[str, int]
Training = Mapping[str, Any]


def networks(space: SearchSpace, plan: Plan) -> list[Architecture]:
    """What is trained, each once, from small to large."""
    budget, rng = Budget(max_parameters=plan.most), random.Random(0)
    if plan.count is None:
        different = {found.id: found for found in space.architectures(budget)}
    else:
        different = {found.id: found for found in space.sample_distinct(plan.count // 2, rng, budget)}
        while len(different) < plan.count:
            found = space.mutate(rng.choice(list(different.values())), rng, budget)
            different[found.id] = found
    return sorted(different.values(), key=lambda found: (found.count.parameters, found.id))


def recorded(log: Path) -> dict[Key, Training]:
    """The trainings of earlier runs. A line that a kill cut off is cut off for good."""
    if not log.exists():
        return {}
    whole, _, _ = log.read_bytes().rpartition(b"\n")
    os.truncate(log, len(whole) + 1 if whole else 0)
    lines = [json.loads(line) for line in whole.splitlines()]
    return {(line["id"], line["seed"]): line for line in lines}


def train_all(plan: Plan, found: list[Architecture], log: Path, limit: int | None) -> dict[Key, Training]:
    """One line of `log` per training, seed after seed, in an order that does not depend on size."""
    # One thread, set before TensorFlow is loaded: these networks are too small for two.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    from nas.datasets import load
    from nas.training import clear_session, evaluate, train

    data = load(plan.dataset)
    done = recorded(log)
    order = random.Random(0).sample(found, len(found))
    wanted = [(network, seed) for seed in SEEDS for network in order[: plan.again if seed else None]]
    todo = [(network, seed) for network, seed in wanted if (network.id, seed) not in done][:limit]
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("a", encoding="utf-8") as file:
        for number, (network, seed) in enumerate(todo, start=1):
            result = train(network, data, plan.training, seed=seed)
            clear_session()
            line = {
                "id": network.id,
                "seed": seed,
                "curve": [round(value, 6) for value in result.curves["val_score"]],
                "training": [round(value, 6) for value in result.curves["score"]],
                "val_loss": [round(value, 6) for value in result.curves["val_loss"]],
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


def table(plan: Plan, space: SearchSpace, found: list[Architecture], done: Mapping[Key, Training]) -> str:
    """As `nas bench --table` reads it."""
    seeds = [seed for seed in SEEDS if any((network.id, seed) in done for network in found)]
    genes = {network.id: space.encode(network) for network in found}
    # A gene with one value decides nothing.
    names = [name for name, values in space.genes().items() if len([value for value in values if value]) > 1]
    epochs = range(1, plan.training.epochs + 1)
    header = [
        *names,
        *("parameters", "macs", "accuracy", *(f"accuracy_{seed + 1}" for seed in seeds)),
        *("test_accuracy", "cost_seconds"),
        *(f"{kind}_{seed + 1}@{epoch}" for kind in ("accuracy", "training") for seed in seeds for epoch in epochs),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for network in found:
        trainings = [done.get((network.id, seed)) for seed in seeds]
        there = [training for training in trainings if training is not None]
        best = [max(training["curve"]) for training in there]
        writer.writerow(
            [
                *(genes[network.id].get(name, "") for name in names),
                *(network.count.parameters, network.count.macs),
                *(round(fmean(best), 6), *best, *[""] * (len(seeds) - len(best))),
                round(fmean(training["test_accuracy"] for training in there), 6),
                round(fmean(training["seconds"] for training in there), 3),
                *(
                    value
                    for kind in ("curve", "training")
                    for training in trainings
                    for value in (training[kind] if training else [""] * len(epochs))
                ),
            ]
        )
    return text.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=sorted(PLANS))
    parser.add_argument("--log", type=Path, help="what was trained so far; runs/TABLE.jsonl if left out")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--limit", type=int, help="train at most this many")
    given = parser.parse_args()
    plan = PLANS[given.table]
    info = peek(plan.dataset)
    space = load_space(plan.space, input_shape=info.input_shape, classes=len(info.labels))
    found = networks(space, plan)
    done = train_all(plan, found, given.log or Path(f"runs/{given.table}.jsonl"), given.limit)
    missing = sum((network.id, SEEDS[0]) not in done for network in found)
    print(f"\n{missing} of {len(found)} networks are not trained yet")
    if missing:
        return
    to = given.to or DATA / f"{given.table}.csv.gz"
    text = table(plan, space, found, done)
    parse_table(text, to.name)
    # Without the time of day, which gzip would write.
    to.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{to}: {len(found):,} networks, {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
