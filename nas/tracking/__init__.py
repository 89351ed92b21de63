"""A search in MLflow: one run a search, one nested run a trial, and the front as figures and tables."""

from nas.tracking.projection import RunStatus, SearchRun
from nas.tracking.store import Store, search_id
from nas.tracking.tracker import Tracker, running_searches, sync

__all__ = ["RunStatus", "SearchRun", "Store", "Tracker", "running_searches", "search_id", "sync"]
