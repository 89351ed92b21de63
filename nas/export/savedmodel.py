"""TensorFlow's SavedModel: images in, the task's answers out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import Tensor
from nas.export.format import ExportFormat, Source, register
from nas.export.windows import AMONG
from nas.tasks import TASKS
from nas.tasks.suppression import as_served, suppressed
from nas.training.model import BATCH, in_shape

if TYPE_CHECKING:
    from nas.architecture import Architecture


@final
@register
class SavedModel(ExportFormat):
    """Two or three signatures, which are endpoints too: images `(n, height, width, channels)` to the task's answers.

    `serving_default`, endpoint `serve`, takes `image`, uint8. `float_0_to_1` takes `image_0_to_1`, float32 in [0, 1].
    TensorFlow Serving does not enforce a signature's shape, so the graph itself does, as it does the range of floats:
    whoever feeds pixels from 0 to 255 there is told. What they return has the task's names, such as `probabilities`,
    or `boxes`, `scores`, `classes` and `count`. Where that is decided from the answers, a third signature, `answers`,
    takes uint8 images and returns these, such as `candidates`; on them the export is compared. Where the search chose
    the size or the color of images, they are those of the data set, which the graph makes smaller and gray itself.
    Where a network classifies crops, they are the images of which those were cut, and detections are returned: of what
    the network answers to `windows`; `answers` then takes crops.
    """

    name = "savedmodel"
    adapts = True

    def write(self, source: Source, folder: Path) -> None:
        import keras
        import tensorflow as tf

        head, model, windows = source.architecture.head, source.model, source.windows
        own, task = source.architecture.input_shape, TASKS[head.task]
        single = source.image_shape or own
        shape = single if windows is None else windows.image_shape

        def answered(images: Tensor) -> Tensor:
            return head.answers(model(tf.cast(in_shape(images, own), tf.float32) / 255.0, training=False))

        def served(images: Tensor) -> dict[str, Tensor]:
            if windows is None:
                return task.served(answered(images))

            classes = model.output_shape[-1]
            # A function of its own is stored once, however many shapes windows have.
            classify = tf.function(answered, input_signature=[tf.TensorSpec((None, *own), tf.uint8)])

            def candidates(image: Tensor) -> Tensor:
                scores = windows.look(image, own, classify, classes)
                # Nobody looks for the first class, background.
                return tf.concat([windows.boxes, tf.zeros_like(scores[:, :1]), scores[:, 1:]], axis=-1)

            rows = tf.TensorSpec((len(windows.boxes), 4 + classes), tf.float32)
            found = tf.map_fn(candidates, images, fn_output_signature=rows)
            return as_served(suppressed(found, among=AMONG))

        def serve(image: Tensor) -> dict[str, Tensor]:
            return served(_checked(image, shape))

        def answers(image: Tensor) -> dict[str, Tensor]:
            return {task.answer: answered(_checked(image, single))}

        def float_0_to_1(image_0_to_1: Tensor) -> dict[str, Tensor]:
            images = _checked(image_0_to_1, shape)
            inside = tf.reduce_all((images >= 0) & (images <= 1))  # false for what is not a number
            rule = "image_0_to_1 must lie in [0, 1]; pass uint8 images to serving_default; received from, to"
            told = [rule, tf.reduce_min(images), tf.reduce_max(images)]
            with tf.control_dependencies([tf.debugging.Assert(inside, told)]):
                images = tf.identity(images)
            if windows is not None or shape != own:
                # By way of levels, as the training images were made.
                return served(tf.cast(tf.round(255.0 * images), tf.uint8))
            return task.served(head.answers(model(images, training=False)))

        archive = keras.export.ExportArchive()
        archive.track(model)
        pixels = tf.TensorSpec((None, *shape), tf.uint8, name="image")
        archive.add_endpoint("serve", serve, input_signature=[pixels])
        floats = tf.TensorSpec((None, *shape), tf.float32, name="image_0_to_1")
        archive.add_endpoint("float_0_to_1", float_0_to_1, input_signature=[floats])
        symbol = keras.KerasTensor((1, *model.output_shape[1:]), "float32")
        if windows is not None or task.answer not in task.served(head.answers(symbol)):
            pixels = tf.TensorSpec((None, *single), tf.uint8, name="image")
            archive.add_endpoint("answers", answers, input_signature=[pixels])
        archive.write_out(str(folder), verbose=False)

    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        import tensorflow as tf

        loaded = tf.saved_model.load(str(folder))  # the functions live only as long as this object
        serve = loaded.signatures["answers" if "answers" in loaded.signatures else "serving_default"]
        answer = TASKS[architecture.head.task].answer
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        return np.concatenate([np.asarray(serve(image=tf.constant(part))[answer], np.float32) for part in parts])


def _checked(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The same images, in a graph that fails if they have another shape."""
    import tensorflow as tf

    expected = "x".join(map(str, shape))
    rule = f"images must be (n, height, width, channels) of {expected}; received the shape"
    # The dynamic shape: the static one is what the signature says, and TensorFlow would leave the check out.
    seen = tf.shape(tf.raw_ops.PlaceholderWithDefault(input=images, shape=(None,) * (1 + len(shape))))
    right = tf.reduce_all(tf.equal(seen[1:], shape))
    with tf.control_dependencies([tf.debugging.Assert(right, [rule, seen], summarize=8)]):
        return tf.identity(images)
