"""What a LiteRT file is made by, what it answers, and what it says of itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nas.architecture.keras_types import KerasModel, Tensor
from nas.devices import captured
from nas.errors import NasError
from nas.tasks import TASKS
from nas.training.model import spread

if TYPE_CHECKING:
    from nas.architecture import Architecture

PixelType = Literal["int8", "uint8"]
"""What a quantized network takes as a pixel: -128 to 127, which is the value less 128, or 0 to 255."""

CALIBRATED = 256
"""Training images that show a quantized format the ranges of its maps; more change the ranges little."""

ALIGNMENT = 16
"""Bytes at whose multiples the weights lie, as LiteRT's own writer has them: some processors stop at others."""


def convert(
    architecture: Architecture,
    model: KerasModel,
    *,
    calibration: npt.NDArray[np.uint8] | None = None,
    pixels: PixelType = "int8",
) -> bytes:
    """A LiteRT file of a float32 Keras model, for one image at a time.

    Args:
        architecture: of the model.
        model: with its weights.
        calibration: uint8 `(n, height, width, channels)`: in whole numbers, with the ranges of `CALIBRATED` of these
            images; None: in float32.
        pixels: what it takes in whole numbers.

    Raises:
        NasError: it has something that LiteRT computes in float32 only.
    """
    if calibration is not None and (lacking := architecture.lacking):
        layer, operator = lacking[0]
        raise NasError(
            f"an int8 network has whole numbers only, and LiteRT has no {operator} for them, which the layer {layer} "
            f"needs; choose a network without it, or a float format"
        )
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    head = architecture.head

    def serve(image: Tensor) -> dict[str, Tensor]:
        return {TASKS[head.task].answer: head.answers(model(image, training=False))}

    with captured([]):
        # A static batch: with another, the file has operators of shapes, which microcontrollers lack.
        one = tf.TensorSpec((1, *architecture.input_shape), tf.float32, name="image")
        traced = tf.function(serve, autograph=False, jit_compile=False, input_signature=[one]).get_concrete_function()
        # Without variables, which calibration could not read. The same file by way of a SavedModel takes five times as
        # long.
        converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(traced)])
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _calibrating(spread(calibration, CALIBRATED))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(pixels)
        content = _slim(converter.convert())
    if calibration is not None:
        _check_whole(content)
    return content


def _calibrating(images: npt.NDArray[np.uint8]) -> Iterator[list[npt.NDArray[np.float32]]]:
    """One image at a time. The first has a black and a white spot, so that a step of the input is one of a pixel."""
    first = images[0].copy()
    first.flat[[first.argmin(), first.argmax()]] = 0, 255
    for image in (first, *images[1:]):
        yield [image[None].astype(np.float32) / 255]


def _check_whole(content: bytes) -> None:
    """The converter leaves float32 around what it has no whole numbers for, and says nothing."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    (graph,) = model.subgraphs
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    in_float = {
        names[model.operatorCodes[operator.opcodeIndex].builtinCode]
        for operator in graph.operators
        if any(graph.tensors[place].type == schema.TensorType.FLOAT32 for place in operator.outputs)
    } - {"DEQUANTIZE"}
    if in_float:
        raise NasError(
            f"an int8 network has whole numbers only, and LiteRT computes {', '.join(sorted(in_float))} in float32; "
            f"choose a network without it, or a float format"
        )


def _slim(content: bytes) -> bytes:
    """Without names and notes for people, which are up to half of a small file and which no interpreter reads."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        """Aligns arrays as the schema asks for, which the generated writer does not."""

        def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - its name
            self.Prep(ALIGNMENT, x.nbytes)
            return int(super().CreateNumpyVector(x))

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    model.description = model.metadata = model.metadataBuffer = model.signatureDefs = None
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    # The first buffer is the empty one, of whatever is no constant.
    kept = sorted({0, *(tensor.buffer for tensor in tensors)})
    model.buffers = [model.buffers[number] for number in kept]
    for graph in model.subgraphs:
        graph.name = None
    for tensor in tensors:
        tensor.name, tensor.buffer = None, kept.index(tensor.buffer)
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def answers(content: bytes, images: npt.NDArray[np.uint8], *, exact: bool = True) -> npt.NDArray[np.float32]:
    """What a LiteRT file answers, a row an image.

    Args:
        content: of the file.
        images: uint8 `(n, height, width, channels)`.
        exact: by the reference kernels, whose maps are TFLM's bit by bit; dense layers and softmax may round to the
            next step. Else by kernels that take a tenth of the time, and whose maps may round to the next step, too.
    """
    import tensorflow as tf

    kernels = tf.lite.experimental.OpResolverType
    with warnings.catch_warnings(), captured([]):
        # It moves to a package of its own.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(
            model_content=content,
            experimental_op_resolver_type=kernels.BUILTIN_REF if exact else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for image in pixels_for(taken["dtype"], images):
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(given["index"])[0])
    scale, zero_point = given["quantization"]
    outputs = np.stack(found).astype(np.float32)
    return (outputs - zero_point) * np.float32(scale) if scale else outputs


def pixels_for(dtype: npt.DTypeLike, images: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Images as an input of this type takes them."""
    if dtype == np.float32:
        return images.astype(np.float32) / 255
    return images if dtype == np.uint8 else (images ^ np.uint8(128)).view(np.int8)


def describe(content: bytes) -> dict[str, Any]:
    """Input, output and operators of a LiteRT file."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    types, operators = (
        {number: name for name, number in vars(of).items() if isinstance(number, int)}
        for of in (schema.TensorType, schema.BuiltinOperator)
    )

    def tensor(number: int) -> dict[str, Any]:
        found = graph.Tensors(number)
        facts: dict[str, Any] = {"dtype": types[found.Type()].lower(), "shape": found.ShapeAsNumpy().tolist()}
        quantization = found.Quantization()
        if quantization is not None and quantization.ScaleLength():
            facts |= {"scale": float(quantization.Scale(0)), "zero_point": int(quantization.ZeroPoint(0))}
        return facts

    codes = [model.OperatorCodes(number) for number in range(model.OperatorCodesLength())]
    return {
        "input": tensor(graph.Inputs(0)),
        "output": tensor(graph.Outputs(0)),
        # Codes up to 127 stand in the older field.
        "operators": sorted({operators[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes}),
    }
