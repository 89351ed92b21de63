"""What may be searched: declarative spaces, their size, and samples inside a budget. Pure Python."""

from nas.space.decisions import SpaceError
from nas.space.definition import Definition, load_definition, parse_definition, parse_shape
from nas.space.space import SearchSpace, load_space

__all__ = [
    "Definition",
    "SearchSpace",
    "SpaceError",
    "load_definition",
    "load_space",
    "parse_definition",
    "parse_shape",
]
