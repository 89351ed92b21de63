"""A child's weights from its parent's, layer by layer along the child's graph.

Each of the child's tensors is known as an image of one of the parent's: which of its channels copies which. A layer
that both have takes the parent's weights along these channels; one that only the child has becomes an identity, or a
branch of zeros, where that is possible. So widening, deepening, branching and larger kernels are one rule, for every
kind of block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never, final

import numpy as np

from nas.architecture.arithmetic import Shape
from nas.architecture.graph import Node
from nas.architecture.layers.facets import Channels, Mixed, Normalized, Pair
from nas.inheritance.kernel_resizing import Array, Indices, grouped, placed, spread, ungrouped
from nas.inheritance.tensor_facts import families, passes, ranges, shortcuts, sources
from nas.inheritance.window_overlay import common_taps, offset, stride, window_size, zeros_before

Values = Mapping[str, Array]
"""A layer's arrays by Keras' names: `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`."""


@dataclass(frozen=True, slots=True)
class Image:
    """What one of the child's tensors is of the parent's.

    Attributes:
        tensor: the parent's node whose output it shows; -1 is the network's input.
        channels: for each of its channels the parent's; -1 is a new one, which holds anything.
        exact: whether in inference each channel that is not new holds just what the parent's does.
    """

    tensor: int
    channels: Indices
    exact: bool

    def is_whole(self, width: int) -> bool:
        """Whether it has all of the parent's channels, once each and in order."""
        return np.array_equal(self.channels, np.arange(width))


