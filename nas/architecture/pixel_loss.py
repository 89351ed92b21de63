"""What training for a class a pixel minimizes, by `keras.ops`."""

from __future__ import annotations

from nas.architecture.keras_types import Tensor

IGNORED = 255
"""In a mask: pixels of no class, which neither train nor score, such as those that augmentation shifts in."""

LEAST = 1e-7
"""Of a probability whose logarithm is taken, as in Keras' losses."""


def pixel_loss(targets: Tensor, outputs: Tensor, *, label_smoothing: float, dice: float) -> Tensor:
    """A number an example, `(batch,)`, over the pixels that are not ignored; 0 for an image without any.

    Args:
        targets: masks `(batch, height, width)`.
        outputs: class probabilities `(batch, height, width, classes)`.
        label_smoothing: share of a target that is spread over all classes, in [0, 1).
        dice: share of the Dice loss (Milletari et al., "V-Net", 2016; mean over classes), in [0, 1]; the rest is cross
            entropy in nats.
    """
    from keras import ops

    targets = ops.cast(targets, "int32")
    classes = outputs.shape[-1]
    counted = ops.cast(targets != IGNORED, outputs.dtype)
    # An ignored pixel's row is zero: no class has its number.
    wanted = ops.one_hot(ops.where(targets == IGNORED, -1, targets), classes, dtype=outputs.dtype)
    smooth = wanted * (1 - label_smoothing) + label_smoothing / classes
    entropies = -ops.sum(smooth * ops.log(ops.clip(outputs, LEAST, 1.0)), axis=-1) * counted
    loss = ops.sum(entropies, axis=(1, 2)) / ops.maximum(ops.sum(counted, axis=(1, 2)), 1)
    if not dice:
        return loss
    both = ops.sum(wanted * outputs, axis=(1, 2))
    sizes = ops.sum(wanted + outputs * counted[..., None], axis=(1, 2))
    # A pixel more on both sides: of a class that is nowhere, nothing is wrong.
    overlaps = ops.mean((2 * both + 1) / (sizes + 1), axis=-1)
    return (1 - dice) * loss + dice * (1 - overlaps)
