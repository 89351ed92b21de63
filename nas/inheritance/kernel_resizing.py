"""Kernels cut and stretched to other windows, channels and groups. All are `(height, width, inputs, outputs)`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]


def ungrouped(kernel: Array, groups: int) -> Array:
    """The kernel of the same convolution in one group: zeros between channels of different groups."""
    if groups == 1:
        return kernel
    height, width, inputs, outputs = kernel.shape
    step = outputs // groups
    full = np.zeros((height, width, inputs * groups, outputs), kernel.dtype)
    for group in range(groups):
        seen = slice(group * inputs, (group + 1) * inputs)
        made = slice(group * step, (group + 1) * step)
        full[:, :, seen, made] = kernel[..., made]
    return full


def grouped(kernel: Array, groups: int) -> Array:
    """The inverse of `ungrouped`; what lies between groups is dropped."""
    if groups == 1:
        return kernel
    inputs, outputs = kernel.shape[2] // groups, kernel.shape[3] // groups
    parts = [
        kernel[:, :, group * inputs : (group + 1) * inputs, group * outputs : (group + 1) * outputs]
        for group in range(groups)
    ]
    return np.concatenate(parts, axis=3)


def same_group(inputs: int, outputs: int, groups: int) -> npt.NDArray[np.bool_]:
    """`(inputs, outputs)`: whether an output channel sees an input channel."""
    group_of_input, group_of_output = (np.arange(count) * groups // count for count in (inputs, outputs))
    return np.equal.outer(group_of_input, group_of_output)


def placed(kernel: Array, size: tuple[int, int], offset: tuple[int, int]) -> tuple[Array, bool]:
    """The kernel at an offset in a window of `size` that is zero elsewhere, and whether nothing was cut off."""
    result = np.zeros((*size, *kernel.shape[2:]), kernel.dtype)
    target, source = [], []
    for window, old, start in zip(size, kernel.shape, offset, strict=False):
        first, last = max(start, 0), min(start + old, window)
        target.append(slice(first, max(first, last)))
        source.append(slice(first - start, max(first, last) - start))
    kept = kernel[tuple(source)]
    result[tuple(target)] = kept
    return result, np.count_nonzero(kept) == np.count_nonzero(kernel)


def spread(
    kernel: Array, inputs: Indices, outputs: Indices, groups: int, rng: np.random.Generator
) -> tuple[Array, Array, bool]:
    """A kernel on replicated channels that gives, on each output, what the old one gave (Chen et al., 2016).

    Copies of an input channel carry the same value, so their weights have to add up to the old weight. They are not
    equal parts as in Net2WiderNet but random ones, each output its own: with equal parts, copies would receive equal
    gradients and stay copies for good (Wang et al., "LEMON", 2024, split unevenly for the same reason).

    Args:
        kernel: `(height, width, old inputs, old outputs)`, in one group.
        inputs: for each new input channel its old one; -1 has none, and its weights are zero.
        outputs: for each new output channel its old one; -1 has none, and its weights are zero.
        groups: of the new convolution.
        rng: of the parts.

    Returns:
        The new kernel in one group; `(inputs, outputs)`, which of its weights come from old ones; and whether each
        output channel that has an old one still sees every old input channel that had a weight.
    """
    known = inputs >= 0
    seen = same_group(len(inputs), len(outputs), groups) & known[:, None] & (outputs >= 0)[None, :]
    parts = (0.5 + rng.random(seen.shape, dtype=np.float32)) * seen
    sums = np.zeros((kernel.shape[2], len(outputs)), np.float32)
    np.add.at(sums, inputs[known], parts[known])
    # Where a channel has one copy, its part is its sum, and the weight stays exactly what it was.
    parts /= np.where(seen, sums[inputs], 1)
    wanted = kernel[..., outputs]
    complete = not ((sums == 0) & (outputs >= 0) & (wanted != 0).any(axis=(0, 1))).any()
    return np.where(seen, wanted[:, :, inputs] * parts, 0), seen, complete
