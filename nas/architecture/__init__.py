"""What a network is: blocks, arithmetic, counts. Pure Python; TensorFlow is imported only to build."""

from nas.architecture.architecture import Architecture, ArchitectureError
from nas.architecture.budget import Budget, BudgetError
from nas.architecture.count import Count

__all__ = ["Architecture", "ArchitectureError", "Budget", "BudgetError", "Count"]
