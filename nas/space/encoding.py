"""An architecture as named decisions: what strategies learn from and what variation starts from.

Every decision has a name: its stage, how many passes through the stage were left, its slot, and what was decided.
Decisions that a path does not meet are not in its genes, so that they cannot make two architectures differ.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, final

from nas.architecture import Architecture
from nas.architecture.blocks import Block
from nas.errors import NasError
from nas.space.decisions import Decisions, State, Step
from nas.space.definition import DOWNSAMPLE, OF_THE_DATA, Alternative, resolve
from nas.space.protocol import Genes

KEPT = 20_000
"""Architectures whose paths are remembered."""

OF_STAGE = "stage"
"""A block's filters if they are those of its stage, whatever these are."""


Key = tuple[tuple[Any, ...], ...]
"""What a block computes: `nas.architecture.graph.Trace.key`."""


Making = dict[str, dict[str, list[Step]]]
"""By the name of a decision and what was decided: the steps that decide it so."""


class EncodingError(NasError):
    """An architecture that the space cannot produce."""


@final
class Encoding:
    """Paths of a space's decisions, found again and named."""

    def __init__(self, decisions: Decisions) -> None:
        self.decisions = decisions
        self._of_steps: dict[Step, Genes] = {}
        self._shared: dict[tuple[Any, ...], Genes] = {}
        self._keys: dict[State, set[Key | None]] = {}
        self._ways: dict[tuple[State, Key | None], list[Step]] = {}
        self._making: dict[State, Making] = {}
        self._of_architectures: dict[Architecture, tuple[list[tuple[State, Step]], Genes]] = {}

    def genes(self, architecture: Architecture) -> Genes:
        """The decisions that make an architecture.

        Raises:
            EncodingError: none in this space do.
        """
        return self._found(architecture)[1]

    def path(self, architecture: Architecture) -> list[tuple[State, Step]]:
        """The first path that makes an architecture: its decisions, each with the state it was made in.

        Blocks are matched by what they compute, so that the spelling of an option that changes nothing does not matter.

        Raises:
            EncodingError: there is none.
        """
        return self._found(architecture)[0]

    def _found(self, architecture: Architecture) -> tuple[list[tuple[State, Step]], Genes]:
        known = self._of_architectures.get(architecture)
        if known is None:
            path = self._search(architecture)
            genes: dict[str, str] = {}
            for state, step in path:
                genes |= self.of_step(state, step)
            if len(self._of_architectures) >= KEPT:
                self._of_architectures.clear()
            known = self._of_architectures[architecture] = (path, genes)
        return known

    def _search(self, architecture: Architecture) -> list[tuple[State, Step]]:
        decisions, traces = self.decisions, architecture.traces
        start = (decisions.start, 0)
        dead: set[tuple[State, int]] = set()
        places = [start]
        path: list[tuple[State, Step]] = []
        keys: list[Key | None] = [*(trace.key for trace in traces), None]
        open_ways = [iter(self._ways_to(decisions.start, keys[0]))]
        while open_ways:
            state, done = places[-1]
            if decisions.is_end(state) and done == len(traces):
                return path
            for step in open_ways[-1]:
                ahead = done + (step.trace is not None)
                place = (step.to, ahead)
                if place not in dead:
                    path.append((state, step))
                    places.append(place)
                    open_ways.append(iter(self._ways_to(step.to, keys[ahead])))
                    break
            else:
                dead.add(places.pop())
                open_ways.pop()
                del path[-1:]
        raise EncodingError(
            f"the space {decisions.definition.name!r} cannot produce {architecture.describe()}; continue a search with "
            f"the space it was started with"
        )

    def _ways_to(self, state: State, key: Key | None) -> list[Step]:
        """The steps from a state that make this block, and those that make none and lead to where it can be made.

        Args:
            state: not an end.
            key: of the block; None for nothing more to make.
        """
        known = self._ways.get((state, key))
        if known is None:
            known = self._ways[state, key] = [
                step
                for step in self.decisions.steps(state)
                if (self._offers(step.to, key) if step.trace is None else step.trace.key == key)
            ]
        return known

    def _offers(self, state: State, key: Key | None) -> bool:
        """Whether the next step may make this block, or make none; an end offers nothing more to make."""
        if self.decisions.is_end(state):
            return key is None
        if state not in self._keys:
            steps = self.decisions.steps(state)
            self._keys[state] = {None if step.trace is None else step.trace.key for step in steps}
        return not self._keys[state].isdisjoint((key, None))

    def of_step(self, state: State, step: Step) -> Genes:
        """What one step decides, by name."""
        known = self._of_steps.get(step)
        if known is None:
            # The shapes of the map and of skips are no decisions: the same step on another map has the same genes.
            key = (state[:-2], step.stage, step.block, step.to[:-2])
            known = self._shared.get(key)
            if known is None:
                known = self._shared[key] = self._named(state, step)
            self._of_steps[step] = known
        return known

    def making(self, state: State) -> Making:
        """What the steps from a state decide, turned around."""
        known = self._making.get(state)
        if known is None:
            known = self._making[state] = {}
            for step in self.decisions.steps(state):
                for name, value in self.of_step(state, step).items():
                    known.setdefault(name, {}).setdefault(value, []).append(step)
        return known

    def _named(self, state: State, step: Step) -> Genes:
        if state.repeats < 0:
            stage = self.decisions.definition.stages[state.stage]
            return {f"{stage.name}.skip": "true" if step.block is not None else "false"}
        return self._stage(state, step) if state.repeats == 0 else self._block(state, step)

    def _stage(self, state: State, step: Step) -> Genes:
        stage = self.decisions.definition.stages[state.stage]
        if step.to.stage != state.stage:
            return {f"{stage.name}.repeat": "0"}
        genes = {f"{stage.name}.repeat": str(step.to.repeats)}
        if step.to.filters is not None:
            genes[f"{stage.name}.filters"] = str(step.to.filters)
        downsample = "stride" if step.to.stride else "none" if step.block is None else str(step.block)
        return genes | {f"{stage.name}.downsample": downsample}

    def _block(self, state: State, step: Step) -> Genes:
        stage = self.decisions.definition.stages[state.stage]
        place = f"{stage.name}.{state.repeats}.{state.slot}"
        block = step.block
        if block is None:
            return {}
        genes = {f"{place}.kind": block.kind}
        own = getattr(block, "filters", state.filters)
        alternatives = [each for each in stage.slots[state.slot] if each.kind == block.kind]
        for field in fields(block):
            if field.name in OF_THE_DATA or not any(field.name in each.options for each in alternatives):
                continue
            if field.name != "filters":
                value = _spelled(alternatives, block, field.name, own)
            elif own == state.filters:
                value = OF_STAGE
            else:
                value = _spelled(alternatives, block, field.name, state.filters)
            genes[f"{place}.{block.kind}.{field.name}"] = value
        return genes

    def all_genes(self) -> dict[str, tuple[str, ...]]:
        """Every decision of the space and what it may be; "" if some paths do not meet it."""
        values: dict[str, dict[str, None]] = {}
        seen: set[tuple[Any, ...]] = set()
        for state in self.decisions.states():
            for step in self.decisions.steps(state):
                key = (state[:-2], step.stage, step.block)
                if key not in seen:
                    seen.add(key)
                    for name, value in self.of_step(state, step).items():
                        values.setdefault(name, {})[value] = None
        always = self._always()
        return {name: (*(() if name in always else ("",)), *sorted(known)) for name, known in sorted(values.items())}

    def _always(self) -> set[str]:
        """Names of decisions that every path meets."""
        names = set()
        for stage in self.decisions.definition.stages:
            names.add(f"{stage.name}.repeat")
            if min(stage.repeat) > 0:
                names |= {f"{stage.name}.filters", f"{stage.name}.downsample", f"{stage.name}.skip"}
            for left in range(1, min(stage.repeat) + 1):
                names |= {f"{stage.name}.{left}.{slot}.kind" for slot in range(len(stage.slots))}
        return names


