"""A mask of classes drawn over its image, in colors."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

GOLDEN = 0.618_034
"""Of a turn between the hues of two classes: neighbors differ most, and no hue comes twice."""

IGNORED_GRAY = 128


def overlaid(image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image in gray with each pixel's class as a hue; class 0, mostly the background, has none.

    Args:
        image: `(height, width, channels)`.
        mask: classes `(height, width)`, 255 for ignored pixels, which become gray.
    """
    import numpy as np

    gray = image[..., :3].mean(axis=-1, keepdims=True) / 255
    hues = np.array([colorsys.hsv_to_rgb(number * GOLDEN % 1, 0.9, 1.0) for number in range(255)] + [(0.0, 0.0, 0.0)])
    colored = np.where(mask[..., None] > 0, 0.35 * gray + 0.65 * hues[mask], gray)
    colored[mask == 255] = IGNORED_GRAY / 255
    drawn: npt.NDArray[np.uint8] = np.rint(colored * 255).astype(np.uint8)
    return drawn
