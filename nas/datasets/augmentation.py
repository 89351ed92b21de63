"""Random changes to training images, as operations of the graph: each image of a batch has its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas.architecture.keras_types import Tensor
from nas.datasets.spec import DatasetError
from nas.tasks import Movement

if TYPE_CHECKING:
    from nas.config import AugmentationConfig
    from nas.tasks import Task

MOVING = ("flip", "shift", "rotation", "zoom", "mixup", "cutmix")
"""What targets may have to follow."""

_FLIP, _DOWN, _RIGHT, _ROW, _COLUMN = range(5)
"""Streams of random numbers of the first augmentations, which have always been these."""


def check_augmentation(shape: Sequence[int], augmentation: AugmentationConfig | None, task: Task | None = None) -> None:
    """Refuse an augmentation that could leave nothing of an image, or that the targets cannot follow.

    Args:
        shape: `(height, width, channels)` of the images.
        augmentation: None for none.
        task: whose targets they are; not looked at if left out.

    Raises:
        DatasetError: with the reason.
    """
    if augmentation is None:
        return
    side = min(shape[:2])
    if max(augmentation.shift, augmentation.cutout) >= side:
        raise DatasetError(
            f"augmentation shift and cutout must be smaller than the images' side of {side} pixels; "
            f"received shift={augmentation.shift}, cutout={augmentation.cutout}"
        )
    for name in MOVING if task is not None else ():
        if getattr(augmentation, name) and task is not None and name not in task.follows:
            raise DatasetError(
                f"training.augmentation.{name} cannot be used for {task.name}, whose targets do not follow it; "
                f"leave it out"
            )


def augment(images: Tensor, augmentation: AugmentationConfig, seed: Tensor) -> tuple[Tensor, Movement]:
    """Each image changed on its own, in this order: flipped, turned and zoomed, shifted, made brighter or of another
    contrast, noisy, partly blanked, mixed with another one. What moves in or is blanked is zero.

    Args:
        images: `(batch, height, width, channels)`, any dtype; levels from 0 to 255.
        augmentation: how far.
        seed: integer `(2,)`; the same one gives the same images.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    if not any(augmentation.model_dump().values()):
        return images, Movement(height=height, width=width)
    draws = _Draws(tf.shape(images)[0], tf.cast(seed, tf.int32))
    flipped = angle = scale = down = right = partner = share = None
    if augmentation.flip:
        flipped = tf.cast(draws.whole(_FLIP, 0, 2), tf.bool)
        images = tf.where(flipped[:, :, None, None], tf.reverse(images, axis=[2]), images)
    if augmentation.rotation or augmentation.zoom:
        angle = draws.around("rotation", 0.0, math.radians(augmentation.rotation))
        scale = draws.around("zoom", 1.0, augmentation.zoom)
        images = _turned(images, angle, scale)
    if reach := augmentation.shift:
        images = tf.pad(images, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
        rows, columns = draws.whole(_DOWN, 0, 2 * reach + 1), draws.whole(_RIGHT, 0, 2 * reach + 1)
        images = tf.gather(images, tf.range(height) + rows, axis=1, batch_dims=1)
        images = tf.gather(images, tf.range(width) + columns, axis=2, batch_dims=1)
        down, right = reach - rows, reach - columns
    images = _recolored(images, augmentation, draws)
    if side := augmentation.cutout:
        # The square's center is anywhere in the image, so at an edge a part of it is blanked.
        rows = tf.range(height) - draws.whole(_ROW, 0, height) + side // 2
        columns = tf.range(width) - draws.whole(_COLUMN, 0, width) + side // 2
        inside_rows, inside_columns = (rows >= 0) & (rows < side), (columns >= 0) & (columns < side)
        inside = inside_rows[:, :, None, None] & inside_columns[:, None, :, None]
        images = tf.where(inside, tf.zeros_like(images), images)
    if augmentation.mixup or augmentation.cutmix:
        images, partner, share = _mixed(images, augmentation, draws)
    first = [None if each is None else each[:, 0] for each in (flipped, down, right)]
    return images, Movement(
        height=height,
        width=width,
        flipped=first[0],
        angle=angle,
        scale=scale,
        down=first[1],
        right=first[2],
        partner=partner,
        share=share,
    )


class _Draws:
    """Random numbers of a batch, an image each."""

    def __init__(self, count: Tensor, seed: Tensor) -> None:
        import tensorflow as tf

        self.count, self.seed = count, seed
        self._first = tf.unstack(tf.random.split(seed, 5))
        self._named = (
            "rotation",
            "zoom",
            "brightness",
            "contrast",
            "noise",
            "share",
            "share too",
            "row",
            "column",
            "kind",
        )

    def whole(self, stream: int, low: int, high: int) -> Tensor:
        """One integer in [low, high) an image, `(batch, 1)`."""
        import tensorflow as tf

        return tf.random.stateless_uniform((self.count, 1), self._first[stream], low, high, tf.int32)

    def of(self, name: str) -> Tensor:
        """The seed of a stream."""
        import tensorflow as tf

        return tf.random.fold_in(self.seed, 100 + self._named.index(name))

    def uniform(self, name: str) -> Tensor:
        """In [0, 1), `(batch,)`."""
        import tensorflow as tf

        return tf.random.stateless_uniform((self.count,), self.of(name))

    def around(self, name: str, center: float, reach: float) -> Tensor:
        """In center ± reach, `(batch,)`."""
        return center + reach * (2 * self.uniform(name) - 1)

    def shares(self, alpha: float) -> Tensor:
        """Of the image itself when two are mixed, at least a half: Beta(alpha, alpha), `(batch,)`."""
        import tensorflow as tf

        one, two = (tf.random.stateless_gamma((self.count,), self.of(name), alpha) for name in ("share", "share too"))
        return tf.maximum(one, two) / tf.maximum(one + two, 1e-12)


def _turned(images: Tensor, angle: Tensor, scale: Tensor) -> Tensor:
    """Turned around the middle, counterclockwise, and enlarged."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    across, along = (width - 1) / 2, (height - 1) / 2
    cosine, sine = tf.cos(angle) / scale, tf.sin(angle) / scale
    zero = tf.zeros_like(angle)
    # Where each pixel of the result is taken from.
    places = [
        *(cosine, -sine, across - cosine * across + sine * along),
        *(sine, cosine, along - sine * across - cosine * along),
        *(zero, zero),
    ]
    return tf.raw_ops.ImageProjectiveTransformV3(
        # Of whole levels the operation would drop what lies between them, half a level in the mean.
        images=tf.cast(images, tf.float32),
        transforms=tf.stack(places, axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _recolored(images: Tensor, augmentation: AugmentationConfig, draws: _Draws) -> Tensor:
    import tensorflow as tf

    if not (augmentation.brightness or augmentation.contrast or augmentation.noise):
        return images
    levels = tf.cast(images, tf.float32)
    if augmentation.contrast:
        factor = draws.around("contrast", 1.0, augmentation.contrast)[:, None, None, None]
        middle = tf.reduce_mean(levels, axis=(1, 2, 3), keepdims=True)
        levels = middle + factor * (levels - middle)
    if augmentation.brightness:
        levels += 255 * draws.around("brightness", 0.0, augmentation.brightness)[:, None, None, None]
    if augmentation.noise:
        levels += 255 * augmentation.noise * tf.random.stateless_normal(tf.shape(levels), draws.of("noise"))
    return tf.clip_by_value(levels, 0.0, 255.0)


def _mixed(images: Tensor, augmentation: AugmentationConfig, draws: _Draws) -> tuple[Tensor, Tensor, Tensor]:
    """Each image with the one before it in its batch: the images, which those are, and each image's own share."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    levels = tf.cast(images, tf.float32)
    others = tf.roll(levels, 1, axis=0)
    partner = tf.roll(tf.range(draws.count), 1, axis=0)
    ways: list[tuple[Any, Any]] = []
    if augmentation.mixup:
        share = draws.shares(augmentation.mixup)
        own = share[:, None, None, None]
        ways.append((own * levels + (1 - own) * others, share))
    if augmentation.cutmix:
        side = tf.sqrt(1 - draws.shares(augmentation.cutmix))
        inside = (
            _within(height, side, draws.uniform("row"))[:, :, None]
            & _within(width, side, draws.uniform("column"))[:, None, :]
        )
        pasted = tf.where(inside[..., None], others, levels)
        ways.append((pasted, 1 - tf.reduce_mean(tf.cast(inside, tf.float32), axis=(1, 2))))
    if len(ways) == 1:
        return ways[0][0], partner, ways[0][1]
    first = draws.uniform("kind") < 0.5
    mixed = tf.where(first[:, None, None, None], ways[0][0], ways[1][0])
    return mixed, partner, tf.where(first, ways[0][1], ways[1][1])


def _within(size: int, side: Tensor, place: Tensor) -> Tensor:
    """Which pixels of a row or column lie in a stretch: `(batch, size)`.

    Args:
        size: of the row.
        side: length of the stretch as a share of it, `(batch,)`.
        place: of its middle, as a share, `(batch,)`.
    """
    import tensorflow as tf

    distance = tf.abs((tf.range(size, dtype=tf.float32) + 0.5) / size - place[:, None])
    return distance < side[:, None] / 2
