"""A search space: what may be searched on one input shape."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, final

from nas.architecture import Architecture, Budget, BudgetError
from nas.architecture.blocks import BLOCKS
from nas.files.shipped import find_space
from nas.files.yaml_file import yaml_text
from nas.objectives import ACTIVATION_BYTES, MACS, PARAMETERS, Cost
from nas.space import sampling
from nas.space.counting import Size, count_architectures
from nas.space.decisions import Decisions, Reach, SpaceError
from nas.space.definition import Definition, fewest_classes, load_definition, parse_definition
from nas.space.encoding import Encoding, EncodingError
from nas.space.protocol import Genes
from nas.space.share import Share, share
from nas.space.variation import Variation


@final
class SearchSpace:
    """Everything that a definition can produce on one input shape and number of classes.

    Attributes:
        definition: the file's content.
        input_shape: `(height, width, channels)` of one image.
        classes: how many the head tells apart.

    Raises:
        SpaceError: no architecture of the definition fits the input, or it has too many decisions to look at.
    """

    def __init__(
        self,
        definition: Definition,
        *,
        input_shape: tuple[int, int, int] | None = None,
        classes: int | None = None,
    ) -> None:
        self.definition = definition
        self.input_shape = input_shape or definition.input_shape
        self.classes = definition.classes if classes is None else classes
        if len(self.input_shape) != 3 or not all(type(size) is int and size >= 1 for size in self.input_shape):
            raise SpaceError(f"input_shape must be (height, width, channels); received {self.input_shape!r}")
        fewest = fewest_classes(BLOCKS[head.kind] for head in definition.stages[-1].slots[0])
        if type(self.classes) is not int or self.classes < fewest:
            raise SpaceError(f"classes must be a whole number from {fewest} up; received {self.classes!r}")
        self.decisions = Decisions(definition, self.input_shape, self.classes)

    @classmethod
    def parse(
        cls,
        source: str | Mapping[str, Any],
        *,
        name: str = "space",
        input_shape: tuple[int, int, int] | None = None,
        classes: int | None = None,
    ) -> SearchSpace:
        """A space that a program writes.

        Args:
            source: what a file would hold, as YAML or as dicts and lists.
            name: of the space.
            input_shape: `(height, width, channels)`; the source's own if left out.
            classes: the source's own number if left out.

        Raises:
            FileError: it has a mistake; the message says where and what to change.
        """
        text = source if isinstance(source, str) else yaml_text(source)
        return cls(parse_definition(text, name), input_shape=input_shape, classes=classes)

    @property
    def name(self) -> str:
        return self.definition.name

    @cached_property
    def _reach(self) -> Reach:
        reach = self.decisions.reach(self.decisions.start)
        if reach is None:
            size = "x".join(map(str, self.input_shape))
            raise SpaceError(
                f"no architecture of the space {self.name!r} fits {size} images; every path ends at a block that does "
                f"not fit, such as {self.decisions.misfit}"
            )
        return reach

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding(self.decisions)

    @cached_property
    def _variation(self) -> Variation:
        return Variation(self._encoding)

    @property
    def fewest_parameters(self) -> int:
        """Of the smallest architecture."""
        return self._reach.fewest_parameters

    @property
    def most_parameters(self) -> int:
        """Of the largest architecture."""
        return self._reach.most_parameters

    def counts(self, cost: Cost) -> tuple[int, int]:
        """The least and the most of a counted cost that an architecture has; of one without a `span`."""
        reach = self._reach
        return {
            PARAMETERS: (reach.fewest_parameters, reach.most_parameters),
            MACS: (reach.fewest_macs, reach.most_macs),
            ACTIVATION_BYTES: (reach.least_activation_bytes, reach.most_activation_bytes),
        }[cost]

    def check(self, budget: Budget) -> None:
        """Refuse a budget that no architecture meets, before anything is sampled.

        Raises:
            BudgetError: with the smallest (or largest) count that the space has.
        """
        reach = self._reach
        for cost, most in budget.counted.items():
            least, _ = cost.span or self.counts(cost)
            if most < least:
                raise BudgetError(
                    f"no architecture of the space {self.name!r} has at most {cost.words(most)}: the smallest has "
                    f"{least:,}; raise the budget, or offer fewer filters in the space"
                )
        if budget.min_parameters is not None and budget.min_parameters > reach.most_parameters:
            raise BudgetError(
                f"no architecture of the space {self.name!r} has at least {budget.min_parameters:,} parameters: the "
                f"largest has {reach.most_parameters:,}; lower min_parameters, or offer more filters in the space"
            )

    def sample(
        self, rng: random.Random, budget: Budget | None = None, *, quantile: float | None = None
    ) -> Architecture:
        """An architecture inside the budget.

        Samples are spread evenly over the logarithm of the parameter count, between the smallest count of the space
        and the budget.

        Args:
            rng: the only source of randomness.
            budget: no limit if left out.
            quantile: where in that range, in [0, 1]; drawn if left out.

        Raises:
            BudgetError: nothing in the space meets the budget.
        """
        budget = budget or Budget()
        self.check(budget)
        return sampling.sample(self.decisions, rng, budget, rng.random() if quantile is None else quantile)

    def sample_distinct(self, count: int, rng: random.Random, budget: Budget | None = None) -> Iterator[Architecture]:
        """`count` different networks inside the budget, or all that there are if they are fewer."""
        budget = budget or Budget()
        self.check(budget)
        return sampling.distinct(self.decisions, count, rng, budget)

    def mutate(self, architecture: Architecture, rng: random.Random, budget: Budget | None = None) -> Architecture:
        """One decision changed; the others are kept where they are still possible inside the space and the budget.

        Raises:
            EncodingError: the architecture is not of this space.
        """
        budget = budget or Budget()
        return self._variation.mutate(architecture, rng, budget) or self.sample(rng, budget)

    def cross(
        self, first: Architecture, second: Architecture, rng: random.Random, budget: Budget | None = None
    ) -> Architecture:
        """Each decision from one of two architectures, as far as they go together inside the space and the budget.

        Raises:
            EncodingError: one of them is not of this space.
        """
        budget = budget or Budget()
        return self._variation.cross(first, second, rng, budget) or self.sample(rng, budget)

    def build(self, genes: Genes, rng: random.Random, budget: Budget | None = None) -> Architecture:
        """An architecture with as many of these decisions as the space and the budget allow; the rest is drawn."""
        budget = budget or Budget()
        return self._variation.build(genes, rng, budget) or self.sample(rng, budget)

    def encode(self, architecture: Architecture) -> Genes:
        """The decisions that make an architecture, by name; those that it does not have are left out.

        Raises:
            EncodingError: the architecture is not of this space.
        """
        return self._encoding.genes(architecture)

    def __contains__(self, architecture: Architecture) -> bool:
        """Whether the space can produce it."""
        try:
            self.encode(architecture)
        except EncodingError:
            return False
        return True

    def genes(self) -> dict[str, tuple[str, ...]]:
        """Every decision of the space and its possible values; "" means that it is absent."""
        return self._encoding.all_genes()

    def architectures(self, budget: Budget | None = None) -> Iterator[Architecture]:
        """Every architecture inside the budget, one after the other; the same network may come in two spellings."""
        budget = budget or Budget()
        self.check(budget)
        return sampling.enumerate_all(self.decisions, budget)

    def only(self) -> Architecture | None:
        """The architecture of a space that has just one; None if it has several."""
        found = self.architectures()
        first = next(found)
        return first if all(other.id == first.id for other in found) else None

    def size(self) -> Size:
        """How many different networks the space has."""
        _ = self._reach
        return count_architectures(self.decisions)

    def share(self, budget: Budget) -> Share:
        """The share of all paths through the space that is inside a budget; shares of one in a billion are seen.

        Limits on multiply-adds are ignored, and the result says so.
        """
        _ = self._reach
        return share(self.decisions, budget)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.input_shape))
        return f"SearchSpace({self.name!r}, {size}, {self.classes} classes)"


def load_space(
    name: str | Path, *, input_shape: tuple[int, int, int] | None = None, classes: int | None = None
) -> SearchSpace:
    """A shipped search space by name (`mixed`, `reference/vgg16`), or one of your own by the path of its file.

    Args:
        name: of a shipped space, or a path that ends in .yaml.
        input_shape: `(height, width, channels)`; the file's own if left out.
        classes: the file's own number if left out.

    Raises:
        FileError: there is no such file, or it has a mistake; the message says where and what to change.
    """
    return SearchSpace(load_definition(find_space(str(name))), input_shape=input_shape, classes=classes)
