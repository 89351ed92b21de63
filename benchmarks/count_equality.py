"""Whether random networks have the counts of Keras: parameters, trainable and not, and the shape of every layer.

    python benchmarks/count_equality.py [--spaces segment detect detect_regions] [--networks 1000]

Networks are drawn as a search draws them, on the input of the space's file, and built. The first that differs is
printed with both counts, and the script fails.
"""

from __future__ import annotations

import argparse
import os
import random
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from nas import Architecture, load_space

CLEARED = 50
"""Networks after which Keras forgets its own."""


def difference(network: Architecture) -> str:
    """What Keras counts otherwise; nothing if all is equal."""
    model = network.build()
    mine = network.count.trainable, network.count.non_trainable
    of_both = model.trainable_weights, model.non_trainable_weights
    theirs = tuple(sum(weight.shape.num_elements() for weight in weights) for weights in of_both)
    if mine != theirs:
        return f"{mine} here, {theirs} in Keras"
    for block, node in network.nodes():
        layer = model.get_layer(f"{block}_{node.name}")
        there = tuple(layer.output.shape[1:]), layer.count_params()
        if there != (node.shape, node.count.parameters):
            return f"{layer.name}: {node.shape} and {node.count.parameters:,} here, {there} in Keras"
    return ""


def main() -> None:
    import keras

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=["segment", "detect", "detect_regions"])
    parser.add_argument("--networks", type=int, default=1_000)
    arguments = parser.parse_args()
    for name in arguments.spaces:
        space, rng, started = load_space(name), random.Random(0), time.process_time()
        counts, heads = [], set()
        for number, network in enumerate(space.sample_distinct(arguments.networks, rng)):
            if differs := difference(network):
                raise SystemExit(f"{name}: {network.to_json()}\n{differs}")
            counts.append(network.count.parameters)
            heads.add(network.head.kind)
            if number % CLEARED == CLEARED - 1:
                keras.utils.clear_session(free_memory=False)
        print(
            f"{name}: {len(counts):,} networks of {min(counts):,} to {max(counts):,} parameters, "
            f"heads {', '.join(sorted(heads))}: all equal, {time.process_time() - started:.0f} s of processor time",
            flush=True,
        )


if __name__ == "__main__":
    main()
