"""What `dataset.image_size` and `dataset.grayscale` make of images that are arrays already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.datasets.spec import DatasetError, ImageShape

if TYPE_CHECKING:
    from nas.config import DatasetConfig


def shape_of(shape: tuple[int, ...], config: DatasetConfig) -> ImageShape:
    """The shape that `adapt` gives to images of a shape `(height, width, channels)`.

    Raises:
        DatasetError: there is no gray of that many channels.
    """
    height, width, channels = shape
    if config.grayscale and channels not in (1, 3):
        raise DatasetError(
            f"dataset.grayscale needs images of 1 or 3 channels; {config.name!r} has {channels}; leave it out"
        )
    side = config.image_size
    return side or height, side or width, 1 if config.grayscale else channels


def adapt(images: Any, config: DatasetConfig) -> Any:
    """The uint8 images `(..., height, width, channels)`, one or a batch, as the user wants them."""
    import tensorflow as tf

    if config.grayscale and images.shape[-1] == 3:
        images = tf.image.rgb_to_grayscale(images)
    side = config.image_size
    if side is not None and tuple(images.shape[-3:-1]) != (side, side):
        images = tf.cast(tf.round(tf.image.resize(images, (side, side), antialias=True)), tf.uint8)
    return images
