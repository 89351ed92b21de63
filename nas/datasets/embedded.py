"""The data that come with the package, as they are known without reading them."""

from __future__ import annotations

from nas.datasets.spec import DatasetInfo
from nas.files import paths

DIGITS = DatasetInfo(name=paths.DIGITS, input_shape=(8, 8, 1), labels=tuple("0123456789"), images={"train": 1_797})
