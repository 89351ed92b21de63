"""A classifier of crops that detects: where it looks, what it sees there, and what its SavedModel answers."""

import json
import re

import numpy as np
import pytest

import nas
from nas.architecture import Architecture
from nas.architecture.blocks import Conv, GlobalPoolHead
from nas.cli import main
from nas.devices import import_tensorflow
from nas.export import Scenes, export
from nas.export.windows import AMONG, Windows
from nas.tasks import TASKS
from nas.tasks.suppression import as_served, suppressed
from nas.training.model import shaped

SCENE = (12, 18, 3)


def boxes(*shown):
    """Targets of an image, from pixels."""
    return [[top / 12, left / 18, bottom / 12, right / 18, kind] for top, left, bottom, right, kind in shown]


def test_windows_have_the_objects_shapes_and_are_everywhere():
    targets = np.array([boxes((0, 0, 6, 6, 0), (1, 1, 7, 7, 1)), boxes((2, 2, 8, 14, 0), (0, 0, 1, 1, -1))], np.float32)
    windows = Windows.of(targets, SCENE)
    assert windows.sides == ((6, 6), (6, 12))
    # In steps of a sixth of a side: (12 - 6) / 1 + 1 rows, (18 - 6) / 1 + 1 and (18 - 12) / 2 + 1 columns.
    assert len(windows.boxes) == 7 * 13 + 7 * 4
    assert windows.boxes[0].tolist() == pytest.approx([0, 0, 6 / 12, 6 / 18])
    assert windows.boxes[-1].tolist() == pytest.approx([6 / 12, 6 / 18, 1, 1])


def test_of_many_shapes_three_are_looked_for():
    sides = np.array([*range(2, 12)] * 2)
    targets = np.zeros((1, 20, 5), np.float32)
    targets[0, :, 2], targets[0, :, 3] = sides / 12, sides / 18
    assert len(Windows.of(targets, SCENE).sides) == 3


@pytest.mark.parametrize("side", [1, 3, 5])
def test_small_objects_are_looked_for_at_each_pixel_once(side):
    windows = Windows(image_shape=SCENE, sides=((side, side),))
    assert len(windows.boxes) == (12 - side + 1) * (18 - side + 1)
    assert len(np.unique(windows.boxes, axis=0)) == len(windows.boxes)


def seen_by(windows, image, shape):
    """What each window shows: a classifier that answers the pixels it is given."""
    import tensorflow as tf

    def pixels(shown):
        return tf.cast(tf.reshape(shown, (-1, np.prod(shape))), tf.float32)

    return np.asarray(windows.look(image, shape, pixels, np.prod(shape))).reshape(-1, *shape)


def test_a_window_shows_its_box():
    import_tensorflow()
    image = np.random.default_rng(0).integers(0, 256, SCENE, np.uint8)
    windows = Windows(image_shape=SCENE, sides=((6, 6), (12, 18)))
    seen = seen_by(windows, image, (6, 6, 3))
    assert seen.shape == (7 * 13 + 1, 6, 6, 3)
    for place, box in enumerate(windows.boxes[:-1]):
        top, left, bottom, right = np.rint(box * [12, 18, 12, 18]).astype(int)
        assert (seen[place] == image[top:bottom, left:right]).all()
    # The last one is the whole image, made smaller.
    assert (seen[-1] == shaped(image[None], (6, 6, 3))[0]).all()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    import_tensorflow()
    numbers = np.random.default_rng(1)
    network = Architecture(input_shape=(6, 6, 1), blocks=(Conv(filters=4), GlobalPoolHead(classes=3)))
    model = network.build()
    weights = [3 * each if each.ndim > 1 else each for each in model.get_weights()]
    model.set_weights(weights)

    def images_and_boxes(count):
        images = numbers.integers(0, 256, (count, *SCENE), np.uint8)
        return images, np.array([boxes((0, 0, 6, 6, 1))] * count, np.float32)

    scenes = Scenes(
        labels=("cat", "dog"),
        boxes=images_and_boxes(2)[1],
        splits={"val": images_and_boxes(3), "test": images_and_boxes(4)},
    )
    crops = numbers.integers(0, 256, (5, 6, 6, 3), np.uint8)
    report = export(
        network,
        weights,
        labels=("background", "cat", "dog"),
        to=tmp_path_factory.mktemp("export") / "model",
        check_images=crops,
        check_targets=np.array([0, 1, 2, 0, 1]),
        test=(crops, np.array([0, 1, 2, 0, 1])),
        format="savedmodel,keras",
        image_shape=(6, 6, 3),
        scenes=scenes,
    )
    return report, model, scenes


