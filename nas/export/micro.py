"""LiteRT for Microcontrollers, TFLM: what runs on a device without an operating system, here on this machine."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.devices import captured
from nas.export.format import ExportError
from nas.export.litert_file import describe, pixels_for

PACKAGES, EXTRA = ("tflite_micro",), "tflm"

_LEAST, _MOST = 2**20, 2**30
"""Bytes of memory that an interpreter is given: more, as long as it says that it is too little."""


def arena_bytes(content: bytes) -> int:
    """What TFLM takes of the memory for a network, beside the file: maps, buffers and its own structures.

    As on this machine, whose addresses take 8 bytes: with 4, as on most microcontrollers, it is a little less.

    Raises:
        ExportError: it cannot run the file.
    """
    lines: list[bytes] = []
    interpreter = _interpreter(content)
    with captured(lines):
        interpreter.print_allocations()
    (total,) = re.findall(rb"Arena allocation total (\d+) bytes", b"".join(lines))
    return int(total)


def micro_answers(content: bytes, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What TFLM answers, a row an image.

    Raises:
        ExportError: it cannot run the file.
    """
    facts = describe(content)
    taken, given = facts["input"], facts["output"]
    interpreter = _interpreter(content)
    found = []
    for image in pixels_for(taken["dtype"], images):
        interpreter.set_input(image[None], 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0)[0].copy())
    outputs: npt.NDArray[np.float32] = np.stack(found).astype(np.float32)
    return (outputs - np.float32(given["zero_point"])) * np.float32(given["scale"])


def _interpreter(content: bytes) -> Any:
    from tflite_micro.python.tflite_micro import runtime

    arena = _LEAST
    while True:
        lines: list[bytes] = []
        try:
            with captured(lines):
                return runtime.Interpreter.from_bytes(content, arena_size=arena)
        except RuntimeError as error:
            arena *= 2
            told = b" ".join(lines).decode(errors="replace")
            missing = re.findall(r"Didn't find op for builtin opcode '(\w+)'", told)
            if missing or arena > _MOST:
                reason = f"it has no {', '.join(missing)}" if missing else f"{error} {told[-200:]}".strip()
                raise ExportError(f"TFLM cannot run this network: {reason}; choose a network without it") from None
