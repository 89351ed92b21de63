"""What a network takes on a microcontroller, by arithmetic on its layers: nothing is converted, nothing is run.

The sum of what the LiteRT file and TFLM's arena are made of; `benchmarks/device_prediction.py` says how near that is to
what is measured. What decodes answers behind the head, if there is such, is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nas.architecture.arithmetic import Shape, elements
from nas.architecture.lowering import Operator
from nas.objectives import FLASH_BYTES, RAM_BYTES, Cost

_ALIGNED = 16
"""At whose multiples of bytes maps and tables lie in an arena."""

_FILE, _FILE_MAP, _FILE_CONSTANT, _FILE_ARRAY = 144, 148, 51, 10
"""Bytes of a file; of each map, with the operator that makes it, and each constant in it; and of each array beside its
numbers: its length, and half of what aligns it. Fitted."""

_ARENA, _ARENA_TENSOR, _ARENA_OPERATOR = 590, 24, 64
"""Bytes of an arena, and of each tensor and operator in it, beside maps and tables, with addresses of 8 bytes."""


def flash_bytes(input_shape: Shape, operators: Sequence[Operator]) -> int:
    """Size of the int8 LiteRT file, right within some per cent."""
    shapes = [input_shape, *(operator.shape for operator in operators)]
    maps = sum(_FILE_MAP + _described(len(shape) + 1, 1) for shape in shapes)
    constants = [constant for operator in operators for constant in operator.constants]
    weights = sum(_FILE_CONSTANT + _described(axes, scales) + _array(size) for axes, size, scales in constants)
    return _FILE + maps + weights


def ram_bytes(input_shape: Shape, operators: Sequence[Operator]) -> int:
    """TFLM's arena: its maps as its own planner places them, and what it keeps of each operator; hardly ever less."""
    kept = 0
    for operator in operators:
        kept += _ARENA_OPERATOR + _ARENA_TENSOR * (1 + len(operator.constants)) + operator.kept
        # A factor and a shift for each channel of a kernel.
        kept += sum(2 * _aligned(4 * scales) for axes, _, scales in operator.constants if axes > 1)
    return _ARENA + _ARENA_TENSOR + kept + _planned(input_shape, operators)


def _planned(input_shape: Shape, operators: Sequence[Operator]) -> int:
    """Bytes of the maps, one a number: largest first, each as low as those that live at the same time let it.

    As TFLM's `GreedyMemoryPlanner` does; of equal sizes the later one comes first.
    """
    sizes = [_aligned(elements(shape)) for shape in (input_shape, *(operator.shape for operator in operators))]
    first, last = list(range(len(sizes))), list(range(len(sizes)))
    for place, operator in enumerate(operators, start=1):
        for source in operator.inputs:
            last[source + 1] = place
        if operator.scratch:
            sizes.append(_aligned(operator.scratch))
            first.append(place)
            last.append(place)
    placed: list[tuple[int, int, int, int]] = []
    highest = 0
    for number in sorted(range(len(sizes)), key=lambda number: (-sizes[number], -number)):
        low = 0
        for begin, end, since, until in sorted(placed):
            if since <= last[number] and until >= first[number]:
                if begin - low >= sizes[number]:
                    break
                low = max(low, end)
        placed.append((low, low + sizes[number], first[number], last[number]))
        highest = max(highest, low + sizes[number])
    return highest


def _described(axes: int, scales: int) -> int:
    """Bytes of a tensor's shape, and of scales and zero points, which have 4 and 8 bytes."""
    return _array(4 * axes) + (_array(4 * scales) + _array(8 * scales) if scales else 0)


def _array(size: int) -> int:
    return size + _FILE_ARRAY


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


PREDICTED: Mapping[Cost, Callable[[Shape, Sequence[Operator]], int]] = {
    FLASH_BYTES: flash_bytes,
    RAM_BYTES: ram_bytes,
}
"""The measured costs that are predicted, and how."""
