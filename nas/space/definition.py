"""A search space file as typed objects, every mistake with its file, line and path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, final

from nas.architecture.arithmetic import Shape
from nas.architecture.blocks import BLOCKS, Block, BlockError, Head, Pool, Skip
from nas.architecture.fields import FieldType, Flag, OneOf, Units, Whole, field_types, is_required
from nas.errors import shown
from nas.files.paths import absolute
from nas.files.yaml_file import Path_, YamlFile, parse_yaml, read_yaml

DOWNSAMPLE: dict[str, Block | None] = {
    "none": None,
    "stride": None,
    "max_pool": Pool(pool="max"),
    "average_pool": Pool(pool="average"),
}
"""What may stand before a stage's first block; `stride` gives that block a stride of 2 instead."""

INJECTED = ("filters", "classes", "output_size")
"""Options that a block takes from its stage or from the data set if it does not give them itself."""
OF_THE_DATA = ("classes", "output_size")
"""Of these, the ones that no block gives itself."""

TOP_KEYS = {"description", "known", "input", "classes", "round_filters", "defaults", "stem", "stages", "head"}
MOST_COMBINATIONS = 10_000
"""Of the values of its options, over all blocks."""

STAGE_KEYS = {"repeat", "filters", "downsample", "skip", "choose", "sequence"}


@final
@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A block kind with the values that each of its options may take.

    Attributes:
        multiple: of which every count of channels is one.
    """

    kind: str
    options: Mapping[str, tuple[Any, ...]]
    multiple: int = 1

    @property
    def combinations(self) -> int:
        """Of the values of its options."""
        return math.prod(map(len, self.options.values()))

    def blocks(self, *, filters: int | None, classes: int, stride: bool, image: Shape = (1, 1)) -> list[Block]:
        """Every block of this alternative.

        Args:
            filters: of the stage; fractions are of these.
            classes: for a head.
            image: height and width of the images, for a head that answers for each pixel.
            stride: whether the block must halve the map: its stride becomes 2, and kinds without one give no block.
        """
        cls = BLOCKS[self.kind]
        options = dict(self.options)
        known = field_types(cls)
        if "filters" in known and "filters" not in options and filters is not None:
            options["filters"] = (filters,)
        if "classes" in known:
            options["classes"] = (classes,)
        if "output_size" in known:
            options["output_size"] = (image[:2],)
        if stride:
            if "stride" not in known:
                return []
            options["stride"] = (2,)
        names = list(options)
        blocks = []
        for values in product(*(options[name] for name in names)):
            chosen = dict(zip(names, values, strict=True))
            # The block's own filters may be a fraction of the stage's; all other fractions are of the block's own.
            own = resolve(chosen.get("filters", filters), filters, self.multiple)
            resolved = {
                name: own if name == "filters" else resolve(value, own, self.multiple) for name, value in chosen.items()
            }
            blocks.append(cls(**resolved))
        return blocks


Slot = tuple[Alternative, ...]
"""One place in a network: any one of these."""


@final
@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks on one resolution.

    Attributes:
        slots: `sequence` has several, `choose` has one.
        repeat: how often the slots may be passed.
        filters: of every block in the stage that does not give its own; (None,) if the stage has none.
        downsample: names in `DOWNSAMPLE`.
        skip: whether the map that leaves the stage also goes to the head.
    """

    name: str
    slots: tuple[Slot, ...]
    repeat: tuple[int, ...] = (1,)
    filters: tuple[int | None, ...] = (None,)
    downsample: tuple[str, ...] = ("none",)
    skip: tuple[bool, ...] = (False,)


@final
@dataclass(frozen=True, kw_only=True)
class Definition:
    """What may be searched, without an input shape: stem, stages and head as one list of stages."""

    name: str
    description: str
    input_shape: tuple[int, int, int]
    classes: int
    stages: tuple[Stage, ...]
    task: str = "classification"
    """What its heads are for; a key of `nas.tasks.TASKS`."""
    text: str = field(default="", repr=False, compare=False)
    """The file's, from which it can be read again."""
    known: str = ""
    """A table of measured networks of this space, from which a search learns where to begin; "" if there is none."""

    @property
    def is_one_network(self) -> bool:
        """Whether nothing is left to decide, as in the reference networks."""
        return all(
            len(stage.repeat) == len(stage.filters) == len(stage.downsample) == len(stage.skip) == 1
            and all(len(slot) == 1 and all(len(v) == 1 for v in slot[0].options.values()) for slot in stage.slots)
            for stage in self.stages
        )


