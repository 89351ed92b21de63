"""The MLflow UI on this machine, and the address of a search in it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final
from urllib.error import URLError

from nas.command_line import without_password
from nas.errors import NasError
from nas.tracking import mlflow_page, runs, views
from nas.tracking.projection import SearchRun
from nas.tracking.publishing import publish
from nas.tracking.store import Store
from nas.tracking.tracker import one_line

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
PORT = 5000
START_SECONDS = 300.0
"""For a server of ours to answer; a slow machine takes two minutes to import MLflow."""
_LOG_LINES = 20
"""Of a server that did not start."""
_PORTS_TRIED = 20
_FRONT_SHOWN = 100
"""Points of each front in a comparison, whose runs are all named in the page's filter."""


@final
@dataclass(frozen=True)
class Server:
    """An MLflow UI that answers; `process` is None if it was not started here."""

    url: str
    process: subprocess.Popen[bytes] | None

    def wait(self) -> None:
        """Until the server ends."""
        if self.process is not None:
            self.process.wait()


@contextmanager
def serve(
    runs_dir: Path,
    uri: str | None = None,
    *,
    port: int | None = None,
    host: str = HOST,
    start_seconds: float = START_SECONDS,
) -> Iterator[Server]:
    """The UI of a store: the remote server that keeps it, or one started here for as long as the context lasts.

    Args:
        runs_dir: where searches are kept.
        uri: of the store; see `Store.resolve`.
        port: of a server of ours; the first free one from 5000 if left out.
        host: on which a server of ours listens; this machine only if left out.
        start_seconds: how long a server of ours may take to answer.

    Raises:
        NasError: it did not start, or the store does not answer.
    """
    store = Store.resolve(runs_dir, uri)
    remote = mlflow_page.ui_root(store.uri)
    if remote is not None:
        _ask(store)
        yield Server(remote, None)
        return
    if store.uri.startswith("databricks"):
        raise NasError("Databricks has a UI of its own; open its workspace in a browser")
    _ask(store)
    port = _free_port(host) if port is None else _usable_port(host, port)
    arguments = ["--host", host, "--port", str(port), "--workers", "1"]
    if store.artifact_root is not None:
        arguments += ["--artifacts-destination", store.artifact_root.as_uri()]
    # One process of the web server and none for jobs: 0.4 GB instead of 1.9 GB.
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # Not an argument: every user of the machine can list those, and the address may hold a password.
        "MLFLOW_BACKEND_STORE_URI": store.uri,
    }
    url = f"http://{_reachable(host)}:{port}"
    # A file, because a pipe that is not read fills up and stops the server.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *arguments],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, url, log, start_seconds)
            yield Server(url, process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ask(store: Store) -> None:
    """An address at which nothing answers is an error here, not a blank page in the browser.

    Raises:
        NasError: the store cannot be read.
    """
    try:
        store.connect().search_experiments(max_results=1)
    except Exception as error:  # see Tracker
        logger.debug("MLflow", exc_info=True)
        raise NasError(one_line(error, store, what="read")) from error


def url_of(server: Server, search: SearchRun | None) -> str:
    """The page of a search: its Pareto chart, or its runs, the front first, where MLflow's page shows no saved views.

    Without a search, or if it is not in the store yet, the page of all experiments.
    """
    if search is None:
        return server.url
    client = search.store.connect()
    experiment = client.get_experiment_by_name(search.experiment)
    if experiment is None:
        return server.url
    wanted = views.search_views(search.search_id, search.name, search.objectives, search.choices)
    identity = str(experiment.experiment_id)
    published = publish(client, search.store, identity, wanted)
    return (mlflow_page.view_url if published else mlflow_page.plain_url)(server.url, identity, wanted[0])


def remote_url(search: SearchRun) -> str | None:
    """Where a tracking server shows the search; `None` without a server, or if it does not answer."""
    root = mlflow_page.ui_root(search.store.uri)
    if root is None:
        return None
    try:
        return url_of(Server(root, None), search)
    except Exception:  # an address is a convenience: the results are on disk
        logger.debug("the address of %s", search.name, exc_info=True)
        return None


def comparison_url_of(server: Server, searches: Sequence[SearchRun]) -> str:
    """The page with the fronts of several searches in one chart.

    Raises:
        NasError: they are not in one MLflow experiment, have other objectives, or one of them is not in the store.
    """
    first = searches[0]
    if len({search.objectives.costs for search in searches}) > 1:
        told = "; ".join(f"{search.name}: {', '.join(c.name for c in search.objectives.costs)}" for search in searches)
        raise NasError(f"only searches with the same objectives can be compared; received {told}")
    if {search.experiment for search in searches} != {first.experiment}:
        names = ", ".join(sorted({repr(search.experiment) for search in searches}))
        raise NasError(f"MLflow compares searches on one data set; these are on {names}; compare them with nas front")
    client = first.store.connect()
    experiment = client.get_experiment_by_name(first.experiment)
    identity = "" if experiment is None else str(experiment.experiment_id)
    run_ids: list[str] = []
    for search in searches:
        mine = f"tags.`{runs.SEARCH_ID}` = '{search.search_id}'"
        wanted = (f"{mine} AND tags.`{runs.ROLE}` = 'search'", f"{mine} AND tags.`{runs.PARETO}` = 'true'")
        found = [
            run.info.run_id
            for query in (wanted if identity else ())
            for run in client.search_runs([identity], query, max_results=_FRONT_SHOWN)
        ]
        if not found:
            raise NasError(f"the search {search.name!r} is not in MLflow; add it with: nas sync {search.name}")
        run_ids += found
    view = views.comparison_view([search.name for search in searches], run_ids, first.objectives)
    published = publish(client, first.store, identity, [view])
    return (mlflow_page.view_url if published else mlflow_page.plain_url)(server.url, identity, view)


def _reachable(host: str) -> str:
    """An address at which a browser on this machine finds a server on `host`."""
    return HOST if host in ("0.0.0.0", "::", "") else host


def _problem_of_port(host: str, port: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _usable_port(host: str, port: int) -> int:
    problem = _problem_of_port(host, port)
    if problem:
        raise NasError(f"port {port} cannot be used ({problem}); give another one with --port")
    return port


def _free_port(host: str) -> int:
    for port in range(PORT, PORT + _PORTS_TRIED):
        if not _problem_of_port(host, port):
            return port
    raise NasError(f"no port from {PORT} to {PORT + _PORTS_TRIED - 1} is free on {host}; give another one with --port")


def _listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether it is this server that answers: another that was started at once may have taken the port."""
    import psutil

    try:
        main = psutil.Process(process.pid)
        family = [main, *main.children(recursive=True)]
        return any(c.status == psutil.CONN_LISTEN for one in family for c in one.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it may be ours
        return True


def _wait_until_ready(
    process: subprocess.Popen[bytes], url: str, log: IO[bytes], start_seconds: float = START_SECONDS
) -> None:
    deadline = time.monotonic() + start_seconds
    # A proxy of the environment would ask its own machine for 127.0.0.1.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = _tell_log(log)
            raise NasError(f"the MLflow UI did not start: {last or 'no reason given'}")
        try:
            with direct.open(f"{url}/health", timeout=2):
                if _listens(process):
                    return
        except (URLError, OSError):
            pass
        time.sleep(0.3)
    _tell_log(log)
    raise NasError(f"the MLflow UI did not answer within {start_seconds:g} seconds; let it take longer with --wait 20m")


def _tell_log(log: IO[bytes]) -> str:
    """Warn with the end of a server's log; its last line."""
    # The server writes at the end of the file, wherever that is: they share one position.
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - 100_000))
    lines = without_password(log.read().decode(errors="replace")).strip().splitlines()[-_LOG_LINES:]
    if lines:
        logger.warning("the end of the server's log:\n%s", "\n".join(f"  {line}" for line in lines))
    return lines[-1] if lines else ""
