"""A search space on an input shape as a graph of decisions.

A state is all that later decisions depend on: where in the definition we are, what the stage has decided, and the
shape of the map. A step decides something and may add a block. Every path from `start` to `END` is an architecture,
and every architecture of the space is a path. Since counts add up along a path, the smallest and the largest count
that a state can still lead to follow by dynamic programming, and with them sampling under a budget needs no retries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, final

from nas.architecture.arithmetic import Shape, elements
from nas.architecture.blocks import BLOCKS, Block, Skip
from nas.architecture.fields import field_types
from nas.architecture.graph import BYTES, Trace
from nas.architecture.layers import DoesNotFitError
from nas.errors import NasError
from nas.space.definition import DOWNSAMPLE, Definition, Slot, Stage
from nas.space.sums import Sums

MOST_STEPS = 150_000
"""Of a space, over all states: 4 times as many as the largest space that ships has, and some seconds of work."""

MOST_LAYERS = 1_000_000
"""Of all blocks on all maps of a space, which are looked at one by one."""

MOST_BLOCK_LAYERS = 2_000
"""Of one block."""


class SpaceError(NasError):
    """A search space that has no architecture on this input, or too many decisions to look at."""


class State(NamedTuple):
    """Where a path is.

    Attributes:
        stage: index of the stage; the number of stages at the end.
        repeats: passes through the stage's slots still to come, this one included; 0: the stage is not decided yet;
            -1: all are passed, and whether the map goes to the head is not decided yet.
        slot: index in the current pass.
        filters: the stage's, None without any or before they are decided.
        stride: whether the next block must halve the map.
        shape: of the map here.
        skips: of the maps that were handed over to the head.
    """

    stage: int
    repeats: int
    slot: int
    filters: int | None
    stride: bool
    shape: Shape
    skips: tuple[Shape, ...] = ()


@final
@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One decision at one state; it equals nothing but itself, so that what is known of it is found at once.

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
    """What a state can still lead to: parameters, MACs and peak memory, the least and the most."""

    fewest_parameters: int
    most_parameters: int
    fewest_macs: int
    least_activation_bytes: int
    most_macs: int
    most_activation_bytes: int


class Choice(NamedTuple):
    """A step with what it can lead to, itself included."""

    fewest_parameters: int
    most_parameters: int
    fewest_macs: int
    least_activation_bytes: int
    step: Step


@final
class Decisions:
    """The graph, expanded as it is asked for and kept.

    Attributes:
        misfit: which block was the last that did not fit its map, and why.
    """

    def __init__(self, definition: Definition, input_shape: tuple[int, int, int], classes: int) -> None:
        self.definition, self.classes = definition, classes
        self.sums = Sums(self)
        self.start = State(0, 0, 0, None, False, input_shape)
        self.misfit = ""
        self._choices: dict[State, list[Choice]] = {}
        self._groups: dict[State, tuple[tuple[Choice, ...], ...]] = {}
        self._reach: dict[State, Reach | None] = {}
        self._blocks: dict[tuple[int, int, int | None, bool], list[Block]] = {}
        self._work = [0, 0]
        """Steps and layers that were looked at."""
        least = {stage.name: steps for stage, steps in zip(definition.stages, fewest_steps(definition), strict=True)}
        if sum(least.values()) > MOST_STEPS:
            stage = max(least, key=lambda name: least[name])
            raise self._too_large(f"at least {sum(least.values()):,} steps, {least[stage]:,} of them in {stage}")

    def _too_large(self, received: str) -> SpaceError:
        return SpaceError(
            f"a space has at most {MOST_STEPS:,} steps (values of all decisions, on each map that reaches them) and "
            f"{MOST_LAYERS:,} layers in their blocks; {self.definition.name!r} has {received}; give fewer values, such "
            f"as filters: [16, 24, 32, 48, 64], or fewer repeats"
        )

    def is_end(self, state: State) -> bool:
        return state.stage == len(self.definition.stages)

    def steps(self, state: State) -> Iterator[Step]:
        """What may be decided at a state; steps that lead nowhere (a block that does not fit) are left out."""
        return (choice.step for choice in self.choices(state))

    def choices(self, state: State) -> list[Choice]:
        """The same steps, each with what it can lead to."""
        if state not in self._choices:
            self.reach(state)
        return self._choices.get(state, [])

    def states(self) -> Iterable[State]:
        """Every state on a way from `start` to an end, each after all states that it leads to; ends are not listed."""
        self.reach(self.start)
        return self._choices.keys()

    def labels(self, state: State) -> list[str]:
        """What may be decided at a state's place for any filters and any map, in words, in a fixed order."""
        stage = self.definition.stages[state.stage]
        if state.repeats < 0:
            return [_skip_label(stage, skip) for skip in stage.skip]
        if not state.repeats:
            return [label for label, *_ in _stage_options(stage)]
        return list(
            dict.fromkeys(
                str(block)
                for filters in stage.filters
                for stride in (False, True)
                for block in self._blocks_of(state._replace(filters=filters, stride=stride))
            )
        )

    def groups(self, state: State) -> tuple[tuple[Choice, ...], ...]:
        """The same choices by the group of their step."""
        known = self._groups.get(state)
        if known is None:
            groups: dict[str, list[Choice]] = {}
            for choice in self.choices(state):
                groups.setdefault(choice.step.group, []).append(choice)
            known = self._groups[state] = tuple(map(tuple, groups.values()))
        return known

    def reach(self, state: State) -> Reach | None:
        """What a state can lead to; None: nothing, every way on ends at a block that does not fit."""
        # A loop with a stack of its own: a path may be longer than Python's recursion goes deep.
        stack = [state]
        steps: dict[State, list[Step]] = {}
        while stack:
            current = stack[-1]
            if current in self._reach:
                stack.pop()
                continue
            if current not in steps:
                steps[current] = self._steps_at(current)
                self._work[0] += len(steps[current])
                self._work[1] += sum(len(step.trace.key) for step in steps[current] if step.trace is not None)
                if self._work[0] > MOST_STEPS or self._work[1] > MOST_LAYERS:
                    raise self._too_large(f"{self._work[0]:,} steps and {self._work[1]:,} layers before all are seen")
            ahead = [step.to for step in steps[current] if step.to not in self._reach]
            if ahead:
                stack.extend(ahead)
            else:
                self._settle(current, steps.pop(current))
        return self._reach[state]

    def _settle(self, state: State, steps: list[Step]) -> None:
        """Keep what is known of a state once all that it leads to is known."""
        if self.is_end(state):
            self._reach[state] = Reach(0, 0, 0, 0, 0, 0)
            return
        choices, most_macs, most_memory = [], 0, 0
        for step in steps:
            on = self._reach[step.to]
            if on is not None:
                fewest, most = step.parameters + on.fewest_parameters, step.parameters + on.most_parameters
                memory = max(step.activation_bytes, on.least_activation_bytes)
                choices.append(Choice(fewest, most, step.macs + on.fewest_macs, memory, step))
                most_macs = max(most_macs, step.macs + on.most_macs)
                most_memory = max(most_memory, step.activation_bytes, on.most_activation_bytes)
        self._reach[state] = None
        if choices:
            fewest_parameters, most_parameters, macs, memories, _ = zip(*choices, strict=True)
            self._choices[state] = choices
            self._reach[state] = Reach(
                min(fewest_parameters), max(most_parameters), min(macs), min(memories), most_macs, most_memory
            )

    def _steps_at(self, state: State) -> list[Step]:
        if self.is_end(state):
            return []
        if state.repeats < 0:
            return list(self._skips_at(state))
        return list((self._blocks_at if state.repeats else self._stages_at)(state))

    def _stages_at(self, state: State) -> Iterator[Step]:
        """Filters, repeats and downsampling of a stage in one step; the last is a block of its own if it pools."""
        for label, repeats, filters, downsample in _stage_options(self.definition.stages[state.stage]):
            pool = DOWNSAMPLE[downsample]
            to = State(state.stage, repeats, 0, filters, downsample == "stride", state.shape, state.skips)
            if repeats == 0:
                to = self._enter(state)
            if pool is None:
                yield Step(str(repeats), label, None, None, 0, 0, 0, to)
            elif (step := self._step(str(repeats), label, pool, to)) is not None:
                yield step

    def _blocks_of(self, state: State) -> list[Block]:
        """Every block that the definition has at a state's place, whether it fits the map or not."""
        place = (state.stage, state.slot, state.filters, state.stride)
        if place not in self._blocks:
            self._blocks[place] = [
                block
                for alternative in self.definition.stages[state.stage].slots[state.slot]
                for block in alternative.blocks(
                    filters=state.filters, classes=self.classes, stride=state.stride, image=self.start.shape
                )
            ]
        return self._blocks[place]

    def _blocks_at(self, state: State) -> Iterator[Step]:
        stage = self.definition.stages[state.stage]
        if state.slot + 1 < len(stage.slots):
            to = state._replace(slot=state.slot + 1, stride=False)
        elif state.repeats > 1:
            to = state._replace(slot=0, repeats=state.repeats - 1, stride=False)
        elif stage.skip == (False,):
            to = self._enter(state)
        else:
            to = State(state.stage, -1, 0, None, False, state.shape, state.skips)
        seen = set()
        for block in self._blocks_of(state):
            step = self._step(block.kind, "", block, to)
            # Options that make no difference on this map are one option.
            if step is not None and step.trace is not None and step.trace.key not in seen:
                seen.add(step.trace.key)
                yield step

    def _skips_at(self, state: State) -> Iterator[Step]:
        """Whether the map that leaves a stage goes to the head, too."""
        stage, to = self.definition.stages[state.stage], self._enter(state)
        for skip in stage.skip:
            label = _skip_label(stage, skip)
            if not skip:
                yield Step(label, label, None, None, 0, 0, 0, to)
            elif (step := self._step(label, label, Skip(classes=self.classes), to)) is not None:
                yield step

    def _enter(self, state: State) -> State:
        """The beginning of the next stage."""
        return State(state.stage + 1, 0, 0, None, False, state.shape, state.skips)

    def _step(self, group: str, stage: str, block: Block, to: State) -> Step | None:
        """The step that adds a block; `to` carries the shape before it. None: the block does not fit."""
        try:
            trace = block.trace(to.shape, to.skips if block.is_head else ())
        except DoesNotFitError as error:
            self.misfit = f"{block.kind} on a map of {'x'.join(map(str, to.shape))}: {error}"
            return None
        if len(trace.key) > MOST_BLOCK_LAYERS:
            raise SpaceError(
                f"a block has at most {MOST_BLOCK_LAYERS:,} layers; {block.kind} of the space "
                f"{self.definition.name!r} has {len(trace.key):,}; give fewer"
            )
        count, memory = trace.count, trace.count.activation_bytes
        if to.skips and not block.is_head:
            memory += sum(map(elements, to.skips)) * BYTES
        skips = (*to.skips, trace.skip.shape) if trace.skip else to.skips
        to = to._replace(shape=trace.output_shape, skips=skips)
        return Step(group, stage, block, trace, count.parameters, count.macs, memory, to)