def as_written(value: str) -> str:
    """A gene's value as a space's file has it.

    >>> [as_written(value) for value in ("pool()", "pool(pool=average)", "stride", "16")]
    ['max_pool', 'average_pool', 'stride', '16']
    """
    return next((name for name, block in DOWNSAMPLE.items() if block is not None and str(block) == value), value)


def replaced(genes: Genes, name: str, value: str) -> Genes:
    """The decisions with another value of one, without those that are no longer there with it.

    What the new value brings with it is left open.

    >>> replaced({"stem.1.0.kind": "conv", "stem.1.0.conv.kernel": "3"}, "stem.1.0.kind", "pool")
    {'stem.1.0.kind': 'pool'}
    >>> replaced({"stage1.repeat": "2", "stage1.1.0.kind": "conv", "stage1.2.0.kind": "conv"}, "stage1.repeat", "1")
    {'stage1.repeat': '1', 'stage1.1.0.kind': 'conv'}
    """
    place, _, last = name.rpartition(".")

    def stays(other: str) -> bool:
        if not other.startswith(f"{place}."):
            return True
        first, _, rest = other.removeprefix(f"{place}.").partition(".")
        if last == "kind":
            return not rest or first == value
        return last != "repeat" or not first.isdigit() or int(first) <= int(value)

    return {other: value if other == name else known for other, known in genes.items() if stays(other)}


def _spelled(alternatives: list[Alternative], block: Block, option: str, filters: int | None) -> str:
    """An option as the definition writes it: `1/4` is the same decision whatever the stage's filters are."""
    value = getattr(block, option)
    for alternative in alternatives:
        for written in alternative.options.get(option, ()):
            if resolve(written, filters) == value:
                return str(written)
    return str(value)
