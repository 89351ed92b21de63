"""Taking a search out of MLflow."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas.errors import NasError
from nas.tracking.publishing import unpublish
from nas.tracking.runs import SEARCH_ID
from nas.tracking.store import Store
from nas.tracking.tracker import one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, RunInfo

logger = logging.getLogger(__name__)

_IDS_A_PROCESS = 1_000


def delete_search(store: Store, search_id: str) -> int:
    """Delete the runs of a search, its trials' runs and its saved views; how many runs there were.

    A SQLite store forgets them for good, with their files. A server keeps deleted runs in its trash until `mlflow gc`
    runs there. Registered models have files of their own and stay.

    Raises:
        NasError: the store cannot be reached or written; a second call goes on from there.
    """
    if store.is_sqlite and store.identity is None:
        return 0  # never written; a client would make it
    try:
        client = store.connect()
        found = []
        for experiment in client.search_experiments():
            unpublish(client, experiment, search_id)
            found += _runs(client, experiment, f"tags.`{SEARCH_ID}` = '{search_id}'")  # hexadecimal
        for run in found:
            if run.lifecycle_stage == "active":
                client.delete_run(run.run_id)
        if store.is_sqlite:
            _forget(store, [run.run_id for run in found])
    except NasError:
        raise
    except Exception as error:  # see Tracker
        logger.debug("MLflow", exc_info=True)
        raise NasError(one_line(error, store)) from error
    return len(found)


def _runs(client: MlflowClient, experiment: Experiment, query: str) -> list[RunInfo]:
    from mlflow.entities import ViewType

    found: list[RunInfo] = []
    token = None
    while True:
        page = client.search_runs([experiment.experiment_id], query, ViewType.ALL, max_results=1_000, page_token=token)
        found += [run.info for run in page]
        token = page.token
        if not token:
            return found


def empty_trash(store: Store) -> int:
    """Remove for good what was deleted in MLflow's pages, of any search; how many runs. Only a SQLite store has such.

    Raises:
        NasError: the store cannot be read or written.
    """
    if not store.is_sqlite or store.identity is None:
        return 0
    try:
        client = store.connect()
        ids = [
            run.run_id
            for experiment in client.search_experiments()
            for run in _runs(client, experiment, f"tags.`{SEARCH_ID}` LIKE '%'")
            if run.lifecycle_stage == "deleted"
        ]
        _forget(store, ids)
        store.compact()
    except NasError:
        raise
    except Exception as error:  # see Tracker
        logger.debug("MLflow", exc_info=True)
        raise NasError(one_line(error, store)) from error
    return len(ids)


def _forget(store: Store, run_ids: Sequence[str]) -> None:
    """Remove deleted runs of a SQLite store for good, with their files.

    Raises:
        NasError: MLflow refuses.
    """
    for first in range(0, len(run_ids), _IDS_A_PROCESS):
        # A process, because MLflow has no other interface to this, and this one prints.
        command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", store.uri, "--tracking-uri", store.uri]
        done = subprocess.run(
            [*command, "--run-ids", ",".join(run_ids[first : first + _IDS_A_PROCESS])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            check=False,
        )
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise NasError(f"the runs are deleted, but MLflow at {store.label} keeps them in its trash: {reason[0]}")
