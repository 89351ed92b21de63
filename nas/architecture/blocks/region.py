"""Detection in two stages: regions that may hold an object, then a class and a better box for each of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

from nas.architecture.blocks.base import register
from nas.architecture.blocks.boxes_loss import boxes_loss
from nas.architecture.blocks.cells import DetectionHead, candidates
from nas.architecture.blocks.convolution import Style
from nas.architecture.blocks.rpn import RpnHead
from nas.architecture.boxes import Box, before_move, box_shapes, moved, windows
from nas.architecture.fields import (
    ActivationName,
    AnchorRatios,
    AnchorSizes,
    DenseUnits,
    Levels,
    Normalization,
    Rate,
    Regions,
    Width,
)
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.keras_types import Tensor
from nas.architecture.layers import (
    AnchorBoxes,
    Concatenate,
    Conv2D,
    DoesNotFitError,
    Dropout,
    Flatten,
    Proposals,
    RegionPool,
    Window,
)

ProposedBy = Literal["rpn", "windows"]
Pooling = Literal["roi_pool", "roi_align", "pyramid"]
BoxesPer = Literal["region", "class"]

SURELY_NOTHING = 19.0
"""How much likelier than all classes together nothing is at first."""

GRID = 4_096.0
"""Places along an image's side on which anchors are found again."""


