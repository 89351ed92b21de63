"""Heads of detection on one body: mAP@50 on the validation scenes of digits, parameters, and processor time.

    nice -n 19 python benchmarks/heads.py                 # six minutes on one core
    python benchmarks/heads.py --filters 16 --seeds 3

The body has three convolutions of n, 2n and 4n channels, with a pooling behind the first two. All heads are trained
alike.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import fmean, stdev

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, Head, PointsHead, Pool, RegionHead, RpnHead, YoloHead
from nas.config import AugmentationConfig, DatasetConfig, TrainingConfig
from nas.datasets import load
from nas.training import clear_session, train

SIZES = (0.2, 0.35)
"""Of anchors and windows, near those of the digits."""

HEADS: dict[str, Head] = {
    "yolo": YoloHead(classes=10),
    "points": PointsHead(classes=10),
    "rpn": RpnHead(classes=10, sizes=SIZES),
    "region": RegionHead(classes=10, sizes=SIZES, units=(32,)),
    "region, roi_pool": RegionHead(classes=10, sizes=SIZES, units=(32,), pooling="roi_pool"),
    "region, windows": RegionHead(classes=10, sizes=SIZES, units=(32,), proposals="windows"),
}
TRAINING = TrainingConfig(
    epochs=12, batch_size=32, learning_rate=0.005, optimizer="adamw", augmentation=AugmentationConfig(shift=2)
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filters", type=int, default=8, help="channels of the first convolution")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each")
    given = parser.parse_args()
    data, filters = load(DatasetConfig(name="digit_scenes_detection")), given.filters
    body = (Conv(filters=filters), Pool(), Conv(filters=2 * filters), Pool(), Conv(filters=4 * filters))
    print(f"{'head':20}{'parameters':>12}{'mAP@50':>16}{'CPU s':>8}")
    for name, head in HEADS.items():
        network = Architecture(input_shape=data.info.input_shape, blocks=(*body, head))
        started, scores = time.process_time(), []
        for seed in range(given.seeds):
            scores.append(train(network, data, TRAINING, seed=seed).metrics["val_score"])
            clear_session()
        seconds = (time.process_time() - started) / given.seeds
        spread = f" ± {stdev(scores):.3f}" if len(scores) > 1 else ""
        print(
            f"{name:20}{network.count.parameters:>12,}{f'{fmean(scores):.3f}{spread}':>16}{seconds:>8.0f}", flush=True
        )


if __name__ == "__main__":
    main()
