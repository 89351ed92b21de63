"""At least one block of every kind, with options that reach every branch of its wiring."""

from nas.architecture.blocks import (
    BLOCKS,
    ActivationBlock,
    Bottleneck,
    Conv,
    DenseBlock,
    FcnHead,
    FlattenHead,
    FullyConvolutionalHead,
    GlobalPoolHead,
    Inception,
    LocalResponse,
    Pad,
    PointsHead,
    Pool,
    RegionHead,
    Residual,
    RpnHead,
    Separable,
    Skip,
    SpatialPyramidHead,
    YoloHead,
)

EXAMPLES = {
    "conv": [
        Conv(filters=6),
        Conv(filters=4, kernel=1, padding="valid"),
        Conv(filters=5, kernel=2, stride=2, padding="valid"),
        Conv(filters=4, kernel=3, stride=2),
        Conv(filters=4, kernel=3, stride=3, padding="valid", normalization="none"),
        Conv(filters=6, kernel=5, padding="valid", bias=True),
        Conv(filters=6, kernel=5, stacked=True),
        Conv(filters=6, kernel=7, stride=2, stacked=True, normalization="none"),
        Conv(filters=6, kernel=5, stacked=True, padding="valid"),
        Conv(filters=8, kernel=(1, 3), stride=(2, 1)),
        Conv(filters=8, kernel=(3, 2), padding="valid", bias=False, normalization="none"),
        Conv(filters=8, groups=2, activation="gelu"),
        Conv(filters=4, kernel=4, stride=1, activation="linear"),
    ],
    "pool": [
        Pool(),
        Pool(pool="average", padding="same"),
        Pool(size=3, stride=2, padding="same"),
        Pool(size=3, stride=1, padding="valid", pool="average"),
        Pool(size=2, stride=3),
        Pool(size=(1, 2)),
        Pool(size=1, stride=2),
    ],
    "activation": [
        ActivationBlock(),
        ActivationBlock(normalization="batch", activation="gelu"),
        ActivationBlock(normalization="batch", activation="linear"),
    ],
    "lrn": [
        LocalResponse(),
        LocalResponse(size=3, offset=1, alpha=0.5, beta=0.5),
        LocalResponse(size=2),
    ],
    "pad": [
        Pad(amount=1),
        Pad(to=10),
        Pad(amount=2, to=16),
    ],
    "separable": [
        Separable(filters=6),
        Separable(filters=5, kernel=5, stride=2),
        Separable(filters=5, kernel=3, stride=2, padding="valid", normalization="none"),
        Separable(filters=5, kernel=4, bias=True, activation="silu"),
    ],
    "bottleneck": [
        Bottleneck(filters=12, squeeze=3),
        Bottleneck(filters=8, squeeze=4, kernel=5, stride=2, groups=2),
        Bottleneck(filters=8, squeeze=4, padding="valid", normalization="none", bias=False, activation="elu"),
    ],
    "inception": [
        Inception(branch1x1=4, reduce3x3=3, branch3x3=6, reduce5x5=2, branch5x5=3, branch_pool=2),
        Inception(
            branch1x1=2,
            branch3x3=4,
            branch5x5=2,
            branch_pool=2,
            pool="average",
            normalization="none",
            activation="relu6",
        ),
        Inception(branch1x1=0, branch3x3=4, branch5x5=4, reduce5x5=2, branch_pool=0, stacked=True),
        Inception(branch1x1=0, branch3x3=0, branch5x5=0, branch_pool=3, bias=True),
    ],
    "residual": [
        Residual(filters=4),
        Residual(filters=6, convolutions=1, stride=2),
        Residual(filters=6, convolutions=3, kernel=5, normalization="none"),
        Residual(filters=4, groups=2, activation="leaky_relu"),
        Residual(filters=8, form="bottleneck", squeeze=3, stride=2),
        Residual(filters=4, form="bottleneck", squeeze=2, stride=2, stride_at="middle", bias=True),
        Residual(filters=6, stride=2, projection="plain"),
        Residual(filters=4, form="bottleneck", squeeze=4, groups=2, kernel=(3, 1)),
    ],
    "dense_block": [
        DenseBlock(growth=3),
        DenseBlock(growth=2, layers=3, width=0, transition=False),
        DenseBlock(growth=2, layers=1, width=2, kernel=5, compression=1),
        DenseBlock(growth=3, layers=4, width=1, normalization="none", compression=0.01, bias=False, activation="elu"),
    ],
    "global_pool": [
        GlobalPoolHead(classes=10),
        GlobalPoolHead(classes=3, pool="max", units=(7, 5), dropout=0.5, input_dropout=0.2, activation="tanh"),
    ],
    "fully_convolutional": [
        FullyConvolutionalHead(classes=4),
        FullyConvolutionalHead(
            classes=3,
            units=(6, 5),
            kernel=3,
            padding="valid",
            pool="max",
            dropout=0.5,
            normalization="batch",
            activation="elu",
        ),
    ],
    "spp": [
        SpatialPyramidHead(classes=4),
        SpatialPyramidHead(
            classes=4, levels=(3, 2), pool="average", units=(5,), dropout=0.1, input_dropout=0.3, activation="elu"
        ),
    ],
    "yolo": [
        YoloHead(classes=1),
        YoloHead(classes=4, boxes=2, kernel=3, dropout=0.1),
        YoloHead(classes=4, units=(7, 5), grid=3, dropout=0.1, activation="relu"),
    ],
    "points": [
        PointsHead(classes=1),
        PointsHead(classes=4, kernel=3),
    ],
    "rpn": [
        RpnHead(classes=1),
        RpnHead(
            classes=3, sizes=(0.3,), ratios=(0.5, 2), width=5, kernel=1, normalization="none", activation="leaky_relu"
        ),
    ],
    "region": [
        RegionHead(classes=1),
        RegionHead(
            classes=3,
            sizes=(0.2, 0.5, 0.9),
            ratios=(0.5, 1),
            width=7,
            regions=12,
            pooling="roi_pool",
            bins=2,
            units=(6, 5),
            dropout=0.1,
            normalization="none",
            activation="elu",
            boxes="class",
        ),
        RegionHead(classes=2, proposals="windows", sizes=0.5, pooling="pyramid", bins=(3, 1), units=()),
        RegionHead(classes=2, proposals="windows", sizes=(0.3, 1), bins=2, boxes="class"),
    ],
    "skip": [Skip(classes=3)],
    "fcn": [
        FcnHead(classes=3, output_size=16),
        FcnHead(classes=4, output_size=(18, 33), units=(7, 5), kernel=3, padding="valid", dropout=0.1, dice=0.5),
        FcnHead(classes=2, output_size=32, units=(6,), normalization="none", activation="elu"),
        FcnHead(classes=2, output_size=64, upsample="transposed"),
    ],
    "flatten": [
        FlattenHead(classes=10),
        FlattenHead(classes=2, units=(6,), dropout=0.25, input_dropout=0.5, activation="sigmoid"),
    ],
}
"""By kind. A new kind needs a line here before the contract tests pass."""

SHAPES = [(8, 8, 4), (9, 9, 4), (7, 12, 4), (13, 5, 4)]
"""Even, odd, and rectangular maps of both orientations; every example fits each."""

ALL = [block for kind in sorted(EXAMPLES) for block in EXAMPLES[kind]]
assert all(BLOCKS[kind] is type(block) for kind in EXAMPLES for block in EXAMPLES[kind])
