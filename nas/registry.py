"""Names in files that stand for objects: blocks, strategies, tasks, formats and the like, all kept in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Generic, TypeVar, final

from nas.errors import ECHOED, NasError, shown

Item = TypeVar("Item")
Class = TypeVar("Class", bound=type)


@final
class Registry(Mapping[str, Item], Generic[Item]):
    """Objects by name, in the order in which they were added.

    Args:
        what: one of them, as messages call it, such as "strategy".
        error: what `find` raises.
        attribute: of a class that `register` adds: its name.
    """

    def __init__(self, what: str, error: type[NasError] = NasError, *, attribute: str = "name") -> None:
        self.what, self._error, self._attribute = what, error, attribute
        self._items: dict[str, Item] = {}

    def add(self, name: str, item: Item) -> Item:
        """Make an object known under a name.

        Raises:
            TypeError: another object has the name. That is a programmer's mistake, not a user's.
        """
        if name in self._items:
            raise TypeError(f"two of one name: there is a {self.what} {name!r} already")
        self._items[name] = item
        return item

    def register(self, name: str) -> Callable[[Class], Class]:
        """Class decorator: `add` under a name, which the class has as its `attribute`."""

        def decorate(cls: Class) -> Class:
            setattr(cls, self._attribute, name)
            self.add(name, cls)  # type: ignore[arg-type]  # the decorator keeps the type of the class itself
            return cls

        return decorate

    def find(self, name: object) -> Item:
        """The object of a name that a user wrote.

        Raises:
            NasError: there is none; the message names the nearest, and all.
        """
        if isinstance(name, str) and name in self._items:
            return self._items[name]
        raise self._error(
            f"there is no {self.what} {shown(name)}{did_you_mean(name, self._items)}; use one of "
            f"{', '.join(sorted(self._items))}"
        )

    def __getitem__(self, name: str) -> Item:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def did_you_mean(word: object, known: Iterable[object], *, prefix: str = "") -> str:
    """A hint to stand behind a word that is not known, or nothing.

    Args:
        word: that is not known.
        known: words that are.
        prefix: which all that may be meant begin with, so that it makes none of them more alike.

    >>> did_you_mean("cnov", ["conv", "pool"]), did_you_mean("zzz", ["conv"])
    (" (did you mean 'conv'?)", '')
    """
    if len(str(word)) > ECHOED:
        return ""
    rests = [str(each).removeprefix(prefix) for each in known if str(each).startswith(prefix)]
    close = get_close_matches(str(word).removeprefix(prefix), rests, n=1)
    return f" (did you mean {prefix + close[0]!r}?)" if close else ""
