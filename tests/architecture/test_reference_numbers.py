"""The classic networks' numbers as the literature has them, each with its arithmetic written beside it."""

from dataclasses import replace

import pytest

from nas.architecture import Architecture
from nas.architecture.arithmetic import positions, slide
from nas.architecture.blocks import Conv, FlattenHead, Inception, Pad, Pool
from nas.architecture.explain import explain
from nas.architecture.summary import rows
from nas.files.shipped import shipped
from nas.space import load_space

REFERENCES = sorted(name for name in shipped("search_spaces") if name.startswith("reference/"))


def reference(name, **options):
    found = load_space(f"reference/{name}", **options).only()
    assert found is not None, f"{name} has more than one architecture"
    return found


def weights(block, shape):
    """Parameters of a block without biases and normalization."""
    return block.count(shape).parameters


def bare(**options):
    return Conv(bias=False, normalization="none", **options)


def of_kind(architecture, kind):
    return [row for row in rows(architecture) if row.kind == kind]


def test_the_references_are_all_there():
    names = (
        "alexnet alexnet_two_gpu densenet121 densenet169 fast_rcnn faster_rcnn faster_rcnn_zf "
        "fcn fcn16s fcn32s fcn8s fcn_alexnet googlenet lenet5 mnist_small rcnn resnet101 resnet18 resnet34 "
        "resnet50 rpn sppnet sppnet_regions vgg11 vgg16 vgg19 yolo_v1"
    )
    assert [name.removeprefix("reference/") for name in REFERENCES] == names.split()


@pytest.mark.parametrize("name", REFERENCES)
def test_each_is_one_network(name):
    space = load_space(name)
    assert space.definition.is_one_network
    assert space.size().architectures == 1
    assert space.only().id == Architecture.from_json(space.only().to_json()).id


def test_a_space_with_something_to_decide_is_not_one_network():
    space = load_space("mixed")
    assert not space.definition.is_one_network
    assert space.only() is None


