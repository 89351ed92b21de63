"""Puts views where MLflow's page finds them, and takes them away."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas.tracking import mlflow_page
from nas.tracking.deadline import CALL_SECONDS, within
from nas.tracking.store import Store
from nas.tracking.views import TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

    from nas.tracking.views import View

logger = logging.getLogger(__name__)


def publish(client: MlflowClient, store: Store, experiment_id: str, wanted: Sequence[View]) -> bool:
    """Write the views that the experiment does not have, or has otherwise, and read them back.

    A view is a convenience: this never raises.

    Args:
        client: of the store.
        store: decides whose page will read the views.
        experiment_id: whose page they are for.
        wanted: the views.

    Returns:
        Whether the page can open all of them.
    """
    try:
        version = mlflow_page.parse_version(_version(store))
        if version is None or not mlflow_page.can_show(version):
            logger.debug("MLflow %s at %s: its page is not known to show saved views", version, store.label)
            return False
        tags = client.get_experiment(experiment_id).tags
        now = time.time_ns() // 1_000_000
        written = False
        for view in wanted:
            known = mlflow_page.decode(tags[view.tag]) if view.tag in tags else None
            named = tags.get(view.tag, "").startswith("{")
            if known is not None and known[0] == view.state and named == (version >= mlflow_page.NAMED):
                continue
            created = known[1] if known and known[1] else now
            client.set_experiment_tag(
                experiment_id, view.tag, mlflow_page.encode(view, version=version, created_ms=created, now_ms=now)
            )
            written = True
        if written:
            tags = client.get_experiment(experiment_id).tags
        # A missing or cut view would send the browser to another page.
        found = [mlflow_page.decode(tags.get(view.tag, "")) for view in wanted]
        return all(known is not None and known[0] == view.state for known, view in zip(found, wanted, strict=True))
    except Exception:  # whatever the store raises: the plain page remains
        logger.debug("views at %s", store.label, exc_info=True)
        return False


def unpublish(client: MlflowClient, experiment: Experiment, search_id: str) -> None:
    """Remove the views of a search from an experiment.

    Raises:
        MlflowException: the store cannot be written.
    """
    for tag, value in experiment.tags.items():
        view = mlflow_page.decode(value) if tag.startswith(TAG) else None
        if view is not None and f"'{search_id}'" in str(view[0].get("searchFilter")):
            client.delete_experiment_tag(experiment.experiment_id, tag)


def _version(store: Store) -> str:
    """Of the MLflow whose page will read the store: the server's, or for a bare database the one installed here."""
    if not store.uri.startswith("http"):
        import mlflow

        return str(mlflow.__version__)
    # MLflow's own requests respect its variables for users, tokens and certificates.
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    credentials: Any = get_default_host_creds
    request: Any = http_request
    answer = within(CALL_SECONDS, lambda: request(credentials(store.uri), "/version", "GET", max_retries=0, timeout=10))
    return str(answer.text) if answer.status_code == 200 else ""
