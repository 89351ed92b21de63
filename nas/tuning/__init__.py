"""The search itself: Keras Tuner's oracle and tuner over our strategies, durable state, resume."""

from nas.tuning.comparable import compare
from nas.tuning.folder import SearchError, SearchFolder, searches
from nas.tuning.plan import Plan
from nas.tuning.running import run
from nas.tuning.search import Search

__all__ = ["Plan", "Search", "SearchError", "SearchFolder", "compare", "run", "searches"]