class TestOutputSizes:
    def test_formula(self):
        # floor((I - F + 2P) / S) + 1
        assert positions(32, window=5, stride=1) == (32 - 5) // 1 + 1 == 28
        assert positions(227, window=11, stride=4) == (227 - 11) // 4 + 1 == 55
        assert positions(224, window=7, stride=2, pad=6) == (224 - 7 + 6) // 2 + 1 == 112

    def test_in_blocks(self):
        assert bare(filters=6, kernel=5, padding="valid").output_shape((32, 32, 3)) == (28, 28, 6)
        assert bare(filters=96, kernel=11, stride=4, padding="valid").output_shape((227, 227, 3)) == (55, 55, 96)

    @pytest.mark.parametrize("stride", [1, 2, 3, 4])
    @pytest.mark.parametrize("window", [1, 2, 3, 5])
    def test_same_padding_at_any_stride_is_the_ceiling(self, window, stride):
        for size in range(1, 30):
            assert slide(size, window, stride, "same") == -(-size // stride)


class TestWeights:
    def test_convolutions_without_bias(self):
        assert weights(bare(filters=64, kernel=3), (8, 8, 128)) == 3 * 3 * 128 * 64 == 73_728
        assert weights(bare(filters=4, kernel=5), (8, 8, 3)) == 5 * 5 * 3 * 4 == 300
        assert weights(bare(filters=10, kernel=5), (8, 8, 4)) == 5 * 5 * 4 * 10 == 1_000

    def test_two_3x3_against_one_5x5(self):
        shape = (16, 16, 128)
        assert weights(bare(filters=128, kernel=5, stacked=True), shape) == 2 * (3 * 3 * 128 * 128) == 294_912
        assert weights(bare(filters=128, kernel=5), shape) == 5 * 5 * 128 * 128 == 409_600

    def test_a_reduction_before_a_3x3(self):
        shape = (16, 16, 16)
        assert weights(bare(filters=32, kernel=3), shape) == 3 * 3 * 16 * 32 == 4_608
        options = {"branch1x1": 0, "branch3x3": 32, "branch5x5": 0, "branch_pool": 0, "bias": False}
        reduced = Inception(**options, reduce3x3=5, normalization="none")
        assert weights(reduced, shape) == 1 * 1 * 16 * 5 + 3 * 3 * 5 * 32 == 80 + 1_440 == 1_520


class TestFcn:
    """Of 21 classes, as the authors' own definitions have them; their transposed convolutions do not learn, ours do."""

    convolutions = 14_714_688
    # Its dense layers as convolutions, and a score for each class.
    classifier = (7 * 7 * 512 * 4_096 + 4_096) + (4_096 * 4_096 + 4_096) + (4_096 * 21 + 21)

    def test_the_parts(self):
        assert self.classifier == 102_764_544 + 16_781_312 + 86_037
        counts = [trace.count.parameters for trace in reference("fcn32s").traces]
        assert sum(counts[:-1]) == self.convolutions

    def test_enlarged_at_once(self):
        assert reference("fcn32s").count.parameters == self.convolutions + self.classifier + 64 * 64 * 21 * 21
        assert reference("fcn32s").count.parameters == 136_152_917

    def test_with_one_skip(self):
        scores = 512 * 21 + 21
        enlarged = (4 * 4 + 32 * 32) * 21 * 21
        assert (scores, enlarged) == (10_773, 7_056 + 451_584)
        expected = self.convolutions + self.classifier + scores + enlarged
        assert reference("fcn16s").count.parameters == expected == 134_815_994

    def test_with_two_skips(self):
        scores = (512 * 21 + 21) + (256 * 21 + 21)
        enlarged = (4 * 4 + 4 * 4 + 16 * 16) * 21 * 21
        assert (scores, enlarged) == (10_773 + 5_397, 2 * 7_056 + 112_896)
        expected = self.convolutions + self.classifier + scores + enlarged
        assert reference("fcn8s").count.parameters == expected == 134_489_759

    def test_bilinear_instead(self):
        by_name = {"fcn32s": 134_346_581, "fcn16s": 134_357_354, "fcn8s": 134_362_751}
        for name, expected in by_name.items():
            *body, head = reference(name).blocks
            bilinear = Architecture(input_shape=(224, 224, 3), blocks=(*body, replace(head, upsample="bilinear")))
            assert bilinear.count.parameters == expected

    def test_alexnet(self):
        # Without its dense layers, AlexNet as a single tower.
        convolutions = sum(trace.count.parameters for trace in reference("alexnet").traces[:-1])
        assert convolutions == 3_747_200
        classifier = (6 * 6 * 256 * 4_096 + 4_096) + (4_096 * 4_096 + 4_096) + (4_096 * 21 + 21)
        assert reference("fcn_alexnet").count.parameters == convolutions + classifier == 58_367_381


class TestAlexNet:
    def test_first_layer_and_what_sharing_saves_it(self):
        line = explain(reference("alexnet"))[0]
        # 96 filters of 11x11x3 weights and a bias each.
        assert line.shared == 96 * (11 * 11 * 3 + 1) == 34_944
        # 55x55x96 outputs, each with 11*11*3 weights and a bias of its own.
        assert line.unshared == (55 * 55 * 96) * (11 * 11 * 3 + 1) == 290_400 * 364 == 105_705_600
        assert line.size == "floor((227 - 11 + 0) / 4) + 1 = 55"
        assert line.parameters == "11*11*3*96 + 96 = 34,944"

    def test_maps(self):
        maps = [trace.output_shape for trace in reference("alexnet").traces]
        assert maps == [
            *[(55, 55, 96)] * 2,
            (27, 27, 96),
            *[(27, 27, 256)] * 2,
            (13, 13, 256),
            *[(13, 13, 384)] * 2,
            (13, 13, 256),
            (6, 6, 256),
            (1000,),
        ]

    def test_two_gpus_without_biases(self):
        """The convolutions, and the dense layers behind a 13x13x256 map, that is without the last pooling."""
        whole = reference("alexnet_two_gpu")
        assert isinstance(whole.blocks[-2], Pool)
        unpooled = Architecture(input_shape=whole.input_shape, blocks=(*whole.blocks[:-2], whole.blocks[-1]))
        convolutions = [row.parameters - row.output_shape[-1] for row in of_kind(unpooled, "Conv2D")]
        assert convolutions == [
            11 * 11 * 3 * 96,
            2 * (5 * 5 * 48 * 128),  # each half sees the 48 maps of its own GPU
            3 * 3 * 256 * 384,  # across both
            2 * (3 * 3 * 192 * 192),
            2 * (3 * 3 * 192 * 128),
        ]
        assert convolutions == [34_848, 307_200, 884_736, 663_552, 442_368]
        dense = [row.parameters - row.output_shape[-1] for row in of_kind(unpooled, "Dense")]
        assert dense == [13 * 13 * 256 * 4096, 4096 * 4096, 4096 * 1000] == [177_209_344, 16_777_216, 4_096_000]

    def test_about_60_million(self):
        # Convolutions with biases, then 6*6*256*4096 + 4096, 4096*4096 + 4096, 4096*1000 + 1000.
        dense = (9_216 * 4_096 + 4_096) + (4_096 * 4_096 + 4_096) + (4_096 * 1_000 + 1_000)
        two_gpus = (34_848 + 96) + (307_200 + 256) + (884_736 + 384) + (663_552 + 384) + (442_368 + 256)
        assert reference("alexnet_two_gpu").count.parameters == two_gpus + dense == 60_965_224
        # A single tower sees all channels: twice the weights in the second, fourth and fifth convolution.
        one_tower = two_gpus + 307_200 + 663_552 + 442_368
        assert reference("alexnet").count.parameters == one_tower + dense == 62_378_344

    def test_dropout_is_before_the_second_and_the_third_dense_layer(self):
        kinds = [row.kind for row in rows(reference("alexnet")) if row.kind in ("Dropout", "Dense")]
        assert kinds == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]


