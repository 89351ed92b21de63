"""How many different networks a space has.

Different decisions can give the same network: a pooling stage and a pooling block, two stacked 3x3 convolutions and
two single ones. So the space is read as an automaton over layers and made deterministic (the subset construction,
Rabin and Scott, 1959): every network is then exactly one path, and paths are counted by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nas.architecture.graph import Trace
from nas.space.decisions import Decisions, State

LIMIT = 150_000
"""Pairs of layers and states that are looked at before the exact count is given up."""

Item = tuple[tuple[int, ...], State]
"""Layers of the current block that are still to come, and the state behind it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How many architectures.

    Attributes:
        architectures: number of different networks, or of decisions if `exact` is false, which is never less.
        exact: whether every network is counted once.
    """

    architectures: int
    exact: bool

    def __str__(self) -> str:
        if not self.exact:
            return f"at most {_short(self.architectures)} (estimate: networks that can be spelled twice count twice)"
        return f"{_short(self.architectures)} (exact)"


def count_architectures(decisions: Decisions) -> Size:
    """Different networks of a space."""
    try:
        return Size(architectures=_Automaton(decisions).count(), exact=True)
    except _TooLargeError:
        return Size(architectures=_paths(decisions, decisions.start, {}), exact=False)


def _paths(decisions: Decisions, state: State, known: dict[State, int]) -> int:
    if decisions.is_end(state):
        return 1
    if state not in known:
        known[state] = sum(_paths(decisions, step.to, known) for step in decisions.steps(state))
    return known[state]


class _TooLargeError(Exception):
    pass


class _Automaton:
    def __init__(self, decisions: Decisions) -> None:
        self.decisions, self.work = decisions, 0
        self.known: dict[frozenset[Item], int] = {}
        self.words: dict[int, tuple[int, ...]] = {}
        self.letters: dict[Any, int] = {}

    def count(self) -> int:
        return self._words(frozenset([((), self.decisions.start)]))

    def _words(self, items: frozenset[Item]) -> int:
        """Different sequences of layers that lead from these items to the end."""
        if items in self.known:
            return self.known[items]
        branches: dict[int, set[Item]] = {}
        ends = 0
        stack, seen = list(items), set(items)
        while stack:
            rest, state = stack.pop()
            self.work += 1
            if self.work > LIMIT:
                raise _TooLargeError
            if rest:
                branches.setdefault(rest[0], set()).add((rest[1:], state))
            elif self.decisions.is_end(state):
                ends = 1
            else:
                for step in self.decisions.steps(state):
                    item = (() if step.trace is None else self._word(step.trace), step.to)
                    if item not in seen:
                        seen.add(item)
                        stack.append(item)
        total = ends + sum(self._words(frozenset(after)) for after in branches.values())
        self.known[items] = total
        return total

    def _word(self, trace: Trace) -> tuple[int, ...]:
        """A block's layers, cut wherever a single tensor passes, each piece as a number."""
        if id(trace) not in self.words:
            numbers = (self.letters.setdefault(piece, len(self.letters)) for piece in pieces(trace))
            self.words[id(trace)] = tuple(numbers)
        return self.words[id(trace)]


def pieces(trace: Trace) -> Iterator[tuple[Any, ...]]:
    """The parts of a block between which only one tensor passes."""
    start = 0
    reads = [min(inputs) for *_, inputs in trace.key]
    for end in range(1, len(reads) + 1):
        if all(read >= end - 1 for read in reads[end:]):
            yield tuple((*layer, tuple(index - start for index in inputs)) for *layer, inputs in trace.key[start:end])
            start = end


def _short(number: int) -> str:
    """A number that can be read.

    >>> _short(1234), _short(123456789)
    ('1,234', '1.23e+08')
    """
    return (
        f"{number:,}" if number < 10_000_000 else f"{number:.3g}" if number < 10**300 else f"10^{len(str(number)) - 1}"
    )
