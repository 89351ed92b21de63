"""A Gaussian process over architectures: categorical decisions, some of which depend on others.

Two architectures are as far apart as their decisions: a gene with two different values adds its weight to their
distance, a gene that neither has adds nothing, and one that only one of them has adds half, as if the other stood in
the middle of its values. That is a squared Euclidean distance, so the kernel is positive definite for any weights
(compare Hutter and Osborne, 2013: A kernel for hierarchical parameter spaces). The covariance is
`product * exp(-distance)`, which lets decisions interact, plus `linear` times the number of equal decisions, which lets
them add up. Weights, scales and noise are those of the highest posterior density.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]
    Matrix = np.ndarray[Any, np.dtype[np.float64]]

SPREAD = 0.7
"""Standard deviation, in the prior, of the logarithm of a gene's weight around the weight that all genes share."""

STEPS = 40
"""Of the optimizer, at most."""

JITTER = 1e-6
"""Added to the noise, so that matrices can be factored."""

BOUNDS = ((-9.0, 3.0), (-6.0, 4.0), (-9.0, 4.0), (-11.0, 2.0))
"""Of the shared weight, the scales and the noise, as logarithms."""


class Settings(NamedTuple):
    """All as logarithms: the weight of each gene, the scales of the kernel's two parts, the variance of the noise."""

    weights: Vector
    product: float
    linear: float
    noise: float


@final
class Process:
    """Conditioned on observations.

    Args:
        features: one row of zeros and ones per observed architecture, one column per gene and value.
        targets: what was observed.
        gene_of: the gene of each column.
        settings: of the kernel.
        variances: of each target, in addition to the noise that all have.
    """

    def __init__(
        self, features: Matrix, targets: Vector, gene_of: Sequence[int], settings: Settings, variances: Vector
    ) -> None:
        import numpy as np
        from scipy.linalg import cho_solve

        self.features, self.targets, self.gene_of, self.settings = features, targets, gene_of, settings
        self.variances = variances
        covariance = self._covariance(features, features)
        self.noise = np.exp(settings.noise) + JITTER + variances
        covariance[np.diag_indices_from(covariance)] += self.noise
        self.factor = np.linalg.cholesky(covariance)
        solved = cho_solve((self.factor, True), np.stack([targets, np.ones(len(targets))], axis=1))
        self.mean = float(solved[:, 0].sum() / solved[:, 1].sum())
        self.solved = solved[:, 0] - self.mean * solved[:, 1]

    @property
    def log_likelihood(self) -> float:
        """Of the observations, up to a constant."""
        import numpy as np

        return float(-0.5 * (self.targets - self.mean) @ self.solved - np.log(np.diag(self.factor)).sum())

    @property
    def believed(self) -> Vector:
        """The means at the observations themselves: each target without its noise."""
        result: Vector = self.targets - self.noise * self.solved
        return result

    def predict(self, features: Matrix) -> tuple[Vector, Vector]:
        """Mean and standard deviation, noise left out."""
        import numpy as np
        from scipy.linalg import solve_triangular

        cross = self._covariance(features, self.features)
        explained = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        own = math.exp(self.settings.product) + math.exp(self.settings.linear) * features.sum(axis=1)
        variance = np.maximum(own - (explained**2).sum(axis=0), 1e-10)
        return self.mean + cross @ self.solved, np.sqrt(variance)

    def means(self, features: Matrix) -> Vector:
        """The means alone, at a fraction of the cost."""
        result: Vector = self.mean + self._covariance(features, self.features) @ self.solved
        return result

    def combination(self, features: Matrix, weights: Vector) -> tuple[float, float]:
        """Mean and standard deviation of a weighted sum of values, noise left out."""
        import numpy as np
        from scipy.linalg import solve_triangular

        # Many rows are the same: summed first, their covariances are computed once.
        rows, place = np.unique(features, axis=0, return_inverse=True)
        summed = np.bincount(place.ravel(), weights, minlength=len(rows))
        cross = self._covariance(self.features, rows) @ summed
        explained = solve_triangular(self.factor, cross, lower=True, check_finite=False)
        variance = float(summed @ self._covariance(rows, rows) @ summed - explained @ explained)
        return float(self.mean * summed.sum() + cross @ self.solved), math.sqrt(max(variance, 0.0))

    def imagining(self, features: Matrix) -> Process:
        """As if these had been observed as expected."""
        import numpy as np

        targets = np.concatenate([self.targets, self.means(features)])
        variances = np.concatenate([self.variances, np.zeros(len(features))])
        return Process(np.concatenate([self.features, features]), targets, self.gene_of, self.settings, variances)

    def _covariance(self, left: Matrix, right: Matrix) -> Matrix:
        import numpy as np

        weights = np.exp(self.settings.weights)[np.asarray(self.gene_of, dtype=np.int64)]
        distance = 0.5 * ((left @ weights)[:, None] + right @ weights) - (left * weights) @ right.T
        result: Matrix = np.exp(self.settings.product - distance)
        result += math.exp(self.settings.linear) * (left @ right.T)
        return result