def test_plain_tensorflow_gets_boxes_of_whole_images(exported):
    import tensorflow as tf

    report, model, scenes = exported
    windows, images = Windows(image_shape=SCENE, sides=((6, 6),)), scenes.splits["test"][0]
    seen = np.stack([seen_by(windows, image, (6, 6, 1)) for image in images])
    scores = np.asarray(model(seen.reshape(-1, 6, 6, 1) / np.float32(255))).reshape(len(images), -1, 3)
    nothing = np.zeros_like(scores[..., :1])
    places = np.broadcast_to(windows.boxes, (len(images), *windows.boxes.shape))
    expected = as_served(suppressed(np.concatenate([places, nothing, scores[..., 1:]], axis=-1), among=AMONG))

    loaded = tf.saved_model.load(str(report.path))
    signature = loaded.signatures["serving_default"]
    assert signature.structured_input_signature[1]["image"].shape.as_list() == [None, *SCENE]
    floats = loaded.signatures["float_0_to_1"](image_0_to_1=tf.constant(images / np.float32(255)))
    for answer in (loaded.serve(images), signature(image=tf.constant(images)), floats):
        assert sorted(answer) == ["boxes", "classes", "count", "scores"]
        np.testing.assert_allclose(answer["scores"], expected["scores"], atol=1e-5)
        np.testing.assert_allclose(answer["boxes"], expected["boxes"], atol=1e-5)
        assert (np.asarray(answer["classes"]) == np.asarray(expected["classes"])).all()
        assert {*np.unique(answer["classes"])} <= {-1, 1, 2}
        assert int(answer["count"].numpy().min()) > 0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be \(n, height, width, channels\) of 12x18x3"):
        signature(image=tf.zeros((1, 6, 6, 3), tf.uint8))


def test_images_as_large_as_crops_are_looked_at_too(tmp_path):
    import tensorflow as tf

    network = Architecture(input_shape=(6, 6, 1), blocks=(Conv(filters=2), GlobalPoolHead(classes=2)))
    images = np.random.default_rng(2).integers(0, 256, (2, 6, 6, 1), np.uint8)
    targets = np.array([[[0, 0, 0.5, 0.5, 0]]] * 2, np.float32)
    report = export(
        network,
        network.build().get_weights(),
        labels=("background", "cat"),
        to=tmp_path / "model",
        check_images=images,
        scenes=Scenes(labels=("cat",), boxes=targets, splits={"val": (images, targets)}),
    )
    loaded = tf.saved_model.load(str(report.path))
    floats = loaded.signatures["float_0_to_1"](image_0_to_1=tf.constant(images / np.float32(255)))
    for name, answer in loaded.serve(images).items():
        np.testing.assert_allclose(floats[name], answer, atol=1e-6)
    assert loaded.signatures["answers"](image=tf.constant(images))["probabilities"].shape == (2, 2)


def test_crops_are_still_classified(exported):
    import tensorflow as tf

    report, model, scenes = exported
    crops = scenes.splits["test"][0][:, :6, :6]
    answer = tf.saved_model.load(str(report.path)).signatures["answers"](image=tf.constant(crops))
    gray = np.asarray(tf.image.rgb_to_grayscale(crops)) / np.float32(255)
    np.testing.assert_allclose(answer["probabilities"], model(gray), atol=1e-5)


