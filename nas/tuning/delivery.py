"""What is made of a search's networks outside of it: files, versions in a registry, measurements of a device."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import NasError
from nas.files.durable import write_atomically
from nas.quantity import counted
from nas.results.trial import TrialRecord
from nas.tuning.folder import SearchError
from nas.tuning.shipped import keep, lacks

if TYPE_CHECKING:
    import numpy as np

    from nas.datasets.spec import DatasetSpec
    from nas.export import ExportReport, PixelType, Scenes
    from nas.tracking.model_registry import RegisteredModel
    from nas.tuning.search import Search

logger = logging.getLogger(__name__)

RANDOM_IMAGES = 64
"""On which an export is checked when the data are gone."""

CALIBRATES = "a quantized network is calibrated on the training images: {}"
DETECTS = (
    "a classifier of crops detects with windows like the training objects: {}; --format keras, litert or onnx write "
    "the classifier alone"
)
"""What the images are needed for; why they are not at hand is told in the middle."""

DRAWN = 6
"""Images in the picture of a point's predictions."""


def export(
    search: Search, record: TrialRecord, to: Path, *, format: str, pixels: PixelType, allowed_loss: float | None
) -> ExportReport:
    """As `Search.export`, of one trial."""
    from nas.devices import import_tensorflow

    logger.info("starting TensorFlow")
    import_tensorflow()
    from nas.export import FORMATS, export
    from nas.export.exporter import ALLOWED_LOSS

    weights = search.weights_of(record)
    formats = [FORMATS.find(name) for name in format.split(",")]
    logger.info("reading the data")
    data, scenes = None, None
    if any(each.is_quantized for each in formats):
        data = _needed_images(search, CALIBRATES)
    if search.experiment.dataset.form == "crops" and any(each.adapts for each in formats):
        data = data or _needed_images(search, DETECTS)
        scenes = _scenes(search)
    data = data or _images(search)
    report = export(
        record.architecture,
        weights,
        labels=search.facts.labels,
        to=to,
        check_images=_random_images(search) if data is None else data.validation.images,
        check_targets=None if data is None else data.validation.targets,
        test=(data.test.images, data.test.targets) if data is not None and record.is_tested else None,
        format=format,
        calibration=None if data is None else data.train.images,
        pixels=pixels,
        allowed_loss=ALLOWED_LOSS if allowed_loss is None else allowed_loss,
        inherited_from=record.parent,
        score=search.experiment.score,
        recipe=record.recipe,
        image_shape=search.facts.input_shape,
        scenes=scenes,
    )
    if data is not None and (facts := report.int8_facts(images=len(data.validation))):
        keep(search.folder.shipped(record.number), facts, search.experiment.score)
        search.refresh()
    return report


def register(
    search: Search, record: TrialRecord, name: str, *, tracking_uri: str | None, export: ExportReport | None
) -> RegisteredModel:
    """As `Search.register`, of one trial."""
    from nas.devices import import_tensorflow
    from nas.training import rebuild
    from nas.training.model import shaped

    import_tensorflow()
    from nas.tracking.model_registry import register_model

    data = _images(search)
    some = (_random_images(search) if data is None else data.validation.images)[:2]
    return register_model(
        search.tracking_run(tracking_uri),
        record,
        rebuild(record.architecture, search.weights_of(record)),
        name=name,
        labels=search.facts.labels,
        example=shaped(some, record.architecture.input_shape),
        files=None if export is None or not export.is_for_devices else export.path,
    )


def measure_front(search: Search) -> None:
    """As `Search.measure_front`."""
    score, folder = search.experiment.score, search.folder
    points = [point for point in search.front if lacks(point, score) and folder.weights(point.number).is_file()]
    if not points:
        return
    from nas.devices import import_tensorflow

    import_tensorflow()
    from nas.export import int8_facts
    from nas.training.model import shaped

    data = _needed_images(search, CALIBRATES)
    logger.info("measuring the int8 files of %s of the front", counted(len(points), "point"))
    for point in points:
        shape = point.architecture.input_shape
        try:
            facts = int8_facts(
                point.architecture,
                search.weights_of(point),
                calibration=shaped(data.train.images, shape),
                validation=(shaped(data.validation.images, shape), data.validation.targets),
                score=score.in_training,
            )
        except NasError as error:
            logger.warning("trial %d: %s", point.number, error)
        else:
            keep(folder.shipped(point.number), facts, score)
    search.refresh()


def draw_front(search: Search) -> None:
    """Draw what each point of the front answers to some validation images, where that has not been done."""
    from nas.datasets import DatasetError

    folder, labels = search.folder, search.facts.labels
    points = [point for point in search.front if folder.weights(point.number).is_file()]
    points = [point for point in points if not folder.predictions(point.number).is_file()]
    if not points:
        return
    from nas.training.model import answers_with, shaped, spread

    try:
        shown = _checked_images(search).validation
    except (DatasetError, SearchError) as error:
        logger.warning("the front's predictions are not drawn: %s", error)
        return
    logger.info("drawing the predictions of %s of the front", counted(len(points), "point"))
    images, targets = spread(shown.images, DRAWN), spread(shown.targets, DRAWN)
    for point in points:
        network, path = point.architecture, folder.predictions(point.number)
        answers = answers_with(network, search.weights_of(point), shaped(images, network.input_shape))
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, search.task.picture(images, targets, answers, labels))


def _images(search: Search) -> DatasetSpec | None:
    """The images of a search; None: they are not at hand, of which a warning tells."""
    from nas.datasets import DatasetError

    try:
        return _checked_images(search)
    except (DatasetError, SearchError) as error:
        logger.warning("checked on %d random images, because the data are not available: %s", RANDOM_IMAGES, error)
        return None


def _needed_images(search: Search, need: str) -> DatasetSpec:
    """The images of a search.

    Raises:
        SearchError: they are not at hand.
    """
    from nas.datasets import DatasetError

    try:
        return _checked_images(search)
    except (DatasetError, SearchError) as error:
        raise SearchError(need.format(error)) from None


def _checked_images(search: Search) -> DatasetSpec:
    from nas.datasets import load, whole

    data = load(whole(search.experiment)) if search.data is None else search.data.load()
    search.folder.check_data(data)
    return data


def _scenes(search: Search) -> Scenes:
    """The images of which a search's crops were cut, once these have been checked."""
    from nas.datasets import load, whole
    from nas.export import Scenes

    config = whole(search.experiment).model_copy(update={"form": None, "crop_size": None})
    data = load(config) if search.data is None else replace(search.data, config=config).load()
    splits = {name: (each.images, each.targets) for name, each in (("val", data.validation), ("test", data.test))}
    return Scenes(labels=data.info.labels, boxes=data.train.targets, splits=splits)


def _random_images(search: Search) -> np.ndarray:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (RANDOM_IMAGES, *search.facts.input_shape), np.uint8)
