"""Networks: what is refused and in which words, JSON, the short line."""

import json

import pytest

from nas.architecture import Architecture, ArchitectureError
from nas.architecture.blocks import Conv, DenseBlock, FcnHead, FlattenHead, GlobalPoolHead, Inception, Pool, Residual
from tests.architecture.block_examples import ALL

HEAD = GlobalPoolHead(classes=10)


def network(*blocks, shape=(8, 8, 3)):
    return Architecture(input_shape=shape, blocks=blocks)


@pytest.mark.parametrize(
    ("blocks", "shape", "sentence"),
    [
        (
            (Conv(filters=4), Pool(), Pool(), Conv(filters=4, padding="valid"), HEAD),
            (9, 8, 3),
            r"^block 4 \(conv\) on a map of 2x2x4: a 3x3 convolution with valid padding does not fit a 2x2 map; use "
            r"same padding, a smaller window, or less downsampling before it$",
        ),
        (
            (Pool(), Pool(), HEAD),
            (3, 3, 1),
            r"^block 2 \(pool\) on a map of 1x1x1: a 2x2 pooling window with valid padding does not fit a 1x1 map; use",
        ),
        (
            (Conv(filters=4, groups=2), HEAD),
            (8, 8, 3),
            r"^block 1 \(conv\) on a map of 8x8x3: `groups` must divide the input channels and the filters; received "
            r"groups=2 for 3 channels and 4 filters$",
        ),
        (
            (Conv(filters=4, kernel=4, stacked=True), HEAD),
            (8, 8, 3),
            r"^block 1 \(conv\) on a map of 8x8x3: `stacked` needs a square kernel of an odd side; received kernel=4; "
            r"set stacked: false or use 3, 5 or 7$",
        ),
        (
            (Inception(branch1x1=0, branch3x3=0, branch5x5=0, branch_pool=0), HEAD),
            (8, 8, 3),
            r"^block 1 \(inception\) on a map of 8x8x3: at least one branch needs filters; set branch1x1, branch3x3, "
            r"branch5x5 or branch_pool$",
        ),
        (
            (DenseBlock(growth=2), HEAD),
            (1, 8, 3),
            r"^block 1 \(dense_block\) on a map of 1x8x3: a 2x2 pooling window with valid padding does not fit a 1x8",
        ),
    ],
)
def test_a_block_that_does_not_fit_is_named_with_its_position_its_map_and_the_way_out(blocks, shape, sentence):
    with pytest.raises(ArchitectureError, match=sentence):
        network(*blocks, shape=shape)


@pytest.mark.parametrize(
    ("blocks", "kinds"),
    [
        ((), "no block"),
        ((Conv(filters=4),), "conv"),
        ((HEAD, Conv(filters=4)), "global_pool, conv"),
        ((HEAD, HEAD), "global_pool, global_pool"),
    ],
)
def test_the_head_is_the_last_block_and_the_only_one(blocks, kinds):
    with pytest.raises(ArchitectureError, match=rf"^a network ends with its only head \(.*\); received {kinds}$"):
        network(*blocks)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 0), (8, -1, 3), (8.0, 8, 3), (True, 8, 3), ("8", 8, 3)])
def test_an_input_shape_is_three_whole_numbers(shape):
    with pytest.raises(ArchitectureError, match=r"^input_shape must be \(height, width, channels\); received \("):
        network(HEAD, shape=shape)


def test_json_round_trip_is_the_identity_for_every_block():
    for block in ALL:
        head = () if block.is_head else (FcnHead(classes=3, output_size=12),) if block.kind == "skip" else (HEAD,)
        shape = (9, 12, 4) if block.fits((9, 12, 4)) else (8, 8, 4)
        found = network(block, *head, shape=shape)
        again = Architecture.from_json(found.to_json())
        assert again == found
        assert (again.id, again.count, again.to_json()) == (found.id, found.count, found.to_json())
        assert "\n" not in found.to_json()


def test_json_is_short_and_in_the_order_of_the_options():
    found = network(Conv(stride=2, filters=4), Pool(size=(2, 3)), FlattenHead(classes=3, units=(5,)), shape=[8, 9, 1])
    assert found.to_json() == (
        '{"format":1,"input_shape":[8,9,1],"blocks":[{"kind":"conv","filters":4,"stride":2},'
        '{"kind":"pool","size":"2x3"},{"kind":"flatten","classes":3,"units":[5]}]}'
    )


