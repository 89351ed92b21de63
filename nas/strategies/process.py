"""A Gaussian process over architectures: categorical decisions, some of which depend on others.

Two architectures are as different as their decisions: a gene with two different values adds its weight to their
distance, a gene that neither has adds nothing, and one that only one of them has adds half, as if the other stood in
the middle of its values. That is a squared Euclidean distance, so that the kernel is positive definite whatever the
weights. The covariance is `product * exp(-distance)`, which lets decisions interact, plus `linear` times the number
of equal decisions, which lets them add up. Weights, scales and noise are those of the highest posterior density.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, np.dtype[np.float64]]
    Matrix = np.ndarray[Any, np.dtype[np.float64]]

SPREAD = 1.0
"""Standard deviation, in the prior, of the logarithm of a gene's weight around what all genes share."""

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
        features: of the observed architectures: a row of zeros and ones each, a column a gene and value.
        targets: what was observed.
        gene_of: the gene of each column.
        settings: of the kernel.
    """

    def __init__(self, features: Matrix, targets: Vector, gene_of: Sequence[int], settings: Settings) -> None:
        import numpy as np
        from scipy.linalg import cho_solve

        self.features, self.targets, self.gene_of, self.settings = features, targets, gene_of, settings
        covariance = self._covariance(features, features)
        covariance[np.diag_indices_from(covariance)] += np.exp(settings.noise) + JITTER
        self.factor = np.linalg.cholesky(covariance)
        solved = cho_solve((self.factor, True), np.stack([targets, np.ones(len(targets))], axis=1))
        self.mean = float(solved[:, 0].sum() / solved[:, 1].sum())
        self.solved = solved[:, 0] - self.mean * solved[:, 1]

    @property
    def log_likelihood(self) -> float:
        """Of the observations, up to a constant."""
        import numpy as np

        return float(-0.5 * (self.targets - self.mean) @ self.solved - np.log(np.diag(self.factor)).sum())

    def predict(self, features: Matrix) -> tuple[Vector, Vector]:
        """Mean and standard deviation of what is true, noise left out."""
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

    def imagining(self, features: Matrix) -> Process:
        """As if what is expected of these had been observed."""
        import numpy as np

        targets = np.concatenate([self.targets, self.means(features)])
        return Process(np.concatenate([self.features, features]), targets, self.gene_of, self.settings)

    def _covariance(self, left: Matrix, right: Matrix) -> Matrix:
        import numpy as np

        weights = np.exp(self.settings.weights)[np.asarray(self.gene_of, dtype=np.int64)]
        distance = 0.5 * ((left @ weights)[:, None] + right @ weights) - (left * weights) @ right.T
        result: Matrix = np.exp(self.settings.product - distance)
        result += math.exp(self.settings.linear) * (left @ right.T)
        return result


def fit(features: Matrix, targets: Vector, gene_of: Sequence[int], start: Settings | None = None) -> Settings:
    """The settings of the highest posterior density.

    The likelihood is the marginal one. The prior holds the weights of the genes together, so that few observations fix
    what they share and many tell them apart.

    Args:
        features: as in `Process`.
        targets: with mean 0 and standard deviation 1.
        gene_of: as in `Process`.
        start: where to begin; with equal weights if left out.
    """
    import numpy as np
    from scipy.linalg import cho_solve
    from scipy.optimize import minimize

    genes = np.asarray(gene_of, dtype=np.int64)
    count = int(genes.max(initial=-1)) + 1
    member = np.zeros((len(genes), count))
    member[np.arange(len(genes)), genes] = 1.0
    gram = features @ features.T
    active = max(float(features.sum(axis=1).mean()), 1.0)
    # Of the shared weight (two architectures without anything in common correlate little), the scales, the noise.
    center = np.log([2.0 / active, 1.0, 0.3 / active, 0.02])
    width = np.array([1.0, 1.0, 1.5, 1.5])
    ones = np.ones(len(targets))

    def loss(point: Vector) -> tuple[float, Vector]:
        """The negative log density of departures of the weights, their shared size, scales and noise; its gradient."""
        shared, log_product, log_linear, log_noise = point[count:]
        weights = np.exp(shared + point[:count])
        columns = weights[genes]
        own = features @ columns
        product = np.exp(log_product - 0.5 * (own[:, None] + own) + (features * columns) @ features.T)
        linear = np.exp(log_linear) * gram
        noise = np.exp(log_noise)
        covariance = product + linear
        covariance[np.diag_indices_from(covariance)] += noise + JITTER
        factor = np.linalg.cholesky(covariance)
        inverse = cho_solve((factor, True), np.eye(len(targets)), check_finite=False)
        row_sums = inverse @ ones
        residuals = targets - (targets @ row_sums) / row_sums.sum()
        solved = inverse @ residuals
        value = 0.5 * residuals @ solved + np.log(np.diag(factor)).sum()
        inner = 0.5 * (inverse - np.outer(solved, solved))
        against = inner * product
        # A weight's derivative: minus the gene's share of all distances, each weighed by what it explains.
        by_column = features.T @ against.sum(axis=1) - ((against @ features) * features).sum(axis=0)
        by_gene = -weights * (by_column @ member)
        scales = [by_gene.sum(), against.sum(), (inner * linear).sum(), noise * np.trace(inner)]
        departures = np.concatenate([point[:count] / SPREAD, (point[count:] - center) / width])
        value += 0.5 * departures @ departures
        widths = np.concatenate([np.full(count, SPREAD), width])
        return float(value), np.concatenate([by_gene, scales]) + departures / widths

    first = np.concatenate([np.zeros(count), center])
    if start is not None:
        shared = float(start.weights.mean()) if count else float(center[0])
        first = np.concatenate([start.weights - shared, [shared, start.product, start.linear, start.noise]])
    bounds = [*[(-5.0, 5.0)] * count, *BOUNDS]
    first = np.clip(first, *np.transpose(bounds))
    best = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS, "ftol": 1e-7}).x
    return Settings(best[:count] + best[count], *(float(value) for value in best[count + 1 :]))
