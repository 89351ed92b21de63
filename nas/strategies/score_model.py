"""The score to expect of an architecture that was not trained, and how certain that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, final

from nas.space.protocol import Genes
from nas.strategies.process import Process, Settings, fit

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]
    Matrix = np.ndarray[Any, np.dtype[np.float64]]

FIT_MOST = 150
"""Observations that settings are fitted to, at most."""


ORDERED = 4
"""Values from which on a gene of numbers is ordered."""


@final
class Encoder:
    """Genes as rows of zeros and ones.

    A gene has one column per value, of which that of its value is set. A gene of at least `ORDERED` numbers has one
    column per step from a value to the next, with a weight of its own; all steps up to its value are set, so that near
    values are alike. Nothing is set for a gene that is not there.

    Attributes:
        gene_of: the gene, or the step, of each column: columns of one gene share a weight.
    """

    def __init__(self, genes: Mapping[str, Sequence[str]]) -> None:
        self.columns: dict[tuple[str, str], list[int]] = {}
        self.gene_of: list[int] = []
        known = -1
        for name, all_values in genes.items():
            values = [value for value in all_values if value]
            if len(values) < 2:
                continue  # it says nothing: another gene decides whether it is there
            numbers = [_number(value) for value in values]
            first = len(self.gene_of)
            if len(values) >= ORDERED and None not in numbers:
                ranked = [value for _, value in sorted(zip(numbers, values, strict=True))]
                for place, value in enumerate(ranked):
                    self.columns[name, value] = list(range(first, first + place))
                self.gene_of += range(known + 1, known + len(ranked))
            else:
                for place, value in enumerate(values):
                    self.columns[name, value] = [first + place]
                self.gene_of += [known + 1] * len(values)
            known = self.gene_of[-1]

    def __call__(self, architectures: Sequence[Genes]) -> Matrix:
        import numpy as np

        rows = np.zeros((len(architectures), len(self.gene_of)))
        for row, genes in zip(rows, architectures, strict=True):
            row[[column for pair in genes.items() for column in self.columns.get(pair, ())]] = 1.0
        return rows


def _number(value: str) -> float | None:
    """A value such as "16" or "1/4" as a number; None: it is a word."""
    try:
        return float(Fraction(value))
    except (ValueError, ZeroDivisionError):
        return None


class Fitted(NamedTuple):
    """What explains some observations best; it holds for further ones of the same space.

    Attributes:
        settings: of the process.
        center, scale: mean and standard deviation of what the scores are worth; the process sees differences from the
            mean, in standard deviations.
    """

    settings: Settings
    center: float
    scale: float


@final
class ScoreModel:
    """A Gaussian process of what scores are worth; kernel and noise are those that explain the data best.

    Worth is the logarithm of the error, of which differences of good networks are as large as those of bad ones.

    Args:
        encoder: of the space.
        genes: of the observed architectures.
        worths: what their scores are worth.
        deviations: standard deviation of each worth in addition to the noise that all have, such as that of an expected
            score; none if left out.
        fitted: the kernel and the noise; those that explain these observations best if left out.
    """

    def __init__(
        self,
        encoder: Encoder,
        genes: Sequence[Genes],
        worths: Vector,
        deviations: Vector | None = None,
        fitted: Fitted | None = None,
    ) -> None:
        import numpy as np

        deviations = np.zeros_like(worths) if deviations is None else deviations
        self.encoder = encoder
        settings, self.center, self.scale = fitted or fit_model(encoder, genes, worths, deviations)
        targets, variances = (worths - self.center) / self.scale, (deviations / self.scale) ** 2
        self._process = Process(encoder(genes), targets, encoder.gene_of, settings, variances)

    @property
    def believed(self) -> Vector:
        """Mean of the worth of each architecture that was observed or imagined, in order."""
        return self.center + self.scale * self._process.believed

    def predict(self, genes: Sequence[Genes]) -> tuple[Vector, Vector]:
        """Mean and standard deviation of the worth, without the noise of one training."""
        means, deviations = self._process.predict(self.encoder(genes))
        return self.center + self.scale * means, self.scale * deviations

    def difference(self, genes: Sequence[Genes], others: Sequence[Genes]) -> tuple[float, float]:
        """Mean and standard deviation of how far the mean worth of some architectures exceeds that of others."""
        import numpy as np

        features = self.encoder([*genes, *others])
        weights = np.concatenate([np.full(len(genes), 1 / len(genes)), np.full(len(others), -1 / len(others))])
        mean, deviation = self._process.combination(features, weights)
        return self.scale * mean, self.scale * deviation

    def imagine(self, genes: Sequence[Genes]) -> None:
        """Go on as if these architectures had been observed to be as good as they are believed to be."""
        if genes:
            self._process = self._process.imagining(self.encoder(genes))


def fit_model(encoder: Encoder, genes: Sequence[Genes], worths: Vector, deviations: Vector) -> Fitted:
    """What explains observations best; the arguments are those of `ScoreModel`, the most important first.

    Time grows with the cube of the observations: those after the first `FIT_MOST` are left out.
    """
    worths, deviations = worths[:FIT_MOST], deviations[:FIT_MOST]
    center, scale = float(worths.mean()), float(worths.std()) or 1.0
    settings = fit(encoder(genes[:FIT_MOST]), (worths - center) / scale, encoder.gene_of, (deviations / scale) ** 2)
    return Fitted(settings, center, scale)