def written(**changes):
    data = json.loads(network(Conv(filters=4), HEAD).to_json()) | changes
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"^an architecture is written as JSON; Expecting value"),
        ("{", r"^an architecture is written as JSON; Expecting property name"),
        ("[" * 100_000, r"^an architecture is written as JSON; maximum recursion depth"),
        ("null", r"^an architecture is an object with `format`, `input_shape` and `blocks`$"),
        ("[1]", r"^an architecture is an object with"),
        ('{"format": 1}', r"^an architecture is an object with"),
        (written(format=2), r"^this version reads architectures of format 1; received 2; upgrade keras-nas$"),
        (written(format="x"), r"^this version reads architectures of format 1; received 'x'; upgrade"),
        (written(blocks=5), r"^`input_shape` and `blocks` of an architecture are lists$"),
        (written(input_shape="8x8x1"), r"^`input_shape` and `blocks` of an architecture are lists$"),
        (written(input_shape=[8, 8, None]), r"^input_shape must be \(height, width, channels\); received \[?\(?8, 8"),
        (written(blocks=[5]), r"^block 1: a block must be an object with a `kind`; received 5$"),
        (written(blocks=[{"filters": 4}]), r"^block 1: there is no block kind None; use one of .*conv, "),
        (
            written(blocks=[{"kind": "residul", "filters": 4}]),
            r"^block 1: there is no block kind 'residul' \(did you mean 'residual'\?\); use one of .*conv, ",
        ),
        (
            written(blocks=[{"kind": "conv", "filters": 4, "kernal": 3}]),
            r"^block 1: conv: there is no option `kernal` \(did you mean 'kernel'\?\); use one of activation, bias, ",
        ),
        (written(blocks=[{"kind": "conv"}]), r"^block 1: conv: `filters` is missing$"),
        (
            written(blocks=[{"kind": "pool"}, {"kind": "conv", "filters": "1/2"}]),
            r"^block 2: conv: `filters` must be a whole number from 1 to 65,536; received '1/2'$",
        ),
        (written(blocks=[{"kind": ["conv"]}]), r"^block 1: there is no block kind \['conv'\]"),
        (written(blocks=[{"kind": "__import__('os').system('touch pwned')"}]), r"^block 1: there is no block kind "),
        (written(blocks=[{"kind": "conv", "filters": 4, "__class__": "os"}]), r"there is no option `__class__`"),
    ],
)
def test_what_is_no_architecture_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(ArchitectureError, match=sentence):
        Architecture.from_json(text)


def test_reading_never_runs_code(tmp_path, monkeypatch):
    """Every string of a valid file is replaced by an expression; whatever is read, nothing is evaluated."""
    monkeypatch.chdir(tmp_path)
    attack = "__import__('pathlib').Path('pwned').touch()"
    data = json.loads(network(Conv(filters=4, activation="gelu", padding="valid"), HEAD).to_json())
    for block in data["blocks"]:
        for option, value in list(block.items()):
            block[option] = attack
            with pytest.raises(ArchitectureError):
                Architecture.from_dict(data)
            block[option] = value
    assert Architecture.from_dict(data).kinds == ("conv", "global_pool")
    assert not (tmp_path / "pwned").exists()


def test_lists_become_tuples_and_equality_is_of_the_spelling():
    one = Architecture(input_shape=[8, 8, 3], blocks=[Conv(filters=4), HEAD])
    assert one == network(Conv(filters=4), HEAD)
    assert hash(one) == hash(network(Conv(filters=4), HEAD))
    assert one != network(Conv(filters=4, stacked=True), HEAD)


def test_classes_and_kinds():
    found = network(Conv(filters=4), Residual(filters=4), GlobalPoolHead(classes=7))
    assert found.head.classes == 7
    assert found.kinds == ("conv", "residual", "global_pool")


def test_of_traces_is_the_constructor_without_the_work():
    found = network(Conv(filters=4, padding="valid"), Pool(), HEAD)
    again = Architecture.of_traces(found.input_shape, found.blocks, found.traces)
    assert again == found
    assert (again.count, again.id, again.traces) == (found.count, found.id, found.traces)


def test_nodes_are_the_keras_layers_in_order():
    found = network(Conv(filters=4), Pool(size=1, stride=1), Residual(filters=4), Pool(), HEAD)
    model = found.build()
    names = [layer.name for layer in model.layers[1:]]
    assert sorted(f"{block}_{node.name}" for block, node in found.nodes()) == sorted(names)
    nodes = [node for _, node in found.nodes()]
    for index, node in enumerate(nodes):
        for source, shape in zip(node.inputs, node.input_shapes, strict=True):
            assert source < index
            assert shape == (found.input_shape if source == -1 else nodes[source].shape)
