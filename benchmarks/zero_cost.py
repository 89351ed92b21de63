"""Does a look at the untrained network help the search? Jacobian covariance as one more feature of the model.

    python benchmarks/zero_cost.py                           # fashion-tiny and digits-mixed; half an hour on one core
    python benchmarks/zero_cost.py --table fashion-tiny --repeats 5

Of each network of a table: the gradients of its summed logits by 64 training images, with random weights; the
eigenvalues v of the correlation matrix of these 64 gradients; the score is -sum(log(v + k) + 1 / (v + k)), k = 1e-5
(Mellor et al., 2020: Neural Architecture Search without Training). Printed are its rank correlation with the accuracy
at the end at equal size, beside that of the accuracy after some epochs of training; then what `ehvi` comes to without
it and with it, as twelve ordered steps. The rule: it stays if it pays within its own time on both tables.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import make_table
import numpy as np

from nas.benchmark import load_table, run_bench
from nas.benchmark.table import Row
from nas.cli.bench import print_results
from nas.config import DatasetConfig
from nas.datasets import peek
from nas.devices import import_tensorflow
from nas.space import load_space
from nas.space.protocol import Genes
from nas.strategies import EhviStrategy
from nas.strategies.ehvi import FOLLOWING
from nas.strategies.rank_correlation import rank_correlation
from nas.strategies.score_model import Encoder

TABLES = ("fashion-tiny", "digits-mixed")
IMAGES = 64
SMALL = 1e-5
JACOV, STEPS = "jacov", 12
EPOCHS = (1, 2, 4)


def jacov(model: Any, images: Any) -> float:
    """Of a Keras model; images are float32 `(n, height, width, channels)`."""
    import tensorflow as tf

    x = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        summed = tf.reduce_sum(model(x, training=True))
    gradients = np.reshape(tape.gradient(summed, x).numpy(), (len(images), -1))
    if not gradients.any():
        return -1e9
    with np.errstate(invalid="ignore"):
        values = np.linalg.eigvalsh(np.nan_to_num(np.corrcoef(gradients)))
    return -float(np.sum(np.log(values + SMALL) + 1 / (values + SMALL)))


def measure(name: str) -> list[dict[str, float]]:
    """One for each row of the table, in its order; kept, because it takes a second a network."""
    path = Path(f"runs/jacov-{name}.json")
    if path.exists():
        found: list[dict[str, float]] = json.loads(path.read_text())
        return found
    import_tensorflow()
    import keras

    from nas.datasets import load

    plan = make_table.PLANS[name]
    info = peek(plan.dataset)
    space = load_space(plan.space, input_shape=info.input_shape, classes=len(info.labels))
    images = load(DatasetConfig(**plan.dataset.model_dump())).train.images[:IMAGES].astype(np.float32) / 255
    found = []
    for number, network in enumerate(make_table.networks(space, plan)):
        keras.utils.set_random_seed(number)
        model = network.build()
        started = time.perf_counter()
        found.append({"jacov": jacov(model, images), "seconds": time.perf_counter() - started})
        keras.backend.clear_session()
        print(f"{name} {number}", end="\r", file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return found


@lru_cache
def steps(table: str) -> list[int]:
    """The step of each row: equally many rows a step."""
    values = [each["jacov"] for each in measure(table)]
    ranks = np.argsort(np.argsort(values))
    return [int(rank * (STEPS + 1) // len(values)) for rank in ranks]


def encoder(strategy: Any) -> Encoder:
    """That of `ehvi`, with one gene more."""
    return Encoder({**strategy.space.genes(), **FOLLOWING, JACOV: tuple(map(str, range(STEPS + 1)))})


def genes(strategy: Any, candidate: Row) -> Genes:
    """Those of `ehvi`, with one more."""
    return {**WITHOUT(strategy, candidate), JACOV: str(steps(strategy.space.table.name)[candidate.number])}


WITHOUT = EhviStrategy.genes


def report(name: str) -> None:
    found = measure(name)
    rows = load_table(name).rows
    sizes = [row.parameters for row in rows]
    values = [each["jacov"] for each in found]
    seconds = float(np.median([each["seconds"] for each in found]))
    training = float(np.median([row.cost_seconds or 0 for row in rows]))
    ends = [row.score for row in rows]
    cells = [f"jacov {rank_correlation(values, ends, given=sizes):.2f}"]
    for epoch in EPOCHS:
        early = [row.curves[0][epoch] for row in rows]
        cells.append(f"epoch {epoch} {rank_correlation(early, ends, given=sizes):.2f}")
    print(f"{name}: rank correlation with the end at equal size: {', '.join(cells)}")
    print(f"{name}: {seconds:.2f} s a network; a training took {training:.1f} s where the table was made")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="append", choices=TABLES)
    parser.add_argument("--repeats", type=int, default=20)
    given = parser.parse_args()
    tables = given.table or list(TABLES)
    for name in tables:
        report(name)
    options: dict[str, Any] = {"trials": [15, 25, 50, 100], "repeats": given.repeats, "processes": 0}
    results = run_bench(tables, ["ehvi"], **options)
    with patch.object(EhviStrategy, "encoder", property(encoder)), patch.object(EhviStrategy, "genes", genes):
        results += [replace(each, strategy="ehvi, jacov") for each in run_bench(tables, ["ehvi"], **options)]
    print_results(results)


if __name__ == "__main__":
    main()
