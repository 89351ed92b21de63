"""What a function or a Keras object is, in one line: all that can be known of it to tell it from another."""

from __future__ import annotations

import json
from functools import partial
from typing import Any


def name_of(function: Any) -> str:
    """Where a function or class comes from; what a partial one was given is part of it."""
    if isinstance(function, partial):
        given = [*map(_text, function.args), *(f"{key}={_text(value)}" for key, value in function.keywords.items())]
        return f"{name_of(function.func)}({', '.join(given)})"
    named = function if hasattr(function, "__qualname__") else type(function)
    module = "keras" if named.__module__.startswith("keras.") else named.__module__
    return f"{module}.{named.__qualname__}"


def configured(thing: Any, *, named: bool = False, without: object = None) -> str:
    """A Keras object in one line: its class, and its configuration but for what says nothing.

    Args:
        thing: a loss, a metric or an optimizer.
        named: whether its name says something.
        without: a value that is left out.
    """
    config = {
        key: value
        for key, value in thing.get_config().items()
        if value is not None and value != without and (named or key != "name")
    }
    values = (f"{key}={json.dumps(value, default=_text)}" for key, value in sorted(config.items()))
    return f"{name_of(type(thing))}({', '.join(values)})"


def _text(value: object) -> str:
    """Without an address in memory, which is another one each time."""
    text = repr(value)
    return name_of(value) if callable(value) or " at 0x" in text else text
