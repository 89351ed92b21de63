"""At least one layer of every class with the shapes of its inputs, and its Keras layer as a function."""

import numpy as np

from nas.architecture.layers import (
    Activation,
    AdaptivePool2D,
    Add,
    AnchorBoxes,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalPool2D,
    Layer,
    LocalResponseNormalization,
    Pool2D,
    Proposals,
    RegionPool,
    Resize2D,
    Window,
    ZeroPad2D,
)
from nas.architecture.layers.weightless import _FUNCTIONS

MAP = (7, 6, 4)
WINDOWS = [
    Window(size=(3, 3), stride=(1, 1), padding="same"),
    Window(size=(3, 2), stride=(2, 1), padding="valid"),
    Window(size=(2, 3), stride=(2, 2), padding="same"),
    Window(size=(1, 1), stride=(3, 3), padding="same"),
]
POOLS = ("max", "average")
REGION_POOLS = [("max", (2,)), ("bilinear", (3,)), ("max", (2, 1))]
BOXES = ((0.0, 0.0, 1.0, 1.0), (0.1, 0.2, 0.6, 0.9))

EXAMPLES: list[tuple[Layer, tuple[tuple[int, ...], ...]]] = [
    *((Conv2D(filters=6, window=window), (MAP,)) for window in WINDOWS),
    (Conv2D(filters=6, window=WINDOWS[0], groups=2, bias=False), (MAP,)),
    (Conv2D(filters=2, window=WINDOWS[0], prior=(3.0, -1.0)), (MAP,)),
    *((DepthwiseConv2D(window=window), (MAP,)) for window in WINDOWS[:3]),
    (DepthwiseConv2D(window=WINDOWS[0], bias=False), (MAP,)),
    (Dense(units=5), ((7,),)),
    (Dense(units=5, bias=False), ((7,),)),
    (Dense(units=2, prior=(3.0, -1.0)), ((7,),)),
    *((Pool2D(pool=pool, window=window), (MAP,)) for pool in POOLS for window in WINDOWS),
    (Pool2D(pool="max", window=Window(size=(1, 1), stride=(1, 1), padding="valid")), (MAP,)),
    *((GlobalPool2D(pool=pool), (shape,)) for pool in POOLS for shape in (MAP, (1, 1, 4))),
    *((AdaptivePool2D(pool=pool, bins=3), (MAP,)) for pool in POOLS),
    (BatchNormalization(), (MAP,)),
    (BatchNormalization(), ((7,),)),
    *((Activation(function=function), (MAP,)) for function in _FUNCTIONS),
    (Activation(function="softmax"), ((7,),)),
    (Dropout(rate=0.5), (MAP,)),
    (Dropout(rate=0), ((7,),)),
    (LocalResponseNormalization(size=3, offset=1, alpha=0.5, beta=0.5), (MAP,)),
    (ZeroPad2D(top=1, bottom=2, left=0, right=1), (MAP,)),
    (ZeroPad2D(top=0, bottom=0, left=0, right=0), (MAP,)),
    *((Flatten(), (shape,)) for shape in (MAP, (1, 1, 4), (7,))),
    *((Conv2DTranspose(filters=filters, factor=factor), (MAP,)) for filters, factor in ((4, 2), (4, 3), (4, 1))),
    *((Resize2D(height=height, width=width), (MAP,)) for height, width in ((14, 18), (8, 6), (7, 11))),
    (AnchorBoxes(shapes=((0.2, 0.4), (0.5, 0.3))), ((7, 6, 8),)),
    (Proposals(count=9), (MAP, (84, 1, 4))),
    *((RegionPool(pool=pool, levels=levels), (MAP, (5, 1, 4))) for pool, levels in REGION_POOLS),
    *((RegionPool(pool=pool, levels=levels, windows=BOXES), (MAP,)) for pool, levels in REGION_POOLS),
    (Add(), (MAP, MAP, MAP)),
    (Concatenate(), (MAP, (7, 6, 2))),
    (Concatenate(), ((7,), (3,))),
]


def text(value):
    return str(value) if isinstance(value, Layer) else "+".join("x".join(map(str, shape)) for shape in value)


def keras_model(layer, shapes):
    """The layer alone as a Keras model whose weights all differ."""
    import keras

    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, layer.keras_layer("layer", momentum=0.75)(inputs if len(inputs) > 1 else inputs[0]))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        values = rng.uniform(0.2, 1.5, variable.shape)
        variable.assign(values if "variance" in variable.name else values * rng.choice([-1, 1], variable.shape))
    return model


def applied(model, arrays, *, training=False):
    return np.asarray(model([np.asarray(array, np.float32) for array in arrays], training=training))
