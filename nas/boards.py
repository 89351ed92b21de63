"""Boards: how much flash and RAM a microcontroller leaves to a network."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nas.errors import shown
from nas.files.yaml_file import FileError, load_yaml
from nas.objectives import DEVICE_COSTS, Cost
from nas.registry import did_you_mean

_FOLDER = Path(__file__).resolve().parent / "export" / "boards"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    flash_bytes: int = Field(ge=0)
    ram_bytes: int = Field(ge=0)


@final
class Board(_Part):
    """A board, as its file has it.

    Attributes:
        name: of the file.
        description: chip and kit.
        flash_bytes, ram_bytes: of the chip.
        firmware: of them what the program around the network takes.
        source: of these numbers.
    """

    name: str
    description: str
    firmware: _Part
    source: str

    @model_validator(mode="after")
    def _leaves_something(self) -> Board:
        for cost, left in self.limits.items():
            if left < 1:
                raise ValueError(f"firmware must leave {cost.unit} to a network; it takes all {self._of(self, cost):,}")
        return self

    @property
    def limits(self) -> dict[Cost, int]:
        """What is left for a network."""
        return {cost: self._of(self, cost) - self._of(self.firmware, cost) for cost in DEVICE_COSTS}

    def verdict(self, costs: dict[Cost, float]) -> str:
        """Whether a network of these costs fits, or by how much it does not."""
        used = ", ".join(f"{cost.text(value)} of {cost.words(self.limits[cost])}" for cost, value in costs.items())
        return f"{used}: {self.excess(costs) or 'fits'}"

    def excess(self, costs: dict[Cost, float]) -> str:
        """By how much a network of these costs does not fit, such as `312 bytes of RAM too many`; "" if it does."""
        return ", ".join(
            f"{cost.words(value - self.limits[cost])} too many"
            for cost, value in costs.items()
            if value > self.limits[cost]
        )

    @staticmethod
    def _of(part: _Part, cost: Cost) -> int:
        found: int = getattr(part, cost.name)
        return found


def board_names() -> tuple[str, ...]:
    """Of the boards that are shipped."""
    return tuple(path.stem for path in sorted(_FOLDER.glob("*.yaml")))


def find_board(name: str) -> Board:
    """A shipped board by its name, or the file of another.

    Raises:
        FileError: there is none, or the file has a mistake.
    """
    path = _FOLDER / f"{name}.yaml"
    if name not in board_names():
        path = Path(name)
        if path.suffix not in (".yaml", ".yml"):
            raise FileError(
                f"there is no board {shown(name)}{did_you_mean(name, board_names())}; give a path ending in .yaml, or "
                f"one of {', '.join(board_names())}"
            )
        with suppress(RuntimeError):  # ~somebody without a home
            path = path.expanduser()
    file = load_yaml(path)
    if not isinstance(file.data, dict):
        raise file.error((), "a board is a mapping of keys to values; see docs/devices.md")
    data: dict[str, Any] = {"name": path.stem, **file.data}
    try:
        return Board.model_validate(data)
    except ValidationError as error:
        mistake = error.errors()[0]
        place = tuple(part for part in mistake["loc"] if isinstance(part, str | int))
        raise file.error(place, f"{mistake['msg'].removeprefix('Value error, ')}; see docs/devices.md") from None
