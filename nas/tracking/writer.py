"""Runs of one MLflow experiment, read once and written by difference."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from nas.tracking.store import Store

logger = logging.getLogger(__name__)

FILES_MISSING = "nas.files_missing"
"""Tag of a run whose files could not be uploaded: which, and why."""

_METRICS_A_BATCH = 1_000

_NAME = "mlflow.runName"
"""Tag in which MLflow keeps a run's name."""


@dataclass(kw_only=True, slots=True)
class KnownRun:
    """A run as the store has it; `data` are the digests of its data sets."""

    run_id: str
    artifact_uri: str
    status: str
    start_ms: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    data: set[str]

    @classmethod
    def of(cls, run: Run) -> KnownRun:
        return cls(
            run_id=run.info.run_id,
            artifact_uri=run.info.artifact_uri,
            status=run.info.status,
            start_ms=run.info.start_time,
            tags=dict(run.data.tags),
            params=dict(run.data.params),
            metrics=dict(run.data.metrics),
            data={each.dataset.digest for each in run.inputs.dataset_inputs} if run.inputs else set(),
        )


class RunWriter:
    """Finds, creates, completes and ends runs, with a request only where the store lacks something."""

    def __init__(self, store: Store, client: MlflowClient, experiment_id: str) -> None:
        self._store = store
        self._client = client
        self._experiment_id = experiment_id

    def find(self, query: str) -> Iterator[KnownRun]:
        """Every run that MLflow's filter finds, however many pages it takes."""
        token = None
        while True:
            page = self._client.search_runs([self._experiment_id], query, max_results=1_000, page_token=token)
            yield from map(KnownRun.of, page)
            token = page.token
            if not token:
                return

    def create(self, name: str, tags: Mapping[str, str], *, start_ms: int) -> KnownRun:
        run = self._client.create_run(self._experiment_id, start_time=start_ms, tags=dict(tags), run_name=name)
        return KnownRun.of(run)

    def rename(self, known: KnownRun, name: str) -> None:
        if known.tags.get(_NAME, name) != name:
            self._client.update_run(known.run_id, name=name)
            known.tags[_NAME] = name

    def set_status(self, known: KnownRun, status: str, *, end_ms: int | None = None) -> None:
        """RUNNING opens a run again, anything else ends it."""
        if known.status == status:
            return
        if status == "RUNNING":
            self._client.update_run(known.run_id, status=status)
        else:
            self._client.set_terminated(known.run_id, status, end_time=end_ms)
        known.status = status

    def write(
        self,
        known: KnownRun,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        points: Sequence[tuple[str, int, float]] = (),
        at_ms: int | None = None,
    ) -> None:
        """One batch with what the store does not have yet; no request if that is nothing.

        Args:
            known: the run; brought up to date along with the store.
            tags: set where they differ.
            params: written where there is none, because MLflow's parameters never change.
            metrics: written where they differ, at step 0 and now: of one step, MLflow shows the latest value, and of
                one moment the highest.
            points: (metric, step, value), written in any case.
            at_ms: the time of `points`; now, if None.
        """
        from mlflow.entities import Metric, Param, RunTag

        now = time.time_ns() // 1_000_000
        new_tags = {k: v for k, v in (tags or {}).items() if known.tags.get(k) != v}
        new_params = {k: v for k, v in (params or {}).items() if k not in known.params}
        new_metrics = {k: v for k, v in (metrics or {}).items() if known.metrics.get(k) != v}
        values = [Metric(k, float(v), now, 0) for k, v in new_metrics.items()]
        values += [Metric(k, float(v), now if at_ms is None else at_ms, step) for k, step, v in points]
        if not (new_tags or new_params or values):
            return
        for first in range(0, max(1, len(values)), _METRICS_A_BATCH):
            self._client.log_batch(
                known.run_id,
                values[first : first + _METRICS_A_BATCH],
                [Param(k, v) for k, v in new_params.items()] if not first else (),
                [RunTag(k, v) for k, v in new_tags.items()] if not first else (),
            )
        known.tags |= new_tags
        known.params |= new_params
        known.metrics |= new_metrics | {name: value for name, _, value in points}

    def write_data(self, known: KnownRun, name: str, digests: Mapping[str, str]) -> None:
        """Log each split of a data set as an input that the run does not have yet, by its name and digest alone.

        A server that is too old to keep inputs keeps the rest.
        """
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        source = CodeDatasetSource({"mlflow.source.name": "nas"}).to_json()
        inputs = []
        for split, digest in digests.items():
            if digest not in known.data:
                data = Dataset(name, digest, source_type="code", source=source)
                inputs.append(DatasetInput(data, [InputTag("mlflow.data.context", split)]))
        if inputs:
            try:
                self._client.log_inputs(known.run_id, inputs)
            except MlflowException:
                logger.debug("data of run %s", known.run_id, exc_info=True)
            else:
                known.data |= set(digests.values())

    def write_files(self, known: KnownRun, files: Mapping[str, bytes]) -> None:
        """Upload, or remember in a tag that it could not be done: numbers matter more than files.

        A server may answer while its file store is out of this machine's reach. If the server itself is gone, writing
        the tag fails too, and everything is tried again.
        """
        try:
            folder = self._store.folder_of(known.artifact_uri)
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                _write(files, folder)
            else:
                with TemporaryDirectory() as temporary:
                    _write(files, Path(temporary))
                    self._client.log_artifacts(known.run_id, temporary)
        except Exception as error:  # file stores raise whatever their libraries raise
            logger.debug("files of run %s", known.run_id, exc_info=True)
            self.write(known, tags={FILES_MISSING: f"{', '.join(files)}: {error}"[:500]})
            return
        if FILES_MISSING in known.tags:
            self._client.delete_tag(known.run_id, FILES_MISSING)
            del known.tags[FILES_MISSING]


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