def test_lenet5_maps():
    lenet = reference("lenet5")
    shapes = [row.output_shape for row in rows(lenet) if row.kind in ("ZeroPad2D", "Conv2D", "Pool2D", "Dense")]
    assert shapes == [(32, 32, 1), (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (1, 1, 120), (84,), (10,)]
    # 6 filters of 25 weights and a bias; 16 of 6*25 + 1; 120 of 16*25 + 1; 84 units of 120 + 1; 10 of 84 + 1.
    assert lenet.count.parameters == 156 + 2_416 + 48_120 + 10_164 + 850 == 61_706
    assert {row.kind for row in rows(lenet) if row.layer.endswith("tanh")} == {"Activation"}
    assert {block.pool for block in lenet.blocks if isinstance(block, Pool)} == {"average"}


def test_padding_by_hand():
    # One zero on each side is 3 + 2 = 5; 2 more are missing to 7.
    assert Pad(amount=1, to=7).output_shape((3, 9, 1)) == (7, 11, 1)
    # 32 - 27 = 5 missing: 2 before, 3 behind.
    graph, _ = Pad(to=32).wired((27, 28, 1))
    layer = graph.nodes[0].layer
    assert (layer.top, layer.bottom, layer.left, layer.right) == (2, 3, 2, 2)
    assert Pad(to=32).output_shape((40, 8, 1)) == (40, 32, 1)


@pytest.mark.parametrize("size", [8, 27, 28, 32])
def test_lenet5_pads_smaller_images_to_32(size):
    assert reference("lenet5", input_shape=(size, size, 1)).count.parameters == 61_706


def test_the_small_mnist_network():
    small = reference("mnist_small")
    assert [trace.output_shape for trace in small.traces] == [
        (26, 26, 10),
        (13, 13, 10),
        (13, 13, 10),
        (11, 11, 20),
        (5, 5, 20),
        (5, 5, 20),
        (10,),
    ]
    # 3*3*1*10 + 10, 3*3*10*20 + 20, and 5*5*20 = 500 inputs of the dense layer: 500*10 + 10.
    assert small.count.parameters == 100 + 1_820 + 5_010 == 6_930


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vgg11", 132_863_336),
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("resnet50", 25_636_712),
        ("resnet101", 44_707_176),
        ("densenet121", 8_062_504),
        ("densenet169", 14_307_880),
    ],
)
def test_published_totals(name, parameters):
    assert reference(name).count.parameters == parameters


@pytest.mark.parametrize(("name", "trainable"), [("resnet18", 11_689_512), ("resnet34", 21_797_672)])
def test_resnets_without_biases_have_the_trainable_parameters_of_the_paper(name, trainable):
    assert reference(name).count.trainable == trainable


def test_vgg16_by_hand():
    def conv(channels, filters):
        return 3 * 3 * channels * filters + filters

    pairs = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)]
    pairs += [(512, 512)] * 5
    dense = (7 * 7 * 512 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 1000 + 1000)
    assert reference("vgg16").count.parameters == sum(conv(*pair) for pair in pairs) + dense == 138_357_544


def test_vgg16_multiply_adds_by_hand():
    """One multiplication and one addition are one; biases, pooling and activations count none."""
    layers = [(224, 3, 64), (224, 64, 64), (112, 64, 128), (112, 128, 128), (56, 128, 256), (56, 256, 256)]
    layers += [(56, 256, 256), (28, 256, 512), (28, 512, 512), (28, 512, 512)] + [(14, 512, 512)] * 3
    convolutions = sum(size * size * 9 * channels * filters for size, channels, filters in layers)
    dense = 25_088 * 4_096 + 4_096 * 4_096 + 4_096 * 1_000
    assert reference("vgg16").count.macs == convolutions + dense == 15_470_264_320


