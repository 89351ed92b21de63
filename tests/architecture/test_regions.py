"""Detection in two stages by hand: anchors and windows, which regions are proposed, what they hold, what is learned."""

import math

import numpy as np
import pytest

from nas.architecture import Architecture, ArchitectureError
from nas.architecture.blocks import Conv, RegionHead, RpnHead
from nas.architecture.boxes import anchors, before_move, box_shapes, moved, overlaps, windows
from nas.architecture.layers import Proposals, RegionPool
from nas.architecture.layers.facets import Bins
from nas.errors import NasError
from nas.export.litert_file import convert
from tests.architecture.layer_examples import applied, keras_model

BOX = [0.55, 0.1, 0.75, 0.6]


def logit(share):
    return math.log(share / (1 - share))


class TestBoxes:
    def test_shapes_have_their_area_and_ratio(self):
        assert box_shapes((0.5,), (1.0, 4.0)) == ((0.5, 0.5), (1.0, 0.25))

    def test_anchors_stand_around_the_centres_row_after_row(self):
        found = anchors(2, 4, ((0.5, 0.25), (0.1, 0.1)))
        assert found.shape == (2 * 4 * 2, 4)
        # Row 0, column 1: the centre is at .25 and .375.
        assert found[2] == pytest.approx([0, 0.25, 0.5, 0.5])
        assert found[3] == pytest.approx([0.2, 0.325, 0.3, 0.425])

    def test_windows_overlap_by_half_and_reach_both_borders(self):
        assert windows(((1.0, 2.0),)) == ((0.0, 0.0, 1.0, 1.0),)
        found = np.array(windows(((0.2, 1.0),)))
        assert len(found) == 9
        assert found[:, 0] == pytest.approx(np.arange(9) / 10)
        # .3 does not divide the rest, .7: five steps of .14 in place of 4.67 of .15.
        assert np.array(windows(((0.3, 1.0),)))[:, 0] == pytest.approx(np.arange(6) * 0.14)

    def test_a_step_moves_the_centre_by_sides_and_scales_the_sides(self):
        # By half a height down and a whole width to the left; (2 * .75)^2 and (2 * .5)^2 times as large.
        steps = np.array([[[0.5, -1.0, logit(0.75), 0.0]]], np.float32)
        found = np.asarray(moved(np.array([[[0.4, 0.4, 0.6, 0.5]]], np.float32), steps))
        assert found[0, 0] == pytest.approx([0.6 - 0.225, 0.3, 0.6 + 0.225, 0.4])
        assert np.asarray(before_move(found, steps))[0, 0] == pytest.approx([0.4, 0.4, 0.6, 0.5], abs=1e-6)

    def test_overlaps(self):
        found = overlaps(np.array([[[0, 0, 0.5, 1]]], np.float32), np.array([[BOX, [0.25, 0, 0.75, 1]]], np.float32))
        assert np.asarray(found)[0, 0] == pytest.approx([0, 0.25 / 0.75])


class TestProposals:
    boxes = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.45], [-0.2, 0.5, 0.3, 0.8], [0.6, 0.6, 2, 0.9]], np.float32)

    def proposed(self, count, *likely):
        scores = np.array([[0, likeliness] for likeliness in likely], np.float32).reshape(1, 2, 2, 2)
        model = keras_model(Proposals(count=count), ((2, 2, 2), (4, 1, 4)))
        return applied(model, [scores, self.boxes[None, :, None]])[0, :, 0]

    def test_of_two_that_show_the_same_the_better_one_is_enough(self):
        # Box 1 overlaps box 0 by .9; all end at the border, and stand in their own order.
        expected = [[0, 0, 0.5, 0.5], [0, 0.5, 0.3, 0.8], [0.6, 0.6, 1, 0.9]]
        assert self.proposed(3, 3, 2, 0, 1) == pytest.approx(np.array(expected, np.float32))
        assert self.proposed(2, 1, 3, 2, 0)[:, 3] == pytest.approx([0.45, 0.8])

    def test_what_was_suppressed_fills_up(self):
        assert len({tuple(row) for row in self.proposed(4, 3, 2, 1, 0)}) == 4

    def test_there_is_something_to_choose_from(self):
        with pytest.raises(
            ArchitectureError, match=r"at most as many proposals as anchors; received 32 of 18; use fewer"
        ):
            Architecture(input_shape=(3, 3, 1), blocks=(RegionHead(classes=2),))


def cut(pool, levels, x, box):
    layer = RegionPool(pool=pool, levels=levels)
    given = applied(keras_model(layer, (x.shape, (1, 1, 4))), [x[None], np.array(box)[None, None, None]])[0, 0]
    fixed = RegionPool(pool=pool, levels=levels, windows=(tuple(box),))
    np.testing.assert_allclose(applied(keras_model(fixed, (x.shape,)), [x[None]])[0, 0], given, atol=1e-5)
    return given


