"""Windows all over an image, at which a classifier of crops looks and so becomes a detector.

They stand in for the regions that selective search proposes to R-CNN (Girshick et al., 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas.architecture.boxes import Box
from nas.architecture.keras_types import Tensor
from nas.training.model import in_shape

if TYPE_CHECKING:
    from pathlib import Path

ImageShape = tuple[int, int, int]
"""`(height, width, channels)`."""

SHAPES, STEPS = 3, 6
"""Shapes of windows, and steps in which one moves by its own side. With 6 shapes no more objects are found on scenes of
digits and on blood cells, in twice the time; with 4 steps mAP@50 is .04 to .15 lower, with 8 it is the same."""

AMONG = 256
"""Of so many windows the overlapping ones are removed: those around a few objects alone are often more than 64."""


@final
@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Images with boxes, of which crops were cut.

    Attributes:
        labels: names of the classes, without background.
        boxes: of the training images, float32 `(n, most, 5)`, as targets of detection are.
        splits: images uint8 `(n, height, width, channels)` and targets, by the splits' names in scores: `val`, `test`.
    """

    labels: Sequence[str]
    boxes: npt.NDArray[np.float32]
    splits: Mapping[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]

    @cached_property
    def windows(self) -> Windows:
        """Where a detector looks for such objects in such images."""
        height, width, channels = self.splits["val"][0].shape[1:]
        return Windows.of(self.boxes, (height, width, channels))


@final
@dataclass(frozen=True, kw_only=True)
class Windows:
    """Where to look.

    Attributes:
        image_shape: `(height, width, channels)` of the images.
        sides: `(height, width)` in pixels of each shape of windows.
    """

    image_shape: ImageShape
    sides: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, targets: npt.NDArray[np.float32], image_shape: ImageShape) -> Windows:
        """Windows of the objects' shapes: the centers of their clusters, as YOLO9000 chooses its anchors
        (Redmon & Farhadi, 2017), but by the logarithms of their sides.

        Args:
            targets: boxes of the training images, `(n, most, 5)`, with at least one object.
            image_shape: of these images.
        """
        from sklearn.cluster import KMeans

        objects = targets[targets[..., 4] >= 0]
        pixels = np.log(((objects[:, 2:4] - objects[:, :2]) * image_shape[:2]).clip(1))
        clusters = KMeans(min(SHAPES, len(np.unique(pixels, axis=0))), n_init=4, random_state=0).fit(pixels)
        sides = np.exp(clusters.cluster_centers_).round().astype(int).tolist()
        return cls(image_shape=image_shape, sides=tuple(sorted({(height, width) for height, width in sides})))

    @cached_property
    def _places(self) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Rows and columns of pixels of each shape's windows, `(places, pixels)` each."""
        places = []
        for sides in self.sides:
            starts = [
                # At most one a pixel.
                np.linspace(0, whole - side, min(whole - side, -(-(whole - side) * STEPS // side)) + 1)
                .round()
                .astype(int)
                for whole, side in zip(self.image_shape, sides, strict=False)
            ]
            rows, columns = (start[:, None] + np.arange(side) for start, side in zip(starts, sides, strict=True))
            places.append((rows, columns))
        return places

    @cached_property
    def boxes(self) -> npt.NDArray[np.float32]:
        """`(windows, 4)`."""
        height, width, _ = self.image_shape
        boxes: list[Box] = [
            (row[0] / height, column[0] / width, (row[-1] + 1) / height, (column[-1] + 1) / width)
            for rows, columns in self._places
            for row in rows
            for column in columns
        ]
        return np.array(boxes, np.float32)

    def look(self, image: Tensor, shape: ImageShape, classify: Callable[[Tensor], Tensor], classes: int) -> Tensor:
        """What a classifier of crops answers to each window, float32 `(windows, classes)`.

        It sees a row of windows at a time, which bounds the memory. Each is stretched as crops of the training were,
        but without the pixels beside its border.

        Args:
            image: uint8 `image_shape`.
            shape: of a crop.
            classify: uint8 `(n, *shape)` to float32 `(n, classes)`.
            classes: how many.
        """
        import tensorflow as tf

        parts = []
        for rows, columns in self._places:

            def along(row: Tensor, columns: npt.NDArray[Any] = columns) -> Tensor:
                windows = tf.gather(tf.gather(image, row, axis=0), columns, axis=1)
                return classify(in_shape(tf.transpose(windows, (1, 0, 2, 3)), shape))

            answers = tf.TensorSpec((len(columns), classes), tf.float32)
            parts.append(tf.reshape(tf.map_fn(along, rows, fn_output_signature=answers), (-1, classes)))
        return tf.concat(parts, axis=0)


def detections(folder: Path, images: npt.NDArray[np.uint8], *, classes: int) -> npt.NDArray[np.float32]:
    """What a SavedModel finds in images, as candidates that a detection task scores and draws: `(n, k, 4 + classes)`.

    Its classes are those of crops, of which the first is background.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))  # the functions live only as long as this object
    found = []
    for image in images:
        answer = loaded.signatures["serving_default"](image=tf.constant(image[None]))
        scores = tf.one_hot(answer["classes"][0] - 1, classes) * answer["scores"][0, :, None]
        found.append(np.concatenate([answer["boxes"][0], scores], axis=-1))
    return np.stack(found)
