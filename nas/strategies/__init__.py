"""How to search: one file a strategy, one import line here."""

from nas.strategies.base import STRATEGIES, Strategy, StrategyError, make_strategy
from nas.strategies.random import RandomStrategy

__all__ = ["STRATEGIES", "RandomStrategy", "Strategy", "StrategyError", "make_strategy"]