def fewest_classes(heads: Iterable[type[Block]]) -> int:
    """That each of these heads can tell apart; 1 for a head that knows no classes."""
    types = (field_types(head).get("classes") for head in heads)
    return max((each.minimum for each in types if isinstance(each, Whole)), default=1)


def load_definition(path: Path) -> Definition:
    """Read a search space file; a table beside it is known by its absolute path.

    Raises:
        FileError: the file, the line and the path of the first mistake, and what to change.
    """
    definition = parse_definition(read_yaml(path), path.stem, path.name)
    if definition.known.endswith((".csv", ".csv.gz")):
        return replace(definition, known=absolute(definition.known, path.parent))
    return definition


def parse_definition(text: str, name: str = "space", file: str = "") -> Definition:
    """The same from text; a mistake in it is said to be in `file`, by default the name's."""
    return replace(_Reader(parse_yaml(text, file or f"{name}.yaml"), name).definition(), text=text)


class _Reader:
    def __init__(self, file: YamlFile, name: str) -> None:
        self.file, self.name = file, name
        self.defaults: dict[str, Any] = {}
        self.multiple = 1
        self.combinations = 0

    def definition(self) -> Definition:
        data = self._mapping((), self.file.data)
        self.file.check_keys((), data, TOP_KEYS)
        self.multiple = self._one(("round_filters",), data.get("round_filters", 1), Whole(1, 1_024))
        self._read_defaults(data.get("defaults", {}))
        stages = []
        if "stem" in data:
            stages.append(Stage(name="stem", slots=self._sequence(("stem",), data["stem"], None)))
        listed = self._list(("stages",), data.get("stages", []))
        stages += [self._stage(("stages", i), item, f"stage{i + 1}") for i, item in enumerate(listed)]
        if "head" not in data:
            raise self.file.error((), "`head` is missing; give global_pool or flatten, or a list to choose from")
        head = self._slot(("head",), data["head"], None, head=True)
        stages.append(Stage(name="head", slots=(head,)))
        heads = {alternative.kind: BLOCKS[alternative.kind] for alternative in head}
        tasks = {kind: cls.task for kind, cls in heads.items() if issubclass(cls, Head)}
        if len(set(tasks.values())) > 1:
            told = ", ".join(f"{kind} is for {task}" for kind, task in tasks.items())
            raise self.file.error(("head",), f"all heads of a space are for one task; {told}; give those of one task")
        without = [kind for kind, cls in heads.items() if issubclass(cls, Head) and not cls.takes_skips]
        if without and any(_hands_over(stage) for stage in stages):
            raise self.file.error(("head",), f"a skip needs a head that takes it, such as fcn; {without[0]} does not")
        description = data.get("description", "")
        if not isinstance(description, str):
            raise self.file.error(("description",), "must be text")
        known = data.get("known", "")
        if not isinstance(known, str):
            raise self.file.error(("known",), "must be the name of a table (nas bench --help), or a .csv file")
        return Definition(
            name=self.name,
            known=known,
            description=" ".join(description.split()),
            input_shape=self._input(data.get("input", "32x32x3")),
            classes=self._one(("classes",), data.get("classes", 10), Whole(fewest_classes(heads.values()), 1_000_000)),
            stages=tuple(stages),
            task=next(iter(tasks.values())),
        )

    def _read_defaults(self, data: Any) -> None:
        for option, value in self._mapping(("defaults",), data).items():
            if option in INJECTED:
                place = "each stage or block" if option == "filters" else "the file's first level"
                raise self.file.error(("defaults", option), f"`{option}` has no default here; give it in {place}")
            known = {name for cls in BLOCKS.values() for name in field_types(cls)} - set(INJECTED)
            self.file.check_keys(("defaults",), {option: value}, known)
            self.defaults[option] = value

    def _stage(self, path: Path_, data: Any, name: str) -> Stage:
        stage = self._mapping(path, data)
        self.file.check_keys(path, stage, STAGE_KEYS)
        if ("choose" in stage) == ("sequence" in stage):
            raise self.file.error(path, "a stage has either `choose` (one slot) or `sequence` (a list of slots)")
        filters: tuple[int | None, ...] = (None,)
        if "filters" in stage:
            given = self._values((*path, "filters"), stage["filters"], Whole(1, 65_536))
            filters = _distinct(tuple(rounded(value, self.multiple) for value in given))
        if "choose" in stage:
            slots: tuple[Slot, ...] = (self._slot((*path, "choose"), stage["choose"], filters[0]),)
        else:
            slots = self._sequence((*path, "sequence"), stage["sequence"], filters[0])
        downsample = self._values((*path, "downsample"), stage.get("downsample", "none"), OneOf(tuple(DOWNSAMPLE)))
        if "stride" in downsample and not any("stride" in field_types(BLOCKS[a.kind]) for a in slots[0]):
            raise self.file.error(
                (*path, "downsample"), "`stride` needs a first block with a stride, such as conv; use max_pool"
            )
        repeat = self._values((*path, "repeat"), stage.get("repeat", 1), Whole(0, 1_000))
        skip = self._values((*path, "skip"), stage.get("skip", False), Flag())
        return Stage(name=name, slots=slots, repeat=repeat, filters=filters, downsample=downsample, skip=skip)

    def _sequence(self, path: Path_, data: Any, filters: int | None) -> tuple[Slot, ...]:
        slots = self._list(path, data)
        if not slots:
            raise self.file.error(path, "at least one block is needed")
        return tuple(self._slot((*path, i), slot, filters) for i, slot in enumerate(slots))

    def _slot(self, path: Path_, data: Any, filters: int | None, *, head: bool = False) -> Slot:
        alternatives: list[Alternative] = []
        if isinstance(data, list):
            if not data:
                raise self.file.error(path, "at least one block is needed")
            for index, item in enumerate(data):
                alternatives += self._alternatives((*path, index), item, filters, head)
        else:
            alternatives = self._alternatives(path, data, filters, head)
        return tuple(alternatives)

    def _alternatives(self, path: Path_, data: Any, filters: int | None, head: bool) -> list[Alternative]:
        """A block written as `conv`, or as `conv: {options}`; several keys are several blocks to choose from."""
        mapping = {data: None} if isinstance(data, str) else self._mapping(path, data)
        kinds = {kind: cls for kind, cls in BLOCKS.items() if cls.is_head == head}
        if not mapping:
            raise self.file.error(path, f"a block is needed: {', '.join(sorted(kinds))}")
        for kind in mapping:
            if kind in BLOCKS and kind not in kinds:
                rule = "only a head ends a network" if head else "it ends a network and stands under `head`"
                raise self.file.error((*path, kind), f"{rule}; give one of {', '.join(sorted(kinds))}")
        self.file.check_keys(path, mapping, kinds)
        return [self._alternative((*path, kind), kind, options, filters) for kind, options in mapping.items()]

    def _alternative(self, path: Path_, kind: str, data: Any, filters: int | None) -> Alternative:
        cls = BLOCKS[kind]
        types = {name: t for name, t in field_types(cls).items() if name not in OF_THE_DATA}
        given = self._mapping(path, {} if data is None else data)
        self.file.check_keys(path, given, types)
        options: dict[str, tuple[Any, ...]] = {}
        for name, field_type in types.items():
            if name in given:
                options[name] = self._values((*path, name), given[name], field_type)
            elif name in self.defaults:
                options[name] = self._values(("defaults", name), self.defaults[name], field_type)
        for name, values in options.items():
            fraction = any(isinstance(value, Fraction) for value in values)
            if fraction and filters is None and (name == "filters" or "filters" not in options):
                raise self.file.error((*path, name), "a fraction is of the stage's `filters`, which are not given")
        self.combinations += math.prod(map(len, options.values()))
        if self.combinations > MOST_COMBINATIONS:
            raise self.file.error(
                path,
                f"at most {MOST_COMBINATIONS:,} combinations of options are possible; received {self.combinations:,}",
            )
        missing = [f.name for f in fields(cls) if f.name in types and is_required(f) and f.name not in options]
        if "filters" in missing and filters is None:
            raise self.file.error(path, "`filters` is missing; give it here or `filters` in the stage")
        if missing := [name for name in missing if name != "filters"]:
            # All that a block cannot do without are counts of channels.
            names, verb = ", ".join(f"`{name}`" for name in missing), "is" if len(missing) == 1 else "are"
            raise self.file.error(
                path, f"{names} {verb} missing; give channels such as 8, or a fraction of the filters such as 1/4"
            )
        if self.multiple > 1:
            options |= self._rounded(cls, options)
        alternative = Alternative(kind=kind, options=options, multiple=self.multiple)
        try:
            alternative.blocks(filters=filters, classes=2, stride=False)
        except BlockError as error:
            raise self.file.error(path, str(error)) from None
        return alternative

    def _rounded(self, cls: type[Block], options: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        """The options that count channels, those with a default included; fractions are rounded when they are taken."""
        new = {}
        for option in fields(cls):
            field_type = field_types(cls)[option.name]
            if not isinstance(field_type, Whole) or not field_type.channels:
                continue
            values = options.get(option.name, () if is_required(option) else (option.default,))
            if values:
                whole = (v if isinstance(v, Fraction) else rounded(v, self.multiple) for v in values)
                new[option.name] = _distinct(tuple(whole))
        return new

    def _values(self, path: Path_, data: Any, field_type: FieldType) -> tuple[Any, ...]:
        """A list is a choice, anything else the only value."""
        if not isinstance(data, list) or (isinstance(field_type, Units) and not data):
            return (self._one(path, data, field_type),)
        if not data:
            raise self.file.error(path, "at least one value is needed")
        return _distinct(tuple(self._one((*path, i), value, field_type) for i, value in enumerate(data)))

    def _one(self, path: Path_, value: Any, field_type: FieldType) -> Any:
        if isinstance(field_type, Whole) and field_type.channels and isinstance(value, str) and "/" in value:
            try:
                fraction = Fraction(value)
            except (ValueError, ZeroDivisionError):
                fraction = Fraction(0)
            if fraction > 0:
                return fraction
        try:
            return field_type.parse(value)
        except ValueError as error:
            part = ", or a fraction of the filters such as 1/4" if getattr(field_type, "channels", False) else ""
            raise self.file.error(path, f"{error}{part}; received {shown(value)}") from None

    def _input(self, data: Any) -> tuple[int, int, int]:
        try:
            return parse_shape(data)
        except ValueError as error:
            raise self.file.error(("input",), str(error)) from None

    def _mapping(self, path: Path_, data: Any) -> dict[str, Any]:
        if isinstance(data, dict):
            return data
        raise self.file.error(path, f"must be a mapping of keys to values; received {_shown(data)}")

    def _list(self, path: Path_, data: Any) -> list[Any]:
        if isinstance(data, list):
            return data
        raise self.file.error(path, f"must be a list (lines that begin with -); received {_shown(data)}")


def parse_shape(text: object) -> tuple[int, int, int]:
    """`HEIGHTxWIDTHxCHANNELS` as numbers.

    >>> parse_shape("28x28x1")
    (28, 28, 1)

    Raises:
        ValueError: anything else.
    """
    parts: Shape = ()
    if isinstance(text, str) and re.fullmatch("[0-9]{1,5}(x[0-9]{1,5}){2}", text):
        parts = tuple(int(part) for part in text.split("x"))
    if len(parts) != 3 or not all(1 <= part <= 65_536 for part in parts):
        raise ValueError(f"must be HEIGHTxWIDTHxCHANNELS such as 28x28x1; received {shown(text)}")
    return parts


def _hands_over(stage: Stage) -> bool:
    """Whether a map of the stage may go to the head."""
    return any(stage.skip) or any(each.kind == Skip.kind for slot in stage.slots for each in slot)


def resolve(value: Any, filters: int | None, multiple: int = 1) -> Any:
    """A fraction of the stage's filters as a number of channels, at least one `multiple`; anything else as it is."""
    if not isinstance(value, Fraction) or filters is None:
        return value
    return rounded(max(1, round(value * filters)), multiple)


def rounded(channels: int, multiple: int) -> int:
    """The nearest multiple that is not zero, of two the larger; none stay none.

    >>> [rounded(channels, 8) for channels in (0, 1, 11, 12, 16, 20)]
    [0, 8, 8, 16, 16, 24]
    """
    return max(multiple, (channels + multiple // 2) // multiple * multiple) if channels else 0


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _shown(data: object) -> str:
    return "nothing" if data is None else shown(data)
