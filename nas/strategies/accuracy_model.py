"""What accuracy to expect of an architecture that was not trained, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

from nas.space.protocol import Genes
from nas.strategies.process import Process, Settings, fit

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]
    Matrix = np.ndarray[Any, np.dtype[np.float64]]

POWERS = (1.0, 1.5, 2.0, 2.5, 3.0)
"""Of the warping: 1 leaves accuracies as they are, larger ones spread the good and press the bad together."""

MIDDLE_POWER = 2.0
"""With which the kernel is fitted before the warping is chosen."""

FIT_MOST = 150
"""Observations from which settings are fitted."""


class Warping(NamedTuple):
    """Standardize, raise to a power (Yeo and Johnson, 2000), standardize again. Increasing, so that fronts stay fronts.

    Attributes:
        power: 1 is linear.
        center, scale: of the accuracies.
        warped_center, warped_scale: after the power.
    """

    power: float
    center: float
    scale: float
    warped_center: float
    warped_scale: float

    @classmethod
    def of(cls, accuracies: Vector, power: float) -> Warping:
        """With mean 0 and standard deviation 1 on these accuracies."""
        center, scale = float(accuracies.mean()), float(accuracies.std()) or 1.0
        warped = _power((accuracies - center) / scale, power)
        return cls(power, center, scale, float(warped.mean()), float(warped.std()) or 1.0)

    def __call__(self, accuracies: Vector) -> Vector:
        warped = _power((accuracies - self.center) / self.scale, self.power)
        result: Vector = (warped - self.warped_center) / self.warped_scale
        return result

    def variances(self, accuracies: Vector, deviations: Vector) -> Vector:
        """Of warped accuracies that are uncertain by these standard deviations."""
        result: Vector = ((self(accuracies + deviations) - self(accuracies - deviations)) / 2) ** 2
        return result

    def log_slopes(self, accuracies: Vector) -> float:
        """Sum of the logarithms of the derivative, up to a constant that all powers share."""
        import numpy as np

        standard = (accuracies - self.center) / self.scale
        slopes = (self.power - 1) * np.sign(standard) * np.log1p(np.abs(standard)) - np.log(self.warped_scale)
        return float(slopes.sum())


@final
class Encoder:
    """Genes as rows of zeros and ones: a column a gene and value, none of them set for a gene that is not there."""

    def __init__(self, genes: Mapping[str, Sequence[str]]) -> None:
        self.columns: dict[tuple[str, str], int] = {}
        self.gene_of: list[int] = []
        # Genes of one value say nothing: whether they are there is decided by another.
        choices = ([(name, value) for value in values if value] for name, values in genes.items())
        for gene, pairs in enumerate(pairs for pairs in choices if len(pairs) > 1):
            for pair in pairs:
                self.columns[pair] = len(self.columns)
                self.gene_of.append(gene)

    def __call__(self, architectures: Sequence[Genes]) -> Matrix:
        import numpy as np

        rows = np.zeros((len(architectures), len(self.columns)))
        for row, genes in zip(rows, architectures, strict=True):
            row[[self.columns[pair] for pair in genes.items() if pair in self.columns]] = 1.0
        return rows


class Fitted(NamedTuple):
    """What explains some observations best, and holds for more of the same space."""

    settings: Settings
    warping: Warping


@final
class AccuracyModel:
    """A Gaussian process on warped accuracies; kernel, noise and warping are those that explain the data best.

    Args:
        encoder: of the space.
        genes: of the observed architectures.
        accuracies: observed, one each.
        deviations: standard deviation of each accuracy beside the noise that all have, such as that of one which is
            only expected; none if left out.
        fitted: the kernel, noise and warping; those that explain these observations best if left out.
    """

    def __init__(
        self,
        encoder: Encoder,
        genes: Sequence[Genes],
        accuracies: Vector,
        deviations: Vector | None = None,
        fitted: Fitted | None = None,
    ) -> None:
        import numpy as np

        deviations = np.zeros_like(accuracies) if deviations is None else deviations
        self.encoder = encoder
        settings, self.warping = fitted or fit_model(encoder, genes, accuracies, deviations)
        self.targets = self.warping(accuracies)
        variances = self.warping.variances(accuracies, deviations)
        self._process = Process(encoder(genes), self.targets, encoder.gene_of, settings, variances)

    @property
    def believed(self) -> Vector:
        """Mean of the warped accuracy of each architecture that was observed or imagined, in order."""
        return self._process.believed

    def predict(self, genes: Sequence[Genes]) -> tuple[Vector, Vector]:
        """Mean and standard deviation of the warped accuracy, without the noise of one training."""
        return self._process.predict(self.encoder(genes))

    def imagine(self, genes: Sequence[Genes]) -> None:
        """From now on as if these architectures had been observed to be as good as they are believed to be."""
        if genes:
            self._process = self._process.imagining(self.encoder(genes))


def fit_model(encoder: Encoder, genes: Sequence[Genes], accuracies: Vector, deviations: Vector) -> Fitted:
    """What explains observations best; the arguments are those of `AccuracyModel`, the most important first.

    The kernel is fitted, then the warping is chosen with that kernel, then the kernel is fitted to it. Time grows with
    the cube of the observations: from `FIT_MOST` on, more are left out.
    """
    accuracies, deviations = accuracies[:FIT_MOST], deviations[:FIT_MOST]
    features, gene_of = encoder(genes[:FIT_MOST]), encoder.gene_of
    middle = Warping.of(accuracies, MIDDLE_POWER)
    settings = fit(features, middle(accuracies), gene_of, middle.variances(accuracies, deviations))

    def likelihood(warping: Warping) -> float:
        variances = warping.variances(accuracies, deviations)
        process = Process(features, warping(accuracies), gene_of, settings, variances)
        return process.log_likelihood + warping.log_slopes(accuracies)

    best = max((Warping.of(accuracies, power) for power in POWERS), key=likelihood)
    if best != middle:
        settings = fit(features, best(accuracies), gene_of, best.variances(accuracies, deviations), start=settings)
    return Fitted(settings, best)


def _power(values: Vector, power: float) -> Vector:
    """Yeo and Johnson's transformation."""
    import numpy as np

    up, down = np.maximum(values, 0.0), np.maximum(-values, 0.0)
    bottom = np.log1p(down) if power == 2 else ((down + 1) ** (2 - power) - 1) / (2 - power)
    return np.asarray(((up + 1) ** power - 1) / power - bottom)
