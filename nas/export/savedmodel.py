"""TensorFlow's SavedModel: uint8 images in, class probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from nas.export.format import ExportFormat, register

_BATCH = 512


@final
@register
class SavedModel(ExportFormat):
    """Endpoint `serve`, also signature `serving_default`: `image` uint8 `(n, h, w, c)` to `probabilities`."""

    name = "savedmodel"

    def write(self, model: Any, folder: Path, *, labels: Sequence[str]) -> None:
        import keras
        import tensorflow as tf

        def serve(image: Any) -> dict[str, Any]:
            return {"probabilities": model(tf.cast(image, tf.float32) / 255.0, training=False)}

        archive = keras.export.ExportArchive()
        archive.track(model)
        signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="image")
        archive.add_endpoint("serve", serve, input_signature=[signature])
        archive.write_out(str(folder), verbose=False)

    def predict(self, folder: Path, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        import tensorflow as tf

        loaded = tf.saved_model.load(str(folder))  # the functions live only as long as this object
        serve = loaded.signatures["serving_default"]
        parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        return np.concatenate(
            [np.asarray(serve(image=tf.constant(part))["probabilities"], np.float32) for part in parts]
        )
