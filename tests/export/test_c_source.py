"""C++ source for TFLM, compiled by the machine's compiler."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead, Pool
from nas.devices import import_tensorflow
from nas.export import export
from nas.export.micro import arena_bytes

LABELS = ("plain", 'a "quoted" \\ back??/slash', "über")

MAIN = """
#include <cstdio>
#include "model.h"

struct Resolver {
  void AddConv2D() { std::printf("Conv2D "); }
  void AddFullyConnected() { std::printf("FullyConnected "); }
  void AddMaxPool2D() { std::printf("MaxPool2D "); }
  void AddMean() { std::printf("Mean "); }
  void AddSoftmax() { std::printf("Softmax "); }
};

int main() {
  Resolver resolver;
  AddOperators(resolver);
  std::printf("\\n%zu %zu %d %d %d %d %d %zu\\n", kModelSize, kTensorArenaSize, kInputHeight, kInputWidth,
              kInputChannels, kOutputSize, kOperatorCount, reinterpret_cast<std::size_t>(kModel) % 16);
  for (const char* label : kLabels) std::printf("%s\\n", label);
  std::fwrite(kModel, 1, kModelSize, stderr);
}
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = Architecture(input_shape=(8, 6, 1), blocks=(Conv(filters=4), Pool(), GlobalPoolHead(classes=3)))
    images = np.random.default_rng(1).integers(0, 256, (300, 8, 6, 1), np.uint8)
    return export(
        network,
        network.build().get_weights(),
        labels=LABELS,
        to=tmp_path_factory.mktemp("export") / "model",
        check_images=images,
        check_targets=np.zeros(300, np.int64),
        calibration=images,
        format="litert-int8,c",
        allowed_loss=1,
    )


@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
def test_it_compiles_and_holds_the_file(exported, tmp_path):
    folder = exported.path
    (tmp_path / "main.cc").write_text(MAIN)
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{folder}"]
    subprocess.run([*command, folder / "model.cc", tmp_path / "main.cc", "-o", tmp_path / "main"], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True)
    operators, numbers, *labels = done.stdout.decode().splitlines()
    content = (folder / "model_int8.tflite").read_bytes()
    assert done.stderr == content
    assert operators.split() == ["Conv2D", "FullyConnected", "MaxPool2D", "Mean", "Softmax"]
    assert [int(number) for number in numbers.split()] == [len(content), arena_bytes(content), 8, 6, 1, 3, 5, 0]
    assert labels == list(LABELS)


def test_the_card_says_what_the_device_needs(exported):
    facts = json.loads((exported.path / "export.json").read_text())["formats"]["c"]
    content = (exported.path / "model_int8.tflite").read_bytes()
    assert (facts["array_bytes"], facts["arena_bytes"]) == (len(content), arena_bytes(content))
    assert facts["input"] == {
        "dtype": "int8",
        "shape": [1, 8, 6, 1],
        "scale": pytest.approx(1 / 255),
        "zero_point": -128,
    }
    assert facts["operators"] == ["CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MEAN", "SOFTMAX"]
