"""The names of classes, which every task with classes has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nas.errors import shown
from nas.tasks.base import TargetError


def check_names(labels: Sequence[str], data: str, *, fewest: int) -> None:
    """Refuse names that are too few, empty or not different, of a data set that is called `data`.

    Raises:
        TargetError: with the reason.
    """
    if len(labels) < fewest:
        classes = "two classes are" if fewest == 2 else "one class is"
        raise TargetError(f"at least {classes} needed to learn anything; {data} has {len(labels)}: {tuple(labels)}")
    # As files with one name a line have them.
    names = Counter(" ".join(label.split()) for label in labels)
    ((name, count),) = names.most_common(1)
    if count > 1:
        raise TargetError(f"each class needs a name of its own; {data} has {count} classes called {shown(name)}")
    if "" in names:
        raise TargetError(f"each class needs a name; {data} has one without a letter")
