"""C++ source for TFLM: the int8 file as an array, and what a program has to know of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from nas.export.format import ExportFormat, Source, register
from nas.export.litert_file import describe
from nas.export.micro import EXTRA, PACKAGES, arena_bytes, micro_answers

if TYPE_CHECKING:
    from nas.architecture import Architecture

_METHODS = {"PADV2": "PadV2"}
"""Of TFLM's `MicroMutableOpResolver`, where the name does not follow from the operator's."""


@final
@register
class CSource(ExportFormat):
    """`model.h` and `model.cc`: the array, aligned; its length; the arena; the operators; scales; labels.

    The bytes are those of `litert-int8`. Checked in TFLM's own interpreter, on the array as it stands in the source.
    """

    name = "c"
    is_quantized = True
    packages, extra = PACKAGES, EXTRA

    def write(self, source: Source, folder: Path) -> None:
        (folder / "model.h").write_text(_header(source), "utf-8")
        (folder / "model.cc").write_text(_array(source), "utf-8")

    def predict(
        self, architecture: Architecture, folder: Path, images: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        del architecture
        return micro_answers(_read(folder), images)

    def facts(self, folder: Path) -> Mapping[str, Any]:
        content = _read(folder)
        return {**describe(content), "array_bytes": len(content), "arena_bytes": arena_bytes(content)}


def _read(folder: Path) -> bytes:
    """The array's bytes, from the source."""
    text = (folder / "model.cc").read_text("utf-8")
    numbers = text[text.index("{") + 1 : text.index("};")]
    return bytes(int(number, 16) for number in numbers.replace("\n", " ").split(",") if number.strip())


def _header(source: Source) -> str:
    facts, content = describe(source.int8), source.int8
    taken, given = facts["input"], facts["output"]
    height, width, channels = source.architecture.input_shape
    operators = facts["operators"]
    added = "\n".join(f"  resolver.Add{method(operator)}();" for operator in operators)
    labels = ""
    if source.labels:
        labels = (
            f"\nconstexpr int kLabelCount = {len(source.labels)};\nextern const char* const kLabels[kLabelCount];\n"
        )
    return f"""\
// A network of {source.architecture.count.parameters:,} parameters: {source.architecture.describe()}
// Architecture {source.architecture.id}.
#ifndef NAS_MODEL_H_
#define NAS_MODEL_H_

#include <cstddef>
#include <cstdint>

// The LiteRT file, for tflite::GetModel(kModel).
constexpr std::size_t kModelSize = {len(content)};
extern const unsigned char kModel[kModelSize];

// What TFLM took of the arena on a machine with 64-bit addresses; with 32 bits it takes a little less.
constexpr std::size_t kTensorArenaSize = {arena_bytes(content)};

// Input: one image, {taken["dtype"]}, row after row, a pixel's channels beside each other; {pixel(taken["dtype"])}.
constexpr int kInputHeight = {height};
constexpr int kInputWidth = {width};
constexpr int kInputChannels = {channels};

// Output, {" x ".join(map(str, given["shape"][1:]))}: an answer is (value - kOutputZeroPoint) * kOutputScale.
constexpr int kOutputSize = {math.prod(given["shape"][1:])};
constexpr float kOutputScale = {float(given["scale"])!r}f;
constexpr int kOutputZeroPoint = {given["zero_point"]};
{labels}
// Its operators, for a tflite::MicroMutableOpResolver<kOperatorCount>.
constexpr int kOperatorCount = {len(operators)};

template <typename Resolver>
void AddOperators(Resolver& resolver) {{
{added}
}}

#endif  // NAS_MODEL_H_
"""


def pixel(dtype: str) -> str:
    """What a pixel is, in words."""
    return "a pixel from 0 to 255 less 128" if dtype == "int8" else "a pixel from 0 to 255"


def _array(source: Source) -> str:
    content = source.int8
    rows = "\n".join(
        "    " + " ".join(f"0x{byte:02x}," for byte in content[start : start + 16])
        for start in range(0, len(content), 16)
    )
    names = "\n".join(f"    {quoted(label)}," for label in source.labels)
    labels = f"\nconst char* const kLabels[kLabelCount] = {{\n{names}\n}};\n" if source.labels else ""
    return (
        '#include "model.h"\n\n// Aligned: TFLM reads numbers of several bytes from it.\n'
        f"alignas(16) const unsigned char kModel[kModelSize] = {{\n{rows}\n}};\n{labels}"
    )


def quoted(text: str) -> str:
    r"""A label as a C string, on one line; bytes outside of ASCII in octal, which ends after three digits.

    >>> print(quoted('a "b"\n?'))
    "a \"b\" \077"
    """
    line = " ".join(text.split()).encode()
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else _escaped(byte) for byte in line) + '"'


def _escaped(byte: int) -> str:
    return f"\\{chr(byte)}" if byte in b'"\\' else f"\\{byte:03o}"


def method(operator: str) -> str:
    """Of `MicroMutableOpResolver`, behind `Add`.

    >>> [method(name) for name in ("DEPTHWISE_CONV_2D", "MEAN", "PADV2")]
    ['DepthwiseConv2D', 'Mean', 'PadV2']
    """
    parts = (part if re.fullmatch(r"\dD", part) else part.capitalize() for part in operator.split("_"))
    return _METHODS.get(operator, "".join(parts))
