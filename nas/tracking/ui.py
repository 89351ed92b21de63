"""The MLflow UI on this machine, and the address of a search in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.error import URLError
from urllib.parse import quote, urlencode

from nas.errors import NasError
from nas.tracking.projection import SearchRun
from nas.tracking.store import Store

HOST = "127.0.0.1"
START_SECONDS = 120.0


@final
@dataclass(frozen=True)
class Server:
    """An MLflow UI that answers; `process` is None if somebody else runs it."""

    url: str
    process: subprocess.Popen[bytes] | None

    def wait(self) -> None:
        """Until the server ends."""
        if self.process is not None:
            self.process.wait()


@contextmanager
def serve(runs_dir: Path, uri: str | None = None, *, port: int = 5000) -> Iterator[Server]:
    """The UI of a store: the remote server that keeps it, or one started here for as long as the context lasts.

    A server of ours listens on this machine only.

    Raises:
        NasError: it did not start.
    """
    store = Store.resolve(runs_dir, uri)
    if store.uri.startswith("http"):
        yield Server(store.uri, None)
        return
    store.connect()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise NasError(f"port {port} cannot be used ({error.strerror}); give another one with --port") from None
    arguments = ["--backend-store-uri", store.uri, "--host", HOST, "--port", str(port), "--workers", "1"]
    if store.artifact_root is not None:
        arguments += ["--artifacts-destination", store.artifact_root.as_uri()]
    # One process of the web server and none for jobs: 0.4 GB instead of 1.9 GB.
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _wait_until_ready(process, f"http://{HOST}:{port}")
        yield Server(f"http://{HOST}:{port}", process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def url_of(server: Server, search: SearchRun | None) -> str:
    """The page of a search: its runs, the front first.

    Without a search, or if it is not in the store yet, the page of all experiments.
    """
    if search is None:
        return server.url
    client = search.store.connect()
    experiment = client.get_experiment_by_name(search.experiment)
    if experiment is None:
        return server.url
    query = urlencode(
        {
            "workflowType": "machine_learning",
            "compareRunsMode": "TABLE",
            "searchFilter": f"tags.`nas.search_id` = '{search.search_id}'",
            "orderByKey": "metrics.`pareto_rank`",
            "orderByAsc": "true",
        },
        quote_via=quote,
    )
    return f"{server.url}/#/experiments/{experiment.experiment_id}/runs?{query}"


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = (process.stderr.read() if process.stderr else b"").decode(errors="replace").strip().splitlines()
            raise NasError(f"the MLflow UI did not start: {lines[-1] if lines else 'no reason given'}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.3)
    raise NasError(f"the MLflow UI did not answer within {START_SECONDS:g} seconds")
