"""Numbers as people write them: 20k parameters, 1.5M, 30m of time."""

from __future__ import annotations

import re
from decimal import Decimal

from nas.errors import shown

_SCALE = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_MOST = 10**18
SIDES = (4, 1024)
"""Pixels of a side of images, at least and at most."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def whole_number(value: str | int) -> int:
    """A whole number from `20k`, `1.5M`, `3e4` or a number.

    >>> whole_number("20k"), whole_number("1.5M"), whole_number("1_000"), whole_number(7)
    (20000, 1500000, 1000, 7)

    Raises:
        ValueError: text that is no whole number; "must be ...", to stand behind the name of what it is for.
    """
    if not isinstance(value, str):
        return value
    # A comma stands between thousands only: 1,5k is no 15,000.
    whole = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*"
    match = re.fullmatch(rf"\s*((?:{whole})(?:\.[0-9]*)?(?:e[0-9]{{1,2}})?)\s*([kmg]?)\s*", value, re.IGNORECASE)
    if match:
        number = Decimal(re.sub("[_,]", "", match[1])) * _SCALE[match[2].lower()]
        if number > _MOST:
            raise ValueError(f"must be at most 1e18; received {shown(value)}")
        if number == int(number):
            return int(number)
    raise ValueError(f"must be a whole number such as 20000, 20k or 1.5M; received {shown(value)}")


def parse_count(value: object) -> object:
    """`whole_number` of text; anything else is passed on."""
    return whole_number(value) if isinstance(value, str) else value


def duration(value: str) -> float:
    """Seconds from `90`, `90s`, `30m` or `1h30m`.

    >>> duration("30m"), duration("1h30m"), duration("90")
    (1800.0, 5400.0, 90.0)

    Raises:
        ValueError: text that is no duration; "must be ...", to stand behind the name of what it is for.
    """
    text = value.strip().lower()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    if re.fullmatch(r"([0-9]+(\.[0-9]+)?[smhd])+", text):
        return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9.]+)([smhd])", text))
    raise ValueError(f"must be a duration such as 90s, 30m or 1h30m; received {shown(value)}")


def parse_size(value: object) -> object:
    """A side in pixels, or text `HEIGHTxWIDTH`, which is a single number where both are equal; None is passed on.

    >>> parse_size("24x32"), parse_size("32 x 32"), parse_size("32"), parse_size(32)
    ('24x32', 32, 32, 32)

    Raises:
        ValueError: anything else, or a side that is no size of images.
    """
    match = re.fullmatch(r"\s*([0-9]{1,9})(?:\s*[xX]\s*([0-9]{1,9}))?\s*", str(value))
    height = int(match[1]) if match else 0
    width = int(match[2] or height) if match else 0
    if value is None or (SIDES[0] <= min(height, width) and max(height, width) <= SIDES[1]):
        return value if value is None else height if height == width else f"{height}x{width}"
    raise ValueError(
        f"must be a side such as 32, or HEIGHTxWIDTH such as 24x32, of {SIDES[0]} to {SIDES[1]:,} pixels; "
        f"received {value!r}"
    )


def parse_duration(value: object) -> object:
    """`duration` of text; anything else is passed on."""
    return duration(value) if isinstance(value, str) else value


def counted(number: int, noun: str) -> str:
    """So many of something.

    >>> counted(1, "epoch"), counted(2_000, "trial")
    ('1 epoch', '2,000 trials')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def short_count(number: float) -> str:
    """Three figures at the most, as on an axis.

    >>> short_count(950), short_count(8_412), short_count(20_000), short_count(1_520_000)
    ('950', '8.41k', '20k', '1.52M')
    """
    if number >= 999.5e9:
        return f"{number / 1e9:.0f}G"
    # What would be rounded to 1,000 of a unit is 1 of the next.
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit * 0.9995:
            return f"{number / limit:.3g}{suffix}"
    return f"{number:.3g}"


def data_size(count: int) -> str:
    """Bytes as people read them, in powers of 1,000.

    >>> data_size(1), data_size(950), data_size(12_345), data_size(3_210_000_000)
    ('1 byte', '950 bytes', '12.3 kB', '3.21 GB')
    """
    if count < 1_000:
        return counted(count, "byte")
    number = short_count(count)
    return f"{number[:-1]} {number[-1]}B"
