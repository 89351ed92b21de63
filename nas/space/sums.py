"""Which parameter counts a state can still lead to.

The smallest and the largest are not enough to aim by: a dense layer on a large map leaves a gap between networks with
and without it. The possible sums are kept as the bits of a whole number, so that a step is a shift and a choice an or.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from nas.space.decisions import Decisions, State

BITS = 4_096
"""Of each scale. Sums below it are exact; each further scale has 16 times wider steps."""


class Scale(NamedTuple):
    """Sums in units of `width` parameters: bit n of a state is a sum of about n units."""

    width: int
    bits: dict[State, int]

    def has(self, state: State, least: int, most: int) -> bool:
        """Whether a state can lead to a sum from `least` to `most`; never wrong at width 1."""
        low, high = max(least, 0) // self.width, most // self.width
        return high >= low and (self.bits.get(state, 1) >> low) & ((1 << (high - low + 1)) - 1) != 0

    def nearest(self, state: State, most: int) -> int | None:
        """The largest sum up to `most`."""
        if most < 0:
            return None
        below = self.bits.get(state, 1) & ((1 << (most // self.width + 1)) - 1)
        return (below.bit_length() - 1) * self.width if below else None


@final
class Sums:
    """The scales, made when they are first needed."""

    def __init__(self, decisions: Decisions) -> None:
        self.decisions = decisions
        self._scales: dict[int, Scale] = {}

    def scale(self, most: int) -> Scale:
        """The finest scale that reaches `most`."""
        width = 1
        while most // width >= BITS:
            width *= 16
        if width not in self._scales:
            self._scales[width] = self._make(width)
        return self._scales[width]

    def _make(self, width: int) -> Scale:
        bits: dict[State, int] = {}
        mask = (1 << BITS) - 1
        for state in self.decisions.states():
            sums = 0
            for step in self.decisions.steps(state):
                units = (step.parameters + width // 2) // width
                if units < BITS:
                    # An end has one sum, 0.
                    sums |= bits.get(step.to, 1) << units
            bits[state] = sums & mask
        return Scale(width, bits)
