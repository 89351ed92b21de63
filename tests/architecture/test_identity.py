"""One network, one id: whatever its spelling, process or machine."""

import hashlib
import subprocess
import sys

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import (
    Bottleneck,
    Conv,
    DenseBlock,
    FlattenHead,
    GlobalPoolHead,
    Inception,
    Pool,
    Residual,
    Separable,
)

HEAD = GlobalPoolHead(classes=10)


def network(*blocks, shape=(8, 8, 3), head=HEAD):
    return Architecture(input_shape=shape, blocks=(*blocks, head))


PINNED = {
    "0fd8cb40a00b225e": network(Conv(filters=8), Pool()),
    "37d3a60b983e1809": network(Residual(filters=8, stride=2), shape=(9, 7, 1)),
    "905a594a76408fbb": network(
        Inception(branch1x1=2, reduce3x3=2, branch3x3=4, reduce5x5=1, branch5x5=1, branch_pool=1),
        Separable(filters=6, padding="valid"),
        DenseBlock(growth=2),
        Bottleneck(filters=4, squeeze=2, groups=2),
        head=FlattenHead(classes=3, units=(5,), dropout=0.5),
    ),
}
"""Ids are written into files: these must never change."""


def test_pinned_ids():
    assert {text: found.id for text, found in PINNED.items()} == {text: text for text in PINNED}


def test_an_id_is_the_digest_of_the_layers_written_out():
    text = (
        '[[8,8,3],[["conv",8,[3,3],[1,1],[[1,1],[1,1]],1,false,[-1]],["batch_norm",[0]],["activation","relu",[1]],'
        '["max",[2,2],[2,2],[[0,0],[0,0]],[2]],'
        '["global","average",[3]],["dense",10,true,[4]],["activation","softmax",[5]]]]'
    )
    assert network(Conv(filters=8), Pool()).id == hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_ids_do_not_depend_on_pythons_hash_seed(seed):
    code = (
        "import sys; from nas.architecture import Architecture; "
        "print(' '.join(Architecture.from_json(line).id for line in sys.stdin.read().splitlines()))"
    )
    lines = "\n".join(found.to_json() for found in PINNED.values())
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": seed},
    )
    assert done.stdout.split() == list(PINNED)


EQUAL = {
    "padding of a 1x1 kernel": (
        network(Conv(filters=4, kernel=1)),
        network(Conv(filters=4, kernel=1, padding="valid")),
    ),
    "padding of a 1x1 kernel with a stride": (
        network(Conv(filters=4, kernel=1, stride=2), shape=(7, 8, 3)),
        network(Conv(filters=4, kernel=1, stride=2, padding="valid"), shape=(7, 8, 3)),
    ),
    "a pool of size 1": (network(Conv(filters=4), Pool(size=1, stride=1)), network(Conv(filters=4))),
    "kinds of a pool of size 1": (network(Pool(size=1, stride=2)), network(Pool(pool="average", size=1, stride=2))),
    "stride given or automatic": (network(Pool(size=3)), network(Pool(size=3, stride=3))),
    "stacked has no meaning for 3x3": (network(Conv(filters=4, stacked=True)), network(Conv(filters=4))),
    "stacked has no meaning for 1x1": (
        network(Conv(filters=4, kernel=1, stacked=True)),
        network(Conv(filters=4, kernel=1)),
    ),
    "stacked 5x5 is two 3x3": (
        network(Conv(filters=4, kernel=5, stacked=True)),
        network(Conv(filters=4), Conv(filters=4)),
    ),
    "no zeros are needed": (network(Pool(padding="same")), network(Pool(padding="valid"))),
    "no zeros are needed by a strided convolution": (
        network(Conv(filters=4, kernel=3, stride=3), shape=(9, 6, 3)),
        network(Conv(filters=4, kernel=3, stride=3, padding="valid"), shape=(9, 6, 3)),
    ),
    "a stride that is never taken": (
        network(Conv(filters=4, kernel=3, padding="valid"), shape=(3, 3, 3)),
        network(Conv(filters=4, kernel=3, padding="valid", stride=2), shape=(3, 3, 3)),
    ),
    "a bottleneck is three convolutions": (
        network(Bottleneck(filters=8, squeeze=2)),
        network(Conv(filters=2, kernel=1), Conv(filters=2), Conv(filters=8, kernel=1)),
    ),
    "squeeze of a basic residual block": (network(Residual(filters=4, squeeze=7)), network(Residual(filters=4))),
    "convolutions of a bottleneck residual block": (
        network(Residual(filters=4, form="bottleneck", squeeze=2, convolutions=3)),
        network(Residual(filters=4, form="bottleneck", squeeze=2)),
    ),
    "where a stride of 1 is": (
        network(Residual(filters=4, form="bottleneck", squeeze=2, stride_at="middle")),
        network(Residual(filters=4, form="bottleneck", squeeze=2)),
    ),
    "a projection that is not needed": (
        network(Conv(filters=4), Residual(filters=4, projection="plain")),
        network(Conv(filters=4), Residual(filters=4)),
    ),
    "an inception of one branch is a convolution": (
        network(Inception(branch1x1=0, branch3x3=4, branch5x5=0, branch_pool=0, reduce5x5=3)),
        network(Conv(filters=4)),
    ),
    "a stacked 5x5 branch is two 3x3": (
        network(Inception(branch1x1=0, branch3x3=0, branch5x5=4, branch_pool=0, stacked=True)),
        network(Conv(filters=4), Conv(filters=4)),
    ),
    "pool of an inception without a pooling branch": (
        network(Inception(branch1x1=2, branch3x3=4, branch5x5=0, branch_pool=0, pool="average")),
        network(Inception(branch1x1=2, branch3x3=4, branch5x5=0, branch_pool=0)),
    ),
    "compression without a transition": (
        network(DenseBlock(growth=2, transition=False, compression=0.3)),
        network(DenseBlock(growth=2, transition=False)),
    ),
    "automatic bias": (network(Conv(filters=4, bias=False)), network(Conv(filters=4))),
    "activation of a head without dense layers": (
        network(head=GlobalPoolHead(classes=10, activation="tanh")),
        network(),
    ),
    "global pooling of a 1x1 map is flattening": (
        network(Conv(filters=4, kernel=8, padding="valid")),
        network(Conv(filters=4, kernel=8, padding="valid"), head=FlattenHead(classes=10)),
    ),
}


