"""How to search: one file a strategy, one import line here."""

from nas.strategies.aging import AgingStrategy
from nas.strategies.base import STRATEGIES, Strategy, StrategyError, make_strategy
from nas.strategies.ehvi import EhviStrategy
from nas.strategies.evolution import EvolutionStrategy
from nas.strategies.history import History, Proposed, Tried, history_of
from nas.strategies.local import LocalStrategy
from nas.strategies.optuna_peers import OptunaNsga2Strategy, OptunaTpeStrategy
from nas.strategies.random import RandomStrategy

__all__ = [
    "STRATEGIES",
    "AgingStrategy",
    "EhviStrategy",
    "EvolutionStrategy",
    "History",
    "LocalStrategy",
    "OptunaNsga2Strategy",
    "OptunaTpeStrategy",
    "Proposed",
    "RandomStrategy",
    "Strategy",
    "StrategyError",
    "Tried",
    "history_of",
    "make_strategy",
]
