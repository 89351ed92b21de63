"""What `dataset.image_size`, `dataset.fit` and `dataset.grayscale` make of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.datasets.spec import DatasetError, ImageShape

if TYPE_CHECKING:
    from PIL import Image

    from nas.config import DatasetConfig

GROUND = "white"
"""What shows through where a picture is transparent, and beside one that is padded: as on a page."""


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
    height, width = config.size or (height, width)
    return height, width, 1 if config.grayscale else channels


def fitted(picture: Image.Image, config: DatasetConfig) -> Image.Image:
    """A picture of mode L or RGB in the size that the user wants."""
    from PIL import Image, ImageOps

    if config.size is None:
        return picture
    height, width = config.size
    if config.fit == "crop":
        return ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    if config.fit == "pad":
        # Of a picture that is very long, a line is left.
        scale = min(width / picture.width, height / picture.height)
        scaled = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        page = Image.new(picture.mode, (width, height), GROUND)
        corner = ((width - scaled[0]) // 2, (height - scaled[1]) // 2)
        page.paste(picture.resize(scaled, Image.Resampling.BILINEAR), corner)
        return page
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def fitted_arrays(images: np.ndarray, config: DatasetConfig) -> np.ndarray:
    """The uint8 images `(n, height, width, channels)` in the size that the user wants.

    Searches stretch theirs with `adapt` before: it has always done that, and pixels are the identity of data.
    """
    from PIL import Image

    if config.size in (None, images.shape[1:3]):
        return images
    made = np.empty((len(images), *config.size, images.shape[-1]), np.uint8)
    for number, channel in np.ndindex(len(images), images.shape[-1]):
        made[number, ..., channel] = np.asarray(fitted(Image.fromarray(images[number, ..., channel]), config))
    return made


def adapt(images: Any, config: DatasetConfig) -> Any:
    """The uint8 images `(..., height, width, channels)`, one or a batch, gray or stretched if the user wants that."""
    height, width, channels = images.shape[-3:]
    size = (config.size if config.fit == "stretch" else None) or (height, width)
    return in_shape(images, (*size, 1 if config.grayscale and channels == 3 else channels))


def in_shape(images: Any, shape: ImageShape) -> Any:
    """The uint8 images `(..., height, width, channels)` in another shape: stretched, and gray if it has one channel."""
    import tensorflow as tf

    height, width, channels = shape
    if channels == 1 and images.shape[-1] == 3:
        images = tf.image.rgb_to_grayscale(images)
    if tuple(images.shape[-3:-1]) != (height, width):
        images = tf.cast(tf.round(tf.image.resize(images, (height, width), antialias=True)), tf.uint8)
    return images