@final
@register("region")
@dataclass(frozen=True, kw_only=True, slots=True)
class RegionHead(DetectionHead):
    """Regions of the map, each pooled into the same bins, dense layers on each, a class and a box for each.

    With `proposals: rpn` this is Faster R-CNN (Ren et al., 2015), both stages trained together; with `windows`, which
    stand in for selective search, it is Fast R-CNN (Girshick, 2015), and SPP-net (He et al., 2014) with
    `pooling: pyramid`. The number of regions is fixed. Unlike there, places are not sampled but weighted (Lin et al.,
    2017), and boxes are learned by their complete intersection over union (Zheng et al., 2020).

    A list of n regions is a map of n x bins pixels; a dense layer on each region is a convolution over its bins.

    Attributes:
        classes: of objects.
        proposals: `rpn`, a region proposal network, or `windows`, fixed ones all over the image, in steps of half a
            window.
        sizes: of anchors or windows, the root of their area, as shares of the image's sides.
        ratios: of anchors or windows, height to width.
        width: channels of the proposal network's convolution.
        regions: how many are proposed; of windows, all are taken.
        pooling: `roi_pool`, the largest value of each bin, `roi_align`, the mean of points between pixels, or
            `pyramid`, the largest values of several levels of bins.
        bins: along each side of a region; for `pyramid` a list, level by level.
        units: widths of the dense layers on each region.
        dropout: before each of them but the first, and before the last.
        normalization, activation: of every convolution and dense layer but the last.
        boxes: one for each `region`, or for each `class` of it, as in the papers.
    """

    proposals: ProposedBy = "rpn"
    sizes: AnchorSizes = (0.2, 0.4)
    ratios: AnchorRatios = (1.0,)
    width: Width = 32
    regions: Regions = 32
    pooling: Pooling = "roi_align"
    bins: Levels = (3,)
    units: DenseUnits = (64,)
    dropout: Rate = 0.0
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"
    boxes: BoxesPer = "region"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        if self.pooling != "pyramid" and len(self.bins) > 1:
            raise DoesNotFitError(
                f"only a pyramid has several levels of `bins`; received pooling={self.pooling} and "
                f"bins={list(self.bins)}; use pooling: pyramid, or one number"
            )
        parts: list[tuple[str, SymbolicTensor]] = []
        if self.proposals == "rpn":
            scores, steps = self._rpn.scores_and_steps(graph, x)
            anchored = graph.add(AnchorBoxes(shapes=self._rpn.shapes), steps, name="anchors")
            proposed = graph.add(Proposals(count=self.regions), scores, anchored, name="proposals")
            parts = [("objectness", scores), ("steps", steps), ("anchors", anchored), ("proposals", proposed)]
        pool = RegionPool(
            pool="bilinear" if self.pooling == "roi_align" else "max", levels=self.bins, windows=self._windows
        )
        y = graph.add(pool, x, *(tensor for _, tensor in parts[-1:]), name="regions")
        style, kernel = Style(None, self.normalization, self.activation), (1, pool.bins)
        for number, units in enumerate(self.units, start=1):
            if number > 1:
                y = graph.add(Dropout(rate=self.dropout), y, name=f"dropout_{number}")
            y = style.conv(graph, y, units, kernel, padding="valid", name=f"dense_{number}")
            kernel = (1, 1)
        y = graph.add(Dropout(rate=self.dropout), y, name="dropout")
        window = Window(size=kernel, stride=(1, 1), padding="valid")
        nothing = math.log(SURELY_NOTHING * self.classes)
        kinds = Conv2D(filters=1 + self.classes, window=window, prior=(nothing, *(0.0,) * self.classes))
        moves = Conv2D(filters=self._box_numbers, window=window, prior=(0.0,) * self._box_numbers)
        parts += [("classes", graph.add(kinds, y, name="classes")), ("boxes", graph.add(moves, y, name="boxes"))]
        vectors = [graph.add(Flatten(), part, name=f"{name}_vector") for name, part in parts]
        return graph.join(Concatenate(), vectors, name="vector")

    @property
    def _rpn(self) -> RpnHead:
        """Tells objects from nothing, whatever they are."""
        return RpnHead(
            classes=1,
            sizes=self.sizes,
            ratios=self.ratios,
            width=self.width,
            normalization=self.normalization,
            activation=self.activation,
        )

    @property
    def _windows(self) -> tuple[Box, ...]:
        return windows(box_shapes(self.sizes, self.ratios)) if self.proposals == "windows" else ()

    @property
    def _box_numbers(self) -> int:
        return 4 * (1 + self.classes) if self.boxes == "class" else 4

    def loss(self, targets: Tensor, outputs: Tensor, *, label_smoothing: float) -> Tensor:
        """Of both stages; a region learns the object that its proposal overlaps, and no proposal learns from that."""
        from keras import ops

        truths = ops.cast(targets, "float32")
        first, regions, kinds, steps = self._parts(outputs)
        lost = boxes_loss(
            truths,
            regions,
            kinds,
            self._boxes(regions, steps),
            right=0.5,
            wrong=0.5,
            each_has_one=False,
            label_smoothing=label_smoothing,
        )
        if first:
            scores, moves, anchored = first
            # To the loss, anchors are what their boxes were moved from: it does not see the map's height and width.
            # Rounded, as on a grid many overlap an object equally, and no last digit may decide among them.
            places = ops.round(ops.stop_gradient(before_move(anchored, moves)) * GRID) / GRID
            objects = ops.where(truths[..., 4:] >= 0, 0.0, truths[..., 4:])
            objects = ops.concatenate([truths[..., :4], objects], axis=-1)
            lost = lost + self._rpn.anchors_loss(objects, scores, moves, places, label_smoothing=0.0)
        return lost

    def answers(self, outputs: Tensor) -> Tensor:
        from keras import ops

        _, regions, kinds, steps = self._parts(outputs)
        boxes, scores = self._boxes(regions, steps), ops.softmax(kinds)[..., 1:]
        if self.boxes == "class":
            # A candidate for each region and class.
            count = regions.shape[1] * self.classes
            boxes = ops.reshape(
                ops.reshape(boxes, (-1, regions.shape[1], 1 + self.classes, 4))[:, :, 1:], (-1, count, 4)
            )
            scores = ops.reshape(scores[..., None] * ops.eye(self.classes), (-1, count, self.classes))
        return candidates(boxes, scores)

    def _boxes(self, regions: Tensor, steps: Tensor) -> Tensor:
        """`(batch, n, 4)`, or a box for nothing and for each class, `(batch, n, 4 * (1 + classes))`."""
        from keras import ops

        several = ops.reshape(steps, (-1, steps.shape[1], self._box_numbers // 4, 4))
        return ops.reshape(moved(regions[:, :, None], several), (-1, *steps.shape[1:]))

    def _parts(self, outputs: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor] | None, Tensor, Tensor, Tensor]:
        """What the vector holds.

        Returns:
            Of the proposal network, if there is one, the logits `(batch, anchors, 2)`, the steps and the boxes, both
            `(batch, anchors, 4)`; the regions `(batch or 1, n, 4)`, the logits of nothing and the classes
            `(batch, n, 1 + classes)`, and the steps `(batch, n, 4)` or with four numbers for each of these.
        """
        import numpy as np
        from keras import ops

        vector = ops.cast(outputs, "float32")
        of_region = 1 + self.classes + self._box_numbers
        count = len(self._windows) or self.regions
        places = 0 if self._windows else (vector.shape[-1] - count * (4 + of_region)) // 10
        shapes = [(places, 2), (places, 4), (places, 4), (count, 4)] if places else []
        parts, start = [], 0
        for rows, numbers in [*shapes, (count, 1 + self.classes), (count, self._box_numbers)]:
            parts.append(ops.reshape(vector[:, start : start + rows * numbers], (-1, rows, numbers)))
            start += rows * numbers
        *first, kinds, steps = parts
        if not first:
            return None, np.array([self._windows], np.float32), kinds, steps
        scores, moves, anchored, regions = first
        return (scores, moves, anchored), regions, kinds, steps
