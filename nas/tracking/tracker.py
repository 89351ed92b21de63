"""Show a running search in MLflow without ever slowing or stopping it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Mapping

from nas.command_line import without_password
from nas.errors import NasError
from nas.results.trial import TrialRecord, TrialStatus
from nas.tracking.projection import Projection, RunStatus, SearchRun
from nas.tracking.runs import SEARCH_ID
from nas.tracking.store import Store, import_mlflow

logger = logging.getLogger(__name__)


class Tracker:
    """Takes finished trials at once and writes them to MLflow in a thread of its own.

    The search's journal is the truth and MLflow a picture of it. When the store does not answer, the picture falls
    behind: `problem` says why, `pending` how far, and the thread tries again, less and less often. Whatever is missing
    at the end, `sync` adds from the journal. Every trial is written once, however often it is passed.

    One process at a time may write a search.
    """

    def __init__(self, search: SearchRun, *, retry_seconds: tuple[float, float] = (1.0, 60.0)) -> None:
        """Prepare; nothing is written yet.

        Args:
            search: what to show, and where.
            retry_seconds: shortest and longest pause after a failure; each is twice the one before.
        """
        self._search = search
        self._first_pause, self._longest_pause = retry_seconds
        self._changed = threading.Condition()
        self._description: dict[str, str] = {}
        self._records: dict[int, TrialRecord] = {}  # in the order in which they finished
        self._status: RunStatus = "RUNNING"
        self._version, self._shown_version = 0, -1
        self._written: frozenset[int] = frozenset()
        self._ids: tuple[str | None, str | None] = (None, None)
        self._url: str | None = None
        self._problem = ""
        self._closing = False
        self._projection: Projection | None = None
        self._thread = threading.Thread(target=self._run, name="nas-tracking", daemon=True)

    def start(self, description: Mapping[str, str], records: Iterable[TrialRecord] = ()) -> None:
        """Begin to write: the search's run, then whatever of `records` is missing.

        Imports MLflow here, in the caller's thread, because two threads that import large libraries at once can meet
        half-imported modules. TensorFlow Datasets has to be imported before: meanwhile it replaces Python's `import`,
        for all threads, by one that refuses relative imports, and SQLAlchemy stays broken once that has met it.

        Args:
            description: parameters of the search's run, such as data set, space, budget and strategy.
            records: the journal of a resumed search, in its order.
        """
        import_mlflow()
        self._description = dict(description)
        self.update_front(records)
        self._thread.start()

    def update_front(self, records: Iterable[TrialRecord]) -> None:
        """Take finished trials; returns at once. The front's tags follow from all that were ever passed.

        A trial that is passed again (with test scores, say) is updated.
        """
        with self._changed:
            for record in records:
                if record.status is TrialStatus.RUNNING:
                    continue
                before = self._records.get(record.number)
                if before is not None and before.status is not record.status:
                    # One that was stopped and went on finishes now.
                    del self._records[record.number]
                self._records[record.number] = record
            self._version += 1
            self._changed.notify_all()

    def finish(self, records: Iterable[TrialRecord] = (), *, status: RunStatus = "FINISHED") -> None:
        """Let the search's run end: exact ranks, the front's figures and tables. Returns at once; then `close`.

        Args:
            records: whatever was not passed yet.
            status: KILLED for a search that can go on.
        """
        self._status = status
        self.update_front(records)

    def close(self, timeout: float = 30.0) -> bool:
        """Wait until everything is written, at most `timeout` seconds; after a failure there is one last try.

        Returns:
            Whether everything is written.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)
        with self._changed:
            if self._shown_version < self._version and not self._problem:
                self._problem = f"MLflow at {self._search.store.label} was not done in {timeout:g} seconds."
            return self._shown_version == self._version

    @property
    def pending(self) -> int:
        """How many finished trials are not in MLflow yet."""
        with self._changed:
            return len(self._records.keys() - self._written)

    @property
    def problem(self) -> str:
        """Why the last try failed, in one line; "" if it did not."""
        return self._problem

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the search's run, once it is known."""
        return self._ids[1]

    @property
    def url(self) -> str | None:
        """Where a browser finds this search, once its tracking server has it; `None` for a store without a server."""
        return self._url

    @property
    def experiment_id(self) -> str | None:
        """MLflow's id of the experiment, once it is known."""
        return self._ids[0]

    def _run(self) -> None:
        pause = self._first_pause
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._shown_version < self._version)
                closing, version, status = self._closing, self._version, self._status
                records = tuple(self._records.values())
            if closing and self._shown_version == version:
                return
            try:
                self._show(records, status)
            except Exception as error:  # MLflow, SQLAlchemy, requests, the file system: a search outlives them all
                logger.debug("MLflow", exc_info=True)
                self._projection = None
                with self._changed:
                    self._problem = one_line(error, self._search.store)
                    if closing:
                        return
                    self._changed.wait_for(lambda: self._closing, timeout=pause)
                pause = min(2 * pause, self._longest_pause)
            else:
                pause = self._first_pause
                with self._changed:
                    self._problem, self._shown_version = "", version

    def _show(self, records: tuple[TrialRecord, ...], status: RunStatus) -> None:
        if self._projection is None or self._projection.is_lost:
            self._projection = Projection(self._search, self._description)
            self._ids = self._projection.experiment_id, self._projection.parent_run_id
            self._url = self._projection.url
        try:
            self._projection.bring_up(records, status)
        finally:
            lost = self._projection.is_lost
            with self._changed:
                self._written = frozenset() if lost else self._projection.written
        if lost:
            raise NasError("the database was deleted or replaced meanwhile")


