"""Layers of detection in two stages: boxes around places, a choice among them, and the map cut along them.

A list of n boxes is a map of n x 1 x 4, ymin, xmin, ymax, xmax as shares of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from nas.architecture.arithmetic import Shape
from nas.architecture.boxes import Box, anchors, moved, overlaps, unhidden
from nas.architecture.keras_types import KerasLayer, Tensor
from nas.architecture.layers.base import RunByKeras, WithoutWeights, small_model
from nas.architecture.layers.facets import (
    ANY,
    NEVER,
    Channels,
    DoesNotFitError,
    Lowered,
    Range,
    Sight,
    Symbol,
)

OVERLAP = 0.7
"""Intersection over union above which of two proposals the better one is enough; as in the paper."""

AMONG = 2
"""So many times as many boxes are looked at as are proposed."""


class OfBoxes(WithoutWeights, RunByKeras):
    """What the layers of this file have in common."""

    is_identity: ClassVar = False
    in_place: ClassVar = False
    view: ClassVar = Sight.EVERYTHING
    passes: ClassVar = NEVER


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class AnchorBoxes(OfBoxes):
    """Each of `shapes`, boxes of `(height, width)`, around the centre of each pixel, moved by the four numbers for it.

    Pixels come row after row, the shapes of a pixel one after the other; boxes may exceed the image. In float32
    whatever the precision.
    """

    shapes: tuple[tuple[float, float], ...]
    channels: ClassVar = Channels.COMPARED
    lowered: ClassVar = Lowered(kept=(24,), is_known=False)

    @property
    def symbol(self) -> Symbol:
        return Symbol("other", f"{len(self.shapes)} anchors a pixel")

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        if len(shape) != 3 or shape[2] != (numbers := 4 * len(self.shapes)):
            raise DoesNotFitError(f"anchors need a map of {numbers} channels; received {'x'.join(map(str, shape))}")
        return shape[0] * shape[1] * len(self.shapes), 1, 4

    def output_range(self, *inputs: Range) -> Range:
        return ANY

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "anchor_boxes", self.shapes

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        from keras import ops

        def place(steps: Tensor) -> Tensor:
            _, height, width, _ = steps.shape
            boxes = anchors(height, width, self.shapes)
            steps = ops.reshape(ops.cast(steps, "float32"), (-1, len(boxes), 4))
            return moved(boxes[None], steps)[:, :, None]

        return small_model(place, name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Proposals(OfBoxes):
    """Of the boxes, the second input, `count` that are the likeliest to hold an object and do not show the same one.

    The first input has two logits a box, of nothing and of an object. Where fewer are left after non-maximum
    suppression, boxes that were suppressed fill up. They end at the image's border, stand in the order of the input, so
    that a last digit of a score changes no place, and pass no gradient.
    """

    count: int
    channels: ClassVar = Channels.COMPARED
    lowered: ClassVar = Lowered(kept=(24,), lacks="TOPK_V2", is_known=False)

    @property
    def symbol(self) -> Symbol:
        return Symbol("other", f"{self.count} proposals")

    def output_shape(self, *inputs: Shape) -> Shape:
        scores, boxes = inputs
        if scores[0] * scores[1] * scores[2] != 2 * boxes[0]:
            raise DoesNotFitError(
                f"proposals need two scores a box; received {'x'.join(map(str, scores))} for {boxes[0]:,} boxes"
            )
        if self.count > boxes[0]:
            raise DoesNotFitError(
                f"there are at most as many proposals as anchors; received {self.count:,} of {boxes[0]:,}; use fewer "
                f"`regions`, more `sizes` or `ratios`, or less downsampling before the head"
            )
        return self.count, 1, 4

    def output_range(self, *inputs: Range) -> Range:
        return 0.0, 1.0

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "proposals", self.count

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        from keras import ops

        def propose(scores: Tensor, boxes: Tensor) -> Tensor:
            count = boxes.shape[1]
            scores = ops.reshape(ops.stop_gradient(ops.cast(scores, "float32")), (-1, count, 2))
            likely = ops.sigmoid(scores[..., 1] - scores[..., 0])
            boxes = ops.clip(ops.reshape(ops.stop_gradient(boxes), (-1, count, 4)), 0.0, 1.0)
            best, places = ops.top_k(likely, min(AMONG * self.count, count))
            some = ops.take_along_axis(boxes, places[..., None], axis=1)
            kept = unhidden(overlaps(some, some) > OVERLAP)
            _, chosen = ops.top_k(best + kept, self.count)
            places = ops.sort(ops.take_along_axis(places, chosen, axis=1), axis=-1)
            return ops.take_along_axis(boxes, places[..., None], axis=1)[:, :, None]

        return small_model(propose, name)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPool(OfBoxes):
    """The part of a map in each of n boxes, pooled into bins: n x bins x channels.

    Boxes are the second input or, if there is none, `windows`. Each level b divides a box into b x b bins, row after
    row. `max` takes the pixels that a bin touches, as `AdaptivePool2D` does (RoI pooling, Girshick, 2015; with several
    levels a spatial pyramid, He et al., 2014); `bilinear` the mean of four points in it (RoIAlign, He et al., 2017).
    """

    pool: Literal["max", "bilinear"]
    levels: tuple[int, ...]
    windows: tuple[Box, ...] = ()
    channels: ClassVar = Channels.ALONE
    # Many maps that are larger than its output.
    lowered: ClassVar = Lowered(kept=(24,), is_known=False)

    @property
    def bins(self) -> int:
        """Of each box."""
        return sum(level**2 for level in self.levels)

    @property
    def symbol(self) -> Symbol:
        title = "max pool regions" if self.pool == "max" else "align regions"
        return Symbol("pool", title, ("into " + ", ".join(map(str, self.levels)),))

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 3:
            raise DoesNotFitError(f"regions are cut from a map; received a vector of {inputs[0][0]:,}")
        count = len(self.windows) or inputs[1][0]
        return count, self.bins, inputs[0][2]

    def output_range(self, *inputs: Range) -> Range:
        return inputs[0]

    def canonical(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Any, ...]:
        return "region_pool", self.pool, self.levels, self.windows

    def keras_layer(self, name: str, *, momentum: float) -> KerasLayer:
        import numpy as np
        from keras import ops

        pooled = _largest if self.pool == "max" else _aligned

        def cut(x: Tensor, boxes: Tensor | None = None) -> Tensor:
            if boxes is None:
                each = np.array([self.windows], np.float32)
            else:
                each = ops.reshape(ops.cast(boxes, "float32"), (-1, boxes.shape[1], 4))
            parts = [pooled(x, each, level) for level in self.levels]
            return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=2)

        return small_model(cut, name)


_POINTS = 2
"""Along each side of a bin."""


def _aligned(x: Tensor, boxes: Tensor, level: int) -> Tensor:
    """Two matrix products, along height and width: no gather, whose gradient is slow."""
    import numpy as np
    from keras import ops

    _, height, width, channels = x.shape
    count = boxes.shape[1]
    steps = ((np.arange(level * _POINTS) + 0.5) / (level * _POINTS)).astype(np.float32)

    def shares(axis: int, size: int) -> Tensor:
        """What each pixel is to each bin along a side: `(batch, boxes, level, size)`, rows of sum 1."""
        low, high = boxes[:, :, axis, None], boxes[:, :, axis + 2, None]
        places = ops.clip((low * (1 - steps) + high * steps) * size - 0.5, 0.0, size - 1.0)
        near = ops.relu(1 - ops.abs(places[..., None] - np.arange(size, dtype=np.float32)))
        near = ops.mean(ops.reshape(near, (-1, count, level, _POINTS, size)), axis=3)
        return ops.cast(near, x.dtype)

    rows = ops.reshape(shares(0, height), (-1, count * level, height))
    y = ops.matmul(rows, ops.reshape(x, (-1, height, width * channels)))
    y = ops.transpose(ops.reshape(y, (-1, count, level, width, channels)), (0, 1, 3, 2, 4))
    y = ops.matmul(shares(1, width), ops.reshape(y, (-1, count, width, level * channels)))
    y = ops.transpose(ops.reshape(y, (-1, count, level, level, channels)), (0, 1, 3, 2, 4))
    return ops.reshape(y, (-1, count, level * level, channels))


_ROUNDING = 1e-4
"""Of a pixel: a border that lies on one of its sides, but for a last digit, does not touch the next one."""

_LOW = -1e30
"""Below all values, and a number in every precision but float16."""


def _largest(x: Tensor, boxes: Tensor, level: int) -> Tensor:
    """Along height, then along width, as bins are rectangles."""
    import numpy as np
    from keras import ops

    _, height, width, channels = x.shape
    count = boxes.shape[1]
    bins = np.arange(level, dtype=np.float32)

    def inside(axis: int, size: int) -> Tensor:
        """Whether each pixel is in each bin along a side: `(batch, boxes, level, size)`."""
        first = ops.clip(ops.floor(boxes[:, :, axis, None] * size + _ROUNDING), 0.0, size - 1.0)
        last = ops.minimum(ops.ceil(boxes[:, :, axis + 2, None] * size - _ROUNDING), float(size))
        pixels = ops.maximum(last - first, 1.0)
        begin = ops.floor(pixels * (bins / level) + _ROUNDING)[..., None]
        end = ops.ceil(pixels * ((bins + 1) / level) - _ROUNDING)[..., None]
        places = (-first + np.arange(size, dtype=np.float32))[:, :, None]
        return ops.logical_and(begin <= places, end > places)

    # No more than five axes, which LiteRT cannot slice.
    rows = ops.reshape(inside(0, height), (-1, count * level, height, 1))
    y = ops.max(ops.where(rows, ops.reshape(x, (-1, 1, height, width * channels)), _LOW), axis=2)
    columns = ops.repeat(inside(1, width), level, axis=1)[..., None]
    y = ops.where(columns, ops.reshape(y, (-1, count * level, 1, width, channels)), _LOW)
    return ops.reshape(ops.max(y, axis=3), (-1, count, level * level, channels))