@final
class Morphism:
    """The child's weights.

    Attributes:
        values: of each of the child's layers.
        inherited: how many of the numbers come from the parent.
        exact: whether the child computes in inference what the parent does.
    """

    def __init__(
        self,
        parent: Sequence[tuple[Node, Values]],
        child: Sequence[tuple[Node, Values]],
        matched: Mapping[int, int],
        input_shapes: tuple[Shape, Shape],
        *,
        seed: int,
    ) -> None:
        """Makes them.

        Args:
            parent: its layers with their weights, in the order of `Architecture.nodes()`.
            child: its layers with the weights it would start with, in that order.
            matched: the parent's layer for each of the child's that has one.
            input_shapes: `(height, width, channels)` of the parent's images and of the child's.
            seed: of which channels are copied, and of how copies share weights.
        """
        before, after = [node for node, _ in parent], [node for node, _ in child]
        self._parent, self._child, self._matched = parent, child, matched
        self._rng = np.random.default_rng(seed)
        self._widths = [input_shapes[0][-1], *(node.shape[-1] for node in before)]
        self._sources, self._ranges = sources(before), ranges(before)
        self._families, self._shortcuts = families(after), shortcuts(after, matched)
        self._copied: dict[int, tuple[int, Indices]] = {}
        self.values: list[dict[str, Array]] = []
        self.inherited = 0
        channels = self._first(input_shapes[0][-1], input_shapes[1][-1])
        images = [Image(-1, channels, input_shapes[0] == input_shapes[1])]
        for index, (node, initial) in enumerate(child):
            self.values.append(dict(initial))
            inputs = [images[source + 1] for source in node.inputs]
            other = matched.get(index)
            image = self._new(index, inputs) if other is None else self._old(index, other, inputs)
            self._copied.setdefault(self._families[index + 1], (self._width(image.tensor), image.channels))
            images.append(image)
        last = images[-1]
        self.exact = last.exact and last.tensor == self._sources[-1] and last.is_whole(self._widths[-1])

    def _width(self, tensor: int) -> int:
        """Channels of one of the parent's tensors."""
        return self._widths[tensor + 1]

    def _first(self, old: int, new: int) -> Indices:
        """The first of the old channels; where they do not suffice, all of them and copies of some."""
        copies = self._rng.integers(0, old, max(0, new - old))
        return np.concatenate([np.arange(min(old, new)), copies]).astype(np.int64)

    def _outputs(self, index: int, old: int) -> Indices:
        """Which of the parent's channels a layer makes: those of its family, so that they can be added to it."""
        new = self._child[index][0].shape[-1]
        known = self._copied.get(self._families[index + 1])
        if known is not None and known[0] == old and len(known[1]) == new:
            return known[1]
        return self._first(old, new)

    def _as(self, image: Image, tensor: int) -> Image:
        """The image as one of another tensor of the parent's: exact only if that is the same one."""
        tensor = self._sources[tensor + 1]
        if image.tensor == tensor:
            return image
        width = self._width(tensor)
        same = self._width(image.tensor) == width
        return Image(tensor, image.channels if same else self._first(width, len(image.channels)), False)

    def _old(self, index: int, other: int, inputs: list[Image]) -> Image:
        """A layer that the parent has, too: its weights along the channels."""
        (node, _), (old, known) = self._child[index], self._parent[other]
        values, tensor = self.values[index], self._sources[other + 1]
        if node.layer.channels is Channels.JOINED:
            return self._side_by_side(inputs, old, tensor)
        images = [self._as(image, source) for image, source in zip(inputs, old.inputs, strict=False)]
        channels, exact = images[0].channels, all(image.exact for image in images)
        exact = exact and node.shape[:-1] == old.shape[:-1] and node.input_shapes[0][:-1] == old.input_shapes[0][:-1]
        match node.layer.channels:
            case Mixed(groups=groups):
                kernel = ungrouped(_four_axes(known["kernel"], old), _groups(old))
                outputs = self._outputs(index, old.shape[-1])
                made, seen, whole = self._kernel(node, groups, kernel, offset(node, old), channels, outputs)
                values["kernel"] = _stored(np.where(outputs < 0, _four_axes(values["kernel"], node), made), node)
                self.inherited += int(seen.sum()) * common_taps(node, old)
                exact = exact and whole and stride(node) == stride(old)
                channels = outputs
            case Channels.FILTERED:
                kernel, whole = placed(known["kernel"], window_size(node), offset(node, old))
                values["kernel"] = np.where(channels[:, None] < 0, values["kernel"], kernel[:, :, channels])
                self.inherited += int((channels >= 0).sum()) * common_taps(node, old)
                exact = exact and whole and stride(node) == stride(old)
            case Channels.SUMMED:
                exact = exact and len(inputs) == len(old.inputs)
                exact = exact and all(np.array_equal(image.channels, channels) for image in images)
            case Channels.FLATTENED:
                channels = _flattened(channels, node.input_shapes[0], old.input_shapes[0])
            case Normalized():
                pass
            case Channels.ALONE | Channels.COMPARED as treatment:
                exact = exact and (node.canonical == old.canonical or (passes(node) and passes(old)))
                exact = exact and (treatment is Channels.ALONE or images[0].is_whole(old.input_shapes[0][-1]))
                if len(channels) != node.shape[-1]:
                    # Boxes of all that was compared.
                    channels = self._first(old.shape[-1], node.shape[-1])
            case unknown:
                assert_never(unknown)
        return Image(tensor, channels, self._vectors(index, known, channels) and exact)

    def _vectors(self, index: int, known: Values, channels: Indices) -> bool:
        """Takes biases, scales and statistics, one number a channel; False: the parent has one that has no place."""
        values = self.values[index]
        for name in values.keys() - {"kernel"}:
            old = known.get(name)
            # Without the parent's bias, the child's is the zero that it starts with.
            if old is not None:
                values[name] = np.where(channels < 0, values[name], old[channels])
                self.inherited += int((channels >= 0).sum())
        return all(name in values or not known[name].any() for name in known)

    def _side_by_side(self, inputs: list[Image], old: Node, tensor: int) -> Image:
        """A concatenation that the parent has, too: branches find their places again, new ones have none."""
        starts = np.cumsum([0, *(shape[-1] for shape in old.input_shapes)])
        places = {self._sources[source + 1]: place for place, source in enumerate(old.inputs)}
        parts, exact = [], True
        for position, image in enumerate(inputs):
            place = places.get(image.tensor)
            if place is None and len(inputs) == len(old.inputs):
                place = position
                image = self._as(image, old.inputs[place])
            if place is None:
                parts.append(np.full_like(image.channels, -1))
            else:
                parts.append(np.where(image.channels < 0, -1, image.channels + starts[place]))
                exact = exact and image.exact
        return Image(tensor, np.concatenate(parts), exact)

    def _new(self, index: int, inputs: list[Image]) -> Image:
        """A layer that only the child has: an identity where that is possible, else what it would start with."""
        node = self._child[index][0]
        position = self._shortcuts.get(index, 0)
        image, values = inputs[position], self.values[index]
        channels, exact = image.channels, image.exact
        aligned = exact and node.shape[:-1] == node.input_shapes[0][:-1] and stride(node) == (1, 1)
        match node.layer.channels:
            case Mixed(groups=groups):
                width = self._width(image.tensor)
                channels = self._outputs(index, width)
                one = np.eye(width, dtype=np.float32)[None, None]
                kernel, _, whole = self._kernel(node, groups, one, zeros_before(node), image.channels, channels)
                exact = aligned and whole
                if exact:
                    values["kernel"] = _stored(np.where(channels < 0, _four_axes(values["kernel"], node), kernel), node)
            case Channels.FILTERED:
                one = np.ones((1, 1, node.shape[-1], 1), np.float32)
                kernel, whole = placed(one, window_size(node), zeros_before(node))
                exact = aligned and whole
                if exact:
                    values["kernel"] = kernel
            case Normalized(epsilon=epsilon):
                if exact:
                    # Its moving statistics begin with mean 0 and variance 1.
                    values["gamma"] = np.full_like(values["gamma"], np.sqrt(1 + epsilon))
            case Channels.SUMMED:
                branches = [source for place, source in enumerate(node.inputs) if place != position]
                silent = [self._silence(source) for source in branches]
                exact = exact and all(silent)
            case Channels.JOINED:
                parts = [np.full_like(each.channels, -1) for each in inputs]
                parts[position] = channels
                channels = np.concatenate(parts)
            case Channels.FLATTENED:
                exact = exact and passes(node)
                channels = np.tile(channels, node.shape[0] // len(channels))
            case Channels.ALONE | Channels.COMPARED:
                exact = exact and node.layer.passes.holds(node.input_shapes[0], self._ranges[image.tensor + 1])
                if len(channels) != node.shape[-1]:
                    channels = np.full(node.shape[-1], -1, np.int64)
            case unknown:
                assert_never(unknown)
        return Image(image.tensor, channels, exact)

    def _silence(self, index: int) -> bool:
        """Makes a new branch zero at its last layer; False: it has none of its own."""
        uses = sum(index in node.inputs for node, _ in self._child)
        if index < 0 or index in self._matched or uses > 1:
            return False
        values = self.values[index]
        for name in values.keys() & {"kernel", "bias", "gamma", "beta"}:
            values[name] = np.zeros_like(values[name])
        return bool(values)

    def _kernel(
        self, node: Node, groups: int, kernel: Array, start: Pair, inputs: Indices, outputs: Indices
    ) -> tuple[Array, Array, bool]:
        """A kernel in one group as the child's layer has it, which weights are old ones, and whether none is lost."""
        window, whole = placed(kernel, window_size(node), start)
        made, seen, complete = spread(window, inputs, outputs, groups, self._rng)
        return grouped(made, groups), seen, whole and complete


def _groups(node: Node) -> int:
    return node.layer.channels.groups if isinstance(node.layer.channels, Mixed) else 1


def _four_axes(kernel: Array, node: Node) -> Array:
    """A layer's kernel as that of a convolution: a dense layer's has one pixel."""
    if kernel.ndim == 2:
        return kernel[None, None]
    return kernel.swapaxes(2, 3) if _is_transposed(node) else kernel


def _stored(kernel: Array, node: Node) -> Array:
    """The kernel of a convolution as the layer has it."""
    dense = len(node.shape) == 1
    stored: Array = kernel[0, 0] if dense else kernel.swapaxes(2, 3) if _is_transposed(node) else kernel
    return stored


def _is_transposed(node: Node) -> bool:
    return isinstance(node.layer.channels, Mixed) and node.layer.channels.transposed


def _flattened(channels: Indices, shape: Shape, old: Shape) -> Indices:
    """Places in the flattened map; on a map of another size, of the pixel at the same share of each side."""
    if len(shape) == 1:
        return channels
    rows, columns = (np.arange(shape[axis]) * old[axis] // shape[axis] for axis in (0, 1))
    places = (rows[:, None, None] * old[1] + columns[:, None]) * old[2] + channels
    return np.where(channels < 0, -1, places).reshape(-1)
