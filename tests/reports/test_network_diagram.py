"""The picture of a network: well-formed, complete, nothing over anything else."""

import itertools
import random
import re
import xml.etree.ElementTree as ET

import pytest

from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead, Inception, Pool, Residual
from nas.files.shipped import shipped
from nas.reports.drawing import Drawing, Path, Rect, Text
from nas.reports.network_diagram import _COLORS, diagram
from nas.space import load_space
from tests.architecture.layer_examples import EXAMPLES

REFERENCES = [name for name in shipped("search_spaces") if name.startswith("reference/")]


def networks():
    for name in REFERENCES:
        yield pytest.param(load_space(name).only(), id=name)
    space, rng = load_space("mixed", input_shape=(8, 8, 1)), random.Random(0)
    for number in range(10):
        yield pytest.param(space.sample(rng), id=f"mixed {number}")


def boxes(drawing):
    """The layers' boxes, which are filled and outlined and no frames."""
    return [s for s in drawing.shapes if isinstance(s, Rect) and s.radius == 5]


def points(path):
    for _, *numbers in path.commands:
        yield from zip(numbers[::2], numbers[1::2], strict=True)


@pytest.mark.parametrize("network", list(networks()))
class TestEveryPicture:
    def test_is_well_formed_svg_that_refers_to_nothing_outside(self, network):
        svg = diagram(network).svg()
        root = ET.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not re.search(r"href|url\(|<script|<style|<image", svg)

    def test_nothing_leaves_the_page(self, network):
        drawing = diagram(network)
        for shape in drawing.shapes:
            if isinstance(shape, Rect):
                corners = [(shape.x, shape.y), (shape.x + shape.width, shape.y + shape.height)]
            else:
                corners = [(shape.x, shape.y)] if isinstance(shape, Text) else list(points(shape))
            for x, y in corners:
                assert 0 <= x <= drawing.width, shape
                assert 0 <= y <= drawing.height, shape

    def test_no_box_covers_another(self, network):
        for a, b in itertools.combinations(boxes(diagram(network)), 2):
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            assert apart, (a, b)

    def test_no_line_runs_through_a_box(self, network):
        drawing = diagram(network)
        for path in (s for s in drawing.shapes if isinstance(s, Path) and s.fill == "none"):
            for x, y in sampled(path):
                for box in boxes(drawing):
                    inside = box.x + 1 < x < box.x + box.width - 1 and box.y + 1 < y < box.y + box.height - 1
                    assert not inside, (path, box)

    def test_text_fits_its_box(self, network):
        drawing = diagram(network)
        for box in boxes(drawing):
            lines = {}
            for text in drawing.shapes:
                if (
                    isinstance(text, Text)
                    and box.x < text.x < box.x + box.width
                    and box.y < text.y < box.y + box.height
                ):
                    lines.setdefault(text.y, []).append(text)
            for line in lines.values():
                # Helvetica's mean width is about half its size, a little more in bold.
                assert sum(len(t.text) * t.size * (0.56 if t.bold else 0.52) for t in line) < box.width - 12, line


def sampled(path, steps=40):
    """Points on a path."""
    here = (0.0, 0.0)
    for name, *numbers in path.commands:
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        if name == "L":
            (end,) = pairs
            yield from (
                tuple(a + (b - a) * t / steps for a, b in zip(here, end, strict=True)) for t in range(steps + 1)
            )
        elif name == "C":
            for step in range(steps + 1):
                t = step / steps
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
                curve = (here, *pairs)
                yield tuple(sum(w * p[axis] for w, p in zip(weights, curve, strict=True)) for axis in (0, 1))
        here = pairs[-1]


def small(*blocks):
    return Architecture(input_shape=(8, 8, 1), blocks=(*blocks, GlobalPoolHead(classes=10)))


def texts(drawing):
    return [shape.text for shape in drawing.shapes if isinstance(shape, Text)]


def test_every_kind_of_layer_has_a_color():
    assert {layer.symbol.kind for layer, _ in EXAMPLES} | {"end"} == _COLORS.keys()


def test_branches_stand_side_by_side():
    drawing = diagram(small(Inception(branch1x1=2, branch3x3=3, branch5x5=1, branch_pool=0)))
    x = {s.text: s.x for s in drawing.shapes if isinstance(s, Text) and s.text.startswith("conv")}
    assert x["conv 1×1, 2"] < x["conv 3×3, 3"] < x["conv 5×5, 1"]


def test_an_identity_shortcut_is_a_curve_around_the_convolutions():
    with_shortcut = diagram(small(Conv(filters=4), Residual(filters=4)))
    around = max(x for s in with_shortcut.shapes if isinstance(s, Path) for x, _ in points(s))
    convolution = next(box for box in boxes(with_shortcut) if box.y > 100)
    assert around > convolution.x + convolution.width


def test_shapes_parameters_and_totals_are_written():
    network = small(Conv(filters=4, normalization="none"), Pool())
    written = texts(diagram(network, "mine"))
    # 3*3*1*4 + 4, and 4*10 + 10 of the dense layer.
    assert {"mine", "90 parameters, 2.34k multiply-adds", "8×8×1", "conv 3×3, 4", "40", "4×4×4", "50"} <= set(written)


def test_a_long_network_has_columns_and_is_no_ribbon():
    for name in ("vgg19", "resnet101", "densenet169", "googlenet"):
        drawing = diagram(load_space(f"reference/{name}").only())
        assert 0.6 < drawing.width / drawing.height < 2, name
        assert drawing.height < 2_000


def test_a_name_cannot_break_the_file():
    svg = diagram(small(Pool()), "<script>&\"'</script>").svg()
    assert ET.fromstring(svg).find("{http://www.w3.org/2000/svg}title").text == "<script>&\"'</script>"
    assert "<script>" not in svg


def test_both_formats_show_the_same_shapes():
    drawing = Drawing(
        100,
        50,
        "t",
        (
            Rect(10, 10, 30, 20, fill="#ff0000"),
            Path((("M", 60, 10), ("L", 90, 10), ("L", 90, 40), ("L", 60, 40)), fill="#0000ff"),
            Text(50, 48, "$x$", 8, "#000000"),
        ),
    )
    import io

    import matplotlib.image

    pixels = matplotlib.image.imread(io.BytesIO(drawing.png(scale=1)), format="png")
    assert pixels.shape[:2] == (50, 100)
    assert list(pixels[20, 25][:3]) == [1, 0, 0]
    assert list(pixels[25, 75][:3]) == [0, 0, 1]
    assert list(pixels[5, 5][:3]) == [1, 1, 1]
    assert '<rect x="10" y="10" width="30" height="20" rx="0" fill="#ff0000"' in drawing.svg()
    assert '<path d="M60 10 L90 10 L90 40 L60 40" fill="#0000ff"' in drawing.svg()


def test_the_same_network_gives_the_same_picture():
    first, second = (diagram(load_space("reference/googlenet").only()).svg() for _ in range(2))
    assert first == second
