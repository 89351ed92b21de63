"""The heads of detection by hand: which cell answers for an object, what it answers, and what it is asked to learn."""

import math

import numpy as np
import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, PointsHead, YoloHead
from nas.architecture.blocks.cells import cells_of

BOX = [0.55, 0.1, 0.75, 0.6]
"""Its centre is at .65 from the top and .35 from the left, and it is .2 high and .5 wide."""


def logit(share):
    return math.log(share / (1 - share))


def says_the_box(outputs, first):
    """Of a grid of 2 rows and 4 columns the cell in row 1, column 1 says the box, its logits from `first` on."""
    outputs[0, 1, 1, first : first + 4] = [logit(value) for value in (2 * 0.65 - 1, 4 * 0.35 - 1, 0.2, 0.5)]
    return outputs


def targets(*rows):
    return np.array([[*rows, [-1] * 5]], np.float32)


def loss(head, outputs, *rows, label_smoothing=0.0):
    return float(head.loss(targets(*rows), outputs, label_smoothing=label_smoothing)[0])


def test_the_centre_decides_on_the_cell():
    boxes = np.array([[BOX, [0, 0, 0.1, 0.1], [0.9, 0.9, 1, 1], [0.4, 0.7, 0.6, 0.8]]], np.float32)
    assert np.asarray(cells_of(boxes, 2, 4)).tolist() == [[4 + 1, 0, 4 + 3, 4 + 3]]


class TestYolo:
    head = YoloHead(classes=2)

    def outputs(self, confidence=20.0, classes=(20, -20)):
        """Certain of everything, and right."""
        outputs = np.zeros((1, 2, 4, 7), np.float32)
        outputs[..., 4] = -20
        outputs[0, 1, 1, 4:] = confidence, *classes
        return says_the_box(outputs, 0)

    def test_answers(self):
        answers = np.asarray(self.head.answers(self.outputs(confidence=logit(0.8), classes=(logit(0.75), 0))))[0]
        assert answers.shape == (8, 6)
        assert answers[5] == pytest.approx([*BOX, 0.8 * 0.75, 0.8 * 0.25], abs=1e-6)
        assert answers[:, 4:].max(axis=1).argmax() == 5
        assert answers[0, :4].tolist() == pytest.approx([0, 0, 0.5, 0.375])  # cut at the border

    def test_nothing_is_to_learn_where_all_is_right(self):
        assert loss(self.head, self.outputs(), [*BOX, 0]) == pytest.approx(0, abs=1e-4)
        assert loss(self.head, np.zeros((1, 2, 4, 7)) - 20, [0] * 4 + [-1]) == pytest.approx(0, abs=1e-4)

    def test_each_part(self):
        missed = loss(self.head, self.outputs(confidence=logit(0.25)), [*BOX, 0])
        assert missed == pytest.approx(-math.log(0.25), abs=1e-4)
        confused = loss(self.head, self.outputs(classes=(logit(0.25), 0)), [*BOX, 0])
        assert confused == pytest.approx(-math.log(0.25), abs=1e-4)
        # Half the weight where there is nothing.
        invented = loss(self.head, self.outputs(confidence=logit(0.25)))
        assert invented == pytest.approx(-0.5 * math.log(0.75), abs=1e-4)
        # As large, and off by a tenth of the width: overlap 4/6, and the distance of the centres, .05, against the
        # diagonal of both together.
        off = [BOX[0], BOX[1] + 0.1, BOX[2], BOX[3] + 0.1]
        fit = 4 / 6 - 0.1**2 / (0.6**2 + 0.2**2)
        wanted = -(fit * math.log(1 / (1 + math.exp(-20))) + (1 - fit) * math.log(1 / (1 + math.exp(20))))
        assert loss(self.head, self.outputs(), [*off, 0]) == pytest.approx(5 * (1 - fit) + wanted, rel=1e-3)

    def test_a_box_belongs_to_the_first_of_two_objects_and_to_none_that_is_ignored(self):
        once = loss(self.head, self.outputs(), [*BOX, 0])
        assert loss(self.head, self.outputs(), [*BOX, 0], [*BOX, 1]) == pytest.approx(once, abs=1e-5)
        assert loss(self.head, self.outputs(), [*BOX, 1], [*BOX, 0]) == pytest.approx(40, abs=0.1)
        # That something is there is not wrong.
        assert loss(self.head, self.outputs()) == pytest.approx(0.5 * 20, abs=1e-3)
        assert loss(self.head, self.outputs(), [*BOX, -2]) == pytest.approx(0, abs=1e-3)

    def test_of_several_boxes_the_one_that_fits_is_responsible(self):
        head = YoloHead(classes=2, boxes=2)
        outputs = np.zeros((1, 2, 4, 12), np.float32)
        outputs[..., [4, 9]] = -20
        outputs[0, 1, 1, 9:] = 20, 20, -20
        assert loss(head, says_the_box(outputs, 5), [*BOX, 0]) == pytest.approx(0, abs=1e-4)
        answers = np.asarray(head.answers(outputs))[0]
        assert answers.shape == (16, 6)
        assert answers[11] == pytest.approx([*BOX, 1, 0], abs=1e-6)

    def test_dense_layers_make_the_same_grid_as_a_vector(self):
        head = YoloHead(classes=2, units=(3,), grid=2)
        outputs = self.outputs()[:, :, :2]
        assert head.output_shape((5, 5, 1)) == (2 * 2 * 7,)
        vector = outputs.reshape(1, -1)
        assert np.asarray(head.answers(vector)).tolist() == np.asarray(self.head.answers(outputs)).tolist()
        assert loss(head, vector, [*BOX, 0]) == loss(self.head, outputs, [*BOX, 0])