def test_resnet_shortcuts_are_projections_exactly_where_the_shape_changes():
    resnet = reference("resnet50")
    projected = [row.block for row in rows(resnet) if row.layer == "project"]
    # The first of each stage: blocks 5, 8, 12 and 18, behind padding, convolution, padding and pooling.
    assert projected == ["05_residual", "08_residual", "12_residual", "18_residual"]
    assert resnet.kinds.count("residual") == 3 + 4 + 6 + 3
    assert reference("resnet101").kinds.count("residual") == 3 + 4 + 23 + 3


def test_googlenet_has_nine_modules_and_a_tenth_of_alexnet():
    googlenet = reference("googlenet")
    assert googlenet.kinds.count("inception") == 9
    modules = [
        trace.output_shape for kind, trace in zip(googlenet.kinds, googlenet.traces, strict=True) if kind == "inception"
    ]
    assert modules[:2] == [(28, 28, 256), (28, 28, 480)]
    assert modules[2:7] == [(14, 14, 512)] * 3 + [(14, 14, 528), (14, 14, 832)]
    assert modules[7:] == [(7, 7, 832), (7, 7, 1024)]
    # Inception 3a: 192*64+64, 192*96+96, 9*96*128+128, 192*16+16, 25*16*32+32, 192*32+32.
    first = googlenet.traces[googlenet.kinds.index("inception")].count
    assert first.parameters == 12_352 + 18_528 + 110_720 + 3_088 + 12_832 + 6_176 == 163_696
    assert googlenet.count.parameters == 6_998_552 < 7_000_000
    assert reference("alexnet_two_gpu").count.parameters / googlenet.count.parameters == pytest.approx(8.7, abs=0.05)


@pytest.mark.parametrize("shape", [(224, 224, 3), (32, 32, 3), (97, 61, 3), (500, 375, 3), (1, 1, 3)])
def test_fully_convolutional_takes_any_size_with_vgg16s_parameters(shape):
    """Its 7x7 convolution to 4,096 maps has the weights of VGG-16's first dense layer: 7*7*512*4096 + 4096."""
    fcn = reference("fcn", input_shape=shape)
    assert fcn.count.parameters == 138_357_544
    assert not of_kind(fcn, "Dense")


@pytest.mark.parametrize("size", [32, 100, 180, 224, 400])
def test_spatial_pyramid_pooling_gives_one_length_for_any_size(size):
    network = reference("sppnet", input_shape=(size, size + 7, 3))
    # (6*6 + 3*3 + 2*2 + 1*1) bins of 256 channels
    vector = next(row for row in rows(network) if row.layer == "vector")
    assert vector.output_shape == (50 * 256,) == (12_800,)
    assert network.count.parameters == reference("sppnet").count.parameters


def test_sppnet_has_zf5s_maps():
    assert [trace.output_shape[:2] for trace in reference("sppnet").traces[:-1]] == [
        (226, 226),
        (110, 110),
        (110, 110),
        (55, 55),
        (26, 26),
        (26, 26),
        *[(13, 13)] * 4,
    ]


class TestYolo:
    def test_parameters(self):
        """24 convolutions with biases; 4,096 of 7x7x1024; 7x7 cells of 2 boxes of 5 numbers, and 20 classes."""
        network = reference("yolo_v1")
        convolutions = [trace.count.parameters for trace in network.traces[:-1] if trace.count.parameters]
        pairs = 4 * (256 * 513 + 512 * (9 * 256 + 1)) + 512 * 513 + 1024 * (9 * 512 + 1)
        wide = 2 * (512 * 1025 + 1024 * (9 * 512 + 1)) + 4 * 1024 * (9 * 1024 + 1)
        narrow = 64 * (49 * 3 + 1) + 192 * (9 * 64 + 1)
        narrow += 128 * 193 + 256 * (9 * 128 + 1) + 256 * 257 + 512 * (9 * 256 + 1)
        assert (len(convolutions), sum(convolutions)) == (24, narrow + pairs + wide) == (24, 60_155_968)
        dense, cells = 4096 * (7 * 7 * 1024 + 1), 7 * 7 * (2 * 5 + 20) * (4096 + 1)
        assert (dense, cells) == (205_524_992, 6_022_590)
        assert network.count.parameters == 60_155_968 + dense + cells == 271_703_550
        assert network.traces[-2].output_shape == (7, 7, 1024)

    def test_five_boxes_a_cell(self):
        network = reference("yolo_v1")
        five = Architecture(input_shape=(448, 448, 3), blocks=(*network.blocks[:-1], replace(network.head, boxes=5)))
        assert five.traces[-1].output_shape == (7 * 7 * (5 * 5 + 20),)
        assert five.count.parameters == 274_714_845


