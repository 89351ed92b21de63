"""Make MLflow show what the journal says. Writes only what differs, so it can be repeated at any time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nas.objectives import Objectives
from nas.reports import Story, front_figures, front_tables
from nas.reports.effects_chart import effects_svg
from nas.reports.search_page import nothing_behind, report_html
from nas.results.effects import Effect
from nas.results.pareto import ParetoFront, hypervolume, pareto_rank
from nas.results.trial import TrialRecord, TrialStatus
from nas.tasks import Breakdown
from nas.tracking import mlflow_page, publishing, runs, views
from nas.tracking.search_note import search_note
from nas.tracking.store import Store
from nas.tracking.writer import FILES_MISSING, KnownRun, RunWriter

RunStatus = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

SECONDS = "active_seconds"
"""Metric of the search's run: how long it has run, without the pauses between its parts."""
_FRONT_DIGEST = "nas.front_digest"
_STORY_DIGEST = "nas.story_digest"


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchRun:
    """Which search is shown, and where.

    Attributes:
        experiment: MLflow's experiment, for example the data set; any text.
        name: of the search; any text.
        search_id: from `nas.tracking.search_id`; the key under which runs are found again.
        objectives: what it is after.
        story: how the search came about, for its description.
        breakdown: what lies behind the score of a trial on the front.
        effects: of the decisions so far, the largest first.
        data: digest of each split of the data, by its name; empty if it is not known.
        choices: the decisions of its space that a chart has axes for.
        decided: the decisions that made a trial's network, by their names.
        spent: seconds for which it has run so far.
    """

    store: Store
    experiment: str
    name: str
    search_id: str
    objectives: Objectives
    story: Story = field(default_factory=Story)
    breakdown: Callable[[TrialRecord], Breakdown | None] = nothing_behind
    effects: Callable[[], Sequence[Effect]] = tuple
    data: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    decided: Callable[[TrialRecord], Mapping[str, str]] = lambda record: {}
    spent: Callable[[], float] = lambda: 0.0