class TestPoints:
    head = PointsHead(classes=2)

    def outputs(self, heat=20.0):
        outputs = np.full((1, 2, 4, 6), -20, np.float32)
        outputs[0, 1, 1, 0] = heat
        return says_the_box(outputs, 2)

    def test_answers(self):
        answers = np.asarray(self.head.answers(self.outputs(heat=logit(0.8))))[0]
        assert answers.shape == (8, 6)
        assert answers[5] == pytest.approx([*BOX, 0.8, 0], abs=1e-6)

    def test_each_part(self):
        assert loss(self.head, self.outputs(), [*BOX, 0]) == pytest.approx(0, abs=1e-4)
        # Focal: what is nearly right weighs little.
        missed = loss(self.head, self.outputs(heat=logit(0.25)), [*BOX, 0])
        assert missed == pytest.approx(-(0.75**2) * math.log(0.25), abs=1e-4)
        invented = loss(self.head, self.outputs(heat=logit(0.25)))
        assert invented == pytest.approx(-(0.25**2) * math.log(0.75), abs=1e-4)
        off = [BOX[0], BOX[1] + 0.1, BOX[2], BOX[3] + 0.1]
        assert loss(self.head, self.outputs(), [*off, 0]) == pytest.approx(2 * (1 - 4 / 6 + 0.01 / 0.4), abs=1e-3)

    def test_beside_a_centre_little_is_wrong(self):
        """The box is .5 wide, of 4 cells 2: the next column is a cell of 1/3 standard deviation away."""
        outputs = self.outputs()
        outputs[0, 1, 2, 0] = logit(0.25)
        bell = math.exp(-((1 / (2 / 6)) ** 2) / 2)
        wanted = -((1 - bell) ** 4) * 0.25**2 * math.log(0.75)
        assert loss(self.head, outputs, [*BOX, 0]) == pytest.approx(wanted, abs=1e-4)

    def test_what_is_said_of_an_ignored_object_is_not_judged(self):
        assert loss(self.head, self.outputs()) == pytest.approx(20, abs=1e-3)
        assert loss(self.head, self.outputs(), [*BOX, -2]) == pytest.approx(0, abs=1e-3)

    def test_two_classes_may_be_in_one_cell(self):
        outputs = self.outputs()
        outputs[0, 1, 1, 1] = 20
        assert loss(self.head, outputs, [*BOX, 0], [*BOX, 1]) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("head", [YoloHead(classes=3), YoloHead(classes=3, units=(6,), grid=2), PointsHead(classes=3)])
def test_at_first_scores_are_low_and_boxes_of_a_usual_size(head):
    network = Architecture(input_shape=(12, 12, 1), blocks=(Conv(filters=8), head))
    outputs = network.build()(np.random.default_rng(0).random((4, 12, 12, 1)).astype(np.float32))
    answers = np.asarray(head.answers(outputs))
    assert answers[..., 4:].max() < 0.1
    sides = answers[..., 2:4] - answers[..., :2]
    assert 0.2 < np.median(sides) < 0.35
