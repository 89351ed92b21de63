"""Searches that were killed: MLflow takes them for running until their journal is read again."""

from __future__ import annotations

import logging
from pathlib import Path

from nas.errors import NasError
from nas.tuning.folder import searches
from nas.tuning.search import Search

logger = logging.getLogger(__name__)


def sync_killed(runs_dir: Path, tracking_uri: str | None = None) -> None:
    """Bring MLflow up to date with each search that it takes for running and that no process runs.

    A search for which that fails stays as it is: this is done on the way to something else.
    """
    from nas.tracking import Store, running_searches

    try:
        running = running_searches(Store.resolve(runs_dir, tracking_uri))
    except NasError as error:
        logger.debug("%s", error)
        return
    for name in searches(runs_dir) if running else ():
        try:
            search = Search(name, runs_dir)
            if search.tracking_run(tracking_uri).search_id in running:
                search.sync(tracking_uri)
        except NasError as error:  # it runs, or cannot be read
            logger.debug("%s: %s", name, error)