class TestRegionPool:
    x = np.random.default_rng(0).normal(size=(12, 10, 3)).astype(np.float32)

    @pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.25, 0.3, 0.75, 0.9), (0.3, 0.31, 0.33, 0.45), (0.9, 0, 1, 0.05)])
    def test_the_largest_value_of_each_bin(self, box):
        """The pixels that a box touches, divided as spatial pyramid pooling divides a map."""
        top, left = math.floor(box[0] * 12), math.floor(box[1] * 10)
        part = self.x[top : math.ceil(box[2] * 12), left : math.ceil(box[3] * 10)]
        expected = [
            part[a:b, c:d].max(axis=(0, 1))
            for level in (3, 1)
            for a, b in Bins(level).edges(part.shape[0])
            for c, d in Bins(level).edges(part.shape[1])
        ]
        np.testing.assert_array_equal(cut("max", (3, 1), self.x, box), expected)

    def test_between_pixels_values_are_interpolated(self):
        """On a plane, a bin has the value at its centre: rows 3 to 9 of 12 in three bins of 2, columns 2 to 8 of 10."""
        rows, columns = np.mgrid[:12, :10] + 0.5
        plane = np.stack([rows, columns], axis=-1).astype(np.float32)
        found = cut("bilinear", (3,), plane, (3 / 12, 2 / 10, 9 / 12, 8 / 10))
        np.testing.assert_allclose(found, [[4 + 2 * i, 3 + 2 * j] for i in range(3) for j in range(3)], atol=1e-4)


def targets(*rows):
    return np.array([[*rows, [-1] * 5]], np.float32)


class TestRpn:
    head = RpnHead(classes=2, sizes=(0.5,))
    """On 2 x 2 pixels, four anchors, each a quarter of the image."""

    def outputs(self, **of_first):
        """Certain that there is nothing, but what the first anchor says."""
        outputs = np.zeros((1, 2, 2, 7), np.float32)
        outputs[..., 0] = 20
        outputs[0, 0, 0, :3] = of_first.get("kinds", (20, 0, 0))
        outputs[0, 0, 0, 3:] = of_first.get("steps", 0)
        return outputs

    def loss(self, outputs, *rows):
        return float(self.head.loss(targets(*rows), outputs, label_smoothing=0.0)[0])

    def test_answers(self):
        answers = np.asarray(self.head.answers(self.outputs(kinds=(0, math.log(3), 0), steps=(0, 0.5, 0, 0))))[0]
        assert answers.shape == (4, 6)
        assert answers[0] == pytest.approx([0, 0.25, 0.5, 0.75, 3 / 5, 1 / 5], abs=1e-6)
        assert answers[1:, 4:].max() < 1e-6

    def test_each_part(self):
        quarter = [0, 0, 0.5, 0.5]
        assert self.loss(self.outputs(kinds=(-20, 0, 20)), [*quarter, 1]) == pytest.approx(0, abs=1e-4)
        assert self.loss(self.outputs()) == pytest.approx(0, abs=1e-4)
        # Focal: nothing, the class and another one are equally likely.
        even = (1 - 1 / 3) ** 2 * math.log(3)
        assert self.loss(self.outputs(kinds=(0, 0, 0)), [*quarter, 1]) == pytest.approx(even, abs=1e-4)
        assert self.loss(self.outputs(kinds=(0, 0, 0))) == pytest.approx(even, abs=1e-4)
        # A box of half the height: half in common, and the centres .125 apart in a diagonal of .5 * sqrt(2). Complete
        # IoU weighs how the ratio differs, v = 4/pi^2 (atan 1 - atan 2)^2, by v / (1 - IoU + v).
        v = 4 / math.pi**2 * (math.atan(1) - math.atan(2)) ** 2
        fit = 0.5 - 0.125**2 / 0.5 - v * v / (0.5 + v)
        found = self.loss(self.outputs(kinds=(-20, 20, -20)), [0, 0, 0.25, 0.5, 0])
        assert found == pytest.approx(2 * (1 - fit), abs=1e-3)

    def test_the_anchor_that_overlaps_an_object_most_shows_it(self):
        # .2 x .2 of .5 x .5: 16 %, less than the half that others need.
        small = [0.15, 0.15, 0.35, 0.35]
        assert self.loss(self.outputs(), [*small, 0]) > 20
        assert self.loss(self.outputs(kinds=(-20, 20, -20)), [*small, 0]) == pytest.approx(2 * (1 - 0.16), abs=1e-3)

    def test_what_is_said_of_an_ignored_object_is_not_judged(self):
        sure = self.outputs(kinds=(-20, 20, -20))
        assert self.loss(sure) == pytest.approx(40, abs=0.01)
        assert self.loss(sure, [0, 0, 0.5, 0.5, -2]) == pytest.approx(0, abs=1e-4)


