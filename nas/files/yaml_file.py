"""YAML as data, with the line of every key: safe to load, and every complaint can say where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nas.errors import ECHOED, NasError, printable, shown
from nas.files import outside
from nas.registry import did_you_mean

Path_ = tuple[str | int, ...]
_MOST_VALUES, _MOST_LEVELS = 20_000, 50
_NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}
_MAPPING, _SEQUENCE, _MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "merge"))


class FileError(NasError):
    """A file that cannot be read as what it should be."""


@dataclass(frozen=True)
class YamlFile:
    """A parsed file.

    Attributes:
        name: as shown in messages.
        data: plain dicts, lists and scalars.
        lines: line of every key and list item by its path, from 1.
    """

    name: str
    data: Any
    lines: Mapping[Path_, int]

    def error(self, path: Path_, message: str) -> FileError:
        """An error that names the file, the line and the path, such as `plain.yaml:7: stages[0].filters: ...`."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        where = f" {dotted(path)}:" if path else ""
        return FileError(f"{self.name}{line}:{where} {message}")

    def check_keys(self, path: Path_, mapping: Mapping[str, Any], known: Mapping[str, Any] | set[str]) -> None:
        """Refuse a key that is not known.

        Raises:
            FileError: with the nearest known key.
        """
        for key in mapping:
            if key not in known:
                use = ", ".join(sorted(known))
                raise self.error((*path, key), f"unknown key{did_you_mean(key, known)}; use one of {use}")


def _too_large(name: str) -> FileError:
    return FileError(f"{name}: at most {_MOST_VALUES:,} values, {_MOST_LEVELS} deep, are read; simplify the file")


class _Loader(yaml.SafeLoader):
    """Composes no more values than are read: composing takes most of the time."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self._name, self._values, self._level = name, 0, 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._values += 1
        self._level += 1
        if self._values > _MOST_VALUES or self._level > _MOST_LEVELS + 2:
            raise _too_large(self._name)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._level -= 1
        return node


def dotted(path: Path_) -> str:
    """A path as people write it.

    >>> dotted(("stages", 0, "filters"))
    'stages[0].filters'
    """
    text = ""
    for part in path:
        word = printable(str(part), most=ECHOED)
        text += f"[{part}]" if isinstance(part, int) else f".{word}" if text else word
    return text


def load_yaml(path: Path) -> YamlFile:
    """Read a file.

    Raises:
        FileError: it cannot be read, is no YAML, or has a key twice.
    """
    return parse_yaml(read_yaml(path), path.name)


def read_yaml(path: Path) -> str:
    """A file's text.

    Raises:
        FileError: it cannot be read.
    """
    return outside.read_text(path, lambda reason: FileError(f"cannot read {path}: {reason}"), outside.YAML)


def parse_yaml(text: str, name: str) -> YamlFile:
    """Parse text; only plain data is constructed, never an object.

    Raises:
        FileError: no YAML, a key twice, or more than 20,000 values (aliases of aliases).
    """
    lines: dict[Path_, int] = {}
    seen = 0

    def construct(node: yaml.Node, path: Path_) -> Any:
        nonlocal seen
        seen += 1
        if seen > _MOST_VALUES or len(path) > _MOST_LEVELS:
            raise _too_large(name)
        line = node.start_mark.line + 1
        lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode | yaml.SequenceNode) and node.tag not in (_MAPPING, _SEQUENCE):
            raise FileError(
                f"{name}:{line}: this is not YAML: only plain data is read; received {printable(node.tag, most=ECHOED)}"
            )
        if isinstance(node, yaml.MappingNode):
            return construct_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [construct(item, (*path, index)) for index, item in enumerate(node.value)]
        return scalar(node)

    def construct_mapping(node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        inherited: dict[str, Any] = {}
        own: dict[str, Any] = {}
        # What `<<` brings in comes first: it gives way to the mapping's own keys.
        for key_node, value_node in sorted(node.value, key=lambda pair: pair[0].tag != _MERGE):
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for source in sources:
                    if not isinstance(source, yaml.MappingNode):
                        raise FileError(f"{name}:{line}: `<<` takes a mapping, such as an alias of one")
                    inherited = construct(source, path) | inherited
                continue
            key = scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                received = shown(key_node.value)
                if isinstance(key, int | float):  # true and false are numbers here
                    received = f"{received[1:-1]}; write {received}"
                raise FileError(f"{name}:{line}: keys are words; received {received}")
            if key in own:
                raise FileError(f"{name}:{line}: {dotted((*path, key))} is given twice")
            lines[(*path, key)] = line
            own[key] = construct(value_node, (*path, key))
        return inherited | own

    def scalar(node: yaml.Node) -> Any:
        if node.tag in _NUMBERS and len(node.value) > outside.DIGITS:
            digits = len(node.value)
            raise FileError(
                f"{name}:{node.start_mark.line + 1}: a number has at most {outside.DIGITS} digits; received one of "
                f"{digits:,}"
            )
        if node.tag in _NUMBERS and re.fullmatch(r"[-+]?(0[0-9_]+|[0-9_]+(:[0-9.]+)+)", node.value):
            raise FileError(
                f"{name}:{node.start_mark.line + 1}: YAML reads {printable(node.value, most=ECHOED)} in eights or "
                f"sixties, as {shown(loader.construct_object(node))}; write that number, or text in quotes"
            )
        # PyYAML lets more through than its own errors, for the day 2024-13-45 and the like.
        with outside.door(
            lambda reason: FileError(f"{name}:{node.start_mark.line + 1}: {shown(node.value)} is no value: {reason}"),
            keep=yaml.YAMLError,
        ):
            return loader.construct_object(node)

    with outside.door(lambda reason: FileError(f"{name}: this is not YAML: {reason}"), keep=FileError):
        try:
            loader = _Loader(text, name)
            root = loader.get_single_node()
            data = construct(root, ()) if root is not None else None
            loader.dispose()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise FileError(f"{name}{line}: this is not YAML: {printable(problem, most=200)}") from None
    return YamlFile(name, data, lines)


def yaml_text(data: Mapping[str, Any]) -> str:
    """Plain data as a file would hold it.

    Raises:
        FileError: something in it is no plain data.
    """
    try:
        return yaml.safe_dump(_plain(data), sort_keys=False, allow_unicode=True)
    except RecursionError:
        raise FileError("data must not contain themselves, or hundreds of levels") from None
    except yaml.YAMLError as error:
        received = shown(error.args[-1])
        raise FileError(
            f"only dicts, lists, text, numbers, true, false and none are data; received {received}"
        ) from None


def _plain(value: Any) -> Any:
    """Tuples and other mappings as YAML knows them."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
