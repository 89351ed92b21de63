"""MLflow's run page: how it reads saved views, by version, and at which address. Pure: nothing is sent.

MLflow documents none of this; the tests drive a browser through the installed version's page. A version that is
not known to work gets the plain page of runs with a filter in its address.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from nas.errors import NasError
from nas.files import outside

if TYPE_CHECKING:
    from nas.tracking.views import View

NAMED = (3, 15)  # from here on a view has a name, and the page lists it
_PACKED = (2, 18)  # the oldest page that unpacks states
_PLAIN_BELOW = 4  # a major version that is not tested


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of a version.

    >>> parse_version("3.17.2"), parse_version("3.18.0rc1"), parse_version("unknown")
    ((3, 17), (3, 18), None)
    """
    found = re.match(r"(\d+)\.(\d+)", text.strip())
    return (int(found[1]), int(found[2])) if found else None


def can_show(version: tuple[int, int] | None) -> bool:
    """Whether the page of this MLflow is known to open a published view."""
    return version is not None and version >= _PACKED and version[0] < _PLAIN_BELOW


def encode(view: View, *, version: tuple[int, int], created_ms: int, now_ms: int) -> str:
    """The tag's value, as the page of this MLflow reads it: about 1.5 kB, where 5,000 characters fit.

    Args:
        view: what to show.
        version: major and minor of the MLflow that serves the page.
        created_ms: when it was first published.
        now_ms: the time.
    """
    text = json.dumps(view.state, separators=(",", ":"))
    packed = "deflate;" + base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    if version < NAMED:
        return packed
    return json.dumps({"name": view.name[:200], "createdAt": created_ms, "updatedAt": now_ms, "state": packed})


def decode(value: str) -> tuple[dict[str, Any], int] | None:
    """State and time of creation from a tag's value; `None` for anything that is no view."""
    with suppress(NasError), outside.door(NasError):
        created = 0
        if value.startswith("{"):
            envelope = outside.parse_json(value)
            created, value = int(envelope.get("createdAt", 0)), envelope.get("state", value)
        if value.startswith("deflate;"):
            value = zlib.decompress(base64.b64decode(value.removeprefix("deflate;"))).decode()
        state = outside.parse_json(value)
        if isinstance(state, dict):
            return state, created
    return None


def ui_root(uri: str) -> str | None:
    """Where a browser finds the UI of a tracking server, without user and password; `None` if that is not known.

    >>> ui_root("https://me:secret@host:5000/mlflow/"), ui_root("sqlite:////tmp/mlflow.db"), ui_root("databricks")
    ('https://host:5000/mlflow', None, None)
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def view_url(root: str, experiment_id: str, view: View) -> str:
    """The page that opens on a published view; `root` may be "" for a link inside MLflow."""
    query = {"workflowType": "machine_learning", "compareRunsMode": view.mode, "viewStateShareKey": view.key}
    return f"{root}/#/experiments/{experiment_id}/runs?{urlencode(query)}"


def plain_url(root: str, experiment_id: str, view: View) -> str:
    """The page of runs with the view's filter and order in the address, for a page that may not know views."""
    query = {
        "workflowType": "machine_learning",
        "compareRunsMode": "TABLE",
        "searchFilter": view.state["searchFilter"],
        "orderByKey": view.state["orderByKey"],
        "orderByAsc": "true",
    }
    return f"{root}/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"


def run_url(root: str, experiment_id: str, run_id: str) -> str:
    return f"{root}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
