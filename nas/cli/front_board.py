"""What `nas front --board` adds: whether each point fits, by what was measured, else by what is predicted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nas.errors import NasError
from nas.files.yaml_file import FileError
from nas.objectives import DEVICE_COSTS
from nas.results.noise import without_noise

if TYPE_CHECKING:
    from nas.boards import Board
    from nas.objectives import Cost
    from nas.results.trial import TrialRecord
    from nas.tuning import Search

PREDICTED = "~"
"""Before a number that was not measured."""


def board_of(search: Search, name: str | None) -> Board | None:
    """The board that is asked for, else that of the search, if its file is still there.

    Raises:
        FileError: there is no board of that name.
    """
    from nas.boards import find_board

    if name is not None:
        return find_board(name)
    with suppress(FileError):
        return None if search.experiment.board is None else find_board(search.experiment.board)
    return None


def cost_text(record: TrialRecord, cost: Cost) -> str:
    """A cost in a table; marked if it is predicted, empty if nothing is known of it."""
    if record.has_cost(cost):
        return cost.text(record.cost(cost))
    predicted = record.architecture.predicted(cost)
    return "" if predicted is None else PREDICTED + cost.text(predicted)


def verdict(record: TrialRecord, board: Board) -> str:
    """`fits`, or why it does not; marked if a prediction says so."""
    if reason := _unknown(record):
        return reason
    mark = "" if all(map(record.has_cost, DEVICE_COSTS)) else PREDICTED
    return mark + (board.excess(_bytes(record)) or "fits")


def best_on(search: Search, board: Board) -> TrialRecord:
    """The point of the front with the highest score that fits, by what was measured, else by what is predicted.

    Raises:
        NasError: none does, with the one that misses by least.
    """
    front = without_noise(search.front)
    known = [point for point in front if not _unknown(point)]
    if not known:
        raise NasError(
            f"no point of the front is known to fit {board.name}; trial {front[0].number} has {_unknown(front[0])}; "
            f"search with --board {board.name}"
        )
    fitting = [point for point in known if not board.excess(_bytes(point))]
    if not fitting:
        nearest = min(known, key=lambda point: max(_bytes(point)[cost] / board.limits[cost] for cost in DEVICE_COSTS))
        raise NasError(
            f"no point of the front fits {board.name}; the nearest, trial {nearest.number}, has "
            f"{board.excess(_bytes(nearest))}; search with --board {board.name}"
        )
    return max(fitting, key=lambda point: point.score)


def board_row(record: TrialRecord, board: Board) -> dict[str, Any]:
    """The same for programs: what is predicted, and how far each is over the limit, by measurement if there is one.

    What is not known is None, and such a network does not fit.
    """
    over = {cost: max(0, round(value - board.limits[cost])) for cost, value in _bytes(record).items()}
    return {
        **{f"predicted_{cost.name}": record.architecture.predicted(cost) for cost in DEVICE_COSTS},
        **{f"{cost.name}_over": over.get(cost) for cost in DEVICE_COSTS},
        "fits": not _unknown(record) and not any(over.values()),
    }


def _unknown(record: TrialRecord) -> str:
    """Why it cannot be told whether it fits; "" if its bytes are known."""
    if record.architecture.lacking:
        return "no int8 form"
    return "" if len(_bytes(record)) == len(DEVICE_COSTS) else "unmeasured bytes"


def _bytes(record: TrialRecord) -> dict[Cost, float]:
    """What was measured or is predicted."""
    found = {
        cost: record.cost(cost) if record.has_cost(cost) else record.architecture.predicted(cost)
        for cost in DEVICE_COSTS
    }
    return {cost: value for cost, value in found.items() if value is not None}
