"""The table of a network, against numbers worked out by hand."""

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, FlattenHead, GlobalPoolHead, Inception, Pool, Residual
from nas.architecture.summary import rows

NETWORK = Architecture(
    input_shape=(16, 12, 1),
    blocks=(
        Conv(filters=4, kernel=5, stride=2),
        Pool(size=3, stride=2),
        Residual(filters=4),
        Inception(branch1x1=2, branch3x3=2, branch5x5=2, branch_pool=0),
        GlobalPoolHead(classes=3),
    ),
)


def test_rows_add_up_to_the_count():
    table = rows(NETWORK)
    assert sum(row.parameters for row in table) == NETWORK.count.parameters
    assert sum(row.trainable for row in table) == NETWORK.count.trainable
    assert sum(row.macs for row in table) == NETWORK.count.macs
    assert abs(sum(row.share for row in table) - 1) < 1e-9


def test_receptive_fields_by_hand():
    views = {f"{row.block}/{row.layer}": row.receptive_field for row in rows(NETWORK)}
    assert views["01_conv/conv"] == (5, 5)
    # The pool's window of 3 reaches 2 further, each step 2 pixels: 5 + 2 * 2.
    assert views["02_pool/pool"] == (9, 9)
    # From here a step is 4 pixels; each 3x3 adds 2 of them.
    assert views["03_residual/conv_1"] == (17, 17)
    assert views["03_residual/conv_2"] == (25, 25)
    assert views["03_residual/add"] == (25, 25)
    # The largest branch decides.
    assert views["04_inception/concatenate"] == (41, 41)
    assert views["05_global_pool/vector"] is None
    assert views["05_global_pool/classes"] is None


def test_the_view_is_the_real_one():
    """One pixel outside the field of view changes nothing; one inside does."""
    import keras
    import numpy as np

    network = Architecture(
        input_shape=(15, 15, 1),
        blocks=(
            Conv(filters=3, padding="valid", normalization="none", activation="linear"),
            Pool(pool="average", size=2, stride=2),
            Conv(filters=2, kernel=(3, 1), padding="valid", normalization="none", activation="linear"),
            FlattenHead(classes=2),
        ),
    )
    model = network.build()
    inner = keras.Model(model.inputs, model.get_layer("03_conv_conv").output)
    blank = np.zeros((1, 15, 15, 1), "float32")
    seen = set()
    for y in range(15):
        for x in range(15):
            image = blank.copy()
            image[0, y, x, 0] = 1
            if abs(inner(image).numpy()[0, 0, 0] - inner(blank).numpy()[0, 0, 0]).max() > 1e-7:
                seen.add((y, x))
    height = max(y for y, _ in seen) + 1
    width = max(x for _, x in seen) + 1
    view = next(row.receptive_field for row in rows(network) if (row.block, row.layer) == ("03_conv", "conv"))
    assert view == (height, width) == (8, 4)


def test_the_text():
    text = Architecture(
        input_shape=(8, 8, 1), blocks=(Conv(filters=4, normalization="none"), Pool(), GlobalPoolHead(classes=2))
    ).summary()
    lines = text.splitlines()
    assert lines[0].startswith("architecture ")
    assert lines[0].endswith(", input 8x8x1")
    assert lines[1].split() == [
        "block",
        "layer",
        "output",
        "kernel",
        "stride",
        "padding",
        "parameters",
        "non-trainable",
        "MACs",
        "share",
        "sees",
    ]
    assert lines[2].split() == ["01_conv", "conv", "8x8x4", "3x3", "1x1", "same", "40", "2,304", "80.0%", "3x3"]
    assert lines[4].split() == ["02_pool", "pool", "4x4x4", "2x2", "2x2", "valid", "4x4"]
    assert lines[-1] == ("50 parameters (50 trainable, 0 not), 2,312 MACs, peak activation 1,280 bytes")


def test_a_network_without_weights_before_its_head_does_not_divide_by_zero():
    table = rows(Architecture(input_shape=(4, 4, 1), blocks=(Pool(), GlobalPoolHead(classes=2))))
    assert [row.share for row in table if row.parameters] == [1.0]
