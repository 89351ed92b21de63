"""From a search for a board to files that run: what the int8 files of two fronts take, answer and score.

    nice -n 19 python benchmarks/devices.py                # digits in two minutes, then Fashion-MNIST in half an hour
    python benchmarks/devices.py --only digits

Two searches for a board, which go on where they were left: `nas search digits --board stm32l010rb`, and Fashion-MNIST
with 10,000 training images for the board stm32f446re. Of every point of their fronts the int8 file is made anew from
the trained weights, then checked:

* TFLM answers 100 validation images as LiteRT's reference kernels do: `maps` says how many numbers of the last map
  differ, `steps` how far the answers are apart, in steps of 256. Dense layers and softmax may round to the next step;
* `trained` and `int8` are scores on all validation images;
* flash and RAM are inside the board's limits, and beside them how far the predictions are off;
* no tensor is a float, which is read from the file, and no operator turns one into the other.

A line below says what became of all trials, and which part of a trial's time its measurement took. The program fails if
anything of this does not hold.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import numpy.typing as npt

from nas.boards import find_board
from nas.config import load_experiment
from nas.datasets import load
from nas.datasets.spec import DatasetSpec
from nas.export import measure
from nas.export.litert_file import answers, convert, describe
from nas.export.micro import arena_bytes, micro_answers
from nas.files.shipped import find_experiment
from nas.objectives import DEVICE_COSTS, FLASH_BYTES, RAM_BYTES
from nas.results.trial import TrialRecord, TrialStatus
from nas.tasks import TASKS
from nas.training import evaluate, rebuild
from nas.tuning import Plan, Search, run

IMAGES = 100
SETTINGS: dict[str, dict[str, Any]] = {
    "digits": {"board": "stm32l010rb", "trials": 12, "training.epochs": 8, "final.seeds": 0},
    "fashion_mnist": {
        "board": "stm32f446re",
        "trials": 10,
        "training.epochs": 3,
        "dataset.train_limit": 10_000,
        "final.seeds": 0,
    },
}
HEADINGS = (
    "trial",
    "parameters",
    "flash",
    "predicted",
    "RAM",
    "predicted",
    "maps",
    "steps",
    "trained",
    "int8",
    "floats",
)


def searched(name: str, runs_dir: Path) -> Search:
    return run(Plan.of(load_experiment(find_experiment(name), SETTINGS[name]), runs_dir), runs_dir=runs_dir)


def up_to_dense(content: bytes) -> bytes:
    """The same file without what comes after the last map."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    graph = model.subgraphs[0]
    codes = [model.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators]
    dense = codes.index(schema.BuiltinOperator.FULLY_CONNECTED)
    graph.outputs = graph.operators[dense].inputs[:1]
    graph.operators = graph.operators[:dense]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def floats(content: bytes) -> int:
    """Tensors that are no whole numbers, and operators that make them."""
    from tensorflow.lite.python import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(bytearray(content), 0).subgraphs[0]
    whole = {schema.TensorType.INT8, schema.TensorType.INT32}
    turning = {"QUANTIZE", "DEQUANTIZE", "CAST"} & {*describe(content)["operators"]}
    return sum(tensor.type not in whole for tensor in graph.tensors) + len(turning)


def row(search: Search, point: TrialRecord, data: DatasetSpec) -> tuple[str, ...]:
    weights, task = search.weights_of(point), TASKS[search.facts.task]
    content = convert(point.architecture, rebuild(point.architecture, weights), calibration=data.train.images)
    images: npt.NDArray[np.uint8] = data.validation.images[:IMAGES]
    maps = up_to_dense(content)
    different = int((micro_answers(maps, images) != answers(maps, images)).sum())
    steps = float(np.abs(micro_answers(content, images) - answers(content, images)).max() * 256)
    taken = {FLASH_BYTES: len(content), RAM_BYTES: arena_bytes(content)}
    found = np.asarray(task.evidence(data.validation.targets, answers(content, data.validation.images, exact=False)))
    limits = find_board(str(search.experiment.board)).limits
    if different or steps > 2 or floats(content) or any(taken[cost] > limits[cost] for cost in DEVICE_COSTS):
        raise SystemExit(f"trial {point.number}: {different=}, {steps=}, {floats(content)=}, {taken}")
    if any(taken[cost] != point.cost(cost) for cost in DEVICE_COSTS):
        raise SystemExit(
            f"trial {point.number}: measured with random weights {point.metrics}, with trained ones {taken}"
        )
    bytes_: list[str] = []
    for cost, value in taken.items():
        bytes_ += [cost.text(value), f"{(point.architecture.predicted(cost) or 0) / value - 1:+.1%}"]
    return (
        str(point.number),
        f"{point.parameters:,}",
        *bytes_,
        str(different),
        f"{steps:.0f}",
        f"{evaluate(point.architecture, weights, data.validation)['score']:.2%}",
        f"{task.score_of(found):.2%}",
        str(floats(content)),
    )


def outcome(search: Search) -> str:
    """What became of all trials, and how long one is measured beside how long it is trained."""
    limits = find_board(str(search.experiment.board)).limits
    trained = [trial for trial in search.trials if trial.status is TrialStatus.COMPLETED]
    refused = [trial for trial in search.trials if trial.status is TrialStatus.REFUSED]
    if outside := [trial.number for trial in trained for cost in DEVICE_COSTS if trial.cost(cost) > limits[cost]]:
        raise SystemExit(f"trained outside of the limits: {outside}")
    begin = time.perf_counter()
    for trial in trained:
        for cost in DEVICE_COSTS:
            measure(cost, trial.architecture)
    measured = (time.perf_counter() - begin) / len(trained)
    seconds = statistics.fmean(trial.duration_seconds for trial in trained)
    most = {cost: max(trial.cost(cost) for trial in trained) for cost in DEVICE_COSTS}
    used = ", ".join(f"at most {cost.text(most[cost])} of {cost.words(limits[cost])}" for cost in DEVICE_COSTS)
    return (
        f"{len(trained)} trials trained ({used}), {len(refused)} refused after their measurement; a trial is measured "
        f"for {measured:.1f} s and trained for {seconds:.1f} s: {measured / (measured + seconds):.0%} of its time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SETTINGS, help="one of the two")
    parser.add_argument("--runs-dir", type=Path, default=Path("build/devices"))
    given = parser.parse_args()
    given.runs_dir.mkdir(parents=True, exist_ok=True)
    for name in SETTINGS if given.only is None else (given.only,):
        search = searched(name, given.runs_dir)
        data = load(search.experiment.dataset)
        rows = [row(search, point, data) for point in search.front]
        widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
        print(f"\n{name} on {search.experiment.board}: {outcome(search)}.")
        for line in (HEADINGS, *rows):
            print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
