"""ONNX, for runtimes that are not TensorFlow's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import Tensor
from nas.devices import captured
from nas.export.format import ExportFormat, Source, register
from nas.tasks import TASKS
from nas.training.model import BATCH

if TYPE_CHECKING:
    from nas.architecture import Architecture

FILE = "model.onnx"
OPSET = 18
"""Of ONNX's operators: all runtimes of the last years know it."""


@final
@register
class Onnx(ExportFormat):
    """`model.onnx`: `image`, float32 pixels in [0, 1], `(n, height, width, channels)` in; the task's answers out."""

    name = "onnx"
    packages, extra = ("onnx", "onnxruntime", "tf2onnx"), "onnx"

    def write(self, source: Source, folder: Path) -> None:
        import tensorflow as tf

        with captured([]):
            import onnx
            import tf2onnx
            from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

            head, model = source.architecture.head, source.model

            def serve(image: Tensor) -> Tensor:
                return head.answers(model(image, training=False))

            taken = tf.TensorSpec((None, *source.architecture.input_shape), tf.float32, name="image")
            # Without jit_compile, whose calls it does not know. Frozen first, as `from_function` takes larger constants
            # of layers, such as fixed windows, for inputs.
            traced = tf.function(serve, autograph=False, jit_compile=False).get_concrete_function(taken)
            frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False, aggressive_inlining=True)
            (image,), (answer,) = frozen.inputs, frozen.outputs
            found, _ = tf2onnx.convert.from_graph_def(
                frozen.graph.as_graph_def(add_shapes=True),
                name=traced.name,
                input_names=[image.name],
                output_names=[answer.name],
                tensors_to_rename={image.name: "image", answer.name: TASKS[head.task].answer},
                opset=OPSET,
            )
            onnx.save(found, folder / FILE)

    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        import onnxruntime

        del architecture
        session = onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
        floats = (images[start : start + BATCH].astype(np.float32) / 255 for start in range(0, len(images), BATCH))
        return np.concatenate([session.run(None, {"image": part})[0] for part in floats])

    def facts(self, folder: Path) -> Mapping[str, Any]:
        import onnx

        graph = onnx.load(folder / FILE).graph
        return {"operators": sorted({node.op_type for node in graph.node})}
