"""What `dataset.image_size`, `dataset.fit` and `dataset.grayscale` make of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.datasets.spec import DatasetError, ImageShape
from nas.tasks import TASKS, Framing

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
        down, across, (top, left) = _on_page((picture.height, picture.width), (height, width))
        page = Image.new(picture.mode, (width, height), GROUND)
        page.paste(picture.resize((across, down), Image.Resampling.BILINEAR), (left, top))
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


def framing(shape: tuple[int, int], config: DatasetConfig) -> Framing | None:
    """What `fitted` shows of a picture of (height, width) pixels; None if it is left as it is."""
    if config.size in (None, shape):
        return None
    height, width = config.size
    top, left, bottom, right = 0.0, 0.0, float(shape[0]), float(shape[1])
    if config.fit == "crop":
        scale = min(shape[0] / height, shape[1] / width)
        top, left = (shape[0] - scale * height) / 2, (shape[1] - scale * width) / 2
        bottom, right = shape[0] - top, shape[1] - left
    elif config.fit == "pad":
        down, across, corner = _on_page(shape, (height, width))
        top, left = -corner[0] * shape[0] / down, -corner[1] * shape[1] / across
        bottom, right = top + height * shape[0] / down, left + width * shape[1] / across
    return Framing(top=top, left=left, bottom=bottom, right=right, height=height, width=width)


def _on_page(shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, tuple[int, int]]:
    """The height and width that a picture is scaled to, so that it fits on a page, and its (top, left) there."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    # Of a picture that is very long, a line is left.
    height, width = (max(1, round(side * scale)) for side in shape)
    return height, width, ((size[0] - height) // 2, (size[1] - width) // 2)


def fitted_targets(targets: np.ndarray, task: str, shape: tuple[int, int], config: DatasetConfig) -> np.ndarray:
    """Targets, a row an image, of images of (height, width) pixels that become the size that the user wants."""
    frame = framing(shape, config)
    return targets if frame is None else TASKS[task].resize(targets, shape, frame)


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
