"""What a candidate costs before it is trained: counted, but for its latency, which is learned from measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, final

from nas.objectives import COUNTS, LATENCY, log_cost
from nas.space.protocol import AnyCandidate, Candidate, Space
from nas.strategies.accuracy_model import Encoder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

RIDGE = 1.0
"""Weight of the prior that a decision adds nothing to what the counts say, in observations."""

PRIOR_DEVIATION = 0.3
"""Of the logarithm of a latency around what is predicted, before any was measured; it counts as one observation."""


@final
class CostModel(Generic[AnyCandidate]):
    """Logarithms of costs.

    The logarithm of latency is a ridge regression on the logarithms of the counts and on the decisions: a network's
    latency is close to a product of powers of what it computes and moves, times a factor a kind of layer.

    Args:
        space: of the candidates.
        encoder: of the space.
        costs: which of `nas.objectives.COSTS`.
        measured: candidates and their latencies in milliseconds.
    """

    def __init__(
        self,
        space: Space[AnyCandidate],
        encoder: Encoder,
        costs: Sequence[str],
        measured: Sequence[tuple[AnyCandidate, float]],
    ) -> None:
        import numpy as np

        self.space, self.encoder, self.costs = space, encoder, costs
        if not measured:
            return
        candidates, latencies = zip(*measured, strict=True)
        features, targets = self._features(candidates), np.log(np.array(latencies))
        self.center, self.mean = features.mean(axis=0), float(targets.mean())
        centered, gains = features - self.center, targets - self.mean
        self.covariance = np.linalg.inv(centered.T @ centered + RIDGE * np.eye(features.shape[1]))
        self.slopes = self.covariance @ (centered.T @ gains)
        residuals = gains - centered @ self.slopes
        # The prior counts for one network, and the mean was taken from them.
        self.variance = float(residuals @ residuals + PRIOR_DEVIATION**2) / len(measured)

    def __call__(self, candidates: Sequence[AnyCandidate]) -> Array:
        """A row a candidate, a column a cost; of a latency that was not measured, what is expected."""
        import numpy as np

        columns = [
            self.latency(candidates)[0] if name == LATENCY else _log_counts(candidates, name) for name in self.costs
        ]
        return np.stack(columns, axis=1)

    def latency(self, candidates: Sequence[AnyCandidate]) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm."""
        import numpy as np

        away = self._features(candidates) - self.center
        spread = np.einsum("nf,fg,ng->n", away, self.covariance, away)
        return self.mean + away @ self.slopes, np.sqrt(self.variance * (1 + spread))

    def is_fast(self, candidates: Sequence[AnyCandidate], most: float) -> Array:
        """How probable it is that a latency is at most so many milliseconds."""
        import numpy as np
        from scipy.special import ndtr

        mean, deviation = self.latency(candidates)
        result: Array = ndtr((np.log(most) - mean) / deviation)
        return result

    def _features(self, candidates: Sequence[AnyCandidate]) -> Array:
        import numpy as np

        genes: list[Mapping[str, str]] = [self.space.encode(candidate) for candidate in candidates]
        return np.column_stack([*(_log_counts(candidates, name) for name in COUNTS), self.encoder(genes)])


def _log_counts(candidates: Sequence[Candidate], name: str) -> Array:
    import numpy as np

    return np.array([log_cost(getattr(candidate.count, name)) for candidate in candidates])
