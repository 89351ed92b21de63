"""Images with a caption each, as one SVG picture."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SIDE, TEXT, ACROSS = 96, 18, 6
"""Pixels of an image's side and of the line below it, and images in a row."""

FITTING = 14
"""Characters of a caption below its image; a longer one is whole in the image's tooltip."""


def tiles(images: npt.NDArray[np.uint8], captions: Sequence[tuple[str, bool]], marks: Sequence[str] = ()) -> str:
    """The picture.

    Args:
        images: `(n, height, width, channels)`.
        captions: of each, and whether it is good news.
        marks: SVG elements to lie over each, in pixels of the image; none if left out.
    """
    rows = -(-len(images) // ACROSS)
    width, height = ACROSS * (SIDE + 8), rows * (SIDE + TEXT + 8)
    parts = []
    for number, (image, (caption, good)) in enumerate(zip(images, captions, strict=True)):
        x, y = number % ACROSS * (SIDE + 8), number // ACROSS * (SIDE + TEXT + 8)
        source = base64.b64encode(_png(image)).decode()
        # XML has no control characters, not even escaped.
        caption = "".join(character if character.isprintable() else " " for character in caption)
        short = caption if len(caption) <= FITTING else f"{caption[: FITTING - 1]}…"
        parts.append(
            f'<image x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{source}"><title>{html.escape(caption)}</title></image>'
            f'<text x="{x}" y="{y + SIDE + 13}" font-size="11" font-family="sans-serif" '
            f'fill="{"#22303c" if good else "#c43b50"}">{html.escape(short)}</text>'
        )
        if marks:
            # Shrunk and centered as the image is.
            sides = f"{image.shape[1]} {image.shape[0]}"
            parts.append(
                f'<svg x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" viewBox="0 0 {sides}">{marks[number]}</svg>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"{''.join(parts)}</svg>\n"
    )


_NUMBERS = {"x", "y", "width", "height", "viewBox", "font-size"}
_WORDS = {"fill", "stroke", "stroke-width", "stroke-dasharray", "vector-effect", "font-family"}
_ELEMENTS = {"svg", "image", "text", "title", "rect"}


def is_picture(text: str) -> bool:
    """Whether text is a picture as `tiles` and tasks draw it: nothing in it runs, or is fetched from elsewhere."""
    if "<!" in text or "<?" in text:
        return False
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return False
    return all(
        element.tag.removeprefix("{http://www.w3.org/2000/svg}") in _ELEMENTS
        and all(_is_harmless(name, value) for name, value in element.items())
        for element in root.iter()
    )


def _is_harmless(name: str, value: str) -> bool:
    if name in _NUMBERS:
        return re.fullmatch(r"[-0-9. ]+", value) is not None
    if name in _WORDS:
        return re.fullmatch(r"[-#0-9A-Za-z. ]+", value) is not None
    if name == "href":
        return re.fullmatch(r"data:image/png;base64,[0-9A-Za-z+/=]*", value) is not None
    return (name, value) == ("style", "image-rendering:pixelated")


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image[..., :3]).save(file, "png")
    return file.getvalue()
