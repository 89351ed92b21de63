"""How many images are in a batch, whichever loop trains."""

from __future__ import annotations

from nas.devices.accelerators import check_shares
from nas.errors import NasError


def training_batch_size(images: int, wanted: int, replicas: int = 1) -> int:
    """The batch size that is used: at most one epoch, and the same number of images for each replica.

    >>> training_batch_size(1_149, 64), training_batch_size(40, 64), training_batch_size(41, 64, 2)
    (64, 40, 40)

    Raises:
        NasError: `wanted` is no multiple of `replicas`, or there are fewer images than those.
    """
    check_shares(wanted, replicas)
    if images < replicas:
        raise NasError(
            f"the training split must have at least one image for each of {replicas} devices; "
            f"received {images:,}; use more images or fewer devices"
        )
    size = min(wanted, images)
    return size - size % replicas


def validation_batch_size(images: int, training_size: int, replicas: int = 1) -> int:
    """The size that pads least for as many batches as four times the training's takes, the same for each replica.

    Without gradients such a batch takes no more memory, and there are a quarter of the calls.

    >>> validation_batch_size(129, 16), validation_batch_size(129, 16, 2), validation_batch_size(1, 16, 8)
    (43, 44, 8)
    """
    size = -(-images // -(-images // (4 * training_size)))
    return size + -size % replicas
