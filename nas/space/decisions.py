"""A search space on an input shape as a graph of decisions.

A state is all that later decisions depend on: where in the definition we are, what the stage has decided, and the
shape of the map. A step decides something and may add a block. Every path from `start` to `END` is an architecture,
and every architecture of the space is a path. Since counts add up along a path, the smallest and the largest count
that a state can still lead to follow by dynamic programming, and with them sampling under a budget needs no retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, final

from nas.architecture.arithmetic import Shape
from nas.architecture.blocks import Block
from nas.architecture.graph import Trace
from nas.space.definition import DOWNSAMPLE, Definition


class State(NamedTuple):
    """Where a path is.

    Attributes:
        stage: index of the stage; the number of stages at the end.
        repeats: passes through the stage's slots still to come, this one included; 0: the stage is not decided yet.
        slot: index in the current pass.
        filters: the stage's, None without any or before they are decided.
        stride: whether the next block must halve the map.
        shape: of the map here.
    """

    stage: int
    repeats: int
    slot: int
    filters: int | None
    stride: bool
    shape: Shape


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One decision.

    Attributes:
        group: steps of one group compete first, so that a kind with many options is not more likely than one with few.
        stage: what is decided about a stage, in words; "" if only a block is chosen.
        block: what it adds, or None.
        trace: of that block.
    """

    group: str
    stage: str
    block: Block | None
    trace: Trace | None
    parameters: int
    macs: int
    activation_bytes: int
    to: State

    @property
    def label(self) -> str:
        """What is decided, in words."""
        return self.stage or str(self.block)


class Reach(NamedTuple):
    """What a state can still lead to: the fewest and most parameters, the fewest MACs, the least peak memory."""

    fewest_parameters: int
    most_parameters: int
    fewest_macs: int
    least_activation_bytes: int


class Choice(NamedTuple):
    """A step with what it can lead to, itself included."""

    fewest_parameters: int
    most_parameters: int
    fewest_macs: int
    least_activation_bytes: int
    step: Step


@final
class Decisions:
    """The graph, expanded as it is asked for and kept."""

    def __init__(self, definition: Definition, input_shape: tuple[int, int, int], classes: int) -> None:
        self.definition, self.classes = definition, classes
        self.start = State(0, 0, 0, None, False, input_shape)
        self._choices: dict[State, list[Choice]] = {}
        self._reach: dict[State, Reach | None] = {}
        self._blocks: dict[tuple[int, int, int | None, bool], list[Block]] = {}

    def is_end(self, state: State) -> bool:
        return state.stage == len(self.definition.stages)

    def steps(self, state: State) -> Iterator[Step]:
        """What may be decided at a state; steps that lead nowhere (a block that does not fit) are left out."""
        return (choice.step for choice in self.choices(state))

    def choices(self, state: State) -> list[Choice]:
        """The same steps, each with what it can lead to."""
        known = self._choices.get(state)
        if known is None:
            known = []
            for step in (self._blocks_at if state.repeats else self._stages_at)(state):
                on = self.reach(step.to)
                if on is not None:
                    fewest, most = step.parameters + on.fewest_parameters, step.parameters + on.most_parameters
                    memory = max(step.activation_bytes, on.least_activation_bytes)
                    known.append(Choice(fewest, most, step.macs + on.fewest_macs, memory, step))
            self._choices[state] = known
        return known

    def reach(self, state: State) -> Reach | None:
        """What a state can lead to; None: nothing, every way on ends at a block that does not fit."""
        if self.is_end(state):
            return Reach(0, 0, 0, 0)
        if state not in self._reach:
            choices = self.choices(state)
            self._reach[state] = None
            if choices:
                fewest, most, macs, memory, _ = zip(*choices, strict=True)
                self._reach[state] = Reach(min(fewest), max(most), min(macs), min(memory))
        return self._reach[state]

    def _stages_at(self, state: State) -> Iterator[Step]:
        """Filters, repeats and downsampling of a stage in one step; the last is a block of its own if it pools."""
        stage = self.definition.stages[state.stage]
        for repeats in stage.repeat:
            if repeats == 0:
                yield Step(
                    "0", f"{stage.name} left out", None, None, 0, 0, 0, self._enter(state.stage + 1, state.shape)
                )
                continue
            for filters in stage.filters:
                for downsample in stage.downsample:
                    width = "" if filters is None else f", {filters} filters"
                    down = "" if downsample == "none" else f", {downsample}"
                    label = f"{stage.name} x{repeats}{width}{down}"
                    pool = DOWNSAMPLE[downsample]
                    to = State(state.stage, repeats, 0, filters, downsample == "stride", state.shape)
                    if pool is None:
                        yield Step(str(repeats), label, None, None, 0, 0, 0, to)
                    elif pool.fits(state.shape):
                        yield self._step(str(repeats), label, pool, to)

    def _blocks_at(self, state: State) -> Iterator[Step]:
        stage = self.definition.stages[state.stage]
        place = (state.stage, state.slot, state.filters, state.stride)
        if place not in self._blocks:
            self._blocks[place] = [
                block
                for alternative in stage.slots[state.slot]
                for block in alternative.blocks(filters=state.filters, classes=self.classes, stride=state.stride)
            ]
        if state.slot + 1 < len(stage.slots):
            to = state._replace(slot=state.slot + 1, stride=False)
        elif state.repeats > 1:
            to = state._replace(slot=0, repeats=state.repeats - 1, stride=False)
        else:
            to = self._enter(state.stage + 1, state.shape)
        seen = set()
        for block in self._blocks[place]:
            if block.fits(state.shape):
                step = self._step(block.kind, "", block, to)
                # Options that make no difference on this map are one option.
                if step.trace is not None and step.trace.key not in seen:
                    seen.add(step.trace.key)
                    yield step

    def _enter(self, stage: int, shape: Shape) -> State:
        return State(stage, 0, 0, None, False, shape)

    def _step(self, group: str, stage: str, block: Block, to: State) -> Step:
        # `to` carries the shape before the block.
        trace = block.trace(to.shape)
        count = trace.count
        to = to._replace(shape=trace.output_shape)
        return Step(group, stage, block, trace, count.parameters, count.macs, count.activation_bytes, to)
