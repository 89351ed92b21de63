"""How a search came about, as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """How a search came about, as text for people.

    Attributes:
        facts: heading to value, such as "Data" to "digits, 8x8x1, 10 classes"; in the order in which they are read.
        command: the command line that made it, or "".
        files: name to text of what it was made from: the experiment, the space.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