def fit(
    features: Matrix,
    targets: Vector,
    gene_of: Sequence[int],
    variances: Vector,
    start: Settings | None = None,
) -> Settings:
    """The settings of the highest posterior density.

    Args:
        features: as in `Process`.
        targets: with mean 0 and standard deviation 1.
        gene_of: as in `Process`.
        variances: as in `Process`.
        start: where to begin; at the prior's center if left out.
    """
    import numpy as np
    from scipy.optimize import minimize

    density = NegativeLogDensity(features, targets, gene_of, variances)
    bounds = [*[(-5.0, 5.0)] * density.genes, *BOUNDS]
    first = np.clip(density.point(start), *np.transpose(bounds))
    options = {"maxiter": STEPS, "ftol": 1e-7}
    best = minimize(density, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    weights, (product, linear, noise) = best[: density.genes] + best[density.genes], best[density.genes + 1 :]
    return Settings(weights, float(product), float(linear), float(noise))


@final
class NegativeLogDensity:
    """What is minimized: the value and the gradient at a point.

    A point holds, all as logarithms: how much each gene's weight departs from the shared weight, the shared weight, the
    scales of the kernel's two parts, the noise. The likelihood is the marginal one. The prior holds the weights
    together, so that few observations fix the shared weight and many tell them apart.
    """

    def __init__(self, features: Matrix, targets: Vector, gene_of: Sequence[int], variances: Vector) -> None:
        import numpy as np

        self.features, self.targets, self.variances = features, targets, variances
        self.gene_of = np.asarray(gene_of, dtype=np.int64)
        self.genes = int(self.gene_of.max(initial=-1)) + 1
        self.member = np.zeros((len(self.gene_of), self.genes))
        self.member[np.arange(len(self.gene_of)), self.gene_of] = 1.0
        self.equal = features @ features.T
        active = max(float(features.sum(axis=1).mean()), 1.0)
        # Neighbors are alike, architectures without anything in common are not. Without that prior, luck could not be
        # told from a landscape in which every decision matters only together with all others.
        self.center = np.concatenate([np.zeros(self.genes), np.log([2.0 / active, 1.0, 0.3 / active, 0.1])])
        self.width = np.concatenate([np.full(self.genes, SPREAD), [0.5, 1.0, 1.5, 2.0]])

    def point(self, settings: Settings | None) -> Vector:
        """Of settings; the prior's center without any."""
        import numpy as np

        if settings is None or not self.genes:
            return self.center.copy()
        shared = float(settings.weights.mean())
        return np.concatenate([settings.weights - shared, [shared, settings.product, settings.linear, settings.noise]])

    def __call__(self, point: Vector) -> tuple[float, Vector]:
        import numpy as np
        from scipy.linalg import cho_solve

        features, count = self.features, len(self.targets)
        shared, log_product, log_linear, log_noise = point[self.genes :]
        weights = np.exp(shared + point[: self.genes])
        columns = weights[self.gene_of]
        own = features @ columns
        product = np.exp(log_product - 0.5 * (own[:, None] + own) + (features * columns) @ features.T)
        linear = np.exp(log_linear) * self.equal
        noise = np.exp(log_noise)
        covariance = product + linear
        covariance[np.diag_indices_from(covariance)] += noise + JITTER + self.variances
        factor = np.linalg.cholesky(covariance)
        inverse = cho_solve((factor, True), np.eye(count), check_finite=False)
        row_sums = inverse.sum(axis=0)
        residuals = self.targets - (self.targets @ row_sums) / row_sums.sum()
        solved = inverse @ residuals
        value = 0.5 * residuals @ solved + np.log(np.diag(factor)).sum()
        inner = 0.5 * (inverse - np.outer(solved, solved))
        against = inner * product
        # A weight's derivative: minus the gene's share of all distances, each weighted by what it explains.
        by_column = features.T @ against.sum(axis=1) - ((against @ features) * features).sum(axis=0)
        by_gene = -weights * (by_column @ self.member)
        scales = [by_gene.sum(), against.sum(), (inner * linear).sum(), noise * np.trace(inner)]
        departures = (point - self.center) / self.width
        value += 0.5 * departures @ departures
        return float(value), np.concatenate([by_gene, scales]) + departures / self.width