def sync(
    search: SearchRun,
    records: Iterable[TrialRecord],
    *,
    description: Mapping[str, str],
    status: RunStatus = "FINISHED",
) -> int:
    """Bring MLflow up to date with a search's journal, here and now.

    Args:
        search: what to show, and where.
        records: the journal, in its order.
        description: as for `Tracker.start`.
        status: what the search's run shall show.

    Returns:
        How many trials were added.

    Raises:
        NasError: the store cannot be written; what was added stays, and another `sync` goes on from there.
    """
    finished = tuple(r for r in records if r.status is not TrialStatus.RUNNING)
    try:
        import_mlflow()
        projection = Projection(search, description)
        before = projection.written
        projection.bring_up(finished, status)
    except Exception as error:  # see Tracker
        logger.debug("MLflow", exc_info=True)
        raise NasError(one_line(error, search.store)) from error
    return len(projection.written - before)


def running_searches(store: Store) -> frozenset[str]:
    """Ids of the searches of which the store says that they, or one of their trials, are running.

    Raises:
        NasError: the store cannot be read.
    """
    try:
        client = store.connect()
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=1_000)
    except Exception as error:  # see Tracker
        logger.debug("MLflow", exc_info=True)
        raise NasError(one_line(error, store, what="read")) from error
    return frozenset(run.data.tags.get(SEARCH_ID, "") for run in found)


def one_line(error: Exception, store: Store, *, what: str = "written") -> str:
    """Which store, and what is wrong with it: the innermost cause, which names neither classes nor retries."""
    # MLflow's texts name the address as it was given.
    text = without_password(" ".join(str(error).split()).replace(store.uri, store.label)) or type(error).__name__
    text = re.sub(r" *\(Background on this error at: \S+\)", "", text)
    if "Failed to establish a new connection" in text or "ConnectTimeout" in text or "Read timed out" in text:
        reason = re.search(r"\[Errno -?\d+\] ([\w ,.-]+)", text)
        return f"MLflow at {store.label} does not answer{f' ({reason[1]})' if reason else ''}"
    if len(text) > 300:
        text = f"{text[:297]}..."
    return f"MLflow at {store.label} cannot be {what}: {text}"