class TestRegions:
    """Of PASCAL VOC's 20 classes and nothing, as the authors' own definitions have them."""

    vgg16 = 14_714_688
    # Convolution, two scores and four numbers for each of nine anchors.
    rpn = (3 * 3 * 512 * 512 + 512) + (512 * 9 * 2 + 9 * 2) + (512 * 9 * 4 + 9 * 4)
    # On 7x7 bins; for each class a score and a box, for nothing, too.
    dense = (7 * 7 * 512 * 4_096 + 4_096) + (4_096 * 4_096 + 4_096)
    answers = (4_096 * 21 + 21) + (4_096 * 84 + 84)

    def test_rpn(self):
        network = reference("rpn")
        assert self.rpn == 2_359_808 + 9_234 + 18_468 == 2_387_510
        assert network.traces[-1].count.parameters == self.rpn
        assert network.count.parameters == self.vgg16 + self.rpn
        assert network.traces[-2].output_shape == (14, 14, 512)
        assert {row.layer: row.parameters for row in rows(network) if row.block == "18_rpn" and row.parameters} == {
            "rpn": 2_359_808,
            "objectness": 9_234,
            "steps": 18_468,
        }

    def test_fast_rcnn(self):
        assert self.dense + self.answers == 119_976_041
        assert self.answers == 86_037 + 344_148
        assert reference("fast_rcnn").count.parameters == self.vgg16 + self.dense + self.answers == 134_690_729

    def test_faster_rcnn(self):
        network = reference("faster_rcnn")
        assert network.count.parameters == 134_690_729 + self.rpn == 137_078_239
        assert {row.layer: row.output_shape for row in rows(network) if row.layer in ("anchors", "proposals")} == {
            "anchors": (14 * 14 * 9, 1, 4),
            "proposals": (300, 1, 4),
        }

    def test_faster_rcnn_on_zf(self):
        convolutions = (49 * 3 * 96 + 96) + (25 * 96 * 256 + 256) + (9 * 256 * 384 + 384)
        convolutions += (9 * 384 * 384 + 384) + (9 * 384 * 256 + 256)
        assert convolutions == 3_726_464
        rpn = (9 * 256 * 256 + 256) + (256 * 18 + 18) + (256 * 36 + 36)
        dense = (6 * 6 * 256 * 4_096 + 4_096) + (4_096 * 4_096 + 4_096)
        expected = convolutions + rpn + dense + self.answers
        assert reference("faster_rcnn_zf").count.parameters == expected == 59_294_751

    def test_sppnet(self):
        network = reference("sppnet_regions")
        dense = [row.parameters for row in rows(network) if row.layer in ("dense_1", "dense_2")]
        assert dense == [50 * 256 * 4_096 + 4_096, 4_096 * 4_096 + 4_096]
        assert sum(dense) == 69_214_208
        # The same map as of the classifier, whose 1,000 classes are 4,097,000 more parameters.
        assert network.traces[-2].output_shape == reference("sppnet").traces[-2].output_shape
        assert network.count.parameters - self.answers == reference("sppnet").count.parameters - 4_097_000

    def test_rcnn(self):
        network = reference("rcnn")
        to_fc7 = network.count.parameters - (4_096 * 21 + 21)
        assert to_fc7 == reference("alexnet_two_gpu").count.parameters - (4_096 * 1_000 + 1_000) == 56_868_224
        # Twenty support vector machines are as many linear functions of fc7.
        assert reference("rcnn", classes=20).count.parameters == to_fc7 + 20 * (4_096 + 1) == 56_950_164


@pytest.mark.parametrize("name", ["resnet50", "densenet169"])
def test_counting_takes_less_than_10_ms(name):
    """From the loaded file, nothing counted before; processor time, the best of ten, as the machine may be busy."""
    import time

    from nas.architecture import graph
    from nas.architecture.blocks import base
    from nas.files.shipped import find_space
    from nas.space import SearchSpace, load_definition

    definition = load_definition(find_space(f"reference/{name}"))
    seconds = []
    for _ in range(10):
        base._trace.cache_clear()
        graph._facts.cache_clear()
        started = time.process_time()
        assert SearchSpace(definition).only().count.parameters > 1_000_000
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.010


def test_a_dense_layer_is_a_convolution_over_its_whole_map():
    """The equality behind the fully convolutional network."""
    from nas.architecture.blocks import FullyConvolutionalHead

    dense = FlattenHead(classes=10, units=(64,)).count((7, 7, 32))
    convolution = FullyConvolutionalHead(classes=10, units=(64,), kernel=7, padding="valid").count((7, 7, 32))
    assert (dense.parameters, dense.macs) == (convolution.parameters, convolution.macs)