def test_the_card_says_how_well_it_detects(exported):
    import tensorflow as tf

    report, _, scenes = exported
    card = json.loads((report.path / "export.json").read_text())
    assert card["detector"] == dict(report.detector)
    macs = 7 * 13 * (6 * 6 * 4 * 9 + 4 * 3)
    assert {key: card["detector"][key] for key in ("image_shape", "windows", "macs", "val_images", "test_images")} == {
        "image_shape": [*SCENE],
        "windows": 7 * 13,
        "macs": macs,
        "val_images": 3,
        "test_images": 4,
    }
    loaded = tf.saved_model.load(str(report.path))
    answer = loaded.serve(scenes.splits["test"][0])
    found = np.concatenate(
        [answer["boxes"], np.asarray(answer["classes"])[..., None] - 1, np.asarray(answer["scores"])[..., None]],
        axis=-1,
    )
    found[np.asarray(answer["classes"]) < 0] = [0, 0, 0, 0, -1, 0]
    truths = np.pad(scenes.splits["test"][1], [(0, 0), (0, 0), (0, 1)])
    assert card["detector"]["test_map"] == pytest.approx(
        TASKS["detection"].score_of(np.concatenate([found, truths], axis=1).astype(np.float32)), abs=1e-6
    )
    assert "<title>dog" in (report.path / "predictions.svg").read_text()


@pytest.fixture
def scenes():
    """Forty dark images, each with a bright square of class 0 or a bright bar of class 1; and their boxes."""
    numbers = np.random.default_rng(0)
    images, targets = numbers.integers(0, 60, (40, 24, 24, 1), np.uint8), np.empty((40, 1, 5), np.float32)
    for number, image in enumerate(images):
        kind = number % 2
        height, width = (8, 8) if kind == 0 else (12, 4)
        top, left = numbers.integers(0, 24 - height), numbers.integers(0, 24 - width)
        image[top : top + height, left : left + width] = 200
        targets[number, 0] = *(np.array([top, left, top + height, left + width]) / 24), kind
    return images, targets


SETTINGS = {
    "dataset.as": "crops",
    "dataset.crop_size": 8,
    "budget.max_parameters": 600,
    "training.batch_size": 16,
    "training.learning_rate": 0.02,
    "workers": 0,
}


def test_a_search_over_crops_of_arrays_exports_a_detector(scenes, tmp_path):
    done = nas.search(
        dataset=scenes, space="tiny", trials=1, epochs=8, name="arrays", runs_dir=tmp_path, settings=SETTINGS
    )
    report = done.export(tmp_path / "model", format="savedmodel,litert")
    assert report.detector["image_shape"] == [24, 24, 1]
    assert report.detector["val_images"] == 6
    assert report.detector["val_map"] > 0.5
    # Any other format has the classifier alone.
    assert done.export(tmp_path / "other", format="litert").detector is None


def test_the_command_says_what_a_detector_does_and_needs_its_images(scenes, tmp_path, capsys):
    np.savez(tmp_path / "scenes.npz", images=scenes[0], boxes=scenes[1])
    runs = ["--runs-dir", str(tmp_path / "runs")]
    sets = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    chosen = ["--dataset", str(tmp_path / "scenes.npz"), "--space", "tiny", "--name", "n", "--trials", "1"]
    assert main(["search", "digits", *chosen, "--epochs", "1", *sets, *runs]) == 0
    assert main(["export", "n", "--to", str(tmp_path / "model"), *runs]) == 0
    told = capsys.readouterr().out
    assert re.search(
        r"  the network classifies crops of 8x8x1; savedmodel takes 24x24x1, looks at [\d,]+ windows "
        r"\([\d,]+ multiply-adds\) and gives boxes: mAP@50 [\d.]+% on 8 test images\n",
        told,
    )
    np.savez(tmp_path / "scenes.npz", images=scenes[0][:, ::-1], boxes=scenes[1])
    for reason in ("the search 'n' was started with other", r"scenes\.npz"):
        assert main(["export", "n", "--to", str(tmp_path / "again"), *runs]) == 1
        assert re.search(
            rf"a classifier of crops detects with windows like the training objects: .*{reason}.*; --format keras, "
            r"litert or onnx write the classifier alone",
            " ".join(capsys.readouterr().err.split()),
        )
        (tmp_path / "scenes.npz").unlink(missing_ok=True)
    assert main(["export", "n", "--to", str(tmp_path / "again"), "--format", "keras", *runs]) == 0
