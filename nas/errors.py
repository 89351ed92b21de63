"""The root of every error that a user can cause and mend, and how they show what was received."""

from __future__ import annotations

ECHOED = 200
"""Characters of a received value that a message shows."""


class NasError(Exception):
    """One clear sentence: the rule, what was received, what to do. The CLI prints it and exits with 1."""

    def __str__(self) -> str:
        # What was received may come from anywhere, and terminals obey.
        return printable(super().__str__())


def printable(text: str, most: int | None = None) -> str:
    r"""Text that a terminal shows and does not obey; lines and tabs stay.

    Args:
        text: perhaps from a file.
        most: characters that are kept.

    >>> print(printable("red: \x1b[31m"), printable("abcdef", most=3))
    red: \x1b[31m abc...
    """
    if most is not None and len(text) > most:
        text = f"{text[:most]}..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def shown(value: object) -> str:
    """A received value as a message echoes it, in its beginning if it is long.

    >>> shown("a" * 300) == repr("a" * 197) + "..."
    True
    >>> shown([1, 2]), shown(10**5_000)
    ('[1, 2]', 'a number of more than 4,300 digits')
    """
    if isinstance(value, str | bytes) and len(value) > ECHOED:
        return f"{value[: ECHOED - 3]!r}..."
    try:
        text = repr(value)
    except ValueError:
        return "a number of more than 4,300 digits"
    return printable(text, most=ECHOED)
