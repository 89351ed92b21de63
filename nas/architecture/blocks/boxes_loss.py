"""What boxes around places are asked to learn: which object each of them shows, and where exactly it is."""

from __future__ import annotations

from nas.architecture.boxes import overlaps
from nas.architecture.keras_types import Tensor

LOCATION = 2.0
"""Weight in the loss of where a box is."""


def boxes_loss(
    truths: Tensor,
    places: Tensor,
    logits: Tensor,
    boxes: Tensor,
    *,
    right: float,
    wrong: float,
    label_smoothing: float,
    each_has_one: bool,
) -> Tensor:
    """A number an example, `(batch,)`.

    A place shows the object that it overlaps most, if that is at least `right`, and nothing below `wrong`; between
    them, and where it overlaps an object that is to be ignored, what is said of it is not judged. Classes are learned
    by focal loss (Lin et al., 2017), which does what sampling does in the papers: the many easy places weigh little.
    Boxes are learned by their complete intersection over union (Zheng et al., 2020).

    Args:
        truths: `(batch, most, 5)`, targets of the task.
        places: `(batch or 1, n, 4)`, boxes by which objects are assigned.
        logits: `(batch, n, 1 + classes)`, of nothing and of each class.
        boxes: `(batch, n, 4)`, or `(batch, n, 4 * (1 + classes))` with a box for each class.
        right: intersection over union from which a place shows an object.
        wrong: below which it shows none.
        label_smoothing: share of a target that is spread over nothing and all classes.
        each_has_one: whether the place that overlaps an object most shows it, however little that is.
    """
    from keras import ops
    from keras.utils.bounding_boxes import compute_ciou

    kinds = logits.shape[-1]
    shared = overlaps(places, truths[..., :4])
    fits = shared * ops.cast(truths[:, None, :, 4] >= 0, "float32")
    best, which = ops.max(fits, axis=-1), ops.argmax(fits, axis=-1)
    shows = best >= right
    if each_has_one:
        # Of an object that is none, all overlaps are 0.
        own = (
            ops.one_hot(ops.argmax(fits, axis=1), fits.shape[1])
            * ops.cast(ops.max(fits, axis=1) > 0, "float32")[..., None]
        )
        is_own = ops.max(own, axis=1) > 0
        shows, which = ops.logical_or(shows, is_own), ops.where(is_own, ops.argmax(own, axis=1), which)
    ignored = ops.max(shared * ops.cast(truths[:, None, :, 4] < -1, "float32"), axis=-1)
    nothing = ops.logical_and(best < wrong, ignored < wrong)
    judged, shown = ops.cast(ops.logical_or(shows, nothing), "float32"), ops.cast(shows, "float32")
    theirs = ops.take_along_axis(truths, which[..., None], axis=1)
    labels = ops.where(shows, ops.cast(theirs[..., 4], "int32") + 1, 0)
    wanted = ops.one_hot(labels, kinds)
    chances = ops.log_softmax(logits)
    unsure = ops.square(1 - ops.exp(ops.sum(wanted * chances, axis=-1)))
    smooth = wanted * (1 - label_smoothing) + label_smoothing / kinds
    confused = -unsure * ops.sum(smooth * chances, axis=-1)
    if boxes.shape[-1] > 4:
        several = ops.reshape(boxes, (-1, boxes.shape[1], kinds, 4))
        boxes = ops.take_along_axis(several, labels[..., None, None], axis=2)[:, :, 0]
    off = 1 - compute_ciou(boxes, theirs[..., :4], "yxyx")
    return ops.sum(judged * confused + LOCATION * shown * off, axis=-1)
