"""A region proposal network: boxes of some shapes around every pixel of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nas.architecture.blocks.base import register
from nas.architecture.blocks.boxes_loss import boxes_loss
from nas.architecture.blocks.cells import RARE, DetectionHead, candidates
from nas.architecture.blocks.convolution import Style
from nas.architecture.boxes import anchors, box_shapes, moved
from nas.architecture.fields import ActivationName, AnchorRatios, AnchorSizes, Kernel, Normalization, Width
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.keras_types import Tensor
from nas.architecture.layers import Concatenate, Conv2D, Window


@final
@register("rpn")
@dataclass(frozen=True, kw_only=True, slots=True)
class RpnHead(DetectionHead):
    """One convolution, then for each anchor of each pixel a distribution over nothing and the classes, and a box.

    An anchor is a box around the pixel's centre, one of each size and ratio. With one class, this is the network that
    proposes regions in Faster R-CNN (Ren et al., 2015), two scores and four numbers an anchor; with more, they are told
    apart at once. The output is height x width x (anchors * (5 + classes)) numbers: all logits, then all boxes as steps
    from their anchors.

    Attributes:
        classes: of objects.
        sizes: of the anchors, the root of their area, as shares of the image's sides.
        ratios: of the anchors, height to width.
        width: channels of the convolution.
        kernel: its side.
        normalization, activation: of it.
    """

    sizes: AnchorSizes = (0.2, 0.4)
    ratios: AnchorRatios = (1.0,)
    width: Width = 32
    kernel: Kernel = 3
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        return graph.join(Concatenate(), self.scores_and_steps(graph, x), name="anchors")

    def scores_and_steps(self, graph: Graph, x: SymbolicTensor) -> tuple[SymbolicTensor, SymbolicTensor]:
        """For each pixel `anchors * (1 + classes)` logits, and `anchors * 4` numbers of boxes."""
        count = len(self.shapes)
        x = Style(None, self.normalization, self.activation).conv(graph, x, self.width, self.kernel, name="rpn")
        one = Window(size=(1, 1), stride=(1, 1), padding="same")
        prior = (0.0, *(RARE,) * self.classes) * count
        scores = graph.add(Conv2D(filters=len(prior), window=one, prior=prior), x, name="objectness")
        # Boxes begin as the anchors.
        return scores, graph.add(Conv2D(filters=4 * count, window=one, prior=(0.0,) * 4 * count), x, name="steps")

    @property
    def shapes(self) -> tuple[tuple[float, float], ...]:
        """`(height, width)` of the anchors of a pixel."""
        return box_shapes(self.sizes, self.ratios)

    def loss(self, targets: Tensor, outputs: Tensor, *, label_smoothing: float) -> Tensor:
        from keras import ops

        scores, steps, places = self._parts(outputs)
        return self.anchors_loss(ops.cast(targets, "float32"), scores, steps, places, label_smoothing=label_smoothing)

    def anchors_loss(
        self, truths: Tensor, scores: Tensor, steps: Tensor, places: Tensor, *, label_smoothing: float
    ) -> Tensor:
        """Of logits `(batch, n, 1 + classes)` and steps `(batch, n, 4)` for anchors `(batch or 1, n, 4)`."""
        boxes = moved(places, steps)
        return boxes_loss(
            truths,
            places,
            scores,
            boxes,
            right=0.5,
            wrong=0.4,
            each_has_one=True,
            label_smoothing=label_smoothing,
        )

    def answers(self, outputs: Tensor) -> Tensor:
        from keras import ops

        scores, steps, places = self._parts(outputs)
        return candidates(moved(places, steps), ops.softmax(scores)[..., 1:])

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits `(batch, n, 1 + classes)`, steps `(batch, n, 4)` and anchors `(1, n, 4)`."""
        from keras import ops

        height, width = outputs.shape[1:3]
        count = len(self.shapes)
        outputs, split = ops.cast(outputs, "float32"), count * (1 + self.classes)
        scores = ops.reshape(outputs[..., :split], (-1, height * width * count, 1 + self.classes))
        steps = ops.reshape(outputs[..., split:], (-1, height * width * count, 4))
        return scores, steps, anchors(height, width, self.shapes)[None]