def test_a_square_window_given_by_both_sides_is_the_same_option():
    assert Conv(filters=4, kernel=(3, 3)) == Conv(filters=4, kernel="3x3") == Conv(filters=4, kernel=3)


@pytest.mark.parametrize("what", EQUAL)
def test_equal_networks_have_one_id_and_one_count(what):
    one, other = EQUAL[what]
    assert one != other
    assert one.id == other.id
    assert one.count == other.count


@pytest.mark.parametrize(
    "what",
    [
        "no zeros are needed",
        "a bottleneck is three convolutions",
        "a stride that is never taken",
        "kinds of a pool of size 1",
        "an inception of one branch is a convolution",
    ],
)
def test_networks_of_one_id_compute_the_same(what):
    import numpy as np

    one, other = (found.build() for found in EQUAL[what])
    other.set_weights(one.get_weights())
    images = np.random.default_rng(0).random((2, *EQUAL[what][0].input_shape), dtype="float32")
    np.testing.assert_allclose(one(images), other(images), rtol=1e-5)


DIFFERENT = [
    network(),
    network(shape=(8, 8, 1)),
    network(head=GlobalPoolHead(classes=9)),
    network(head=GlobalPoolHead(classes=10, pool="max")),
    network(head=GlobalPoolHead(classes=10, dropout=0.1)),
    network(head=GlobalPoolHead(classes=10, units=(10,))),
    network(head=FlattenHead(classes=10)),
    network(Conv(filters=4)),
    network(Conv(filters=5)),
    network(Conv(filters=4, padding="valid")),
    network(Conv(filters=4, stride=2)),
    network(Conv(filters=4, stride=(2, 1))),
    network(Conv(filters=4, kernel=5)),
    network(Conv(filters=4, kernel=(5, 1))),
    network(Conv(filters=4, kernel=(1, 5))),
    network(Conv(filters=4, activation="gelu")),
    network(Conv(filters=4, normalization="none")),
    network(Conv(filters=4, bias=True)),
    network(Conv(filters=4, kernel=5, stacked=True)),
    network(Conv(filters=6, groups=3)),
    network(Conv(filters=6)),
    network(Conv(filters=4), Conv(filters=5)),
    network(Conv(filters=5), Conv(filters=4)),
    network(Pool()),
    network(Pool(pool="average")),
    network(Pool(size=3)),
    network(Pool(size=3, stride=2)),
    network(Pool(size=3, padding="same")),
    network(Pool(size=1, stride=2)),
    network(Separable(filters=4)),
    network(Residual(filters=3)),
    network(Residual(filters=4)),
    network(Residual(filters=4, convolutions=1)),
    network(Residual(filters=4, form="bottleneck", squeeze=2, stride=2)),
    network(Residual(filters=4, form="bottleneck", squeeze=2, stride=2, stride_at="middle")),
    network(Residual(filters=4, projection="plain")),
    network(Inception(branch1x1=2, branch3x3=2, branch5x5=0, branch_pool=0)),
    network(Inception(branch1x1=2, branch3x3=0, branch5x5=2, branch_pool=0)),
    network(Inception(branch1x1=2, branch3x3=0, branch5x5=2, branch_pool=0, stacked=True)),
    network(DenseBlock(growth=2)),
    network(DenseBlock(growth=2, transition=False)),
    network(DenseBlock(growth=2, width=0)),
]


def test_different_networks_have_different_ids():
    ids = [found.id for found in DIFFERENT]
    assert len(set(ids)) == len(ids)


def test_an_id_is_16_lowercase_hexadecimal_digits():
    for found in DIFFERENT:
        assert len(found.id) == 16
        assert set(found.id) <= set("0123456789abcdef")
