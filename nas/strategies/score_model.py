"""The score to expect of an architecture that was not trained, and how certain that is."""

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
"""Of the warping: 1 leaves scores as they are, larger ones spread high scores and compress low ones."""

MIDDLE_POWER = 2.0
"""The kernel is fitted with it before the warping is chosen."""

FIT_MOST = 150
"""Observations that settings are fitted to, at most."""


class Warping(NamedTuple):
    """Standardize, raise to a power (Yeo and Johnson, 2000), standardize again. Increasing, so that fronts stay fronts.

    Attributes:
        power: 1 is linear.
        center, scale: of the scores.
        warped_center, warped_scale: after the power.
    """

    power: float
    center: float
    scale: float
    warped_center: float
    warped_scale: float

    @classmethod
    def of(cls, scores: Vector, power: float) -> Warping:
        """With mean 0 and standard deviation 1 on these scores."""
        center, scale = float(scores.mean()), float(scores.std()) or 1.0
        warped = _power((scores - center) / scale, power)
        return cls(power, center, scale, float(warped.mean()), float(warped.std()) or 1.0)

    def __call__(self, scores: Vector) -> Vector:
        warped = _power((scores - self.center) / self.scale, self.power)
        result: Vector = (warped - self.warped_center) / self.warped_scale
        return result

    def variances(self, scores: Vector, deviations: Vector) -> Vector:
        """Of warped scores that are uncertain by these standard deviations."""
        result: Vector = ((self(scores + deviations) - self(scores - deviations)) / 2) ** 2
        return result

    def log_slopes(self, scores: Vector) -> float:
        """Sum of the logarithms of the derivative, up to a constant that all powers share."""
        import numpy as np

        standard = (scores - self.center) / self.scale
        slopes = (self.power - 1) * np.sign(standard) * np.log1p(np.abs(standard)) - np.log(self.warped_scale)
        return float(slopes.sum())


@final
class Encoder:
    """Genes as rows of zeros and ones: one column per gene and value, none set for a gene that is not there."""

    def __init__(self, genes: Mapping[str, Sequence[str]]) -> None:
        self.columns: dict[tuple[str, str], int] = {}
        self.gene_of: list[int] = []
        # A gene with one value says nothing: another gene decides whether it is there.
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
    """What explains some observations best; it holds for further ones of the same space."""

    settings: Settings
    warping: Warping


@final
class ScoreModel:
    """A Gaussian process on warped scores; kernel, noise and warping are those that explain the data best.

    Args:
        encoder: of the space.
        genes: of the observed architectures.
        scores: observed, one each.
        deviations: standard deviation of each score in addition to the noise that all have, such as that of an expected
            score; none if left out.
        fitted: the kernel, noise and warping; those that explain these observations best if left out.
    """

    def __init__(
        self,
        encoder: Encoder,
        genes: Sequence[Genes],
        scores: Vector,
        deviations: Vector | None = None,
        fitted: Fitted | None = None,
    ) -> None:
        import numpy as np

        deviations = np.zeros_like(scores) if deviations is None else deviations
        self.encoder = encoder
        settings, self.warping = fitted or fit_model(encoder, genes, scores, deviations)
        self.targets = self.warping(scores)
        variances = self.warping.variances(scores, deviations)
        self._process = Process(encoder(genes), self.targets, encoder.gene_of, settings, variances)

    @property
    def believed(self) -> Vector:
        """Mean of the warped score of each architecture that was observed or imagined, in order."""
        return self._process.believed

    def predict(self, genes: Sequence[Genes]) -> tuple[Vector, Vector]:
        """Mean and standard deviation of the warped score, without the noise of one training."""
        return self._process.predict(self.encoder(genes))

    def imagine(self, genes: Sequence[Genes]) -> None:
        """Go on as if these architectures had been observed to be as good as they are believed to be."""
        if genes:
            self._process = self._process.imagining(self.encoder(genes))


def fit_model(encoder: Encoder, genes: Sequence[Genes], scores: Vector, deviations: Vector) -> Fitted:
    """What explains observations best; the arguments are those of `ScoreModel`, the most important first.

    The kernel is fitted, then the warping is chosen with that kernel, then the kernel is fitted to it. Time grows with
    the cube of the observations: those after the first `FIT_MOST` are left out.
    """
    scores, deviations = scores[:FIT_MOST], deviations[:FIT_MOST]
    features, gene_of = encoder(genes[:FIT_MOST]), encoder.gene_of
    middle = Warping.of(scores, MIDDLE_POWER)
    settings = fit(features, middle(scores), gene_of, middle.variances(scores, deviations))

    def likelihood(warping: Warping) -> float:
        variances = warping.variances(scores, deviations)
        process = Process(features, warping(scores), gene_of, settings, variances)
        return process.log_likelihood + warping.log_slopes(scores)

    best = max((Warping.of(scores, power) for power in POWERS), key=likelihood)
    if best != middle:
        settings = fit(features, best(scores), gene_of, best.variances(scores, deviations), start=settings)
    return Fitted(settings, best)


def _power(values: Vector, power: float) -> Vector:
    """Yeo and Johnson's transformation."""
    import numpy as np

    up, down = np.maximum(values, 0.0), np.maximum(-values, 0.0)
    bottom = np.log1p(down) if power == 2 else ((down + 1) ** (2 - power) - 1) / (2 - power)
    return np.asarray(((up + 1) ** power - 1) / power - bottom)
