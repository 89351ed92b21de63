"""The embedded default: scikit-learn's 1,797 handwritten digits, as a TFDS data set like any other."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from nas.datasets import tfds_catalog, tfds_source
from nas.datasets.embedded import DIGITS
from nas.datasets.images import shape_of
from nas.datasets.spec import Arrays, DatasetInfo
from nas.datasets.tfds_prepare import install

if TYPE_CHECKING:
    from nas.config import DatasetConfig

_VERSION = "1.0.0"


def accepts(config: DatasetConfig) -> bool:
    return config.name == DIGITS.name


def peek(config: DatasetConfig) -> DatasetInfo:
    return dataclasses.replace(DIGITS, input_shape=shape_of(DIGITS.input_shape, config))


def load_arrays(config: DatasetConfig) -> Arrays:
    """The digits, prepared for TFDS on the first call.

    Raises:
        DatasetError: the TFDS folder cannot be written.
    """
    target = tfds_catalog.data_dir_of(config.data_dir) / DIGITS.name / _VERSION
    if not tfds_catalog.is_prepared(target):
        import tensorflow_datasets as tfds

        tfds.disable_progress_bar()  # A second of work, once: not worth the user's screen.
        install(lambda stage: builder_class()(data_dir=stage), config.data_dir)
    arrays = tfds_source.load_arrays(config.model_copy(update={"name": f"{DIGITS.name}:{_VERSION}"}))
    return Arrays(info=peek(config), train=arrays.train)


@functools.cache  # TFDS registers a builder when its class is made, and refuses a second.
def builder_class() -> Any:
    """The `tfds.core.GeneratorBasedBuilder` of the digits: one split, `train`."""
    import tensorflow_datasets as tfds

    class Digits(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
        """Optical recognition of handwritten digits: 8x8, one channel, 0..16 scaled to 0..255."""

        VERSION = tfds.core.Version(_VERSION)

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description="The 1,797 images of handwritten digits that scikit-learn ships.",
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=DIGITS.input_shape),
                        "label": tfds.features.ClassLabel(names=DIGITS.labels),
                    }
                ),
                supervised_keys=("image", "label"),
                homepage="https://archive.ics.uci.edu/dataset/80",
                # Without it TFDS shuffles by key: the order would depend on its hash.
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Any:
            import numpy as np
            from sklearn.datasets import load_digits

            digits = load_digits()
            images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
            for index, (image, label) in enumerate(zip(images, digits.target, strict=True)):
                yield index, {"image": image, "label": int(label)}

    return Digits
