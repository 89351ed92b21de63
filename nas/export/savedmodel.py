"""TensorFlow's SavedModel: uint8 images in, the task's answers out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasModel, Tensor
from nas.export.format import ExportFormat, register
from nas.tasks import TASKS
from nas.training.model import BATCH

if TYPE_CHECKING:
    from nas.architecture import Architecture


@final
@register
class SavedModel(ExportFormat):
    """Endpoint `serve`, also signature `serving_default`: `image` uint8 `(n, h, w, c)` to the task's answers.

    The answers have the task's name for them, such as `probabilities`.
    """

    name = "savedmodel"

    def write(self, architecture: Architecture, model: KerasModel, folder: Path) -> None:
        import keras
        import tensorflow as tf

        head = architecture.head

        def serve(image: Tensor) -> dict[str, Tensor]:
            outputs = model(tf.cast(image, tf.float32) / 255.0, training=False)
            return {TASKS[head.task].answer: head.answers(outputs)}

        archive = keras.export.ExportArchive()
        archive.track(model)
        signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="image")
        archive.add_endpoint("serve", serve, input_signature=[signature])
        archive.write_out(str(folder), verbose=False)

    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        import tensorflow as tf

        loaded = tf.saved_model.load(str(folder))  # the functions live only as long as this object
        serve = loaded.signatures["serving_default"]
        answer = TASKS[architecture.head.task].answer
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        return np.concatenate([np.asarray(serve(image=tf.constant(part))[answer], np.float32) for part in parts])
