"""The head of fully convolutional networks for segmentation: a class for each pixel of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from nas.architecture.arithmetic import Padding, Shape
from nas.architecture.blocks.base import register
from nas.architecture.blocks.class_map import class_map
from nas.architecture.blocks.classifier import probabilities
from nas.architecture.blocks.head import Head
from nas.architecture.fields import ActivationName, Classes, DenseUnits, ImageSize, Kernel, Normalization, Rate, Share
from nas.architecture.graph import Graph, SymbolicTensor
from nas.architecture.keras_types import Tensor
from nas.architecture.layers import Add, Conv2DTranspose, DoesNotFitError, Resize2D, pair
from nas.architecture.pixel_loss import pixel_loss

Upsampling = Literal["bilinear", "transposed"]


@final
@register("fcn")
@dataclass(frozen=True, kw_only=True, slots=True)
class FcnHead(Head):
    """Convolutions in place of dense layers, one map for each class, enlarged to the image, a class for each pixel.

    On the way to the image's size, each `skip` is added where the map has its size, the last one first.

    Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015.

    Attributes:
        classes: how many probabilities a pixel.
        output_size: height and width of the image.
        units: channels of the convolutions before the last.
        kernel: side of the first convolution; the others are 1x1.
        padding: of the first.
        dropout: before each convolution but the first of several.
        normalization, activation: of every convolution but the last.
        upsample: how a map is enlarged: bilinear, or by a transposed convolution that begins so.
        dice: share of the Dice loss in what training minimizes, beside cross entropy: rare classes weigh more in it.
    """

    task: ClassVar[str] = "segmentation"
    takes_skips: ClassVar[bool] = True
    classes: Classes
    output_size: ImageSize
    units: DenseUnits = ()
    kernel: Kernel = 1
    padding: Padding = "same"
    dropout: Rate = 0.0
    normalization: Normalization = "batch"
    activation: ActivationName = "relu"
    upsample: Upsampling = "bilinear"
    dice: Share = 0.0

    def wire(self, graph: Graph, x: SymbolicTensor) -> SymbolicTensor:
        x = class_map(graph, x, self)
        for place, skip in reversed([*enumerate(graph.skips, start=1)]):
            x = self._enlarged(graph, x, skip.shape[:2])
            x = graph.add(Add(), x, skip, name=f"skip_{place}")
        return probabilities(graph, self._enlarged(graph, x, pair(self.output_size)))

    def _enlarged(self, graph: Graph, x: SymbolicTensor, size: Shape) -> SymbolicTensor:
        """The map at another size; as it is if it has that already."""
        if x.shape[:2] == size:
            return x
        # By its size and not by a number: with another skip, the layer stays the one that weights are inherited by.
        name = f"to_{size[0]}x{size[1]}"
        if self.upsample == "bilinear":
            return graph.add(Resize2D(height=size[0], width=size[1]), x, name=name)
        factor = size[0] // x.shape[0]
        if size != (x.shape[0] * factor, x.shape[1] * factor):
            raise DoesNotFitError(
                f"a transposed convolution enlarges by a whole factor; received a map of {x.shape[0]}x{x.shape[1]} for "
                f"{size[0]}x{size[1]}; use upsample: bilinear, or images whose sides halve without a rest"
            )
        return graph.add(Conv2DTranspose(filters=self.classes, factor=factor), x, name=name)

    def loss(self, targets: Tensor, outputs: Tensor, *, label_smoothing: float) -> Tensor:
        """Cross entropy in nats, and Dice loss by its share; both over the pixels that are not ignored."""
        return pixel_loss(targets, outputs, label_smoothing=label_smoothing, dice=self.dice)

    def answers(self, outputs: Tensor) -> Tensor:
        """The class probabilities, as they are."""
        return outputs