def _stage_options(stage: Stage) -> Iterator[tuple[str, int, int | None, str]]:
    """What a stage may decide, in words, and the repeats, filters and downsampling that it means."""
    for repeats in stage.repeat:
        if repeats == 0:
            yield f"{stage.name} left out", 0, None, "none"
            continue
        for filters in stage.filters:
            for downsample in stage.downsample:
                width = "" if filters is None else f", {filters} filters"
                down = "" if downsample == "none" else f", {downsample}"
                yield f"{stage.name} x{repeats}{width}{down}", repeats, filters, downsample


def _skip_label(stage: Stage, skip: bool) -> str:
    return f"{stage.name} to the head" if skip else f"{stage.name} not to the head"


def fewest_steps(definition: Definition) -> list[int]:
    """About how many steps each stage has, or fewer: told from the file alone, before anything is made of it.

    Maps of different sides are taken for one; numbers of channels that may enter a stage are told apart.
    """
    found, entering = [], 1
    for stage in definition.stages:
        widths, repeats = len(stage.filters), [repeat for repeat in stage.repeat if repeat]
        blocks = [sum(alternative.combinations for alternative in slot) for slot in stage.slots]
        ways = len({"pool" if DOWNSAMPLE[each] else each for each in stage.downsample})
        decided = entering * len(repeats) * widths * len(stage.downsample)
        first = entering * len(repeats) * widths * ways * blocks[0]
        later = widths * (sum(blocks) * max(repeats) - blocks[0]) if repeats else 0
        found.append(decided + first + later)
        leaving = next(filter(None, (_widths(slot, widths) for slot in reversed(stage.slots))), entering)
        entering = leaving + (entering if len(repeats) < len(stage.repeat) else 0)
    return found


def _widths(slot: Slot, filters: int) -> int:
    """Numbers of channels that may leave a slot; 0: as many as enter it."""
    found = 0
    for alternative in slot:
        own = alternative.options.get("filters")
        if own is not None:
            found = max(found, filters if any(isinstance(value, Fraction) for value in own) else len(own))
        elif "filters" in field_types(BLOCKS[alternative.kind]):
            found = max(found, filters)
        elif any(getattr(each, "channels", False) for each in field_types(BLOCKS[alternative.kind]).values()):
            found = max(found, 1)
    return found
