"""How many different networks a space has.

Different decisions can give the same network: a pooling stage and a pooling block, two stacked 3x3 convolutions and
two single ones. So the space is read as an automaton over layers and made deterministic (the subset construction,
Rabin and Scott, 1959): every network is then exactly one path, and paths are counted by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from nas.architecture.graph import Trace
from nas.space.decisions import Decisions, State

LIMIT = 150_000
"""Pairs of layers and states that are looked at before the exact count is given up."""

Item = tuple[tuple[int, ...], State]
"""Layers of the current block that are still to come, and the state behind it."""

_Terms = tuple[int, list[frozenset[Item]], list[frozenset[Item]]]
"""A number, what to add to it and what to take away."""


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
        return Size(architectures=count_paths(decisions)[decisions.start], exact=False)


def count_paths(decisions: Decisions) -> dict[State, int]:
    """From every state the number of ways to an end; a network that can be spelled twice counts twice."""
    paths: dict[State, int] = {}
    for state in decisions.states():
        paths[state] = sum(paths.get(step.to, 1) for step in decisions.steps(state))
    return paths


class _TooLargeError(Exception):
    pass


class _Branches(NamedTuple):
    """What may follow a state: by its first layer, where that leads; and whether the network may end here."""

    after: dict[int, frozenset[Item]]
    ends: bool


class _Automaton:
    """A set of items stands for "one of these, it is not yet known which". Its words are what may follow any of them.

    The words of a set are those of one of its members, corrected where another member begins with the same layer:
    most sets differ little from a single state, whose words are counted once.
    """

    def __init__(self, decisions: Decisions) -> None:
        self.decisions, self.work = decisions, 0
        self.known: dict[frozenset[Item], int] = {}
        self.branches: dict[State, _Branches] = {}
        self.words: dict[int, tuple[int, ...]] = {}
        self.letters: dict[Any, int] = {}

    def count(self) -> int:
        start: frozenset[Item] = frozenset([((), self.decisions.start)])
        terms: dict[frozenset[Item], _Terms] = {}
        stack = [start]
        while stack:
            items = stack[-1]
            if items not in terms:
                terms[items] = self._terms(items)
            ends, plus, minus = terms[items]
            ahead = [part for part in (*plus, *minus) if part not in self.known]
            if ahead:
                stack.extend(ahead)
                continue
            stack.pop()
            self.known[items] = ends + sum(map(self.known.__getitem__, plus)) - sum(map(self.known.__getitem__, minus))
        return self.known[start]

    def _terms(self, items: frozenset[Item]) -> _Terms:
        """The words of a set of items as sums and differences of the words of later or smaller sets."""
        base = next((state for rest, state in items if not rest), None)
        own = _Branches({}, False) if base is None else self._branches_of(base)
        more: dict[int, set[Item]] = {}
        ends = own.ends
        for rest, state in items:
            if rest:
                more.setdefault(rest[0], set()).add((rest[1:], state))
            elif state != base:
                branches = self._branches_of(state)
                ends = ends or branches.ends
                for letter, after in branches.after.items():
                    more.setdefault(letter, set()).update(after)
        self.work += 1 + len(more)
        if len(items) == 1 and base is not None:
            return ends, list(own.after.values()), []
        plus = [frozenset(after) | own.after.get(letter, frozenset()) for letter, after in more.items()]
        minus = [own.after[letter] for letter in more if letter in own.after]
        if base is None:
            return 0, plus, minus
        return ends - own.ends, [*plus, frozenset([((), base)])], minus

    def _branches_of(self, state: State) -> _Branches:
        if state not in self.branches:
            after: dict[int, set[Item]] = {}
            ends = False
            stack, seen = [state], {state}
            while stack:
                current = stack.pop()
                ends = ends or self.decisions.is_end(current)
                for step in self.decisions.steps(current):
                    self.work += 1
                    word = () if step.trace is None else self._word(step.trace)
                    if word:
                        after.setdefault(word[0], set()).add((word[1:], step.to))
                    elif step.to not in seen:
                        seen.add(step.to)
                        stack.append(step.to)
            if self.work > LIMIT:
                raise _TooLargeError
            self.branches[state] = _Branches({letter: frozenset(items) for letter, items in after.items()}, ends)
        return self.branches[state]

    def _word(self, trace: Trace) -> tuple[int, ...]:
        """A block's layers, cut wherever a single tensor passes, each piece as a number."""
        # The trace is kept by its state's choices, so that its id stays its own.
        if id(trace) not in self.words:
            numbers = (self.letters.setdefault(piece, len(self.letters)) for piece in pieces(trace))
            self.words[id(trace)] = tuple(numbers)
        return self.words[id(trace)]


def pieces(trace: Trace) -> Iterator[tuple[Any, ...]]:
    """The parts of a block between which only one tensor passes, each with its inputs counted from its own start."""
    key = trace.key
    # The earliest layer that is still read at or behind each layer.
    earliest = list(accumulate((min(inputs) for *_, inputs in reversed(key)), min))[::-1]
    start = 0
    for end in range(1, len(key) + 1):
        if end == len(key) or earliest[end] >= end - 1:
            if end - start == 1 and len(key[start][-1]) == 1:
                # The usual case: one layer, which reads the tensor that passes.
                yield key[start][:-1]
            else:
                yield tuple((*layer, tuple(i - start for i in inputs)) for *layer, inputs in key[start:end])
            start = end


def _short(number: int) -> str:
    """A number that can be read.

    >>> _short(1234), _short(123456789)
    ('1,234', '1.23e+08')
    """
    return (
        f"{number:,}" if number < 10_000_000 else f"{number:.3g}" if number < 10**300 else f"10^{len(str(number)) - 1}"
    )