class TestRegion:
    head = RegionHead(classes=2, proposals="windows", sizes=(0.5,), boxes="class")
    """Nine windows; for each three logits, then for each three boxes."""

    def outputs(self):
        kinds, steps = np.full((9, 3), -20, np.float32), np.zeros((9, 3, 4), np.float32)
        kinds[:, 0] = 20
        # The first one shows class 1, and its box for that is half its height lower.
        kinds[0], steps[0, 2, 0] = (0, 0, math.log(2)), 0.5
        return np.concatenate([kinds.ravel(), steps.ravel()])[None]

    def test_answers_are_of_each_region_and_class(self):
        answers = np.asarray(self.head.answers(self.outputs()))[0]
        assert answers.shape == (9 * 2, 6)
        assert answers[0] == pytest.approx([0, 0, 0.5, 0.5, 1 / 4, 0], abs=1e-6)
        assert answers[1] == pytest.approx([0.25, 0, 0.75, 0.5, 0, 2 / 4], abs=1e-6)

    def test_a_region_learns_the_object_it_overlaps_by_half(self):
        def loss(*box):
            return float(self.head.loss(targets([*box, 1]), self.outputs(), label_smoothing=0.0)[0])

        # 9/11 of the first window and of it together, 6/14 of the next. The box for its class is .2 lower.
        right = loss(0.05, 0, 0.55, 0.5)
        off = 1 - (0.3 / 0.7 - 0.2**2 / (0.7**2 + 0.5**2))
        assert right == pytest.approx((1 / 2) ** 2 * math.log(2) + 2 * off, abs=1e-3)
        # Of an object that no window overlaps by half, nothing is learned; that it is nothing has a chance of 1/4.
        assert loss(0.1, 0.1, 0.2, 0.2) == pytest.approx((3 / 4) ** 2 * math.log(4), abs=1e-3)

    def test_the_second_stage_does_not_move_proposals(self):
        """They pass no gradient: what the proposal network learns, its own objects teach it."""
        import tensorflow as tf

        layer = Proposals(count=3)
        scores, boxes = tf.Variable(tf.zeros((1, 2, 2, 2))), tf.Variable(TestProposals.boxes[None, :, None])
        model = keras_model(layer, ((2, 2, 2), (4, 1, 4)))
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model([scores, boxes]))
        assert tape.gradient(total, [scores, boxes]) == [None, None]

    def test_anchors_are_found_again_in_the_vector(self):
        """The loss does not see the map's height and width: anchors are what their boxes were moved from."""
        head = RegionHead(classes=2, sizes=(0.3, 0.6), regions=4, units=())
        network = Architecture(input_shape=(4, 6, 1), blocks=(Conv(filters=3), head))
        model = network.build()
        image = np.random.default_rng(0).random((1, 4, 6, 1)).astype(np.float32)
        vector = np.asarray(model(image))
        first, *_ = head._parts(vector)
        places = np.asarray(before_move(np.asarray(first[2]), np.asarray(first[1])))[0]
        np.testing.assert_allclose(places, anchors(4, 6, ((0.3, 0.3), (0.6, 0.6))), atol=1e-5)

    def test_bins_of_several_levels_are_a_pyramid(self):
        rule = (
            r"only a pyramid has several levels of `bins`; received pooling=roi_align and bins=\[2, 1\]; "
            r"use pooling: pyramid, or one number"
        )
        with pytest.raises(ArchitectureError, match=rule):
            Architecture(input_shape=(8, 8, 1), blocks=(RegionHead(classes=2, bins=(2, 1)),))

    def test_roi_pooling_is_a_pyramid_of_one_level(self):
        one, other = (
            Architecture(input_shape=(8, 8, 1), blocks=(RegionHead(classes=2, pooling=pooling, bins=2),))
            for pooling in ("roi_pool", "pyramid")
        )
        assert one.id == other.id

    def test_a_device_has_no_proposals(self):
        network = Architecture(input_shape=(16, 16, 1), blocks=(RegionHead(classes=2),))
        rule = r"LiteRT has no TOPK_V2 for them, which the layer 01_region_proposals needs; choose a network without it"
        with pytest.raises(NasError, match=rule):
            convert(network, None, calibration=np.zeros((1, 16, 16, 1), np.uint8))
        fixed = Architecture(input_shape=(16, 16, 1), blocks=(RegionHead(classes=2, proposals="windows"),))
        assert fixed.lacking == ()


@pytest.mark.parametrize("head", [RpnHead(classes=3), RegionHead(classes=3), RegionHead(classes=3, boxes="class")])
def test_at_first_scores_are_low_and_boxes_are_the_anchors(head):
    network = Architecture(input_shape=(12, 12, 1), blocks=(Conv(filters=8), head))
    outputs = network.build()(np.random.default_rng(0).random((4, 12, 12, 1)).astype(np.float32))
    answers = np.asarray(head.answers(outputs))
    assert answers[..., 4:].max() < 0.15
    sides = answers[..., 2:4] - answers[..., :2]
    assert 0.15 < np.median(sides) < 0.45