class Projection:
    """One connection: reads what the store has of a search, then brings it up to date.

    After an exception it must be replaced by a new one, which reads the store again: the answer to a write may have
    been lost after it took effect.
    """

    def __init__(self, search: SearchRun, description: Mapping[str, str]) -> None:
        """Connect, and find or create the search's run.

        Args:
            search: what to show.
            description: parameters of the search's run. Its first values stay, as MLflow's parameters cannot change;
                one that differs later (a resumed search with more trials) is kept current as a tag `nas.KEY`.
        """
        self._search = search
        client = search.store.connect()
        self._identity = search.store.identity
        self._experiment_id = search.store.experiment_id(client, search.experiment)
        self._writer = RunWriter(search.store, client, self._experiment_id)
        self._trials: dict[int, KnownRun] = {}
        self._shown: dict[int, TrialRecord] = {}
        self._progress: ParetoFront[TrialRecord] = ParetoFront(costs=search.objectives.costs)
        self._progress_steps = 0
        parent: KnownRun | None = None
        # The id is hexadecimal, so nothing in the filter needs quoting.
        for known in self._writer.find(f"tags.`{runs.SEARCH_ID}` = '{search.search_id}'"):
            if known.tags.get(runs.ROLE) == "search":
                parent = known
            elif runs.TRIAL in known.tags:
                self._trials[int(known.tags[runs.TRIAL])] = known
        tags = {runs.SEARCH_ID: search.search_id, runs.ROLE: "search", runs.SEARCH: search.name}
        tags["mlflow.source.name"] = "nas"
        if parent is None:
            # A color of its own for every search of an experiment, so that their fronts can be told apart in one chart.
            others = sum(1 for _ in self._writer.find(f"tags.`{runs.ROLE}` = 'search'"))
            tags[runs.COLOR] = front_figures.FRONT_COLORS[others % len(front_figures.FRONT_COLORS)]
            parent = self._writer.create(search.name, tags, start_ms=_now_ms())
        if parent.tags.get(runs.SEARCH) != search.name:  # it was renamed
            publishing.unpublish(client, client.get_experiment(self._experiment_id), search.search_id)
            client.update_run(parent.run_id, name=search.name)
            self._writer.write(parent, tags={runs.SEARCH: search.name})
        self._parent = parent
        self._front_color = parent.tags.get(runs.COLOR, front_figures.FRONT_COLOR)
        params = runs.clipped(description, 500)
        changed = {f"nas.{k}": v for k, v in params.items() if self._parent.params.get(k, v) != v}
        self._writer.write(self._parent, tags=changed, params=params, metrics={runs.RANK: -1.0})
        self._write_story()
        self._writer.write_data(self._parent, search.experiment, search.data)
        self._views = views.search_views(search.search_id, search.name, search.objectives, search.choices)
        publishing.publish(client, search.store, self._experiment_id, self._views)

    @property
    def is_lost(self) -> bool:
        """Whether what was written is gone: the database was deleted or replaced, which its open file does not show."""
        return self._search.store.identity != self._identity

    @property
    def written(self) -> frozenset[int]:
        """Numbers of the trials that are in the store whole."""
        return frozenset(n for n, known in self._trials.items() if known.status in ("FINISHED", "FAILED"))

    @property
    def parent_run_id(self) -> str:
        return self._parent.run_id

    @property
    def experiment_id(self) -> str:
        return self._experiment_id

    @property
    def url(self) -> str | None:
        """Where a browser finds this search; `None` for a store without a server."""
        root = mlflow_page.ui_root(self._search.store.uri)
        return None if root is None else mlflow_page.view_url(root, self._experiment_id, self._views[0])

    def bring_up(self, records: Sequence[TrialRecord], status: RunStatus = "RUNNING") -> None:
        """Write every trial that is not there, the front's tags, the progress, and at the end its pictures.

        Args:
            records: finished trials in the order in which they finished.
            status: anything but RUNNING ends the search's run, with exact ranks for all trials and the front's
                figures. While it runs, only moves onto and off the front are written.
        """
        ending = status != "RUNNING"
        if not ending:
            self._writer.set_status(self._parent, status)
        ranks = pareto_rank(records, self._search.objectives.costs)
        for record in records:
            known, rank = self._trials.get(record.number), ranks.get(record.number)
            if known and rank and not ending:
                rank = int(known.metrics.get(runs.RANK, rank)) or rank
            if known is None or self._shown.get(record.number) is not record:
                self._write_trial(record, rank)
                self._shown[record.number] = record
            elif known.metrics.get(runs.RANK) != rank or (ending and rank == 0):
                self._write_standing(known, record, rank)
        self._write_progress(records, status)
        if (seconds := self._search.spent()) > 0:
            self._writer.write(self._parent, metrics={SECONDS: round(seconds, 1)})
        if ending:
            # One whose write was cut short, and that then went on: it is in the journal, and not among the records.
            for known in self._trials.values():
                if known.status == "RUNNING":
                    self._writer.set_status(known, "KILLED")
            self._write_front(records, status)
            self._writer.set_status(self._parent, status)

    def _write_standing(self, known: KnownRun, record: TrialRecord, rank: int | None) -> None:
        tags, metrics = runs.standing(record, rank, front_color=self._front_color)
        if rank == 0:
            tags |= self._write_network(known, record)
        self._writer.write(known, tags=_with_users_note(known, tags, record), metrics=metrics)

    def _write_network(self, known: KnownRun, record: TrialRecord) -> dict[str, str]:
        """The files of a trial that is on the front, once; the tags that say so."""
        behind = self._search.breakdown(record)
        # Predictions are drawn when the search ends.
        predicted = behind is not None and behind.predictions != ""
        drawn = "with predictions" if predicted else "true"
        if known.tags.get(runs.DRAWN) != drawn:
            self._writer.write_files(known, runs.front_files(record, behind))
            if FILES_MISSING in known.tags:
                return {}
        score, ids = self._search.objectives.score, (self._experiment_id, self._parent.run_id, known.run_id)
        note = runs.front_note(record, *ids, score=score, predicted=predicted)
        return {runs.DRAWN: drawn, runs.NOTE: note}

    def _write_trial(self, record: TrialRecord, rank: int | None) -> None:
        score = self._search.objectives.score
        content = runs.trial_content(
            record,
            search_id=self._search.search_id,
            score=score,
            search=self._search.name,
            decided=self._search.decided(record),
        )
        known = self._trials.get(record.number)
        if known and known.status == content.status and FILES_MISSING not in known.tags:
            # A trial that went on has more of its curve now.
            shown = known.metrics.get(runs.EPOCHS, 0)
            self._writer.write(known, points=[p for p in content.curves if p[1] > shown], at_ms=known.start_ms)
            tags = dict(content.tags)
            if rank == 0:  # its description has more than that of other trials
                del tags[runs.NOTE]
            tags = _with_users_note(known, tags, record)
            self._writer.rename(known, content.name)
            self._write_data(known)
            self._writer.write(known, tags=tags, params=content.params, metrics=content.metrics)
            self._write_standing(known, record, rank)
            return
        duration_ms = round(1_000 * record.duration_seconds)
        tags, metrics = runs.standing(record, rank, front_color=self._front_color)
        tags |= content.tags
        if known is None:
            parent = {runs.PARENT: self._parent.run_id}
            known = self._writer.create(content.name, tags | parent, start_ms=_now_ms() - duration_ms)
            self._trials[record.number] = known
        self._write_data(known)
        if rank == 0:
            tags |= self._write_network(known, record)
        else:
            self._writer.write_files(known, runs.trial_files(record))
        # With the run's start as their time, points of a write that was cut short are equal to these, and MLflow keeps
        # equal ones once.
        self._writer.write(
            known,
            tags=_with_users_note(known, tags, record),
            params=content.params,
            metrics={**content.metrics, **metrics},
            points=content.curves,
            at_ms=known.start_ms,
        )
        self._writer.set_status(known, content.status, end_ms=known.start_ms + duration_ms)

    def _write_data(self, known: KnownRun) -> None:
        """What a trial was trained and judged on."""
        data = self._search.data
        used = {split: data[split] for split in ("train", "validation") if split in data}
        self._writer.write_data(known, self._search.experiment, used)

    def _write_story(self) -> None:
        """The files that the search was made from, where the store has others."""
        files = self._search.story.files
        digest = hashlib.blake2b(repr(sorted(files.items())).encode(), digest_size=16).hexdigest()
        if files and self._parent.tags.get(_STORY_DIGEST) != digest:
            self._writer.write_files(self._parent, {name: text.encode() for name, text in files.items()})
            if FILES_MISSING not in self._parent.tags:
                self._writer.write(self._parent, tags={_STORY_DIGEST: digest})

    def _write_progress(self, records: Sequence[TrialRecord], status: RunStatus) -> None:
        steps = []
        # One that was stopped early may come again, as a full one; one that was refused does not count.
        partial = (TrialStatus.STOPPED, TrialStatus.REFUSED)
        full = [record for record in records if record.status not in partial]
        for record in full[self._progress_steps :]:
            # By what was observed, as it was known then: what is expected of a trial changes with later ones.
            self._progress = self._progress.adding(record.as_observed())
            self._progress_steps += 1
            values: dict[str, float] = {"full_trials": self._progress_steps, "front_size": len(self._progress)}
            if self._progress.points:
                volume = hypervolume(self._progress, self._search.objectives)
                values |= {"best_val_score": self._progress.best().score, "hypervolume": volume}
            if self._progress_steps > self._parent.metrics.get("full_trials", 0):
                written = runs.tidied(self._search.objectives.score.spelled_keys(values))
                steps += [(name, self._progress_steps, value) for name, value in written.items()]
        self._writer.write(self._parent, points=steps, tags={runs.NOTE: self._note(records, status)})

    def _note(self, records: Sequence[TrialRecord], status: RunStatus) -> str:
        front = ParetoFront.of(records, self._search.objectives.costs)
        members = [point.number for point in front if point.number in self._trials]
        links = {n: mlflow_page.run_url("", self._experiment_id, self._trials[n].run_id).lstrip("/") for n in members}
        return search_note(
            self._search.story,
            front,
            score=self._search.objectives.score,
            trials=len(records),
            hypervolume=hypervolume(front, self._search.objectives),
            running=status == "RUNNING",
            views=[
                (view.label, mlflow_page.view_url("", self._experiment_id, view).lstrip("/")) for view in self._views
            ],
            links=links,
            picture=f"get-artifact?path=front.svg&run_uuid={self._parent.run_id}" if status != "RUNNING" else "",
        )

    def _write_front(self, records: Sequence[TrialRecord], status: RunStatus) -> None:
        objectives = self._search.objectives
        front = ParetoFront.of(records, objectives.costs)
        volume = hypervolume(front, objectives)
        document = front_tables.front_document(front, objectives, search=self._search.name, hypervolume=volume)
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        digest = hashlib.blake2b(f"{len(records)}{status}{text}".encode(), digest_size=16).hexdigest()
        if self._parent.tags.get(_FRONT_DIGEST) == digest and FILES_MISSING not in self._parent.tags:
            return
        effects = self._search.effects()
        title = f"{self._search.name}: {objectives.score.heading} against {objectives.axis.heading}"
        self._writer.write_files(
            self._parent,
            {
                "front.svg": front_figures.front_svg(records, title=title, objectives=objectives),
                "front.csv": front_tables.rows_csv(front_tables.front_rows(front, objectives.score)).encode(),
                "front.json": text.encode(),
                **({"effects.svg": effects_svg(effects, objectives.score).encode()} if effects else {}),
                "report.html": report_html(
                    records,
                    name=self._search.name,
                    story=self._search.story,
                    objectives=objectives,
                    finished=status == "FINISHED",
                    breakdown=self._search.breakdown,
                    effects=effects,
                ).encode(),
            },
        )
        self._writer.write(self._parent, tags={_FRONT_DIGEST: digest})


def _with_users_note(known: KnownRun, tags: Mapping[str, str], record: TrialRecord) -> dict[str, str]:
    """The tags, without our description where a user has written another one."""
    kept = runs.is_ours(known.tags.get(runs.NOTE, ""), record)
    return {name: value for name, value in tags.items() if kept or name != runs.NOTE}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
