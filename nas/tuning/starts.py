"""The networks that a search begins with: named ones, and those that earlier searches recommend."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.architecture import Architecture
from nas.benchmark import load_table
from nas.errors import NasError
from nas.files import outside
from nas.space import load_space
from nas.space.recipe_space import Proposal, RecipeSpace
from nas.strategies import Strategy
from nas.strategies.starting import START, Known, recommended
from nas.tuning.sameness import is_same_space
from nas.tuning.search import Search

if TYPE_CHECKING:
    from nas.datasets import DatasetInfo


def named(names: Sequence[str], strategy: Strategy[Proposal], space: RecipeSpace, info: DatasetInfo) -> list[Proposal]:
    """Networks by the name of a space with one network, such as `reference/lenet5`, or the path of a .json file.

    Args:
        names: of them.
        strategy: whose budget they have to meet.
        space: whose first choices they get; a space of one network is adapted to its first form.
        info: of the data.

    Raises:
        NasError: there is no such network, it takes other images, or it is outside the budget.
    """
    found = []
    shapes = [form.space.input_shape for form in space.forms]
    for name in names:
        architecture = _read(name, shapes[0], info)
        if architecture.input_shape not in shapes:
            theirs = "x".join(map(str, architecture.input_shape))
            ours = " or ".join("x".join(map(str, shape)) for shape in shapes)
            raise NasError(f"start: {name} takes images of {theirs}, and the data have {ours}; give another network")
        if excess := strategy.budget.excess(architecture.count):
            raise NasError(f"start: {name} has {excess}; leave it out, or change the budget")
        found.append(space.with_first_choices(architecture))
    return found


def _read(name: str, shape: tuple[int, int, int], info: DatasetInfo) -> Architecture:
    if name.endswith(".json"):
        text = outside.read_text(Path(name), lambda reason: NasError(f"start: cannot read {name}: {reason}"))
        try:
            return Architecture.from_json(text)
        except NasError as error:
            raise NasError(f"start: {name}: {error}") from None
    try:
        only = load_space(name, input_shape=shape, classes=len(info.labels) or None).only()
    except NasError as error:
        raise NasError(f"start: {error}") from None
    if only is None:
        raise NasError(f"start: {name} is a space of many networks; name one network, such as reference/lenet5")
    return only


def from_searches(
    names: Sequence[str], strategy: Strategy[Proposal], space_text: str, *, runs_dir: Path, seed: int
) -> list[Proposal]:
    """What earlier searches recommend.

    Args:
        names: of searches in `runs_dir`.
        strategy: whose space, budget and range of interest.
        space_text: of the file of its space, which must be theirs, too.
        runs_dir: where searches are kept.
        seed: of the draw.

    Raises:
        NasError: there is no such search, it was over another space, or it has too few trials.
    """
    earlier = []
    for name in names:
        search = Search(name, runs_dir)
        if not is_same_space(search.folder.space_text(), space_text):
            raise NasError(
                f"start_from takes searches of the same space; {name!r} was over {search.experiment.space!r}, which "
                f"offers other decisions; leave it out"
            )
        known = _known(search)
        if len(set(known.scores)) < 2:
            raise NasError(f"start_from: {name!r} has no two trials that differ in their score; leave it out")
        earlier.append(known)
    return recommended(strategy, earlier, START, random.Random(f"{seed}/start")) if earlier else []


def from_table(name: str, strategy: Strategy[Proposal], space: RecipeSpace, *, seed: int) -> list[Proposal]:
    """What a table of measured networks of the space recommends.

    That is nothing for images twice as large as the table's or half as large: what is good there downsamples too little
    here, or too much. On 5,000 images of MNIST at 28x28, networks that are good at 14x14 are .03 to .11 less accurate
    below 2,000 parameters than those that a search without them finds, and take three times as long.

    Args:
        name: of a table of `nas bench`, or of its file.
        strategy: whose budget and range of interest.
        space: the strategy's, with all forms of the images.
        seed: of the draw.

    Raises:
        NasError: there is no such table, or its networks are of another space.
    """
    table = load_table(name)
    theirs = {gene for row in table.rows for gene in row.genes}
    if unknown := theirs - set(strategy.space.genes()):
        raise NasError(
            f"known: the table {name!r} is about other decisions than this space, such as {min(unknown)!r}; give a "
            f"table of this space, or none"
        )
    sides = [side for form in space.forms for side in form.space.input_shape[:2]]
    if table.side and not all(table.side / 2 < side < 2 * table.side for side in sides):
        return []
    objectives = replace(strategy.objectives, floor=table.floor, finest=table.finest)
    known = Known(objectives, [row.genes for row in table.rows], [row.score for row in table.rows])
    return recommended(strategy, [known], START, random.Random(f"{seed}/start"))


def _known(search: Search) -> Known:
    space = search.proposals
    genes, scores = [], []
    for trial in search.trials:
        proposal = Proposal(trial.architecture, trial.recipe)
        # A network that the search was told to begin with may be of no space.
        if trial.completed and proposal in space:
            genes.append(space.encode(proposal))
            scores.append(trial.score)
    return Known(search.objectives, genes, scores)
