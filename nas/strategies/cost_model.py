"""What a candidate costs before it is trained: counted, or predicted from what was measured of other networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, final

from nas.objectives import COSTS, Cost, log_cost
from nas.space.protocol import AnyCandidate, Candidate, Space
from nas.strategies.score_model import Encoder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

RIDGE = 1.0
"""Weight of the prior that a decision adds nothing to what the counts say, in observations."""

PRIOR_DEVIATION = 0.3
"""Of the logarithm of a measured cost around its prediction, before any was measured; it counts as one observation."""

ARITHMETIC_DEVIATION = 0.02
"""The same of a cost that arithmetic predicts."""


@final
class CostModel(Generic[AnyCandidate]):
    """Logarithms of costs: counted ones are known, and each measured one has a regression of its own, of what
    arithmetic on the layers leaves of it.

    Args:
        space: of the candidates.
        encoder: of the space.
        costs: one column each.
        measured: of each measured cost, candidates and what was measured of them.
    """

    def __init__(
        self,
        space: Space[AnyCandidate],
        encoder: Encoder,
        costs: Sequence[Cost],
        measured: Mapping[Cost, Sequence[tuple[AnyCandidate, float]]],
    ) -> None:
        self.space, self.encoder, self.costs = space, encoder, costs
        self._learned = {cost: self._learn(cost, pairs) for cost, pairs in measured.items()}

    def __call__(self, candidates: Sequence[AnyCandidate]) -> Array:
        """A row a candidate, a column a cost; the expected one where it has to be measured."""
        import numpy as np

        columns = [
            self.predict(cost, candidates)[0] if cost.measured else _log_counts(candidates, cost) for cost in self.costs
        ]
        return np.stack(columns, axis=1)

    def predict(self, cost: Cost, candidates: Sequence[AnyCandidate]) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm of a measured cost."""
        mean, deviation = self._learned[cost](self._features(candidates))
        return mean + _log_predictions(candidates, cost), deviation

    def is_within(self, cost: Cost, candidates: Sequence[AnyCandidate], most: float) -> Array:
        """The probability that a measured cost is at most so much."""
        import numpy as np
        from scipy.special import ndtr

        mean, deviation = self.predict(cost, candidates)
        result: Array = ndtr((np.log(most) - mean) / deviation)
        return result

    def _learn(self, cost: Cost, pairs: Sequence[tuple[AnyCandidate, float]]) -> _Regression:
        import numpy as np

        candidates = [candidate for candidate, _ in pairs]
        targets = np.log([value for _, value in pairs]) - _log_predictions(candidates, cost)
        is_predicted = bool(candidates) and candidates[0].predicted(cost) is not None
        return _Regression(
            self._features(candidates), targets, ARITHMETIC_DEVIATION if is_predicted else PRIOR_DEVIATION
        )

    def _features(self, candidates: Sequence[AnyCandidate]) -> Array:
        import numpy as np

        genes = [self.space.encode(candidate) for candidate in candidates]
        counts = (_log_counts(candidates, cost) for cost in COSTS.values() if cost.is_counted)
        return np.column_stack([*counts, self.encoder(genes)])


@final
class _Regression:
    """Ridge regression of a cost's logarithm on those of the counts and on the decisions.

    A network's time, say, is close to a product of powers of what it computes and moves, times a factor for each kind
    of layer.

    Args:
        features: one row per network.
        targets: logarithms of what was measured of them, less those of predictions.
        deviation: of targets before any was measured.
    """

    def __init__(self, features: Array, targets: Array, deviation: float) -> None:
        import numpy as np

        self.center, self.mean = features.mean(axis=0), float(targets.mean())
        centered, gains = features - self.center, targets - self.mean
        self.covariance = np.linalg.inv(centered.T @ centered + RIDGE * np.eye(features.shape[1]))
        self.slopes = self.covariance @ (centered.T @ gains)
        residuals = gains - centered @ self.slopes
        # The prior counts as one network; the mean has used up one.
        self.variance = float(residuals @ residuals + deviation**2) / len(targets)

    def __call__(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation."""
        import numpy as np

        away = features - self.center
        spread = np.einsum("nf,fg,ng->n", away, self.covariance, away)
        return self.mean + away @ self.slopes, np.sqrt(self.variance * (1 + spread))


def _log_counts(candidates: Sequence[Candidate], cost: Cost) -> Array:
    import numpy as np

    return np.array([log_cost(cost.of(candidate.count)) for candidate in candidates])


def _log_predictions(candidates: Sequence[Candidate], cost: Cost) -> Array:
    """Of arithmetic; 0 where it has nothing to say."""
    import numpy as np

    return np.array([log_cost(candidate.predicted(cost) or 1) for candidate in candidates])
